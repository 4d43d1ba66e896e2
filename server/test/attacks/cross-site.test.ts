// Requests that a page of another site makes a user's browser send. A browser names the origin of a request; a program
// names none, and has no cookies of a user to abuse.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { everyRowOf } from '../support/contents.ts';
import { cookieOf, PublicService, sessionCookie, type Member } from '../support/public-service.ts';
import { createPerson } from '../support/person.ts';
import { send, type ContractRequest, type Reply } from '../support/request.ts';
import { testService } from '../support/service.ts';

/** Headers that browsers send with a request from a foreign page. */
const foreign: Record<string, Readonly<Record<string, string>>> = {
  'another origin': { origin: 'https://evil.test' },
  'an origin that begins like ours': { origin: 'https://accounts.test.evil.test' },
  'an origin that ends like ours': { origin: 'https://evil-accounts.test' },
  'a subdomain of ours': { origin: 'https://app.accounts.test' },
  'our name without TLS': { origin: 'http://accounts.test' },
  'another port of ours': { origin: 'https://accounts.test:8443' },
  'our origin with a path': { origin: 'https://accounts.test/' },
  'our name in capitals': { origin: 'HTTPS://ACCOUNTS.TEST' },
  'a user in our origin': { origin: 'https://accounts.test@evil.test' },
  'an opaque origin': { origin: 'null' },
  'an empty origin': { origin: '' },
  'two origins': { origin: 'https://accounts.test https://evil.test' },
  'an origin and a forged host': {
    origin: 'https://evil.test',
    host: 'evil.test',
    'x-forwarded-host': 'evil.test',
  },
  'an origin of the machine itself': { origin: 'http://localhost:5000', host: 'localhost:5000' },
  'another site in Sec-Fetch-Site': { 'sec-fetch-site': 'cross-site' },
  'a sibling domain in Sec-Fetch-Site': { 'sec-fetch-site': 'same-site' },
  'an unknown word': { 'sec-fetch-site': 'same-origin-ish' },
  'an empty word': { 'sec-fetch-site': '' },
  'another site, and a page of ours before it': {
    'sec-fetch-site': 'cross-site',
    origin: 'https://evil.test',
    referer: 'https://accounts.test/',
  },
  'another site and our origin, which contradict each other': {
    'sec-fetch-site': 'cross-site',
    origin: 'https://accounts.test',
  },
  'a sibling domain and no origin': {
    'sec-fetch-site': 'same-site',
    origin: 'null',
    'sec-fetch-mode': 'no-cors',
  },
};

const own: Record<string, Readonly<Record<string, string>>> = {
  'our own page': { 'sec-fetch-site': 'same-origin', origin: 'https://accounts.test' },
  'our own page in an older browser': { origin: 'https://accounts.test' },
  'an address typed by the user': { 'sec-fetch-site': 'none' },
  'a program': {},
};

const safe = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

