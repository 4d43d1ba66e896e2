// Two services on two ports of one host share the cookies of a browser.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Cookie } from '../../src/http/cookie/cookie.ts';
import { Browser } from '../support/browser.ts';
import { publicMode } from '../support/public-service.ts';
import { send } from '../support/request.ts';
import { testService, type TestService } from '../support/service.ts';

describe('two services on ports of localhost', () => {
  let services: TestService[];
  before(async () => {
    services = [await testService('sqlite'), await testService('sqlite', { COOKIE_PREFIX: 'shop_' })];
  });
  after(async () => {
    for (const service of services) await service.close();
  });

  test('do not sign each other out if one has a cookie prefix', async () => {
    let current = 0;
    const browser = new Browser({
      send: (request) => send(services[current]?.app ?? assert.fail(), request),
    });
    for (current of [0, 1]) {
      const fields = { email: `${current}@example.org`, password: 'b4l0u' };
      await browser.post('/users', fields);
      assert.equal((await browser.post('/sessions', fields)).status, 200);
    }
    for (current of [0, 1]) {
      const { status, body } = await browser.get('/profile');
      assert.deepEqual({ status, body }, { status: 200, body: { email: `${current}@example.org` } });
    }
  });

  test('each cookie begins with the prefix, behind __Host- in public mode', async () => {
    const service = await testService('sqlite', { ...publicMode, COOKIE_PREFIX: 'shop_' });
    const [, local] = services;
    for (const [{ core }, begin] of [
      [local ?? service, 'shop_'],
      [service, '__Host-shop_'],
    ] as const) {
      const cookies = Object.values(core.cookies).filter((each) => each instanceof Cookie);
      assert.ok(cookies.length >= 4);
      for (const { name } of cookies) assert.ok(name.startsWith(begin), name);
      const { secure, prefix } = core.pages.cookieScope;
      assert.equal(
        new Cookie({ name: 'x', scope: { secure, prefix }, accepts: () => true }).name,
        `${begin}x`,
      );
    }
    await service.close();
  });

  test('a prefix that browsers treat specially, or that is no name, is refused at the start', async () => {
    for (const prefix of ['__Host-', '_x', 'a b', 'a=', '1x', 'x'.repeat(31)])
      await assert.rejects(testService('sqlite', { COOKIE_PREFIX: prefix }), /COOKIE_PREFIX must be/);
  });
});
