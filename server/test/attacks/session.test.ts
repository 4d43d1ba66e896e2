// Sessions that are planted, stolen by name, claimed without a secret, or left over from a user who may no longer sign
// in.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { minuteMs } from '../../src/kit/clock.ts';
import { createToken } from '../../src/kit/secret.ts';
import { sessionKind } from '../../src/identity/cookie-kinds.ts';
import { everyRowOf } from '../support/contents.ts';
import { onEachEngine } from '../support/engines.ts';
import {
  cookieOf,
  deviceCookie,
  PublicService,
  sessionCookie,
  type Member,
} from '../support/public-service.ts';
import type { ContractRequest, Reply } from '../support/request.ts';

const newPassword = 'nine newts under a green umbrella';

const asMember = ({ sessionId }: Member): string => `${sessionCookie}=${sessionId}`;

onEachEngine('sessions', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine);
  });
  after(() => service.close());

  const ask = (
    method: ContractRequest['method'],
    path: string,
    cookie: string,
    headers: Record<string, string> = {},
  ): Promise<Reply> => service.send({ method, path, headers: { ...headers, cookie } });
  test('A41 fixation: a login ends the session that came with the request and creates a new one', async () => {
    const attacker = await service.member();
    const earlier = await service.member();
    const { email, password } = earlier;
    const planted: Record<string, string> = {
      "the attacker's session": attacker.sessionId,
      'an earlier session of the same person': earlier.sessionId,
      'one that does not exist': createToken(sessionKind).token,
      nonsense: 'fixed',
      'an empty one': '',
    };
    for (const [name, value] of Object.entries(planted)) {
      const login = await service.post(
        '/sessions',
        { email, password },
        { cookie: `${sessionCookie}=${value}` },
      );
      const sessionId = cookieOf(login, sessionCookie) ?? '';
      assert.deepEqual([login.status, login.body], [200, { email, message: 'logged in' }], name);
      assert.notEqual(sessionId, value, name);
      assert.equal(await service.profile(sessionId), 200, name);
      assert.equal(await service.profile(value), 403, `${name} has ended`);
    }
  });

  test('A41 fixation: a rejected login keeps the session that came with the request', async () => {
    const member = await service.member();
    const login = await service.post(
      '/sessions',
      { email: member.email, password: 'x' },
      { cookie: asMember(member) },
    );
    assert.deepEqual([login.status, login.cookies], [401, []]);
    assert.equal(await service.profile(member.sessionId), 200);
  });

  test('A41 fixation: ignores a cookie that a subdomain or plain http can set', async () => {
    const member = await service.member();
    for (const name of ['session_id', '__Secure-session_id', 'Host-session_id']) {
      assert.equal((await ask('GET', '/profile', `${name}=${member.sessionId}`)).status, 403, name);
    }
    const login = await service.logIn(member.email, member.password);
    for (const cookie of login.cookies) {
      assert.match(cookie, /^__Host-/);
      for (const attribute of ['Path=/', 'HttpOnly', 'Secure', 'SameSite=Lax'])
        assert.ok(cookie.split('; ').includes(attribute), cookie);
      assert.doesNotMatch(cookie, /Domain=/i);
    }
    assert.equal(login.cookies.length, 2, 'session and device');
  });

  const targets: readonly string[] = [
    '//evil.test',
    '/\\evil.test',
    '/\t/evil.test',
    'https:evil.test',
    '%2f%2fevil.test',
    'https://accounts.test@evil.test',
    'https://accounts.test.evil.test',
    'javascript:alert(1)',
    'data:text/html,x',
    '/\r\nSet-Cookie: a=b',
    '/%0d%0aSet-Cookie: a=b',
    'https://evil.test',
    '///evil.test',
    '\u{ff0f}\u{ff0f}evil.test',
  ];
  test('A9 open redirect: logging out redirects to /, whatever the request contains', async () => {
    const names = [
      'next',
      'redirect',
      'redirect_uri',
      'return_to',
      'url',
      'continue',
      'target',
      'RelayState',
      'callback',
    ];
    const { email, password } = await service.member();
    for (const target of targets) {
      const inHeader = encodeURI(target);
      const sessionId = cookieOf(await service.logIn(email, password), sessionCookie) ?? '';
      const reply = await service.send({
        method: 'DELETE',
        path: `/sessions?${String(new URLSearchParams(names.map((name): [string, string] => [name, target])))}`,
        fields: Object.fromEntries(names.map((name) => [name, target])),
        headers: {
          cookie: `${sessionCookie}=${sessionId}; next=${inHeader}`,
          host: 'evil.test',
          referer: inHeader,
          'x-forwarded-host': 'evil.test',
          'x-original-url': inHeader,
        },
      });
      assert.deepEqual([reply.status, reply.headers['location']], [302, '/'], target);
    }
    const elsewhere = await Promise.all(
      targets.map((target) => service.send({ method: 'GET', path: `/${encodeURIComponent(target)}` })),
    );
    for (const { headers } of elsewhere) assert.equal(headers['location'], undefined);
  });

  for (const [state, refuse] of [
    ['disabled', ({ id }: Member) => service.service.core.auth.setDisabled(id, true)],
    ['removed', ({ id }: Member) => service.service.core.auth.removeUser(id)],
  ] as const) {
    test(`A63 other entry points: all are closed to a ${state} user immediately`, async () => {
      const member = await service.member();
      const { email, password, sessionId, deviceToken } = member;
      const { auth } = service.service.core;
      const reset = await service.resetToken(email);
      const other = cookieOf(await service.logIn(email, password), sessionCookie) ?? '';
      assert.equal(await service.profile(sessionId), 200);
      assert.equal(await refuse(member), true);

      for (const id of [sessionId, other]) {
        assert.equal(await service.profile(id), 403);
        assert.equal((await ask('DELETE', '/sessions', `${sessionCookie}=${id}`)).status, 403);
        assert.equal(await auth.getUserFromSessionId(id), undefined);
      }
      assert.equal((await service.logIn(email, password)).status, 401);
      assert.equal((await service.logIn(email, password, deviceToken)).status, 401);
      assert.equal(await auth.validLogin(email, password), false);
      assert.equal(await auth.createSession(email), undefined);
      await assert.rejects(auth.getResetPasswordToken(email), { code: 'unknown_email' });
      await assert.rejects(auth.setPassword(email, newPassword), { code: 'unknown_email' });
      assert.equal((await service.reset(email, reset, newPassword)).status, 403);
      service.service.clock.advance(2 * minuteMs); // longer than the pause between two mails
      await service.deliver(); // of the sign-in on another device
      const mailsBefore = service.mails.length;
      assert.equal((await service.post('/reset_password', { email })).status, 200);
      assert.equal((await service.post('/email_verification', { email })).status, 200);
      await service.deliver();
      assert.equal(service.mails.length, mailsBefore, 'no mail with a token');
      if (state === 'removed') return;
      assert.equal(
        (await service.post('/users', { email, password: newPassword })).status,
        200,
        'it creates nothing',
      );
      assert.equal((await service.logIn(email, newPassword)).status, 401);
      assert.equal(await service.idOf(email), member.id);

      await auth.setDisabled(member.id, false);
      assert.equal(await service.profile(sessionId), 403, 'an ended session stays ended');
      assert.equal((await service.reset(email, reset, newPassword)).status, 403);
      assert.equal((await service.logIn(email, password)).status, 200);
    });
  }

  test("A64 other people's objects: a user can neither see nor change the objects of another user", async () => {
    const bob = await service.member();
    const eve = await service.member();
    const handle = bob.sessionId.slice(0, 36);
    const earlier = await everyRowOf(service.service.core.database);
    const names = {
      id: handle,
      session_id: bob.sessionId,
      user_id: String(bob.id),
      userId: String(bob.id),
      email: bob.email,
    };
    const query = String(new URLSearchParams(names));
    assert.deepEqual((await ask('GET', `/profile?${query}`, asMember(eve))).body, { email: eve.email });
    for (const path of [
      `/profile/${bob.id}`,
      `/users/${bob.id}`,
      `/users`,
      `/sessions`,
      `/sessions/${handle}`,
      `/sessions/${bob.sessionId}`,
    ]) {
      for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'] as const) {
        if (method === 'DELETE' && path === '/sessions') continue; // her own logout, below
        const { status, text } = await ask(method, path, asMember(eve));
        if (path === '/sessions' && status === 200)
          assert.ok(!text.includes(handle), 'only her own sessions');
        else assert.ok(status === 404 || status === 405, `${method} ${path}: ${status}`);
      }
    }
    const reset = await service.resetToken(eve.email);
    assert.equal((await service.reset(bob.email, reset, newPassword)).status, 403);
    const mixed = [
      `${handle}${eve.sessionId.slice(36)}`,
      `${eve.sessionId.slice(0, 36)}${bob.sessionId.slice(36)}`,
    ];
    for (const sessionId of mixed) assert.equal(await service.profile(sessionId), 403);
    const now = await everyRowOf(service.service.core.database);
    assert.deepEqual(
      [now['users'], now['sessions'], now['known_devices']],
      [earlier['users'], earlier['sessions'], earlier['known_devices']],
    );

    const logout = await service.send({
      method: 'DELETE',
      path: `/sessions?${query}`,
      fields: names,
      headers: { cookie: asMember(eve) },
    });
    assert.equal(logout.status, 302);
    assert.deepEqual(
      [await service.profile(eve.sessionId), await service.profile(bob.sessionId)],
      [403, 200],
    );
  });

  test('A65 claimed identity: a request without a session has no identity, whatever it contains', async () => {
    const bob = await service.member();
    const fields = {
      email: bob.email,
      id: String(bob.id),
      userId: String(bob.id),
      user_id: String(bob.id),
      session_id: bob.sessionId,
    };
    const basic = Buffer.from(`${bob.email}:${bob.password}`).toString('base64');
    const headers: Record<string, string> = {
      'x-user-id': String(bob.id),
      'x-user': bob.email,
      'x-forwarded-user': bob.email,
      'x-remote-user': bob.email,
      'remote-user': bob.email,
      'x-forwarded-email': bob.email,
      'x-auth-request-email': bob.email,
      'x-session-id': bob.sessionId,
      authorization: `Bearer ${bob.sessionId}`,
    };
    for (const [name, value] of [
      ...Object.entries(headers),
      ['authorization', `Basic ${basic}`],
      ['authorization', bob.sessionId],
    ] as const) {
      const query = String(new URLSearchParams(fields));
      for (const [method, path] of [
        ['GET', '/profile'],
        ['HEAD', '/profile'],
        ['DELETE', '/sessions'],
      ] as const) {
        const body = method === 'DELETE' ? { fields } : {};
        const reply = await service.send({
          method,
          path: `${path}?${query}`,
          ...body,
          headers: { [name]: value },
        });
        assert.equal(reply.status, 403, `${method} ${path} with ${name}`);
        assert.ok(!reply.text.includes(bob.email));
      }
    }
    const device = `${deviceCookie}=${bob.deviceToken}`;
    assert.equal(
      (await ask('GET', '/profile', device)).status,
      403,
      'a known device alone identifies no user',
    );
    assert.equal(await service.profile(bob.sessionId), 200);
  });
});