describe('requests of foreign pages', () => {
  let service: PublicService;
  let victim: Member;
  before(async () => {
    service = await PublicService.start('sqlite');
    victim = await service.member();
    // Valid input for each route, so that only the origin of the request is wrong.
    await service.resetToken(victim.email);
  });
  after(() => service.close());

  const fields = (): Record<string, string> => ({
    email: victim.email,
    password: victim.password,
    new_password: 'nine newts under a green umbrella',
    reset_token: 'x',
    token: 'x',
  });
  const namesOf: Record<string, readonly string[]> = {
    'POST /users': ['email', 'password'],
    'POST /sessions': ['email', 'password'],
    'POST /reset_password': ['email'],
    'PUT /reset_password': ['email', 'reset_token', 'new_password'],
    'POST /email_verification': ['email'],
    'PUT /email_verification': ['email', 'token'],
  };
  const ask = (method: string, url: string, headers: Readonly<Record<string, string>>): Promise<Reply> => {
    const names = namesOf[`${method} ${url}`];
    return service.send({
      method: method as ContractRequest['method'],
      path: url,
      ...(names !== undefined && {
        fields: Object.fromEntries(names.map((name) => [name, fields()[name] ?? ''])),
      }),
      headers: { ...headers, cookie: `${sessionCookie}=${victim.sessionId}` },
    });
  };
  const changing = (): { method: string; url: string }[] =>
    service.service.routes.filter(({ method, isForAnySite }) => !safe.has(method) && !isForAnySite);

  for (const [name, headers] of Object.entries(foreign)) {
    test(`A43 cross-site: rejects every change from a page whose browser sends ${name}`, async () => {
      const earlier = await everyRowOf(service.service.core.database);
      const routes = changing();
      for (const known of Object.keys(namesOf)) {
        assert.ok(
          routes.some(({ method, url }) => `${method} ${url}` === known),
          `${known} is among the routes`,
        );
      }
      for (const { method, url } of routes) {
        const reply = await ask(method, url, headers);
        assert.deepEqual(
          [reply.status, Reflect.get(reply.body as object, 'code')],
          [403, 'cross_site'],
          `${method} ${url}`,
        );
        assert.deepEqual(reply.cookies, []);
        assert.equal(reply.headers['access-control-allow-origin'], undefined);
      }
      assert.deepEqual(await everyRowOf(service.service.core.database), earlier);
    });
  }

  test('A43 cross-site: reading changes nothing, and a foreign page cannot read the reply', async () => {
    const earlier = await everyRowOf(service.service.core.database);
    for (const { method, url } of service.service.routes.filter(
      (route) => safe.has(route.method) && !route.isOtherProtocol,
    )) {
      for (const headers of Object.values(foreign)) {
        const reply = await ask(method, url, { ...headers, 'access-control-request-method': 'PUT' });
        assert.equal(reply.headers['access-control-allow-origin'], undefined, `${method} ${url}`);
        assert.equal(reply.headers['cross-origin-resource-policy'], 'same-origin');
      }
    }
    assert.deepEqual(await everyRowOf(service.service.core.database), earlier);
  });

  test('A43 cross-site: accepts requests of our own pages and of programs', async () => {
    for (const [name, headers] of Object.entries(own)) {
      const { email, password } = await service.member();
      const login = await service.post('/sessions', { email, password }, headers);
      assert.equal(login.status, 200, name);
      const cookie = `${sessionCookie}=${cookieOf(login, sessionCookie)}`;
      const logout = await service.send({
        method: 'DELETE',
        path: '/sessions',
        headers: { ...headers, cookie },
      });
      assert.equal(logout.status, 302, name);
    }
  });

  test('A42 login CSRF: a foreign form, a link or a body that a form can send creates no session', async () => {
    const { email, password } = await service.member();
    const countSessions = async (): Promise<number> =>
      (await service.service.core.database.query((sql) => sql.selectFrom('sessions').select('id'))).length;
    const earlier = await countSessions();
    const query = String(new URLSearchParams({ email, password }));
    const replies: Reply[] = [];
    for (const headers of Object.values(foreign))
      replies.push(await service.post('/sessions', { email, password }, headers));
    for (const method of ['GET', 'HEAD'] as const) {
      for (const headers of [{}, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }]) {
        replies.push(await service.send({ method, path: `/sessions?${query}`, headers }));
        replies.push(
          await service.send({
            method,
            path: `/?${query}`,
            headers: { ...headers, 'x-http-method-override': 'POST' },
          }),
        );
      }
    }
    for (const type of [
      'text/plain',
      'text/plain;application/json',
      'application/x-www-form-urlencoded, application/json',
      '',
    ]) {
      const payload = JSON.stringify({ email, password });
      replies.push(
        await service.send({
          method: 'POST',
          path: '/sessions',
          headers: { 'content-type': type, origin: 'null' },
          payload,
        }),
      );
    }
    for (const { status, cookies, text } of replies) {
      assert.deepEqual(cookies, [], text);
      assert.ok(status === 403 || status === 405 || status === 200, `${status}`);
    }
    assert.equal(await countSessions(), earlier);
  });

  test('A43 cross-site: in local mode a foreign name that points to this machine is not our origin', async () => {
    const local = await testService('sqlite');
    try {
      const { email, password } = await createPerson(local.app);
      const login = (headers: Record<string, string>): Promise<Reply> =>
        send(local.app, { method: 'POST', path: '/sessions', fields: { email, password }, headers });
      const rebound = await login({ host: 'rebound.test:5000', origin: 'http://rebound.test:5000' });
      assert.deepEqual([rebound.status, rebound.cookies], [421, []]);
      assert.equal((await login({ host: 'localhost:5000', origin: 'http://rebound.test:5000' })).status, 403);
      assert.equal((await login({ host: 'localhost:5000', origin: 'http://localhost:5001' })).status, 403);
      assert.equal((await login({ host: 'localhost:5000', origin: 'http://localhost:5000' })).status, 200);
    } finally {
      await local.close();
    }
  });
});
