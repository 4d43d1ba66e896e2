// The language of mails: the one of the account, and for an account without one that of its owner's request, never that of
// a stranger. A language that was chosen on a page counts before that of the browser.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { dayMs } from '../../src/kit/clock.ts';
import { allEvents, allMails } from '../../src/app/event-list.ts';
import type { Database } from '../../src/db/database.ts';
import { findUserById, updateLanguage } from '../../src/user/store.ts';
import type { ClientSource } from '../../src/identity/context.ts';
import type { Events } from '../../src/identity/event.ts';
import { Browser } from '../support/browser.ts';
import { hasFeature } from '../support/feature.ts';
import { asPage } from '../support/page-form.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService } from '../support/public-service.ts';

const password = 'nine newts under a green umbrella';

describe('mails are written', () => {
  let service: PublicService;
  before(async () => (service = await PublicService.start('sqlite', { EMAIL_SIGN_IN: 'true' })));
  after(() => service.close());

  const languageOfLast = async (email: string): Promise<string | undefined> => {
    await service.deliver();
    const html = service.mails.findLast(({ to }) => to === email)?.html ?? '';
    return /<html lang="(\w+)"/.exec(html)?.[1];
  };

  type Post = (tx: Database, events: Events, user: never, source: ClientSource) => Promise<unknown>;
  /** Every kind of mail, sent by itself or with its event. */
  const kinds: ReadonlyMap<string, Post> = new Map([
    ...allMails.map((kind): [string, Post] => [
      kind.name,
      (tx, events, user, source) => {
        const facts = async (): Promise<never> => ({ facts: kind.example, tokenId: null }) as never;
        return events.send(tx, kind, { user, source, facts } as never);
      },
    ]),
    ...allEvents.flatMap((kind): [string, Post][] =>
      kind.mail === undefined
        ? []
        : [
            [
              `${kind.mail.name} with ${kind.name}`,
              (tx, events, user, source) => {
                const mail = { facts: kind.mail?.example };
                return events.emit(tx, kind, { user, source, facts: {}, mail } as never);
              },
            ],
          ],
    ),
  ]);

  test('of every kind in the language of the account, or of its owner, and never in that of a stranger', async () => {
    assert.ok(kinds.size > 15);
    const { events, database } = service.service.core;
    const { id, email, password: known, deviceToken } = await service.member();
    const other = await service.member();
    const { sessionId } = await service.member();
    const own = String((await service.logIn(email, known, deviceToken)).cookies[0]);
    const sessionToken = /=([^;]+)/.exec(own)?.[1];
    const stranger: ClientSource = { actor: 'anonymous', address: '192.0.2.7', language: 'fr' };
    const session = { actor: 'user', actorId: String(id), language: 'fr', sessionToken } as const;
    const cases: readonly (readonly [string, string | null, ClientSource, string])[] = [
      ['a stranger', null, stranger, 'en'],
      [
        'another user',
        null,
        { ...stranger, actor: 'user', actorId: String(other.id), sessionToken: sessionId },
        'en',
      ],
      ['the device of another user', null, { ...stranger, deviceToken: other.deviceToken }, 'en'],
      ['a session of the account', null, session, 'fr'],
      ['a known device of the account', null, { ...stranger, deviceToken }, 'fr'],
      ['a stranger, for an account with a language', 'en', stranger, 'en'],
      ['a session of an account with a language', 'en', session, 'en'],
    ];
    const requested = new Set(allMails.flatMap(({ name, isRequested }) => (isRequested ? [name] : [])));
    for (const [who, language, source, expected] of cases) {
      await database.execute(
        `update users set language = ${language === null ? 'null' : `'${language}'`} where id = ${id}`,
      );
      for (const [name, post] of kinds) {
        if (requested.has(name)) service.service.clock.advance(dayMs); // beyond every pause
        const count = service.mails.length;
        const user = (await findUserById(database, id)) as never;
        await database.transaction((tx) => post(tx, events, user, source));
        const written = await languageOfLast(email);
        assert.ok(service.mails.length > count, `${name} is sent`);
        assert.equal(written, expected, `${name}, requested by ${who}`);
      }
    }
  });

  /** The forms that send a mail to the owner of an address. */
  const forms: Readonly<Record<string, (email: string) => Readonly<Record<string, string>>>> = {
    '/sign-up': (email) => ({ email, password }),
    '/forgot': (email) => ({ email }),
    '/confirm/again': (email) => ({ email }),
    ...(hasFeature('email-sign-in') && { '/sign-in/email': (email: string) => ({ email }) }),
  };

  for (const [path, fieldsOf] of Object.entries(forms)) {
    test(`that ${path} sends in the language that was chosen on the page, and for a stranger in English`, async () => {
      const at = new Browser(service, { 'accept-language': 'en-US' });
      await at.submit('/language', { language: 'fr' });
      const email = freshEmail();
      await at.submit('/sign-up', { email, password });
      assert.equal(await languageOfLast(email), 'fr', 'the registration');
      if (path === '/sign-in/email') await service.confirm({ email, password });
      service.service.clock.advance(2 * dayMs);
      const count = service.mails.length;
      const { text } = await at.submit(path, fieldsOf(email), asPage);
      assert.equal(await languageOfLast(email), 'fr');
      assert.ok(service.mails.length > count, text);

      const { id, email: silent } = await service.member();
      if (path === '/confirm/again' || path === '/sign-up')
        await service.service.core.database.execute(
          `update users set email_verified_at = null where id = ${id}`,
        );
      service.service.clock.advance(2 * dayMs);
      await at.submit(path, fieldsOf(silent), asPage);
      assert.equal(await languageOfLast(silent), 'en', 'an account without a language');
      await updateLanguage(service.service.core.database, id, 'fr');
      service.service.clock.advance(2 * dayMs);
      await new Browser(service).submit(path, fieldsOf(silent), asPage);
      assert.equal(await languageOfLast(silent), 'fr', 'an account with a language');
    });
  }

  test('in the language of the newest registration while the address is not confirmed, then of who confirmed it', async () => {
    const email = freshEmail();
    await service.post('/users', { email, password }, { 'accept-language': 'en' });
    assert.equal(await languageOfLast(email), 'en');
    service.service.clock.advance(dayMs);
    await service.post('/users', { email, password: `${password}!` }, { 'accept-language': 'fr' });
    assert.equal(await languageOfLast(email), 'fr');
    const token = await service.tokenFor(email);
    const fields = { email, token, password };
    const headers = { 'accept-language': 'en' };
    const confirmed = await service.send({ method: 'PUT', path: '/email_verification', fields, headers });
    assert.equal(confirmed.status, 200, confirmed.text);
    const user = await findUserById(service.service.core.database, await service.idOf(email));
    assert.equal(user?.language, 'en');
  });
});
