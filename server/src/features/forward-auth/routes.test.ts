// Forward authentication as proxies use it: identity headers, redirects to sign-in, and rejected requests.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from '../../../test/support/browser.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { addApp } from '../../../test/support/factor.ts';
import { unescapeMarkup } from '../../../test/support/markup.ts';
import { asPage, formIn } from '../../../test/support/page-form.ts';
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
import type { UserDetails } from '../../identity/details/details.ts';
import { lacks } from '../../../test/support/feature.ts';

type Headers = NonNullable<ContractRequest['headers']>;

const redirecting = '/forward_auth?sign_in=redirect';
/** The headers of a browser that opens a page, and those in which a proxy describes the request. */
const asked = {
  'sec-fetch-mode': 'navigate',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'app.test',
  'x-forwarded-uri': '/',
};
const { 'x-forwarded-uri': _path, ...withoutAddress } = asked;
const { 'sec-fetch-mode': _mode, ...withoutMode } = asked;
const sentForm = { ...asked, 'x-forwarded-method': 'POST', 'x-forwarded-uri': '/save' };

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
  const detailsOf = async ({ id }: Member): Promise<UserDetails> =>
    (await service.service.core.details.find(id)) ?? assert.fail('the user has details');
  /** The address to return to after sign-in; `undefined` without one. */
  const returnAddress = async (headers: Headers): Promise<string | undefined> => {
    const reply = await ask(headers, redirecting);
    assert.equal(reply.status, 303, reply.text);
    assert.deepEqual(reply.cookies, []);
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
    const { subject } = await detailsOf(member);
    assert.equal(reply.headers['remote-subject'], subject);
    assert.equal(reply.headers['remote-name'], '', 'Caddy needs a header that it copies');
    assert.deepEqual(reply.body, { id: member.id, subject, email: member.email });
    assert.deepEqual((await ask(cookieOf(member), redirecting)).status, 200);
  });

  test('returns the name in UTF-8, and no name that would end the header or change another', async () => {
    const named = await service.member();
    const { details } = service.service.core;
    const operator = { actor: 'operator' } as const;
    for (const name of ['Ada\r\nRemote-User: 1', 'Ada\nX: y', 'Ada\u0085', 'Ada\0', 'Ada\u202Enimda'])
      await assert.rejects(details.change(named.id, { name }, operator), /^Problem: name contains/);
    await details.change(named.id, { name: '张伟 <b>"é"</b>' }, operator);
    const reply = await ask(cookieOf(named));
    assert.equal(reply.status, 200, reply.text);
    assert.equal(Buffer.from(String(reply.headers['remote-name']), 'latin1').toString(), '张伟 <b>"é"</b>');
    assert.equal(memberOf(reply.body, 'name'), '张伟 <b>"é"</b>');
    assert.equal(reply.headers['remote-user'], String(named.id));
  });

  test('gives a subject to an account of an older release', async () => {
    const { database } = service.service.core;
    const old = await service.member();
    await database.execute(`update users set subject = null where id = ${old.id}`);
    const subject = String((await ask(cookieOf(old))).headers['remote-subject']);
    assert.match(subject, /^[\da-f-]{36}$/);
    assert.equal((await ask(cookieOf(old))).headers['remote-subject'], subject);
    assert.equal((await detailsOf(old)).subject, subject);
  });

  test('answers 401 without any name if no user is signed in', async () => {
    const sent: Headers[] = [
      {},
      { cookie: `${sessionCookie}=nonsense` },
      // The header names a user, but only the session cookie identifies one.
      {
        'remote-user': String(member.id),
        'remote-email': member.email,
        'remote-subject': 'x',
        'remote-name': 'x',
      },
      { cookie: `session_id=${member.sessionId}` },
    ];
    for (const headers of sent) {
      const reply = await ask(headers);
      assertProblem(reply, 401, 'sign_in_required');
      for (const name of ['user', 'subject', 'email', 'name'])
        assert.equal(reply.headers[`remote-${name}`], undefined);
    }
    assert.equal((await ask(asPage)).status, 401);
  });

  test('redirects to sign-in, and returns to the requested address', async () => {
    for (const [forwarded, expected] of [
      [{ ...asked, 'x-forwarded-uri': '/a?b=c&d=%20e' }, 'https://app.test/a?b=c&d=%20e'],
      // Another application behind the same proxy.
      [{ ...asked, 'x-forwarded-host': 'accounts.test' }, 'https://accounts.test/'],
      [{ ...asked, 'x-forwarded-method': 'HEAD', 'x-forwarded-uri': '/a' }, 'https://app.test/a'],
      // TLS ended at a proxy before this one. No scheme leads to an origin that is not allowed.
      ...['http', 'https,http', 'http, https', 'wss', 'ws', 'HTTPS'].flatMap(
        (scheme): [Headers, string][] => [
          [
            { ...asked, 'x-forwarded-proto': scheme, 'x-forwarded-host': 'accounts.test' },
            'https://accounts.test/',
          ],
          [{ ...asked, 'x-forwarded-proto': scheme }, 'https://app.test/'],
        ],
      ),
      [{ 'sec-fetch-mode': 'navigate' }, undefined],
      [withoutAddress, undefined],
      [{ ...asked, 'x-forwarded-host': 'evil.test' }, undefined],
      [{ ...asked, 'x-forwarded-host': 'localhost' }, undefined],
      [{ ...asked, 'x-forwarded-proto': 'http', 'x-forwarded-host': 'evil.test' }, undefined],
      [{ ...asked, 'x-forwarded-proto': 'javascript' }, undefined],
      [{ ...asked, 'x-forwarded-proto': '' }, undefined],
      // A value that is not a path, or is too long, leads to the start of the application.
      ...['@evil.test/', '.evil.test/', ':8443/', '/a b', '', `/${'x'.repeat(2000)}`].map(
        (path): [Headers, string] => [{ ...asked, 'x-forwarded-uri': path }, 'https://app.test/'],
      ),
      // A proxy behind another one appends its own host.
      [{ ...asked, 'x-forwarded-host': 'app.test, evil.test' }, 'https://app.test/'],
      [{ ...asked, 'x-forwarded-host': 'app.test,inner:80', 'x-forwarded-uri': '/a' }, 'https://app.test/a'],
      [{ ...asked, 'x-forwarded-host': 'evil.test, app.test' }, 'https://app.test/'],
      [{ ...asked, 'x-forwarded-host': 'evil.test, inner:80' }, undefined],
      [{ ...asked, 'x-forwarded-host': 'APP.test' }, 'https://app.test/'],
      [
        { ...asked, 'x-forwarded-uri': Buffer.from('/café').toString('latin1') },
        'https://app.test/caf%C3%A9',
      ],
      [
        {
          ...asked,
          'x-forwarded-host': 'evil.test, app.test',
          'x-forwarded-uri': `/${'x'.repeat(2000)}`,
        },
        'https://app.test/',
      ],
      [{ ...asked, 'x-forwarded-host': 'evil.test', 'x-forwarded-uri': `/${'x'.repeat(2000)}` }, undefined],
    ] satisfies [Headers, string | undefined][])
      assert.equal(await returnAddress(forwarded), expected, JSON.stringify(forwarded));
  });

  test('redirects only a browser that opens a page; everything else gets 401 as JSON', async () => {
    const html = 'text/html,application/xhtml+xml,*/*;q=0.8';
    const navigations: Headers[] = [
      { 'sec-fetch-mode': 'navigate', accept: 'application/json' },
      { accept: html },
      { accept: html, 'x-forwarded-method': 'HEAD' },
      { 'sec-fetch-mode': 'navigate', 'x-forwarded-method': 'POST' },
    ];
    for (const headers of navigations)
      assert.equal((await ask(headers, redirecting)).status, 303, JSON.stringify(headers));
    const others: Headers[] = [
      {},
      { accept: 'application/json' },
      { accept: '*/*', 'x-requested-with': 'XMLHttpRequest' },
      { accept: html, 'x-requested-with': 'XMLHttpRequest' },
      { accept: html, 'x-forwarded-method': 'POST' },
      { accept: html, upgrade: 'websocket' },
      ...['cors', 'no-cors', 'same-origin', 'websocket'].map((mode) => ({
        accept: html,
        'sec-fetch-mode': mode,
      })),
      { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image', accept: 'image/*' },
      ...['OPTIONS', 'PUT', 'PATCH', 'DELETE', 'nonsense'].map((method) => ({
        accept: html,
        'sec-fetch-mode': 'navigate',
        'x-forwarded-method': method,
      })),
    ];
    for (const headers of others) {
      const reply = await ask({ ...withoutMode, ...headers }, redirecting);
      assertProblem(reply, 401, 'sign_in_required');
      assert.match(String(reply.headers['content-type']), /^application\/problem\+json/);
    }
  });

  test('after a form, returns to the page of the form, or to the start of the application', async () => {
    for (const [referer, expected] of [
      ['https://app.test/edit?id=1', 'https://app.test/edit?id=1'],
      [undefined, 'https://app.test/'],
      ['https://evil.test/edit', 'https://app.test/'],
      // An allowed origin, but not the one of the form.
      ['https://accounts.test/account', 'https://app.test/'],
      ['https://app.test.evil.test/', 'https://app.test/'],
      ['https://app.test@evil.test/', 'https://app.test/'],
      ['//evil.test/', 'https://app.test/'],
      ['/edit', 'https://app.test/'],
      ['javascript:alert(1)', 'https://app.test/'],
      [`https://app.test/${'x'.repeat(2000)}`, 'https://app.test/'],
    ] satisfies [string | undefined, string][])
      assert.equal(
        await returnAddress({ ...sentForm, ...(referer !== undefined && { referer }) }),
        expected,
        referer,
      );
    const unknown = { ...sentForm, 'x-forwarded-host': 'evil.test', referer: 'https://evil.test/edit' };
    assert.equal(await returnAddress(unknown), undefined);
  });

  test('adds how and when the user signed in, if the proxy asks for it', async () => {
    const reply = await ask(cookieOf(member), '/forward_auth?details=true');
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.headers['remote-amr'], 'pwd');
    assert.deepEqual(memberOf(reply.body, 'amr'), ['pwd']);
    const time = String(reply.headers['remote-auth-time']);
    assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.equal(memberOf(reply.body, 'auth_time'), time);
    assert.equal((await ask(cookieOf(member))).headers['remote-amr'], undefined);
    const { auth } = service.service.core;
    const sessionId = await auth.createSession(member.email);
    const bare = await ask({ cookie: `${sessionCookie}=${sessionId}` }, '/forward_auth?details=true');
    assert.deepEqual(
      [bare.status, bare.headers['remote-amr'], bare.headers['remote-auth-time']],
      [200, '', ''],
      'a session without a factor',
    );
  });

  test('rejects a demand that no session can meet', async () => {
    for (const query of [
      'factor=nonsense',
      'factor=password',
      'factor=recovery_code',
      'max_age=0',
      'max_age=29',
      'max_age=x',
      'max-age=60',
      'maxage=60',
      'Factor=second',
      'factors=second',
      '__proto__=second',
    ])
      for (const headers of [{}, cookieOf(member)])
        assertProblem(await ask(headers, `/forward_auth?${query}`), 400, 'invalid_request', [
          query.split('=', 1)[0] ?? '',
        ]);
  });

  test('demands a recent factor: 401 of RFC 9470, and step-up for a browser that opens a page', async () => {
    const { email, password, id } = await service.member();
    const at = new Browser(service);
    await at.post('/sessions', { email, password });
    const path = '/forward_auth?sign_in=redirect&max_age=60';
    const target = { ...asked, 'x-forwarded-uri': '/admin' };
    assert.equal((await at.get(path, target)).status, 200);
    service.service.clock.advance(61_000);
    const refused = await at.get(path);
    assert.deepEqual([refused.status, refused.headers['remote-user']], [401, undefined]);
    assert.equal(memberOf(refused.body, 'code'), 'step_up_required');
    assert.equal(
      refused.headers['www-authenticate'],
      'Bearer error="insufficient_user_authentication", max_age="60"',
    );
    const sentOn = String((await at.get(path, target)).headers['location']);
    assert.equal(sentOn, 'https://accounts.test/step-up?return_to=https%3A%2F%2Fapp.test%2Fadmin&max_age=60');
    // The page demands the same: it leads on only if the factor is recent enough for the application.
    const page = formIn(await at.get(sentOn.slice('https://accounts.test'.length), asPage));
    const wrong = await at.post(page.action, { ...page.fields, proof: 'not the password' });
    assert.match(String(wrong.headers['location']), /^\/step-up\?return_to=[^&]+&max_age=60&note=/);
    const retried = formIn(await at.get(String(wrong.headers['location']), asPage));
    const done = await at.post(retried.action, { ...retried.fields, proof: password });
    assert.equal(await at.goalOf(done), 'https://app.test/admin');
    assert.equal((await at.get(path, target)).headers['remote-user'], String(id));
  });

  test('demands a second factor, which a user without one adds first', async (t) => {
    if (lacks(t, 'totp')) return;
    const { email, password } = await service.member();
    const at = new Browser(service);
    await at.post('/sessions', { email, password });
    const path = '/forward_auth?sign_in=redirect&factor=second';
    const refused = await at.get(path);
    assert.deepEqual([refused.status, memberOf(refused.body, 'factors')], [401, []]);
    assert.equal(
      refused.headers['www-authenticate'],
      'Bearer error="insufficient_user_authentication", acr_values="second"',
    );
    const sentOn = String((await at.get(path, asked)).headers['location']);
    const page = await at.get(sentOn.slice('https://accounts.test'.length), asPage);
    assert.match(page.text, /requires a second factor/);
    assert.match(
      unescapeMarkup(page.text),
      /href="\/account\/authenticators\?return_to=https%3A%2F%2Fapp\.test%2F"/,
    );
    await addApp(at, service.service.clock);
    assert.equal((await at.get(path)).status, 200);
    const named = await at.get('/forward_auth?factor=totp&details=true');
    assert.deepEqual([named.status, named.headers['remote-amr']], [200, 'pwd,otp,mfa']);
    service.service.clock.advance(3_600_000);
    assert.equal((await at.get(path)).status, 200, 'at any time in the session');
    // The time belongs to the methods: a password makes the second factor no newer.
    assert.equal((await at.post('/sessions/step_up', { factor: 'password', proof: password })).status, 200);
    const later = await at.get('/forward_auth?details=true');
    assert.equal(later.headers['remote-auth-time'], named.headers['remote-auth-time']);
    assert.equal((await at.get('/forward_auth?factor=second&max_age=900')).status, 401);
  });

  test('does not put a line or another address into the reply (CWE-113)', async () => {
    for (const path of ['/a\r\nset-cookie: x=y', '/a b', '/a\tb', '/\\evil.test', '//evil.test\u0085'])
      assert.equal(await returnAddress({ ...asked, 'x-forwarded-uri': path }), 'https://app.test/', path);
    // Two slashes after a host are a path of that host.
    const twice = { ...asked, 'x-forwarded-uri': '//evil.test' };
    assert.equal(await returnAddress(twice), 'https://app.test//evil.test');
    const encoded = { ...asked, 'x-forwarded-uri': '/%0d%0aset-cookie:%20x=y' };
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
