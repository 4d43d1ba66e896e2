// Tests the guards over HTTP: which requests pass, the source of a request, and the cookies of the response.
import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import type { FastifyRequest } from 'fastify';
import { Problem } from '../../kit/problem.ts';
import { codeAt, decodeBase32 } from '../../../test/support/authenticator-app.ts';
import { Browser } from '../../../test/support/browser.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { Hasher } from '../../hash/hasher.ts';
import { cheapHashing } from '../../../test/support/hashing.ts';
import { freshEmail } from '../../../test/support/person.ts';
import { cookieOf, PublicService, sessionCookie } from '../../../test/support/public-service.ts';
import { assertProblem, memberOf, type Reply } from '../../../test/support/request.ts';
import { createToken } from '../../kit/secret.ts';
import { pendingAuthenticationKind } from '../cookie-kinds.ts';
import { sessionOf } from '../session/guard.ts';
import { enrollmentSubjectOf, pendingAuthenticationOf } from './guard.ts';
import { needs } from '../../../test/support/feature.ts';

const pendingCookie = '__Host-pending_login';
const requestCookie = '__Host-request';
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

/** Returns the Max-Age of a cookie in seconds; `undefined` if the response does not set it. */
function lifeOf({ cookies }: Reply, name: string): number | undefined {
  const cookie = cookies.find((one) => one.startsWith(`${name}=`));
  return cookie === undefined ? undefined : Number(/Max-Age=(\d+)/.exec(cookie)?.[1]);
}

