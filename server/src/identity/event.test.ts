// Tests the declarations of events, and the class Events.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { onEachEngine, useDatabase } from '../../test/support/engines.ts';
import { Recorder } from '../../test/support/recorder.ts';
import { testClock } from '../../test/support/clock.ts';
import type { NewAuditEvent, AuditSource } from '../audit/event.ts';
import { allEvents, allMails } from '../app/event-list.ts';
import { hourMs } from '../kit/clock.ts';
import { languages, messageKeys } from '../kit/language.ts';
import { silentLog } from '../kit/log.ts';
import { defineMail, defineNotice, type MailKind } from '../mail/mail-kind.ts';
import { Outbox } from '../mail/outbox.ts';
import { listMails } from '../mail/store.ts';
import { requireEmailAddress } from '../user/email-address.ts';
import { addUser } from '../user/new-user-store.ts';
import type { User } from '../user/user.ts';
import { defineEvents, Events, type EmittedEvent, type EventKind } from './event.ts';

const source = path.join(import.meta.dirname, '..');
const filesIn = (pattern: string): string[] =>
  globSync(pattern, { cwd: source, exclude: ['**/*.test.ts'] }).map((file) => file.replaceAll('\\', '/'));

/** Returns the faults of declared events, as sentences. */
function faultsIn(events: readonly EventKind[]): string[] {
  const names = events.map(({ name }) => name);
  return [
    ...names.filter((name, i) => names.indexOf(name) !== i).map((name) => `${name} is declared twice`),
    ...names.filter((name) => !/^[a-z]+(?:_[a-z]+)*$/.test(name)).map((name) => `${name} is no name`),
    ...events.filter(({ says }) => !/^[A-Z].+\.$/.test(says)).map(({ name }) => `${name} has no sentence`),
  ];
}

/** Returns the messages of the mails that a catalog lacks. */
function missingMessages(mails: readonly MailKind[]): string[] {
  return languages().flatMap((language) => {
    const keys = new Set(messageKeys(language));
    return mails.flatMap((mail) => {
      const { link } = mail.compose(mail.example);
      const parts = ['subject', 'what', 'not_you', ...(link === undefined ? [] : ['link'])];
      const needed = parts.map((part) => `mail.${mail.name}.${part}`);
      return needed.filter((key) => !keys.has(key)).map((key) => `${language} ${key}`);
    });
  });
}

describe('the declared events', () => {
  test('have unique names, each with a sentence', () => {
    assert.deepEqual(faultsIn(allEvents), []);
    const [first = assert.fail()] = allEvents;
    assert.deepEqual(faultsIn([...allEvents, first]), [`${first.name} is declared twice`]);
    assert.deepEqual(faultsIn([{ ...first, name: 'Is not', says: '' }]), [
      'Is not is no name',
      'Is not has no sentence',
    ]);
  });

  test('are complete in the list, with every mail', async () => {
    const listed = new Set<unknown>([...allEvents, ...allMails]);
    const declared: unknown[] = [];
    for (const file of filesIn('*/**/event.ts').filter((name) => !/^(?:audit|identity)\/event/.test(name))) {
      const exported = Object.values((await import(path.join(source, file))) as Record<string, unknown>);
      declared.push(...exported.flatMap(declarationsIn));
    }
    assert.ok(declared.length > 40, 'they were read');
    assert.deepEqual(
      declared.filter((one) => !listed.has(one)),
      [],
    );
  });

  test('have mails with messages in every language', () => {
    assert.deepEqual(missingMessages(allMails), []);
    const unknown = defineMail({ name: 'none', example: 1, compose: () => ({ values: {}, link: 'x' }) });
    const parts = ['subject', 'what', 'not_you', 'link'];
    const expected = languages().flatMap((language) => parts.map((part) => `${language} mail.none.${part}`));
    assert.deepEqual(missingMessages([unknown]), expected);
    const names = allMails.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length, 'one kind has one row');
  });

  test('of refusals are collected, except those that stand for a success of the same action', () => {
    const successes = new Set(allEvents.flatMap((kind) => (kind.outcome === 'success' ? kind.name : [])));
    const each = allEvents.filter(({ insteadOf }) => insteadOf !== undefined);
    assert.ok(each.length >= 2);
    for (const { name, outcome, vocabulary, insteadOf = '' } of each) {
      assert.equal(outcome, 'failure', name);
      assert.ok(successes.has(insteadOf), `${name} is recorded instead of ${insteadOf}`);
      assert.equal(vocabulary, allEvents.find((kind) => kind.name === insteadOf)?.vocabulary, name);
    }
  });

  test('are recorded only by the class Events', () => {
    const files = filesIn('**/*.ts').filter((file) =>
      readFileSync(path.join(source, file), 'utf8').includes('.record('),
    );
    const outside = files.filter((file) => !file.startsWith('audit/'));
    assert.deepEqual(outside, ['identity/event.ts']);
  });
});

