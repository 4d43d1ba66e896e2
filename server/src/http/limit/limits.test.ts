import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import Fastify, { type FastifyInstance, type InjectOptions, type LightMyRequestResponse } from 'fastify';
import { minuteMs, secondMs } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { testClock } from '../../../test/support/clock.ts';
import { hasFeature } from '../../../test/support/feature.ts';
import { testService, type TestService } from '../../../test/support/service.ts';
import { ClientAddress } from './client-address.ts';
import { AccountReads, costing, costOf, RequestLimits } from './limits.ts';
import { RejectionThrottle } from './rejection-throttle.ts';

const form = { 'content-type': 'application/x-www-form-urlencoded' };

/** Returns whether a reply was rejected by these limits, and not for too many attempts on the account. */
function isLimited({ statusCode, payload }: LightMyRequestResponse): boolean {
  return statusCode === 429 && payload.includes('"too_many_requests"');
}

/** Sends a login for an unknown account. */
function login(app: FastifyInstance, more: InjectOptions = {}): Promise<LightMyRequestResponse> {
  const payload = new URLSearchParams({ email: 'nobody@example.org', password: 'guess' }).toString();
  return app.inject({
    method: 'POST',
    url: '/sessions',
    payload,
    ...more,
    headers: { ...form, ...more.headers },
  });
}

describe('the rate limit per address', () => {
  let service: TestService;

  before(async () => {
    service = await testService('sqlite', {
      ADDRESS_LIMIT_PER_MINUTE: '60',
      GLOBAL_LIMIT_PER_MINUTE: '',
      TRUSTED_PROXIES: '10.0.0.0/8',
      PUBLIC_URL: 'http://localhost:5000', // else a request that a proxy forwarded is rejected
    });
  });
  after(() => service.close());
  beforeEach(() => service.clock.advance(minuteMs));

  /** Sends a login through a trusted proxy. */
  const from = (header: string): Promise<LightMyRequestResponse> =>
    login(service.app, { remoteAddress: '10.1.2.3', headers: { 'x-forwarded-for': header } });

  test('is in the headers of each reply; above it a request is rejected with Retry-After', async () => {
    for (let left = 57; left >= 0; left -= 3) {
      const reply = await login(service.app);
      assert.equal(isLimited(reply), false);
      assert.equal(reply.headers['ratelimit-policy'], '"address";q=60;w=60');
      assert.equal(reply.headers['ratelimit'], `"address";r=${left};t=${60 - left}`);
    }
    const refused = await login(service.app);
    assert.equal(isLimited(refused), true);
    assert.equal(refused.headers['content-type'], 'application/problem+json; charset=utf-8');
    assert.equal(refused.headers['retry-after'], '3');
    assert.equal(refused.headers['ratelimit'], '"address";r=0;t=3');
    service.clock.advance(3 * secondMs);
    assert.equal(isLimited(await login(service.app)), false);
  });

  test('rejects before the body is read, whatever its content', async () => {
    while (!isLimited(await login(service.app)));
    for (const more of [
      { payload: '' },
      { payload: 'x'.repeat(100_000) },
      { headers: { 'content-type': 'text/plain' } },
      { headers: { 'content-length': '1000000000' } },
      { url: '/users' },
      { url: '/reset_password' },
      { url: '/reset_password', method: 'PUT' },
      { url: '/sessions', method: 'DELETE' },
      { url: '/nothing' },
      { url: '/profile' },
    ] satisfies InjectOptions[]) {
      assert.equal(isLimited(await login(service.app, more)), true, JSON.stringify(more).slice(0, 100));
    }
  });

  test('does not count reads and preflights', async () => {
    for (let i = 0; i < 30; i += 1) await login(service.app);
    for (const [method, url, status] of [
      ['GET', '/', 200],
      ['HEAD', '/', 200],
      ['GET', '/profile', 403],
      ['OPTIONS', '/sessions', 204],
    ] as const) {
      const reply = await service.app.inject({ method, url });
      assert.equal(reply.statusCode, status);
      assert.equal(reply.headers['ratelimit'], undefined);
    }
  });

  test('counts a client by its address, whatever headers it invents (CVE-2023-36456)', async () => {
    const names = [
      'x-forwarded-for',
      'x-real-ip',
      'forwarded',
      'cf-connecting-ip',
      'x-client-ip',
      'true-client-ip',
    ];
    let refused = 0;
    for (let i = 0; i < 200; i += 1) {
      const value = i % 3 === 0 ? 'a' : i % 3 === 1 ? `198.51.${i}.1` : `for=198.51.${i}.1`;
      const reply = await login(service.app, { headers: { [names[i % names.length] ?? '']: value } });
      assert.ok(reply.statusCode === 401 || reply.statusCode === 429, reply.payload);
      if (isLimited(reply)) refused += 1;
    }
    assert.equal(refused, 180);
  });

  test('counts clients behind a trusted proxy separately, and malformed addresses as the proxy', async () => {
    for (let i = 0; i < 20; i += 1) await from('203.0.113.7');
    assert.equal(isLimited(await from('203.0.113.7')), true);
    assert.equal(isLimited(await from('1.1.1.1, 203.0.113.7')), true);
    assert.equal(isLimited(await from('203.0.113.8')), false);
    for (let i = 0; i < 20; i += 1) await from(`garbage ${i}`);
    assert.equal(isLimited(await from('more of it')), true);
  });

  test('counts an IPv6 /64 as one client (CVE-2026-45364)', async () => {
    for (let i = 0; i < 20; i += 1) await login(service.app, { remoteAddress: `2001:db8::${i}:1` });
    assert.equal(isLimited(await login(service.app, { remoteAddress: '2001:DB8:0:0:ffff::1' })), true);
    assert.equal(isLimited(await login(service.app, { remoteAddress: '2001:db8:0:1::1' })), false);
  });

  test('answers the same for existing and unknown accounts', async () => {
    await service.app.inject({
      method: 'POST',
      url: '/users',
      headers: form,
      payload: new URLSearchParams({ email: 'known@example.org', password: 'b4l0u' }).toString(),
      remoteAddress: '192.0.2.99',
    });
    const told = async (email: string, remoteAddress: string): Promise<unknown[]> => {
      const rows: unknown[] = [];
      for (let i = 0; i < 22; i += 1) {
        const payload = new URLSearchParams({ email }).toString();
        const { headers } = await login(service.app, { url: '/reset_password', payload, remoteAddress });
        rows.push([headers['ratelimit'], headers['ratelimit-policy'], headers['retry-after']]);
      }
      return rows;
    };
    assert.deepEqual(
      await told('known@example.org', '192.0.2.1'),
      await told('nobody@example.org', '192.0.2.2'),
    );
  });
});

