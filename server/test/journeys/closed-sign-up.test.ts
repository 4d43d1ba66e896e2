// SIGN_UP=closed: only the operator and programs add accounts. Every route and page on which anyone could register
// refuses, before it looks at anything else.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { programSource } from '../../src/audit/event.ts';
import { requireEmailAddress } from '../../src/user/email-address.ts';
import { listUsers } from '../../src/user/store.ts';
import { Browser } from '../support/browser.ts';
import { asPage } from '../support/page-form.ts';
import { assertProblem, send } from '../support/request.ts';
import { testService, type TestService } from '../support/service.ts';

const email = 'ada@example.org';
/** Members that any of these routes may ask for. */
const fields = { email, password: 'b4l0u', credential: '{}' };
/** Reads a password and creates nothing; the pages of a reset use it too. */
const passwordCheck = '/sign-up/password';
const notice = /You cannot create an account here/;

describe('a service that is closed for sign-up', () => {
  let service: TestService;
  before(async () => (service = await testService('sqlite', { SIGN_UP: 'closed' })));
  after(() => service.close());

  const browser = (): Browser => new Browser({ send: (request) => send(service.app, request) });

  test('answers sign_up_closed on every route and page that registers', async () => {
    const ways = service.routes.filter(
      ({ method, url, isRefusal }) =>
        !isRefusal &&
        (method === 'POST' || method === 'PUT') &&
        /^\/(?:users|sign-up)(?:\/|$)/.test(url) &&
        url !== passwordCheck,
    );
    assert.ok(ways.length >= 2, String(ways.length));
    for (const { method, url } of ways) {
      if (url.startsWith('/users')) {
        const reply = await send(service.app, {
          method: method === 'PUT' ? 'PUT' : 'POST',
          path: url,
          fields,
          kind: 'json',
        });
        assertProblem(reply, 403, 'sign_up_closed');
      } else {
        const page = await browser().submit(url, fields);
        assert.match(page.text, notice, url);
      }
    }
    assert.deepEqual(await listUsers(service.core.database, 0, 10), []);
  });

  test('shows no link to sign up, and says on the page for it that it is closed', async () => {
    for (const path of ['/', '/sign-in']) {
      const { text } = await browser().get(path, asPage);
      assert.doesNotMatch(text, /sign-up/, path);
    }
    const { status, text } = await browser().get('/sign-up', asPage);
    assert.equal(status, 200);
    assert.match(text, notice);
    assert.doesNotMatch(text, /<form[^>]*sign-up/);
  });

  test('still lets the operator and programs add accounts, and these sign in', async () => {
    await service.core.accounts.register(requireEmailAddress(email), 'b4l0u', programSource);
    const reply = await send(service.app, { method: 'POST', path: '/sessions', fields });
    assert.equal(reply.status, 200, reply.text);
  });
});