onEachEngine(needs('access levels over HTTP', 'totp', 'email-sign-in', 'email-change'), (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true', KNOWN_DEVICE_DAYS: '30' });
  });
  after(() => service.close());

  describe('guards fail closed: an error rejects the request', () => {
    const fault = (): never => {
      throw new Error('planted');
    };
    const rows = {
      'while finding the session': ['GET', '/profile', 'find'],
      'while finding the session for an enrollment': ['GET', '/profile/totp', 'find'],
      'while finding the pending authentication': ['POST', '/sessions/factor', 'first'],
    } as const;
    for (const [where, [method, path, look]] of Object.entries(rows)) {
      test(where, async (context: TestContext) => {
        const cookie = `${sessionCookie}=${(await service.member()).sessionId}; ${pendingCookie}=${createToken(pendingAuthenticationKind).token}`;
        context.mock.method(service.service.core.database, look, fault);
        const fields = { factor: 'totp', proof: '000000' };
        const reply = await service.send({
          method,
          path,
          headers: { cookie },
          ...(method === 'POST' && { fields }),
        });
        assertProblem(reply, 500, 'internal_error');
      });
    }

    test('while checking the capacity of the hasher', async (context: TestContext) => {
      const { email, password } = await service.member();
      context.mock.method(service.service.core.hasher, 'requireCapacity', fault);
      const refuse = context.mock.method(service.service.core.hooks.throttle, 'refuse');
      assertProblem(await service.logIn(email, password), 500, 'internal_error');
      assert.equal(refuse.mock.callCount(), 0);
    });
  });

  test('guards reject requests without a cookie, or with one of another kind', async () => {
    const { sessionId, deviceToken } = await service.member();
    const others = [
      undefined,
      `${sessionCookie}=`,
      `${sessionCookie}=${deviceToken}; ${pendingCookie}=${sessionId}`,
    ];
    const routes = [
      ['GET', '/profile', 'session_required'],
      ['GET', '/profile/totp', 'session_required'],
      ['POST', '/sessions/factor', 'pending_authentication_required'],
    ] as const;
    for (const cookie of others)
      for (const [method, path, code] of routes) {
        const fields = method === 'POST' ? { fields: { factor: 'totp', proof: '0' } } : {};
        const headers = cookie === undefined ? {} : { cookie };
        assertProblem(await service.send({ method, path, headers, ...fields }), 403, code);
      }
  });

  test('a route at another access level finds neither a session nor a pending authentication', () => {
    const request = { session: null, pendingAuthentication: null } as FastifyRequest; // all of it that is looked at
    assert.throws(() => sessionOf(request), /neither the access level session nor the hook/);
    assert.throws(() => pendingAuthenticationOf(request), /not at the access level pending/);
    assert.throws(() => enrollmentSubjectOf(request), /not at the access level pending/);
  });

  test('the actor of an event is the user of the session, or anonymous', async () => {
    const browser = new Browser(service, { 'user-agent': firefox });
    const { id: userId, email, password } = await service.member();
    const sourceOf = async (event: string): Promise<unknown[]> => {
      const [newest] = await service.service.core.audit.list({ event, userId, limit: 1 });
      return [newest?.actor, newest?.device, typeof newest?.address, typeof newest?.requestId];
    };
    await browser.post('/sessions', { email, password });
    await browser.send({ method: 'DELETE', path: '/sessions' });
    assert.deepEqual(await sourceOf('session_expired'), ['user', firefox, 'string', 'string']);
    assert.deepEqual(await sourceOf('authn_login_success'), ['anonymous', firefox, 'string', 'string']);
  });

  test('cookies have the lifetime of their tokens', async () => {
    const { email, password, sessionId } = await service.member();
    const login = await service.logIn(email, password);
    assert.equal(lifeOf(login, sessionCookie), 30 * 24 * 60 * 60);
    assert.equal(lifeOf(login, '__Host-device'), 30 * 24 * 60 * 60);
    assert.equal(lifeOf(login, pendingCookie), undefined);
    const asked = await service.post('/sessions/email', { email });
    assert.equal(lifeOf(asked, requestCookie), 24 * 60 * 60);

    const member = { cookie: `${sessionCookie}=${sessionId}` };
    const begun = await service.post('/profile/totp', {}, member);
    const { id, secret } = begun.body as { id: string; secret: string };
    const code = codeAt(decodeBase32(secret), service.service.clock.now());
    await service.send({
      method: 'PUT',
      path: '/profile/totp',
      fields: { id, code },
      headers: member,
    });
    const pending = await service.logIn(email, password);
    assert.deepEqual(memberOf(pending.body, 'factors'), ['totp']);
    assert.equal(lifeOf(pending, pendingCookie), 10 * 60);
    assert.deepEqual(
      [lifeOf(pending, sessionCookie), lifeOf(pending, '__Host-device')],
      [undefined, undefined],
    );
  });

  test('each request for a mail gets its message and the cookie of the initiating browser', async () => {
    const { email, password, sessionId } = await service.member();
    const cookie = `${sessionCookie}=${sessionId}`;
    const rows: Record<string, [Record<string, string>, string]> = {
      '/users': [{ email: freshEmail(), password }, 'user created'],
      '/email_verification': [{ email }, 'confirmation token sent'],
      '/reset_password': [{ email }, 'reset token sent'],
      '/sessions/email': [{ email }, 'sign-in link sent'],
      '/profile/email': [{ email: freshEmail(), password }, 'confirmation token sent'],
    };
    for (const [path, [fields, message]] of Object.entries(rows)) {
      const reply = await service.post(path, fields, path.startsWith('/profile') ? { cookie } : {});
      assert.deepEqual([reply.status, reply.body], [200, { email: fields['email'], message }], path);
      assert.match(cookieOf(reply, requestCookie) ?? '', /\.req_/, path);
    }
  });

  test('a browser that requests a second mail keeps its cookie, and each browser has its own', async () => {
    const ask = (headers = {}): Promise<Reply> =>
      service.post('/sessions/email', { email: freshEmail() }, headers);
    const first = cookieOf(await ask(), requestCookie);
    assert.match(first ?? '', /\.req_/);
    assert.equal(cookieOf(await ask({ cookie: `${requestCookie}=${first}` }), requestCookie), first);
    assert.notEqual(cookieOf(await ask(), requestCookie), first);
  });
});

/** A hasher whose queue is always full. */
class BusyHasher extends Hasher {
  override requireCapacity(): void {
    throw new Problem('too_busy', { retryAfterSeconds: 1 });
  }
}

onEachEngine('a login while the hasher is busy', (engine) => {
  test('is rejected before its body is read, throttled like other floods', async (context: TestContext) => {
    const service = await PublicService.start(engine, {}, { hasher: new BusyHasher(cheapHashing) });
    try {
      const refuse = context.mock.method(service.service.core.hooks.throttle, 'refuse');
      const reply = await service.send({
        method: 'POST',
        path: '/sessions',
        headers: { 'content-type': 'application/json' },
        payload: '{',
      });
      assertProblem(reply, 503, 'too_busy');
      assert.equal(refuse.mock.callCount(), 1);
      const press = (path: string): Promise<Reply> =>
        service.post(path, { email: freshEmail(), token: 'x', new_password: 'x' });
      assert.equal((await press('/reset')).status, 503, 'the page that hashes');
      assert.equal((await press('/confirm')).status, 303, 'one that does not');
      assert.equal(refuse.mock.callCount(), 2);
    } finally {
      await service.close();
    }
  });
});