test('limits all addresses in total, without letting one address use it up (password spraying)', async () => {
  const service = await testService('sqlite', {
    ADDRESS_LIMIT_PER_MINUTE: '30',
    GLOBAL_LIMIT_PER_MINUTE: '300',
  });
  try {
    for (let i = 0; i < 200; i += 1) await login(service.app, { remoteAddress: '192.0.2.1' });
    const refusals: boolean[] = [];
    for (let i = 0; i < 120; i += 1) {
      const reply = await login(service.app, { remoteAddress: `198.51.100.${i}` });
      if (isLimited(reply)) assert.equal(reply.headers['retry-after'], '1');
      refusals.push(isLimited(reply));
    }
    assert.equal(refusals.indexOf(true), 90, 'ten went to the first address');
    assert.equal(refusals.lastIndexOf(false), 89);
  } finally {
    await service.close();
  }
});

describe('the rate limits of IPv6 networks', () => {
  let service: TestService;

  before(async () => {
    service = await testService('sqlite', { ADDRESS_LIMIT_PER_MINUTE: '10', GLOBAL_LIMIT_PER_MINUTE: '100' });
  });
  after(() => service.close());
  beforeEach(() => service.clock.advance(minuteMs));

  const cheap = { method: 'POST', url: '/sessions/passkey' } as const;
  /** Sends requests from addresses and returns how many of them were not rejected. */
  const servedOf = async (
    addresses: readonly string[] = [],
    request: InjectOptions = cheap,
  ): Promise<number> => {
    let served = 0;
    for (const remoteAddress of addresses)
      if (!isLimited(await login(service.app, { ...request, remoteAddress }))) served += 1;
    return served;
  };
  /** Addresses in as many /64 networks of a /48. */
  const networks = (count: number, step = 1): string[] =>
    Array.from({ length: count }, (_, i) => `2001:db8:7:${(i * step).toString(16)}::1`);

  test('a /56 has four times the units of a /64, whatever /64 networks it uses', async () => {
    assert.equal(await servedOf(networks(80)), 40);
    assert.equal(await servedOf(['2001:db8:7:ff::1']), 0, 'a /64 that has sent nothing before');
    assert.equal(await servedOf(['2001:db8:7:100::1', '2001:db8:8::1']), 2, 'its neighbors');
  });

  test('a /48 has sixteen times the units of a /64, whatever /56 networks it uses', async () => {
    assert.equal(await servedOf(networks(250, 256)), 160);
    assert.equal(await servedOf(['2001:db8:7:ff01::1']), 0);
    assert.equal(await servedOf(['2001:db8:8::1']), 1, 'its neighbor');
  });

  test('rejected requests of a /64 use up nothing of its /56', async () => {
    assert.equal(await servedOf(Array.from({ length: 60 }, () => '2001:db8:9::1')), 10);
    assert.equal(await servedOf(['2001:db8:9:1::1', '2001:db8:9:1::1']), 2);
  });

  test('the headers show the units of the network that has the fewest left', async () => {
    await servedOf(networks(39));
    const { headers } = await login(service.app, { ...cheap, remoteAddress: '2001:db8:7:ff::1' });
    assert.equal(headers['ratelimit'], '"address";r=0;t=60');
  });

  test('a flood from one /56 rejects no login from elsewhere', async () => {
    for (const request of [cheap, {}, { url: '/reset_password' }])
      assert.ok((await servedOf(networks(60), request)) < 60);
    assert.equal(
      await servedOf(
        Array.from({ length: 20 }, (_, i) => `198.51.100.${i}`),
        {},
      ),
      20,
    );
  });

  test('cheap requests, requests for emails and verifications of all addresses reject no login', async () => {
    const [everywhere, elsewhere] = [16, 512].map((from) =>
      Array.from({ length: 150 }, (_, i) => `2001:db8:${(i + from).toString(16)}::1`),
    );
    assert.equal(await servedOf(everywhere, cheap), 150, 'not limited in total');
    assert.equal(await servedOf(everywhere, { url: '/reset_password' }), 20, 'limited in total');
    const factor = { url: '/sessions/factor' };
    assert.equal(await servedOf(everywhere, factor), 33, 'limited in total, in a bucket of its own');
    assert.equal(await servedOf(elsewhere, {}), 33, 'limited in total, in a bucket of its own');
  });
});