/** Returns the events and mails among the exports of a file. */
function declarationsIn(exported: unknown): unknown[] {
  if (typeof exported !== 'object' || exported === null) return [];
  return 'compose' in exported ? [exported] : Object.values(exported);
}

interface Greeting {
  readonly link: string;
}
const greeting = defineMail<Greeting>({
  name: 'email_verification',
  replacesEarlier: true,
  example: { link: '' },
  compose: ({ link }) => ({ values: { minutes: 60, hours: 1 }, link }),
});
const requested = defineMail<Greeting>({ ...greeting, replacesEarlier: false, isRequested: true });
const testEvents = defineEvents('test', {
  plain: { vocabulary: 'user_updated', outcome: 'success', shownAs: 'account', says: 'It happened.' },
  mailed: {
    vocabulary: 'user_updated',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'It happened.',
    facts: { factors: 'texts', count: 'number', kind: 'text' },
    mail: defineNotice('password_changed'),
  },
  linked: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'hidden',
    says: 'It happened.',
    mail: greeting,
  },
});
const client: AuditSource = { actor: 'user', actorId: '1', address: '192.0.2.7' };

onEachEngine('an event', (engine) => {
  const opened = useDatabase(engine);

  async function withEvents(subscribers: ConstructorParameters<typeof Events>[0]['subscribers'] = []) {
    const clock = testClock();
    const recorder = new Recorder(opened().database);
    const recorded: NewAuditEvent[] = [];
    const outbox = new Outbox({
      database: recorder,
      cipher: { encrypt: (text) => text, decrypt: (text) => text },
      transport: undefined,
      clock: clock.now,
      log: silentLog,
      domain: 'accounts.test',
      sender: { productName: 'Bienvenue', publicUrl: 'https://accounts.test', color: '#1a56c4' },
    });
    const events = new Events({
      audit: { record: async (_tx, event) => void recorded.push(event) },
      outbox,
      clock: clock.now,
      subscribers,
    });
    const user =
      (await addUser(recorder, requireEmailAddress('ada@example.org'), null, clock.now(), {
        language: 'fr',
      })) ?? assert.fail();
    const mails = async () =>
      (await listMails(recorder, 10)).map((mail) => [
        mail.kind,
        mail.recipient,
        (mail.expires_at - mail.created_at) / hourMs,
      ]);
    return { events, recorded, recorder, clock, user, mails, outbox };
  }

  test('is recorded with its name, its facts, the account and the target', async () => {
    const { events, recorded, recorder, user, mails } = await withEvents();
    const target = { kind: 'session', id: 's' };
    await events.emit(recorder, testEvents.plain, { source: client });
    await events.emit(recorder, testEvents.plain, { user, target, source: client });
    const facts = { factors: ['password', 'totp'], count: 2, kind: 'reset' };
    await events.emit(recorder, testEvents.mailed, { user, facts, source: client });
    const success = { event: 'user_updated', outcome: 'success', reason: 'plain' };
    assert.deepEqual(recorded, [
      success,
      { ...success, userId: user.id, target },
      {
        event: 'user_updated',
        outcome: 'failure',
        reason: 'mailed',
        userId: user.id,
        facts,
        isRepeatable: true,
      },
    ]);
    assert.deepEqual(await mails(), [['password_changed', 'ada@example.org', 24]]);
  });

  test('is rejected by the compiler without its facts, its mail or its user', async () => {
    const { events, recorder, user } = await withEvents();
    const facts = { factors: [], count: 1, kind: '' };
    const never = async (): Promise<void> => {
      // @ts-expect-error: the event has facts
      await events.emit(recorder, testEvents.mailed, { user, source: client });
      // @ts-expect-error: a fact is missing
      await events.emit(recorder, testEvents.mailed, { user, facts: { factors: [] }, source: client });
      const wrong = { ...facts, count: '1' };
      // @ts-expect-error: a fact has the wrong type
      await events.emit(recorder, testEvents.mailed, { user, facts: wrong, source: client });
      // @ts-expect-error: the event has no facts
      await events.emit(recorder, testEvents.plain, { user, facts: { factors: [] }, source: client });
      // @ts-expect-error: the event has a mail and needs a user
      await events.emit(recorder, testEvents.mailed, { user: { id: 1 }, facts, source: client });
      // @ts-expect-error: the mail has facts
      await events.emit(recorder, testEvents.linked, { user, source: client });
      // @ts-expect-error: the mail has facts
      await events.send(recorder, greeting, { user, source: client });
    };
    assert.equal(typeof never, 'function', 'it is compiled, not run');
  });

  test('is mailed with its facts in the language of the owner, to another address and with another lifetime', async () => {
    const { events, recorder, user, mails, outbox } = await withEvents();
    const mail = { facts: { link: 'https://accounts.test/x' }, recipient: 'new@example.org', lifeMs: hourMs };
    await events.emit(recorder, testEvents.linked, { user, mail, source: client });
    assert.deepEqual(await mails(), [['email_verification', 'new@example.org', 1]]);
    const [kept] = await outbox.listKept(1);
    assert.match(kept?.text ?? '', /https:\/\/accounts\.test\/x/);
    assert.match(kept?.html ?? '', /lang="fr"/);
    assert.match(kept?.text ?? '', /192\.0\.2\.7/);
  });

  test('replaces an earlier mail that was not sent, if its kind is declared so', async () => {
    const { events, recorder, user, mails } = await withEvents();
    const facts = { factors: [], count: 0, kind: '' };
    for (const link of ['https://accounts.test/1', 'https://accounts.test/2']) {
      await events.emit(recorder, testEvents.linked, { user, mail: { facts: { link } }, source: client });
      await events.emit(recorder, testEvents.mailed, { user, facts, source: client });
    }
    const kinds = (await mails()).map(([kind]) => String(kind));
    assert.deepEqual(kinds.toSorted(), ['email_verification', 'password_changed', 'password_changed']);
  });

  test('runs the same statements for an unknown account, without storing a mail (constant work)', async () => {
    const { events, recorder, user, mails } = await withEvents();
    const run = async (owner: User | undefined): Promise<string[]> => {
      const before = recorder.recorded.length;
      const mail = { facts: { link: 'https://accounts.test/x' } };
      await events.emit(recorder, testEvents.linked, { user: owner, mail, source: client });
      const facts = async () => ({ ...mail, tokenId: null });
      await events.send(recorder, greeting, { user: owner, facts, source: client });
      await events.send(recorder, requested, { user: owner, facts, source: client });
      return recorder.recorded.slice(before).map(({ compiled }) => compiled.text);
    };
    const unknown = await run(undefined);
    assert.deepEqual(await mails(), []);
    assert.ok(unknown.length >= 8);
    assert.deepEqual(await run(user), unknown);
    assert.equal((await mails()).length, 2);
  });

  test('stores no mail if no token was issued for it', async () => {
    const { events, recorder, user, mails } = await withEvents();
    const send = (tokenId: string | null | undefined) => {
      const facts = async () => ({ facts: { link: 'https://accounts.test/x' }, tokenId });
      return events.send(recorder, requested, { user, facts, source: client });
    };
    assert.equal(await send(undefined), undefined);
    assert.deepEqual(await mails(), []);
    assert.equal((await send('id'))?.id, user.id);
    assert.equal((await mails()).length, 1);
  });

  test('calls each subscriber inside its transaction, and is rolled back if one fails', async () => {
    const seen: EmittedEvent[] = [];
    const note = async (_tx: unknown, event: EmittedEvent): Promise<void> => void seen.push(event);
    const first = await withEvents([note]);
    const facts = { factors: ['totp'], count: 1, kind: 'x' };
    await first.events.emit(first.recorder, testEvents.mailed, { user: first.user, facts, source: client });
    assert.deepEqual(seen, [
      { kind: testEvents.mailed, userId: first.user.id, target: undefined, facts, source: client },
    ]);

    const refuse = async (): Promise<void> => {
      throw new Error('no');
    };
    const failing = new Events({
      audit: { record: async () => {} },
      outbox: first.outbox,
      clock: Date.now,
      subscribers: [refuse],
    });
    await assert.rejects(
      first.recorder.transaction((tx) =>
        failing.emit(tx, testEvents.mailed, { user: first.user, facts, source: client }),
      ),
      /^Error: no$/,
    );
    assert.equal((await first.mails()).length, 1);
  });
});
