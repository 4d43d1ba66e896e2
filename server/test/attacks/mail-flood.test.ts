// Floods of mail: how many mails strangers can cause, that they cannot use up the mails and links of the owner, and
// that a request for a mail reveals nothing.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { allEvents, allMails } from '../../src/app/event-list.ts';
import { dayMs, hourMs, minuteMs, secondMs } from '../../src/kit/clock.ts';
import { mailCost } from '../../src/http/limit/limits.ts';
import type { MailKind } from '../../src/mail/mail-kind.ts';
import { requireEmailAddress } from '../../src/user/email-address.ts';
import { addUser } from '../../src/user/new-user-store.ts';
import type { User } from '../../src/user/user.ts';
import { Browser, signIn } from '../support/browser.ts';
import { onEachEngine } from '../support/engines.ts';
import { lacks, without } from '../support/feature.ts';
import { codeIn, tokenIn } from '../support/mail-box.ts';
import { freshEmail } from '../support/person.ts';
import { deviceCookie, PublicService, sessionCookie, type Member } from '../support/public-service.ts';
import type { ContractRequest, Reply } from '../support/request.ts';

const password = 'nine newts under a green umbrella';
/** Mails of one kind, and of all kinds, that strangers can cause within 24 hours. */
const [maxPerKind, maxPerRecipient] = [10, 20];

/** Returns the largest number of instants within 24 hours. */
function mostInADay(instants: readonly number[]): number {
  return Math.max(
    0,
    ...instants.map((first) => instants.filter((at) => at >= first && at < first + dayMs).length),
  );
}

