// Account enumeration: neither a reply's content nor the limits reveal whether an address has an account or of what kind.
// account-enumeration.system.ts compares the times.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { minuteMs } from '../../src/kit/clock.ts';
import { createToken } from '../../src/kit/secret.ts';
import { deviceKind, sessionKind } from '../../src/identity/cookie-kinds.ts';
import { verificationKind } from '../../src/identity/account/verification.ts';
import { resetKind } from '../../src/identity/password/reset.ts';
import { onEachEngine } from '../support/engines.ts';
import { PublicService, deviceCookie, sessionCookie } from '../support/public-service.ts';
import { comparable } from './comparable.ts';
import {
  accountKinds,
  routes,
  prepareAccounts,
  type AccountKind,
  type Addresses,
  type Route,
} from './timing.ts';

/** An address without an account. */
const password = 'eight herons on a yellow bicycle';

/** Routes that are timed in addition: those that take a token, and a login from a known browser. */
const moreRoutes: readonly Route[] = [
  {
    name: 'reset with a guessed token',
    ask: (service, email) => service.reset(email, createToken(resetKind).token, password),
    status: 403,
    hashes: false,
  },
  {
    name: 'reset with nonsense',
    ask: (service, email) => service.reset(email, 'nonsense', 'short'),
    status: 403,
    hashes: false,
  },
  {
    name: 'confirmation with a guessed token',
    ask: (service, email) =>
      service.put('/email_verification', { email, token: createToken(verificationKind).token }),
    status: 403,
    hashes: false,
  },
  {
    name: 'login with an unknown device and session',
    ask: (service, email) => {
      const cookie = `${deviceCookie}=${createToken(deviceKind).token}; ${sessionCookie}=${createToken(sessionKind).token}`;
      return service.post('/sessions', { email, password }, { cookie });
    },
    status: 401,
    hashes: true,
  },
  {
    name: 'login with a short password',
    ask: (service, email) => service.logIn(email, 'x'),
    status: 401,
    hashes: true,
  },
  {
    name: 'registration with a short password',
    ask: (service, email) => service.post('/users', { email, password: 'x' }),
    status: 400,
    hashes: false,
  },
];

onEachEngine('account enumeration', (engine) => {
  let service: PublicService;
  let emailOf: Addresses;
  before(async () => {
    // With the default limits of a service.
    service = await PublicService.start(engine, {
      ADDRESS_LIMIT_PER_MINUTE: '',
      GLOBAL_LIMIT_PER_MINUTE: '',
    });
    emailOf = await prepareAccounts(service);
  });
  after(() => service.close());

  // The content of replies does not depend on the engine; the counts below do.
  const compared = engine === 'sqlite' ? [...routes, ...moreRoutes] : [];
  for (const { name, ask, status } of compared) {
    test(`A11 enumeration by content: ${name} replies the same for every address, also when repeated`, async () => {
      service.service.clock.advance(20 * minuteMs);
      await service.service.core.database.execute('delete from attempts');
      for (let i = 0; i < 2; i += 1) {
        const replies = new Map<AccountKind, object>();
        for (const kind of accountKinds) {
          const email = emailOf(kind);
          const reply = await ask(service, email);
          assert.equal(reply.status, status, `${kind}: ${reply.text}`);
          for (const cookie of reply.cookies) assert.match(cookie, /^__Host-request=/);
          replies.set(kind, comparable(reply, email));
        }
        for (const kind of accountKinds) assert.deepEqual(replies.get(kind), replies.get('unknown'), kind);
        assert.match(JSON.stringify(replies.get('unknown')), /"ratelimit":.*"isWhole":true/);
      }
    });
  }

  test('A11 enumeration by content: the right password of a disabled user gets the same reply as a wrong one', async () => {
    const { id, email, password: right } = await service.member();
    await service.service.core.auth.setDisabled(id, true);
    const replies = [await service.logIn(email, right), await service.logIn(email, password)];
    assert.deepEqual(
      comparable(replies[0] ?? assert.fail(), email),
      comparable(replies[1] ?? assert.fail(), email),
    );
  });

  test('A11 enumeration by content: registering an address and then logging in reveals nothing about it', async () => {
    const kinds = await prepareAccounts(service);
    const stories = [];
    for (const kind of accountKinds) {
      const email = kinds(kind);
      const story = [];
      story.push(await service.post('/users', { email, password }));
      for (let i = 0; i < 7; i += 1) story.push(await service.logIn(email, password));
      story.push(await service.post('/users', { email, password }));
      story.push(await service.logIn(email, password));
      stories.push({ kind, replies: story.map((reply) => comparable(reply, email)) });
    }
    for (const { kind, replies } of stories) assert.deepEqual(replies, stories[0]?.replies, kind);
  });

  test('A13 enumeration by limits: a registration does not end the wait after failed attempts', async () => {
    const kinds = await prepareAccounts(service);
    for (const kind of accountKinds) {
      const email = kinds(kind);
      const statuses = [];
      for (let i = 0; i < 6; i += 1) statuses.push((await service.logIn(email, password)).status);
      await service.post('/users', { email, password });
      statuses.push((await service.logIn(email, password)).status);
      assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429], kind);
    }
  });

  test('A13 enumeration by limits: failed attempts get the same replies for every address, up to the last', async () => {
    const { clock, core } = service.service;
    const kinds = await prepareAccounts(service); // without a failure so far
    const unknown = 'nobody.at.all@example.org';
    const emails = accountKinds.map((kind) => (kind === 'unknown' ? unknown : kinds(kind)));
    const waits = new Map(emails.map((email): [string, unknown[]] => [email, []]));
    const tryAll = async (): Promise<void> => {
      for (const email of emails) {
        const { status, headers } = await service.logIn(email, password);
        waits.get(email)?.push([status, headers['retry-after']]);
      }
    };
    for (let i = 0; i < 12; i += 1) {
      await tryAll();
      clock.advance(i < 8 ? 0 : 3000);
    }
    await core.database.query((sql) =>
      sql.updateTable('attempts').set({ failures: 98 }).where('failures', '>', 5),
    );
    for (let i = 0; i < 4; i += 1) {
      clock.advance(15 * minuteMs);
      await tryAll();
    }
    const [first, ...others] = [...waits.values()];
    for (const other of others) assert.deepEqual(other, first);
    const statuses = (first ?? []).map((pair) => (pair as unknown[])[0]);
    assert.ok(statuses.includes(401) && statuses.includes(429), 'both replies occurred');
    assert.deepEqual(
      first?.slice(-3),
      [
        [401, undefined],
        [429, undefined],
        [429, undefined],
      ],
      'the factor is disabled after a hundred failures',
    );
  });
});