describe('the limit of reads per account', () => {
  let service: TestService;
  let cookie: string;

  before(async () => {
    service = await testService('sqlite', { ACCOUNT_READS_PER_MINUTE: '' });
    await service.core.auth.registerUser('reader@example.org', 'b4l0u');
    cookie = `session_id=${await service.core.auth.createSession('reader@example.org')}`;
  });
  after(() => service.close());

  const sessionOf = async (email: string): Promise<string> =>
    `session_id=${await service.core.auth.createSession(email)}`;
  const read = (url: string, more: InjectOptions = {}): Promise<LightMyRequestResponse> =>
    service.app.inject({ url, headers: { cookie, accept: 'text/html' }, ...more });

  test('counts every page and list together, from all addresses, and answers 429 with Retry-After', async () => {
    for (let i = 0; i < 120; i += 1) {
      const url = ['/account', '/account/profile', '/sessions'][i % 3] ?? '';
      assert.equal(isLimited(await read(url, { remoteAddress: `198.51.100.${i}` })), false);
    }
    for (const { url, method, isCountedRead, access } of service.routes) {
      if (method !== 'GET' || access === 'open' || access === 'pending') continue;
      const reply = await read(url);
      assert.equal(reply.statusCode === 429, isCountedRead, url);
      if (isCountedRead) assert.equal(reply.headers['retry-after'], '1');
    }
    service.clock.advance(secondMs);
    assert.equal((await read('/account')).statusCode, 200);
  });

  test('leaves half of it to the other sessions of the account, and counts no session check', async () => {
    service.clock.advance(minuteMs);
    while ((await read('/account')).statusCode !== 429);
    const other = { headers: { cookie: await sessionOf('reader@example.org') } };
    let count = 0;
    for (; (await read('/account', other)).statusCode === 200; count += 1);
    assert.equal(count, 120);
    const third = { headers: { cookie: await sessionOf('reader@example.org') } };
    assert.equal((await read('/account', third)).statusCode, 429, 'the account has used it up');
    for (const url of ['/profile', '/sign-out', ...(hasFeature('forward-auth') ? ['/forward_auth'] : [])])
      assert.equal((await read(url)).statusCode, 200, url);
    await service.core.auth.registerUser('other@example.org', 'b4l0u');
    const stranger = { headers: { cookie: await sessionOf('other@example.org') } };
    assert.equal((await read('/account', stranger)).statusCode, 200, 'another account');
    assert.equal((await read('/account', { headers: { cookie: '' } })).statusCode, 403);
  });

  test('counts a pending authentication by itself, not on its account', () => {
    const accountReads = new AccountReads({ perMinute: 240, clock: service.clock.now });
    const pending = { session: null, pendingAuthentication: { id: 'p', userId: 7 } };
    for (let i = 0; i < 120; i += 1) assert.equal(accountReads.take(pending)?.isAllowed, true);
    assert.equal(accountReads.take(pending)?.isAllowed, false);
    const own = { session: { id: 's', userId: 7 }, pendingAuthentication: null };
    assert.equal(accountReads.take(own)?.isAllowed, true);
    assert.equal(accountReads.take({ session: null, pendingAuthentication: null }), undefined);
  });
});

