// Password guessing: how many attempts one account, one address and all clients together have, and that other people's
// failed attempts lock no owner out.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { dayMs, minuteMs } from '../../src/kit/clock.ts';
import { isProblem } from '../../src/kit/problem.ts';
import { subjectOfAddress } from '../../src/identity/attempt/attempts.ts';
import { onEachEngine } from '../support/engines.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService } from '../support/public-service.ts';
import { bodyKinds, type ContractRequest, type Reply } from '../support/request.ts';

const wrong = 'eight herons on a yellow bicycle';

/** The number of replies with each status. */
function countStatuses(replies: readonly Reply[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of replies) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

const login = (email: string, more: Partial<ContractRequest>): ContractRequest => ({
  method: 'POST',
  path: '/sessions',
  fields: { email, password: wrong },
  ...more,
});

/** Values that a client may write into the headers of proxies. */
function forgedHeaders(i: number): Record<string, string> {
  const random = `${i % 256}.${(i * 7) % 256}.${(i * 13) % 256}.${(i * 31) % 256}`;
  const garbage = [
    'a',
    ',,,',
    '[::1',
    'unknown',
    '_hidden',
    '256.1.1.1',
    '::ffff:1.2.3.4',
    '\u{e4}',
    ' ',
    'x'.repeat(5000),
    '1.2.3.4, garbage',
    '%00',
  ];
  const value = i % 2 === 0 ? random : (garbage[i % garbage.length] ?? '');
  const names = [
    'x-forwarded-for',
    'x-real-ip',
    'forwarded',
    'cf-connecting-ip',
    'true-client-ip',
    'x-client-ip',
    'x-cluster-client-ip',
    'fastly-client-ip',
    'x-forwarded',
  ];
  return i % 3 === 0
    ? Object.fromEntries(names.map((name) => [name, name === 'forwarded' ? `for=${value}` : value]))
    : { [names[i % names.length] ?? '']: value };
}

/** A login costs three units: an address has twenty in a minute with the limit of public mode. */
const loginsPerMinute = 20;
const attackers = 150;

/** A service with the limit by address of public mode. */
const startWith = (environment: Record<string, string>): Promise<PublicService> =>
  PublicService.start('sqlite', { ADDRESS_LIMIT_PER_MINUTE: '', ...environment });

describe('limits by address', () => {
  for (const [title, environment] of [
    ['no proxy is trusted', {}],
    ['the proxy is trusted and forwards malformed addresses', { TRUSTED_PROXIES: '203.0.113.9' }],
  ] as const) {
    test(`A14 forged headers: many logins share one counter while ${title}`, async () => {
      const service = await startWith(environment);
      try {
        const replies: Reply[] = [];
        for (let i = 0; i < attackers; i += 1) {
          // If the proxy is trusted, a well-formed address identifies its client.
          const headers = forgedHeaders(title.startsWith('no') ? i : i * 2 + 1);
          if (!title.startsWith('no') && /^::ffff:|^1\.2/.test(headers['x-forwarded-for'] ?? ''))
            delete headers['x-forwarded-for'];
          replies.push(await service.send(login(freshEmail(), { from: '203.0.113.9', headers })));
        }
        assert.deepEqual(countStatuses(replies), { 401: loginsPerMinute, 429: attackers - loginsPerMinute });
        assert.equal((await service.send(login(freshEmail(), {}))).status, 401, 'other clients are served');
        service.service.clock.advance(minuteMs);
        assert.equal(
          (await service.send(login(freshEmail(), { from: '203.0.113.9' }))).status,
          401,
          'these clients are served again after a minute',
        );
      } finally {
        await service.close();
      }
    });
  }

  test('A14 forged headers: behind a trusted proxy only the address that it wrote itself counts', async () => {
    const service = await startWith({ TRUSTED_PROXIES: '203.0.113.9' });
    try {
      const replies: Reply[] = [];
      for (let i = 0; i < 100; i += 1) {
        const headers = {
          'x-forwarded-for': `${i}.1.2.3, 198.51.100.${i}, 198.51.100.7`,
          'x-real-ip': `${i}.1.2.3`,
        };
        replies.push(await service.send(login(freshEmail(), { from: '203.0.113.9', headers })));
      }
      assert.deepEqual(countStatuses(replies), { 401: loginsPerMinute, 429: 100 - loginsPerMinute });
      const other = { 'x-forwarded-for': '198.51.100.7, 198.51.100.8' };
      assert.equal(
        (await service.send(login(freshEmail(), { from: '203.0.113.9', headers: other }))).status,
        401,
      );
      const direct = { 'x-forwarded-for': '198.51.100.9' };
      assert.equal(
        (await service.send(login(freshEmail(), { from: '198.51.100.7', headers: direct }))).status,
        429,
        'no proxy of ours',
      );
    } finally {
      await service.close();
    }
  });

  const neighbors = [
    ...Array.from({ length: 100 }, (_, i) => `2001:db8:1:2::${i.toString(16)}`),
    ...Array.from({ length: 100 }, (_, i) => `2001:db8:1:2:${i}:ffff:${i}:1`),
    '2001:DB8:1:2:ABCD::1',
    '2001:0db8:0001:0002:0000:0000:0000:0099',
    '2001:db8:1:2::192.0.2.1',
  ];
  const spellings = [
    '192.0.2.5',
    '::ffff:192.0.2.5',
    '::FFFF:192.0.2.5',
    '::ffff:c000:205',
    '0:0:0:0:0:ffff:c000:0205',
    '0000:0000:0000:0000:0000:FFFF:192.0.2.5',
  ];

  test('A15 IPv6: addresses of one network, and spellings of one address, share one counter', async () => {
    const service = await startWith({});
    try {
      // A rejected logout costs one unit, of sixty.
      const logout = (from: string): Promise<Reply> =>
        service.send({ method: 'DELETE', path: '/sessions', from });
      const replies = [];
      for (const from of neighbors) replies.push(await logout(from));
      assert.deepEqual(countStatuses(replies), { 403: 60, 429: neighbors.length - 60 });
      assert.equal((await logout('2001:db8:1:3::1')).status, 403, 'another network');
      const same = [];
      for (let i = 0; i < 30; i += 1) for (const from of spellings) same.push(await logout(from));
      assert.deepEqual(countStatuses(same), { 403: 60, 429: same.length - 60 });
      assert.equal((await logout('192.0.2.6')).status, 403, 'another address');
    } finally {
      await service.close();
    }
  });

  test('A21 spraying: limits one password on many accounts, from one address and from many', async () => {
    const service = await startWith({ GLOBAL_LIMIT_PER_MINUTE: '90' });
    try {
      const replies = await Promise.all(
        Array.from({ length: attackers }, () => service.send(login(freshEmail(), { from: '192.0.2.77' }))),
      );
      assert.deepEqual(countStatuses(replies), { 401: loginsPerMinute, 429: attackers - loginsPerMinute });
      service.service.clock.advance(minuteMs);
      const many = [];
      for (let i = 0; i < 200; i += 1) many.push(await service.send(login(freshEmail(), {})));
      assert.deepEqual(countStatuses(many), { 401: 30, 429: 170 });
      assert.ok(many.every(({ status, headers }) => status !== 429 || Number(headers['retry-after']) > 0));
      const { audit } = service.service.core;
      // Repeated refusals of one network are one event with their number.
      const events = await audit.list({ event: 'authn_login_fail', limit: 2000 });
      const refusals = events.reduce((sum, { facts }) => sum + Number(facts?.['count'] ?? 1), 0);
      assert.equal(refusals, loginsPerMinute + 30, 'the other attempts were not verified');
    } finally {
      await service.close();
    }
  });
});

const spellingsOf = (email: string): string[] => [
  email,
  email.toUpperCase(),
  ` ${email}`,
  `${email}\t`,
  email.replace('p', 'P'),
  email.normalize('NFD'),
  email.replace('.org', '\u{3002}org'),
];

/** True if the attempt was rejected without verification. */
const isRefused = (attempt: Promise<unknown>): Promise<boolean> =>
  attempt.then(
    () => false,
    (error: unknown) => isProblem(error, 'too_many_attempts'),
  );

onEachEngine('counting by account', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine);
  });
  after(() => service.close());

  test('A17 identifiers: spellings of one address share one counter, whether it has an account or not', async () => {
    const { email, password } = await service.member();
    for (const address of [email, freshEmail()]) {
      const statuses = [];
      for (const spelling of spellingsOf(address))
        statuses.push((await service.logIn(spelling, wrong)).status);
      assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429], address);
    }
    assert.equal(
      (await service.logIn(` ${email.toUpperCase()}`, password)).status,
      429,
      'the right password is rejected too',
    );
  });

  test('A18 other entry points: each route that verifies a password counts attempts, and all are closed together', async () => {
    const { email, password } = await service.member();
    const { auth, database } = service.service.core;
    const byHttp = (more: Partial<ContractRequest>) => async (word: string) =>
      (await service.send({ ...login(email, more), fields: { email, password: word } })).status === 429;
    const ways: Record<string, (word: string) => Promise<boolean>> = {
      ...Object.fromEntries(bodyKinds.map((kind) => [kind, byHttp({ kind })])),
      'with a slash behind it': byHttp({ path: '/sessions/' }),
      'with a session of another account': byHttp({
        headers: { cookie: `__Host-session_id=${(await service.member()).sessionId}` },
      }),
      validLogin: (word) => isRefused(auth.validLogin(email, word)),
      logIn: (word) => isRefused(auth.logIn(email, word)),
    };
    const failures = async (): Promise<number | undefined> => {
      const rows = await database.query((sql) =>
        sql.selectFrom('attempts').select('failures').where('subject', '=', subjectOfAddress(email)),
      );
      return rows[0]?.failures;
    };
    for (const [name, way] of Object.entries(ways)) {
      service.service.clock.advance(15 * minuteMs);
      const earlier = (await failures()) ?? 0;
      assert.equal(await way(wrong), false, name);
      assert.equal(await failures(), earlier + 1, `${name} counts`);
    }
    for (const [name, way] of Object.entries(ways))
      assert.equal(await way(password), true, `${name} is closed`);
    service.service.clock.advance(15 * minuteMs);
    assert.equal((await service.logIn(email, password)).status, 200, 'the wait is over');
  });

  test('A19 lock-out: after hundreds of failures of strangers the owner can use a known device and a reset', async () => {
    const { email, password, deviceToken, sessionId } = await service.member();
    const attacker = await service.member();
    const replies: Reply[] = [];
    for (let i = 0; i < 250; i += 1) {
      // Each wait ends at some time; a known device of the attacker's own account does not count here.
      if (i % 2 === 0) service.service.clock.advance(15 * minuteMs);
      replies.push(await service.logIn(email, wrong, i % 3 === 0 ? attacker.deviceToken : undefined));
    }
    assert.deepEqual(countStatuses(replies), { 401: 100, 429: 150 }, 'a hundred attempts in all');
    service.service.clock.advance(3 * dayMs);
    assert.equal(
      (await service.logIn(email, password)).status,
      429,
      'from elsewhere the right password is rejected too',
    );
    assert.equal(await service.profile(sessionId), 200, 'the session goes on');
    assert.equal(
      (await service.logIn(email, password, deviceToken)).status,
      200,
      'immediately, from the known device',
    );
    assert.equal((await service.logIn(email, password)).status, 429, 'other devices are still rejected');

    const newPassword = 'nine newts under a green umbrella';
    assert.equal((await service.reset(email, await service.resetToken(email), newPassword)).status, 200);
    assert.equal((await service.logIn(email, newPassword)).status, 200, 'from anywhere after a reset');
  });

  test('A19 lock-out: the owner on a new device waits at most a quarter of an hour', async () => {
    const { email, password } = await service.member();
    for (let i = 0; i < 40; i += 1) {
      service.service.clock.advance(15 * minuteMs);
      assert.equal((await service.logIn(email, wrong)).status, 401);
    }
    const reply = await service.logIn(email, password);
    assert.deepEqual([reply.status, Number(reply.headers['retry-after'])], [429, 900]);
    service.service.clock.advance(15 * minuteMs);
    assert.equal((await service.logIn(email, password)).status, 200);
  });

  test('A19 lock-out: attempts with a stolen device token are counted too', async () => {
    const { email, deviceToken } = await service.member();
    const statuses = [];
    for (let i = 0; i < 6; i += 1) statuses.push((await service.logIn(email, wrong, deviceToken)).status);
    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429]);
  });
});