onEachEngine('mails that strangers cause', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  const wait = (ms: number): void => service.service.clock.advance(ms);
  const now = (): number => service.service.clock.now();

  /** The mails that were sent to the spellings of an address, by kind. */
  async function sentTo(email: string): Promise<Map<string, number[]>> {
    await service.deliver();
    const rows = await service.service.core.database.query((sql) =>
      sql
        .selectFrom('mails')
        .select(['kind', 'recipient', 'sent_at'])
        .where('sent_at', 'is not', null)
        .orderBy('sent_at'),
    );
    const own = rows.filter(({ recipient }) => recipient.toLowerCase() === email.toLowerCase());
    const byKind = Map.groupBy(own, ({ kind }) => kind);
    return new Map([...byKind].map(([kind, mails]) => [kind, mails.map((mail) => mail.sent_at ?? 0)]));
  }
  const countOf = async (email: string): Promise<number> => [...(await sentTo(email)).values()].flat().length;
  const waitingOf = (): Promise<{ kind: string; recipient: string }[]> =>
    service.service.core.database.query((sql) =>
      sql
        .selectFrom('mails')
        .select(['kind', 'recipient'])
        .where('sent_at', 'is', null)
        .where('given_up_at', 'is', null),
    );
  const reset = (email: string, cookie?: string): Promise<Reply> =>
    service.post('/reset_password', { email }, cookie === undefined ? {} : { cookie });
  const ownCookies = ({ deviceToken, sessionId }: Member): string[] => [
    `${deviceCookie}=${deviceToken}`,
    `${sessionCookie}=${sessionId}`,
  ];

  /** Sends a mail of a kind as a request without a session causes it. */
  async function sendAsStranger(kind: MailKind, user: User): Promise<void> {
    const { events, database } = service.service.core;
    const source = { actor: 'anonymous', address: '192.0.2.7' } as const;
    const facts = async () => ({ facts: kind.example as { of: 'any' }, tokenId: null });
    // The facts are those of the kind, whichever it is.
    await database.transaction((tx) =>
      events.send(tx, kind as MailKind<{ of: 'any' }>, { user, source, facts }),
    );
  }

  test('each kind of mail is a notice or has pauses and a cap', async () => {
    for (const { name, mail } of allEvents)
      assert.notEqual(mail?.isRequested, true, `${name} is mailed without a limit`);
    const steps = [...Array.from({ length: 9 }, () => minuteMs), ...Array.from({ length: 11 }, () => hourMs)];
    for (const kind of allMails) {
      const email = freshEmail();
      const { core } = service.service;
      const user = await addUser(core.database, requireEmailAddress(email), null, now());
      assert.ok(user !== undefined);
      const requests = kind.isRequested ? steps : steps.slice(0, 4);
      for (const ms of requests) {
        await sendAsStranger(kind, user);
        await service.deliver();
        wait(ms);
      }
      const sent = (await sentTo(email)).get(kind.name) ?? [];
      if (!kind.isRequested) assert.equal(sent.length, requests.length, `${kind.name} is always sent`);
      else {
        assert.ok(mostInADay(sent) <= maxPerKind, `${kind.name}: ${mostInADay(sent)} in a day`);
        const pauses = sent.slice(1, 5).map((at, i) => (at - (sent[i] ?? 0)) / minuteMs);
        assert.ok(
          pauses.every((pause, i) => pause >= ([1, 2, 5, 15][i] ?? 60)),
          `${kind.name}: ${pauses.join()}`,
        );
      }
    }
  });

  test('no public route floods a mailbox, however the address is spelled', async () => {
    const newcomer = await service.newcomer();
    const member = await service.member();
    const disabled = await service.member();
    await service.service.core.auth.setDisabled(disabled.id, true);
    const spellings = [
      (email: string) => email,
      (email: string) => ` ${email} `,
      (email: string) => email.toUpperCase(),
      (email: string) => email.replace(/^./, (first) => first.toUpperCase()),
    ];
    // Each sends one mail at most and costs as much as that (`mailCost`).
    const routes = service.service.routes.filter(
      ({ access, method, isRefusal, cost }) =>
        ['open', 'optional'].includes(access) &&
        ['POST', 'PUT'].includes(method) &&
        !isRefusal &&
        cost >= mailCost,
    );
    assert.ok(routes.length > 5, String(routes.length));
    const steps = [
      ...Array.from({ length: 10 }, () => minuteMs),
      ...Array.from({ length: 11 }, () => 70 * minuteMs),
    ];
    const earlier = await countOf(newcomer.email);
    for (const [i, step] of steps.entries()) {
      for (const { email } of [newcomer, member, disabled]) {
        const spelled = (spellings[i % spellings.length] ?? String)(email);
        for (const { method, url: path } of routes) {
          const fields = { email: spelled, password, new_password: password, reset_token: 'x', token: 'x' };
          await service.send({ method: method as ContractRequest['method'], path, fields });
        }
        const authenticator = { factor: 'passkey', credential: '{}' };
        await service.service.core.accounts
          .signUp(requireEmailAddress(spelled), authenticator, { actor: 'anonymous' })
          .catch(() => {});
      }
      await service.deliver();
      wait(step);
    }
    assert.ok((await countOf(newcomer.email)) > earlier, 'the requests cause mails');
    for (const { email } of [newcomer, member, disabled]) {
      const sent = await sentTo(email);
      for (const [kind, instants] of sent) {
        assert.ok(mostInADay(instants) <= maxPerKind, `${kind} to ${email}`);
        assert.ok(
          allMails.find(({ name }) => name === kind)?.isRequested,
          `${kind} was caused by a stranger`,
        );
      }
      assert.ok(mostInADay([...sent.values()].flat()) <= maxPerRecipient, email);
    }
  });

  test('fourteen registrations within sixteen seconds cause a mail, and one of the newest after a minute', async () => {
    const email = freshEmail();
    for (let i = 0; i < 14; i += 1) {
      assert.equal((await service.post('/users', { email, password: `${password} ${i}` })).status, 200);
      if (i % 2 === 0) await service.deliver();
      wait(1200);
    }
    assert.equal(await countOf(email), 1);
    assert.equal((await waitingOf()).filter(({ recipient }) => recipient === email).length, 1);
    wait(minuteMs);
    assert.equal((await service.confirm({ email, password: `${password} 13` })).status, 200);
    assert.equal(await countOf(email), 2);
    assert.equal((await service.logIn(email, `${password} 13`)).status, 200);
  });

  test('concurrent requests cause one mail now and one after the pause', async (t) => {
    const { email } = await service.member();
    for (let i = 0; i < 2; i += 1) {
      await Promise.all(Array.from({ length: 12 }, () => reset(email)));
      assert.equal((await waitingOf()).filter(({ recipient }) => recipient === email).length, 1);
      assert.equal((await sentTo(email)).get('reset_password')?.length, 1);
    }
    wait(minuteMs);
    assert.equal((await sentTo(email)).get('reset_password')?.length, 2);
    if (lacks(t, 'email-change')) return;
    const target = freshEmail();
    const members: Browser[] = [];
    const secrets: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      const member = await service.member();
      members.push(await signIn(service, member));
      secrets.push(member.password);
    }
    const spelled = (i: number): string => (i % 2 === 0 ? target : target.toUpperCase());
    const change = (browser: Browser, i: number) =>
      browser.post('/profile/email', { email: spelled(i), password: secrets[i] ?? '' });
    for (const browsers of [members.slice(0, 3), members]) {
      for (const reply of await Promise.all(browsers.map(change))) assert.equal(reply.status, 200);
      assert.equal(await countOf(target), 1, 'members count together');
    }
    const waiting = (await waitingOf()).filter(({ recipient }) => recipient.toLowerCase() === target);
    assert.equal(waiting.length, 1);
    wait(minuteMs);
    assert.equal(await countOf(target), 2);
  });

  test('a reply does not tell whether a mail is sent now, later or not at all', async () => {
    const replies = async (email: string): Promise<string[]> => {
      const seen: string[] = [];
      for (let i = 0; i < 6; i += 1) {
        const { status, body, headers } = await reset(email);
        seen.push(`${status} ${JSON.stringify(body).replaceAll(email, '')} ${Object.keys(headers).join()}`);
        await service.deliver();
        wait(i === 0 ? secondMs : minuteMs);
      }
      return [...new Set(seen)];
    };
    const known = await replies((await service.member()).email);
    assert.equal(known.length, 1);
    assert.deepEqual(await replies(freshEmail()), known);
  });

  test('a stranger who asks for days cannot keep the owner from a reset in a session or on a known device', async () => {
    for (const which of [0, 1]) {
      const member = await service.member();
      const [cookie = ''] = ownCookies(member).slice(which);
      for (let i = 0; i < 40; i += 1) {
        await reset(member.email);
        await service.deliver();
        wait(i < 20 ? minuteMs : 2 * hourMs);
        if (i % 13 !== 0) continue;
        await reset(member.email);
        await service.deliver();
        const earlier = service.mails.length;
        await reset(member.email, cookie);
        await service.deliver();
        assert.equal(service.mails.length, earlier + 1, `sent immediately in step ${i}`);
        await reset(member.email);
        await reset(member.email, cookie);
        await service.deliver();
        assert.equal(service.mails.length, earlier + 1, 'not twice within a minute');
      }
      await reset(member.email, cookie);
      const token = await service.tokenFor(member.email);
      for (let i = 0; i < 55; i += 1) {
        wait(minuteMs);
        await reset(member.email);
        await service.deliver();
      }
      assert.equal((await service.reset(member.email, token, password)).status, 200, 'an hour is enough');
    }
  });

  test('a session or a known device of another account counts as a stranger', async () => {
    const [ada, eve] = [await service.member(), await service.member()];
    const cookies = ownCookies(eve);
    const earlier = await countOf(ada.email);
    for (let i = 0; i < 30; i += 1) {
      for (const cookie of cookies) await reset(ada.email, cookie);
      await service.deliver();
      wait(2 * minuteMs);
    }
    assert.ok((await countOf(ada.email)) - earlier <= maxPerKind);
  });

  test('of three live links a stranger revokes none, and using one revokes the others', async () => {
    const { email } = await service.member();
    const tokens: string[] = [];
    for (const ms of [0, minuteMs, 2 * minuteMs]) {
      wait(ms);
      tokens.push(await service.resetToken(email));
    }
    assert.equal(new Set(tokens).size, 3);
    for (const ms of [5 * minuteMs, 15 * minuteMs, 30 * minuteMs]) {
      const earlier = service.mails.length;
      wait(ms);
      assert.equal((await reset(email)).status, 200);
      await service.deliver();
      assert.equal(service.mails.length, earlier, 'no mail while three links are live');
    }
    const [first = '', second = '', third = ''] = tokens;
    assert.equal((await service.reset(email, first, password)).status, 200);
    for (const token of [first, second, third])
      assert.equal((await service.reset(email, token, password)).status, 403);
  });

  test('an own request replaces the oldest of three links', async () => {
    const member = await service.member();
    const [device = ''] = ownCookies(member);
    const tokens: string[] = [];
    for (let i = 0; i < 4; i += 1) {
      await reset(member.email, device);
      tokens.push(await service.tokenFor(member.email));
      wait(minuteMs);
    }
    const [first = '', second = ''] = tokens;
    assert.equal((await service.reset(member.email, first, password)).status, 403);
    assert.equal((await service.reset(member.email, second, password)).status, 200);
  });

  test('a mail that waits is not sent once its token was revoked', async () => {
    const { email } = await service.member();
    wait(dayMs);
    await service.resetToken(email);
    await reset(email);
    await service.service.core.auth.setPassword(email, password);
    const earlier = service.mails.filter(({ to }) => to === email).length;
    wait(2 * minuteMs);
    await service.deliver();
    const later = service.mails.filter(({ to }) => to === email).slice(earlier);
    assert.deepEqual(
      later.map(({ text }) => tokenIn(text)),
      [undefined],
      'the notice of the new password alone',
    );
  });

  test('the life of a link and of its code begins when the mail is sent, not when it was requested', async () => {
    const { email } = await service.member();
    for (let i = 0; i < 5; i += 1) {
      await reset(email);
      await service.deliver();
      wait(8 * minuteMs);
    }
    const own = new Browser(service);
    wait(hourMs);
    await own.post('/reset_password', { email });
    await service.deliver();
    await own.post('/reset_password', { email });
    wait(15 * minuteMs);
    const token = await service.tokenFor(email);
    const code = codeIn(service.mails.findLast(({ to }) => to === email)?.text ?? '') ?? '';
    wait(9 * minuteMs);
    const redeem = (secret: string): Promise<Reply> =>
      own.put('/reset_password', { email, reset_token: secret, new_password: password });
    assert.equal((await redeem('2222-2222')).status, 403);
    assert.equal((await redeem(code)).status, 200);
    assert.equal((await redeem(token)).status, 403);
  });

  test('the token of a mail that was replaced before it was sent is removed with it', async () => {
    const { email, id } = await service.member();
    await service.resetToken(email);
    const live = async (): Promise<number> => {
      const rows = await service.service.core.database.query((sql) =>
        sql.selectFrom('one_time_tokens').select('id').where('user_id', '=', id).where('kind', '=', 'reset'),
      );
      return rows.length;
    };
    for (let i = 0; i < 5; i += 1) {
      await reset(email);
      assert.equal(await live(), 2);
    }
  });

  test('a code works in the browser that asked for it, and attempts count for all codes together', async () => {
    const { email, id } = await service.member();
    const [first, second] = [new Browser(service), new Browser(service)];
    const ask = async (browser: Browser): Promise<string> => {
      await browser.post('/reset_password', { email });
      await service.deliver();
      const text = service.mails.findLast(({ to }) => to === email)?.text ?? '';
      return codeIn(text) ?? '';
    };
    const redeem = (browser: Browser, code: string): Promise<Reply> =>
      browser.put('/reset_password', { email, reset_token: code, new_password: password });
    const one = await ask(first);
    wait(minuteMs);
    const two = await ask(second);
    assert.notEqual(one, two);
    for (const [browser, code] of [
      [first, two],
      [second, one],
    ] as const)
      assert.equal((await redeem(browser, code)).status, 403);
    const tries = await service.service.core.database.query((sql) =>
      sql
        .selectFrom('one_time_tokens')
        .select('code_tries')
        .where('user_id', '=', id)
        .where('kind', '=', 'reset'),
    );
    assert.deepEqual(
      tries.map((row) => row.code_tries),
      [2, 2],
    );
    assert.equal((await redeem(first, one)).status, 200);
    assert.equal((await redeem(second, two)).status, 403);
  });

  test('the sign-in link of the owner survives the requests of a stranger', async (t) => {
    if (without('email-sign-in') !== false) return t.skip(String(without('email-sign-in')));
    const { email } = await service.member();
    const ask = (): Promise<Reply> => service.post('/sessions/email', { email });
    await ask();
    const token = await service.tokenFor(email);
    for (let i = 0; i < 9; i += 1) {
      wait(minuteMs);
      await ask();
      await service.deliver();
    }
    assert.equal((await service.put('/sessions/email', { email, token })).status, 200);
  });
});