test('in local mode the client of the contract can run ten times in a row', async () => {
  const service = await testService('sqlite', { ADDRESS_LIMIT_PER_MINUTE: '', GLOBAL_LIMIT_PER_MINUTE: '' });
  try {
    for (let run = 0; run < 10; run += 1) {
      for (const [method, url] of [
        ['POST', '/users'],
        ['POST', '/sessions'],
        ['GET', '/profile'],
        ['POST', '/sessions'],
        ['DELETE', '/sessions'],
        ['POST', '/reset_password'],
        ['PUT', '/reset_password'],
        ['POST', '/sessions'],
      ] as const) {
        assert.notEqual((await service.app.inject({ method, url })).statusCode, 429);
      }
    }
  } finally {
    await service.close();
  }
});

test('a request costs the declared units, one unit by default, and nothing for reading', () => {
  assert.equal(costOf('POST', costing(5)), 5);
  assert.equal(costOf('POST', undefined), 1);
  assert.equal(costOf('DELETE', {}), 1);
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE']) assert.equal(costOf(method, costing(5)), 0);
});

/** Sends requests from the addresses in turn and returns the logged warnings. */
async function warningsAfter(
  requests: number,
  addresses: readonly string[],
  { isPublic = true, trusted = [] as string[] } = {},
): Promise<object[]> {
  const warnings: object[] = [];
  const app = Fastify();
  const limits = new RequestLimits({
    throttle: new RejectionThrottle(),
    addressLimitPerMinute: 60,
    ipv6SiteLimitPerMinute: 4 * 60,
    ipv6BlockLimitPerMinute: 16 * 60,
    globalLimitPerMinute: 6000,
    isPublic,
    clientAddress: new ClientAddress(trusted),
    clock: testClock().now,
    log: { ...silentLog, warn: (facts) => void warnings.push(facts) },
  });
  limits.install(app);
  app.post('/', async () => '');
  for (let i = 0; i < requests; i += 1) {
    const remoteAddress = addresses[i % addresses.length] ?? '';
    await app.inject({ method: 'POST', url: '/', remoteAddress });
  }
  await app.close();
  return warnings;
}

describe('the warning about an untrusted proxy', () => {
  test('is logged once if all requests come from one private address', async () => {
    assert.deepEqual(await warningsAfter(199, ['172.18.0.1']), []);
    assert.deepEqual(await warningsAfter(250, ['172.18.0.1']), [{ address: '172.18.0.1' }]);
    assert.deepEqual(await warningsAfter(250, ['::ffff:172.18.0.1']), [{ address: '172.18.0.1' }]);
  });

  test('is not logged for several addresses, a public one, in local mode, or with trusted proxies', async () => {
    assert.deepEqual(await warningsAfter(250, ['172.18.0.1', '172.18.0.2']), []);
    assert.deepEqual(await warningsAfter(250, ['8.8.8.8']), []);
    assert.deepEqual(await warningsAfter(250, ['127.0.0.1'], { isPublic: false }), []);
    assert.deepEqual(await warningsAfter(250, ['172.18.0.1'], { trusted: ['10.0.0.0/8'] }), []);
  });
});
