// Forward authentication as proxies use it: identity headers, redirects to sign-in, and rejected requests.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from '../../../test/support/browser.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { addApp } from '../../../test/support/factor.ts';
import { asPage } from '../../../test/support/page-form.ts';
import {
  pendingCookie,
  PublicService,
  sessionCookie,
  type Member,
} from '../../../test/support/public-service.ts';
import {
  assertProblem,
  memberOf,
  sendTo,
  type ContractRequest,
  type Reply,
} from '../../../test/support/request.ts';
import { lacks } from '../../../test/support/feature.ts';

type Headers = NonNullable<ContractRequest['headers']>;

const redirecting = '/forward_auth?sign_in=redirect';
/** The headers in which a proxy describes the original request. */
const asked = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'app.test', 'x-forwarded-uri': '/' };

onEachEngine('forward authentication', (engine) => {
  let service: PublicService;
  let member: Member;
  before(async () => {
    service = await PublicService.start(engine, { ALLOWED_ORIGINS: 'https://app.test' });
    member = await service.member();
  });
  after(() => service.close());

  const ask = (headers: Headers = {}, path = '/forward_auth'): Promise<Reply> =>
    service.send({ method: 'GET', path, headers });
  const cookieOf = ({ sessionId }: Pick<Member, 'sessionId'>): Headers => ({
    cookie: `${sessionCookie}=${sessionId}`,
  });
  /** The address to return to after sign-in; `undefined` if there is none. */
  const returnAddress = async (headers: Headers): Promise<string | undefined> => {
    const reply = await ask(headers, redirecting);
    assert.equal(reply.status, 303, reply.text);
    const address = new URL(String(reply.headers['location']));
    assert.equal(`${address.origin}${address.pathname}`, 'https://accounts.test/sign-in');
    return address.searchParams.get('return_to') ?? undefined;
  };

  test('returns the user in headers and as JSON', async () => {
    const reply = await ask(cookieOf(member));
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['remote-user'], String(member.id));
    assert.equal(reply.headers['remote-email'], member.email);
    assert.equal(reply.headers['cache-control'], 'no-store');
    assert.deepEqual(reply.body, { id: member.id, email: member.email });
    assert.deepEqual((await ask(cookieOf(member), redirecting)).status, 200);
  });

  test('answers 401 without any name if no user is signed in', async () => {
    const sent: Headers[] = [
      {},
      { cookie: `${sessionCookie}=nonsense` },
      // The header names a user, but only the session cookie identifies one.
      { 'remote-user': String(member.id), 'remote-email': member.email },
      { cookie: `session_id=${member.sessionId}` },
    ];
    for (const headers of sent) {
      const reply = await ask(headers);
      assertProblem(reply, 401, 'sign_in_required');
      assert.equal(reply.headers['remote-user'], undefined);
      assert.equal(reply.headers['remote-email'], undefined);
    }
    assert.equal((await ask(asPage)).status, 401);
  });

  test('redirects to sign-in, and returns to the requested address', async () => {
    for (const [forwarded, expected] of [
      [{ ...asked, 'x-forwarded-uri': '/a?b=c&d=%20e' }, 'https://app.test/a?b=c&d=%20e'],
      // Another application behind the same proxy.
      [{ ...asked, 'x-forwarded-host': 'accounts.test' }, 'https://accounts.test/'],
      [{ ...asked, 'x-forwarded-method': 'POST' }, 'https://app.test/'],
      [{}, undefined],
      [{ 'x-forwarded-proto': 'https', 'x-forwarded-host': 'app.test' }, undefined],
      [{ ...asked, 'x-forwarded-host': 'evil.test' }, undefined],
      [{ ...asked, 'x-forwarded-host': 'localhost' }, undefined],
      [{ ...asked, 'x-forwarded-proto': 'http' }, undefined],
      [{ ...asked, 'x-forwarded-proto': 'javascript' }, undefined],
      [{ ...asked, 'x-forwarded-uri': '@evil.test/' }, undefined],
      [{ ...asked, 'x-forwarded-uri': '.evil.test/' }, undefined],
      [{ ...asked, 'x-forwarded-uri': ':8443/' }, undefined],
      [{ ...asked, 'x-forwarded-host': 'app.test, evil.test' }, undefined],
      [{ ...asked, 'x-forwarded-uri': `/${'x'.repeat(2000)}` }, undefined],
    ] satisfies [Headers, string | undefined][])
      assert.equal(await returnAddress(forwarded), expected, JSON.stringify(forwarded));
  });

  test('does not put a line or another address into the reply (CWE-113)', async () => {
    for (const path of ['/a\r\nset-cookie: x=y', '/a b', '/a\tb', '/\\evil.test', '//evil.test\u0085'])
      assert.equal(await returnAddress({ ...asked, 'x-forwarded-uri': path }), undefined, path);
    // Two slashes after a host are a path of that host.
    const twice = { ...asked, 'x-forwarded-uri': '//evil.test' };
    assert.equal(await returnAddress(twice), 'https://app.test//evil.test');
    const encoded = { ...asked, 'x-forwarded-uri': '/%0d%0aset-cookie:%20x=y' };
    const reply = await ask(encoded, redirecting);
    assert.deepEqual(reply.cookies, []);
    assert.equal(await returnAddress(encoded), 'https://app.test/%0d%0aset-cookie:%20x=y');
  });

  test('ignores the headers of the original request', async () => {
    const passedOn: Headers[] = [
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
      { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' },
      { 'x-forwarded-method': 'DELETE' },
      { 'content-type': 'application/json' },
      { 'content-type': 'multipart/form-data' },
      { 'content-type': 'nonsense', 'content-length': '0' },
      { 'x-http-method-override': 'DELETE' },
      { 'if-none-match': '*', range: 'bytes=0-1' },
    ];
    for (const headers of passedOn)
      assert.equal((await ask({ ...headers, ...cookieOf(member) })).status, 200, JSON.stringify(headers));
  });

  test('answers HEAD, and no method that changes something', async () => {
    const send = (method: ContractRequest['method']) =>
      service.send({ method, path: '/forward_auth', headers: cookieOf(member) });
    const reply = await send('HEAD');
    assert.deepEqual([reply.status, reply.text], [200, '']);
    assert.equal(reply.headers['remote-user'], String(member.id));
    for (const method of ['POST', 'PUT', 'DELETE'] as const)
      assertProblem(await send(method), 405, 'method_not_allowed');
  });

  test('encodes an international address as UTF-8 bytes', async () => {
    const email = 'søren@bücher.example';
    const password = 'seven otters under a green umbrella';
    await service.post('/users', { email, password });
    await service.confirm({ email, password });
    // Over a socket, because inject() never encodes the headers of its reply.
    const address = await service.service.app.listen({ host: '127.0.0.1', port: 0 });
    const at = new Browser({ send: (request) => sendTo(address, request) });
    await at.post('/sessions', { email, password });
    const reply = await at.get('/forward_auth');
    assert.deepEqual([reply.status, memberOf(reply.body, 'email')], [200, email], reply.text);
    assert.equal(Buffer.from(String(reply.headers['remote-email']), 'latin1').toString(), email);
    const head = await at.send({ method: 'HEAD', path: '/forward_auth' });
    assert.equal(head.headers['remote-email'], reply.headers['remote-email']);
  });

  test('rejects a pending authentication', async (t) => {
    if (lacks(t, 'totp')) return;
    const { email, password, ...other } = await service.member();
    const first = new Browser(service);
    first.plant(sessionCookie, other.sessionId);
    await addApp(first, service.service.clock);
    const browser = new Browser(service);
    await browser.post('/sessions', { email, password });
    const pending = browser.cookie(pendingCookie);
    assert.ok(pending !== undefined);
    assertProblem(await browser.get('/forward_auth'), 401, 'sign_in_required');
    assertProblem(await ask({ cookie: `${sessionCookie}=${pending}` }), 401, 'sign_in_required');
  });

  test('rejects a revoked session, and one whose user is disabled', async () => {
    const gone = await service.member();
    await service.send({ method: 'DELETE', path: '/sessions', headers: cookieOf(gone) });
    const disabled = await service.member();
    const { auth } = service.service.core;
    await auth.setDisabled(disabled.id, true);
    for (const one of [gone, disabled]) assertProblem(await ask(cookieOf(one)), 401, 'sign_in_required');
  });
});
