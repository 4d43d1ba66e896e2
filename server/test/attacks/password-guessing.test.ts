// Guessing passwords: how often one account, one address and everybody together may try, and that nobody is locked out
// of an account by somebody else's guesses.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { dayMs, minuteMs } from '../../src/kit/clock.ts';
import { isProblem } from '../../src/kit/problem.ts';
import { onEachEngine } from '../support/engines.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService } from '../support/public-service.ts';
import { bodyKinds, type ContractRequest, type Reply } from '../support/request.ts';

const wrong = 'eight herons on a yellow bicycle';

/** How many of the replies have each status. */
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

/** What a client may write into headers that proxies use, as it likes. */
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

/** A login costs three units: twenty in a minute of an address with the limit of public mode. */
const loginsPerMinute = 20;
const attackers = 150;

/** With the limit by address of public mode. */
const startWith = (environment: Record<string, string>): Promise<PublicService> =>
  PublicService.start('sqlite', { ADDRESS_LIMIT_PER_MINUTE: '', ...environment });

describe('limits by address', () => {
  for (const [title, environment] of [
    ['no proxy is believed', {}],
    ['the proxy is believed, and passes on what is no address', { TRUSTED_PROXIES: '203.0.113.9' }],
  ] as const) {
    test(`A14 forged headers: many logins have one counter while ${title}`, async () => {
      const service = await startWith(environment);
      try {
        const replies: Reply[] = [];
        for (let i = 0; i < attackers; i += 1) {
          // With the proxy believed, a well-formed address is what it says of its client.
          const headers = forgedHeaders(title.startsWith('no') ? i : i * 2 + 1);
          if (!title.startsWith('no') && /^::ffff:|^1\.2/.test(headers['x-forwarded-for'] ?? ''))
            delete headers['x-forwarded-for'];
          replies.push(await service.send(login(freshEmail(), { from: '203.0.113.9', headers })));
        }
        assert.deepEqual(countStatuses(replies), { 401: loginsPerMinute, 429: attackers - loginsPerMinute });
        assert.equal((await service.send(login(freshEmail(), {}))).status, 401, 'others are served');
        service.service.clock.advance(minuteMs);
        assert.equal(
          (await service.send(login(freshEmail(), { from: '203.0.113.9' }))).status,
          401,
          'and these again after a minute',
        );
      } finally {
        await service.close();
      }
    });
  }

  test('A14 forged headers: behind a believed proxy only what it wrote itself counts', async () => {
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

  const neighbours = [
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

  test('A15 IPv6: neighbours in one network, and spellings of one address, have one counter', async () => {
    const service = await startWith({});
    try {
      // A refused logout costs one unit, of sixty.
      const logout = (from: string): Promise<Reply> =>
        service.send({ method: 'DELETE', path: '/sessions', from });
      const replies = [];
      for (const from of neighbours) replies.push(await logout(from));
      assert.deepEqual(countStatuses(replies), { 403: 60, 429: neighbours.length - 60 });
      assert.equal((await logout('2001:db8:1:3::1')).status, 403, 'another network');
      const same = [];
      for (let i = 0; i < 30; i += 1) for (const from of spellings) same.push(await logout(from));
      assert.deepEqual(countStatuses(same), { 403: 60, 429: same.length - 60 });
      assert.equal((await logout('192.0.2.6')).status, 403, 'another address');
    } finally {
      await service.close();
    }
  });

  test('A21 spraying: one password on many accounts is slowed down, from one address and from many', async () => {
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
      assert.equal(
        (await audit.list({ event: 'authn_login_fail', limit: 2000 })).length,
        loginsPerMinute + 30,
        'the others were never looked at',
      );
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

/** True if the try was not made. */
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

  test('A17 identifiers: spellings of one address have one counter, whether it has an account or not', async () => {
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
      'the right one neither',
    );
  });

  test('A18 another door: each way to try a password counts, and is closed with the others', async () => {
    const { id, email, password } = await service.member();
    const { auth, database } = service.service.core;
    const byHttp = (more: Partial<ContractRequest>) => async (word: string) =>
      (await service.send({ ...login(email, more), fields: { email, password: word } })).status === 429;
    const ways: Record<string, (word: string) => Promise<boolean>> = {
      ...Object.fromEntries(bodyKinds.map((kind) => [kind, byHttp({ kind })])),
      'with a slash behind it': byHttp({ path: '/sessions/' }),
      'with a session of somebody': byHttp({
        headers: { cookie: `__Host-session_id=${(await service.member()).sessionId}` },
      }),
      validLogin: (word) => isRefused(auth.validLogin(email, word)),
      logIn: (word) => isRefused(auth.logIn(email, word)),
    };
    const failures = async (): Promise<number | undefined> => {
      const rows = await database.query((sql) =>
        sql.selectFrom('attempts').select('failures').where('subject', '=', `user:${id}`),
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
    assert.equal((await service.logIn(email, password)).status, 200, 'until the wait is over');
  });

  test('A19 lock-out: hundreds of failures of strangers keep the owner neither from a known device nor from a reset', async () => {
    const { email, password, deviceToken, sessionId } = await service.member();
    const attacker = await service.member();
    const replies: Reply[] = [];
    for (let i = 0; i < 250; i += 1) {
      // Each wait is over at some time; a device of the attacker's own account is nobody's here.
      if (i % 2 === 0) service.service.clock.advance(15 * minuteMs);
      replies.push(await service.logIn(email, wrong, i % 3 === 0 ? attacker.deviceToken : undefined));
    }
    assert.deepEqual(countStatuses(replies), { 401: 100, 429: 150 }, 'a hundred tries in all');
    service.service.clock.advance(3 * dayMs);
    assert.equal((await service.logIn(email, password)).status, 429, 'from elsewhere not even the right one');
    assert.equal(await service.profile(sessionId), 200, 'the session goes on');
    assert.equal(
      (await service.logIn(email, password, deviceToken)).status,
      200,
      'at once, from the known device',
    );
    assert.equal(
      (await service.logIn(email, password)).status,
      429,
      'which does not open the door to others',
    );

    const newPassword = 'nine newts under a green umbrella';
    assert.equal((await service.reset(email, await service.resetToken(email), newPassword)).status, 200);
    assert.equal((await service.logIn(email, newPassword)).status, 200, 'and from anywhere after a reset');
  });

  test('A19 lock-out: the owner on a new device waits a quarter of an hour at most', async () => {
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

  test('A19 lock-out: a stolen device token has a counter too', async () => {
    const { email, deviceToken } = await service.member();
    const statuses = [];
    for (let i = 0; i < 6; i += 1) statuses.push((await service.logIn(email, wrong, deviceToken)).status);
    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429]);
  });
});
