import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { LightMyRequestResponse } from 'fastify';
import { testService, type TestService } from '../../../test/support/service.ts';

const allowed = 'https://app.example.org';

/** Returns the CORS headers of a reply. */
function corsOf({ headers }: LightMyRequestResponse): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith('access-control-') || name === 'vary'),
  );
}

const preflight = (method: string): Record<string, string> => ({
  origin: allowed,
  'access-control-request-method': method,
  'access-control-request-headers': 'content-type',
});

describe('CORS with allowed origins', () => {
  let service: TestService;
  before(async () => {
    service = await testService('sqlite', { ALLOWED_ORIGINS: `${allowed}, http://localhost:3000` });
  });
  after(() => service.close());

  const readable = {
    vary: 'Origin',
    'access-control-allow-origin': allowed,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'RateLimit, RateLimit-Policy, Retry-After',
  };

  test('lets an allowed origin read replies and problems', async () => {
    for (const [method, url, status] of [
      ['GET', '/', 200],
      ['GET', '/profile', 403],
      ['POST', '/sessions', 400],
      ['GET', '/nothing', 404],
      ['POST', '/profile', 405],
    ] as const) {
      const reply = await service.app.inject({ method, url, headers: { origin: allowed } });
      assert.equal(reply.statusCode, status);
      assert.deepEqual(corsOf(reply), readable, url);
    }
    const other = await service.app.inject({ url: '/', headers: { origin: 'http://localhost:3000' } });
    assert.equal(other.headers['access-control-allow-origin'], 'http://localhost:3000');
  });

  test('answers its preflight with the methods of the path', async () => {
    const reply = await service.app.inject({
      method: 'OPTIONS',
      url: '/sessions',
      headers: preflight('DELETE'),
    });
    assert.equal(reply.statusCode, 204);
    assert.deepEqual(corsOf(reply), {
      ...readable,
      'access-control-allow-methods': reply.headers.allow,
      'access-control-allow-headers': 'Accept, Content-Type',
      'access-control-max-age': '7200',
    });
    assert.match(String(reply.headers.allow), /\bDELETE\b/);
  });

  test('sends no CORS headers to any other origin, also in reply to a preflight', async () => {
    for (const origin of [
      'https://evil.example',
      'null',
      '*',
      `${allowed}.evil.example`,
      'http://app.example.org',
      '',
    ]) {
      const read = await service.app.inject({ url: '/', headers: { origin } });
      assert.deepEqual(corsOf(read), { vary: 'Origin' }, origin);
      const asked = await service.app.inject({
        method: 'OPTIONS',
        url: '/sessions',
        headers: { ...preflight('POST'), origin },
      });
      assert.equal(asked.statusCode, 204);
      assert.deepEqual(corsOf(asked), { vary: 'Origin' }, origin);
    }
  });

  test('sends Vary: Origin also without an origin, for shared caches', async () => {
    assert.deepEqual(corsOf(await service.app.inject({ url: '/' })), { vary: 'Origin' });
  });

  test('adds no methods to the reply to OPTIONS that is not a preflight', async () => {
    const reply = await service.app.inject({
      method: 'OPTIONS',
      url: '/sessions',
      headers: { origin: allowed },
    });
    assert.deepEqual(corsOf(reply), readable);
  });
});

test('sends no CORS headers without allowed origins', async () => {
  const service = await testService('sqlite');
  try {
    const replies = [
      await service.app.inject({ url: '/', headers: { origin: allowed } }),
      await service.app.inject({ method: 'OPTIONS', url: '/sessions', headers: preflight('POST') }),
    ];
    for (const reply of replies) assert.deepEqual(corsOf(reply), {});
  } finally {
    await service.close();
  }
});
