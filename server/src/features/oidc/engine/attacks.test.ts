// Attacks on the provider, by their codes (server/test/attacks/row.ts): each is refused, and nothing is sent to an address
// that the application has not registered.
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { exportSPKI, importJWK, type CryptoKey as PublicKey } from 'jose';
import { memberOf, send, type Fields, type Reply } from '../../../../test/support/request.ts';
import { assertRefused, basic, countOf, Program, TestKey, tokensIn } from '../test/program.ts';
import { authorizationRequest, deviceGrant, password, ProviderSite, textOf } from '../test/site.ts';
import type { Application, Person } from '../test/site.ts';
import { oidcPaths } from './paths.ts';

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const api = 'https://api.example.org';

let site: ProviderSite;
let app: Application;
let program: Program;
let person: Person;
/** Signs with a key. */
let signing: Application;
let key: TestKey;

before(async () => {
  site = await ProviderSite.open('sqlite');
  await site.resource({ tokenFormat: 'jwt' });
  await site.resource({ identifier: `${api}/opaque` });
  const scopes = ['openid', 'profile', 'email', 'read'];
  app = await site.application({ scopes });
  program = new Program(site, app);
  person = await site.person();
  key = await TestKey.create();
  signing = await site.application({
    kind: 'service',
    grantTypes: ['client_credentials'],
    redirectUris: [],
    scopes: ['read'],
    authMethod: 'private_key_jwt',
    jwks: { keys: [key.jwk] },
  });
});
after(() => site.close());

/** Sends an authorization request in the person's browser, and returns the reply. */
async function authorize(
  query: URLSearchParams | string,
  { headers = {}, who = person }: { headers?: Record<string, string>; who?: Person } = {},
): Promise<Reply & { readonly location: string }> {
  const reply = await send(site.service.app, {
    method: 'GET',
    path: `${oidcPaths.authorization}?${query.toString()}`,
    headers: { cookie: `session_id=${who.sessionToken ?? ''}`, accept: 'text/html', ...headers },
  });
  assert.notEqual(reply.status, 500, reply.text);
  const { location } = reply.headers;
  return { ...reply, location: typeof location === 'string' ? location : '' };
}

/** A valid request with other parameters; `undefined` leaves one out. */
async function queryWith(
  more: Readonly<Record<string, string | undefined>>,
  application = app,
): Promise<URLSearchParams> {
  const { url } = await authorizationRequest(application);
  const query = new URL(url).searchParams;
  for (const [name, value] of Object.entries(more))
    if (value === undefined) query.delete(name);
    else query.set(name, value);
  return query;
}

/** Asserts that a request is refused on a page of ours. */
function assertStays({ location, text }: { location: string; text: string }, what: string): void {
  assert.match(location, /^\/oauth\/error\?to=[\w%~.-]+$/, `${what} ${text}`);
}

/** Asserts that the client gets an error and no code. */
function assertError({ location }: { location: string }, error: string | RegExp, what = ''): void {
  const { searchParams, origin } = new URL(location, site.origin);
  assert.equal(origin, 'https://wiki.example.org', `${what} ${location}`);
  assert.match(
    searchParams.get('error') ?? '',
    typeof error === 'string' ? new RegExp(`^${error}$`) : error,
    what,
  );
  assert.equal(searchParams.get('code'), null);
  assert.equal(searchParams.get('iss'), site.origin, 'the issuer is named against mix-up');
}

describe('redirect URIs', () => {
  const near = [
    'https://wiki.example.org/callback/',
    'https://wiki.example.org/callback/../evil',
    'https://wiki.example.org/callback/..%2fevil',
    'https://wiki.example.org/callback/%252e%252e/evil',
    'https://wiki.example.org/callback..;/evil',
    'https://wiki.example.org/callback?x=1',
    'https://wiki.example.org/callback?',
    'https://wiki.example.org/callback#x',
    'https://wiki.example.org/callback#',
    'https://wiki.example.org/Callback',
    'https://WIKI.example.org/callback',
    'https://wiki.example.org:443/callback',
    'https://wiki.example.org./callback',
    'https://wiki.example.org.evil.example/callback',
    'https://wiki.example.org@evil.example/callback',
    'https://evil.example@wiki.example.org/callback',
    'https://wiki.example.org\\@evil.example/callback',
    'https:\\\\wiki.example.org\\callback',
    'https://evil.example\\.wiki.example.org/callback',
    'https://wikiXexample.org/callback',
    'https://xwiki.example.org/callback',
    'http://wiki.example.org/callback',
    '//wiki.example.org/callback',
    ' https://wiki.example.org/callback',
    'https://wiki.example.org/callback\n',
    'https://wiki.example.org/callback\u0000',
    'https://wiki.example.org/c%61llback',
    'https://wıki.example.org/callback',
    'javascript:alert(1)//https://wiki.example.org/callback',
    'data:text/html,x',
    '',
  ];
  test('A32 redirect URI: one that nearly matches is refused on a page of ours', async () => {
    for (const redirect_uri of near)
      assertStays(await authorize(await queryWith({ redirect_uri })), redirect_uri);
    assertStays(await authorize(await queryWith({ redirect_uri: undefined })), 'none');
    for (const client_id of ['unknown', '', `${app.id} `, 'x'.repeat(500)])
      assertStays(await authorize(await queryWith({ client_id })), client_id);
  });

  test('A32 redirect URI: of two that are sent neither is used', async () => {
    const query = await queryWith({});
    for (const order of [
      `${query.toString()}&redirect_uri=https%3A%2F%2Fevil.example%2F`,
      `redirect_uri=https%3A%2F%2Fevil.example%2F&${query.toString()}`,
    ])
      assertStays(await authorize(order), order);
    for (const name of ['redirect_uri[]', 'redirect_uri%5B0%5D', 'redirect_uri%00'])
      assert.match(
        (await authorize(`${query.toString()}&${name}=https%3A%2F%2Fevil.example`)).location,
        /^https:\/\/wiki\.example\.org\/callback\?code=/,
      );
  });

  test('A32 redirect URI: only a native client may use another port of the loopback address', async () => {
    const uri = 'http://127.0.0.1/callback';
    const given = { redirectUris: [uri] };
    const native = await site.application({ ...given, kind: 'native', authMethod: 'none' });
    const web = await site.application({ ...given, kind: 'web' });
    const other = 'http://127.0.0.1:4711/callback';
    const asks = (await authorize(await queryWith({ redirect_uri: other }, native))).location;
    assert.match(asks, /^\/oauth\/interaction\//, 'anyone may listen there, so the person is asked');
    assertStays(await authorize(await queryWith({ redirect_uri: other }, web)), 'web');
    for (const wrong of [
      'http://127.0.0.1:4711/other',
      'http://localhost:4711/callback',
      'http://127.0.0.1.evil.example:4711/callback',
      'http://127.0.0.1:4711@evil.example/callback',
      'https://127.0.0.1:4711/callback',
      'http://127.1:4711/callback',
      'http://0x7f000001/callback',
      'http://[::1]:4711/callback',
    ])
      assertStays(await authorize(await queryWith({ redirect_uri: wrong }, native)), wrong);
  });

  test('A32 redirect URI: it is compared again when the code is redeemed', async () => {
    const code = await program.codeOf(person);
    for (const redirectUri of ['https://wiki.example.org/callback/', 'https://evil.example/', ''])
      assert.ok((await program.redeem({ ...code, redirectUri })).status === 400);
    tokensIn(await program.redeem(code));
  });

  test('A9 open redirect: the page of an error follows no address that was not sealed here', async () => {
    for (const to of ['https://evil.example', '//evil.example', 'x', '']) {
      const { status, headers } = await send(site.service.app, {
        method: 'GET',
        path: `/oauth/error?${new URLSearchParams({ to }).toString()}`,
      });
      assert.deepEqual([status, headers['location']], [404, undefined]);
    }
    const { location } = await authorize(
      await queryWith({ client_id: 'x<script>', redirect_uri: 'https://evil.example' }),
    );
    const page = await send(site.service.app, { method: 'GET', path: location });
    assert.equal(page.status, 400);
    assert.doesNotMatch(page.text, /evil\.example|<script>/);
  });
});

describe('codes', () => {
  test('A33 code: another client cannot redeem it, nor disturb its owner', async () => {
    const other = new Program(site, await site.application({ redirectUris: [app.redirectUri] }));
    const code = await program.codeOf(person);
    assertRefused(await other.redeem(code), 'invalid_grant');
    const mixed = await program.redeem(code, {
      isAuthenticated: false,
      headers: { authorization: basic(other.application.id, other.application.secret) },
    });
    assertRefused(mixed, 'invalid_grant');
    tokensIn(await program.redeem(code));
  });

  test('A33 code: it is valid for a minute', async () => {
    const code = await program.codeOf(person);
    const late = await program.codeOf(person);
    site.service.clock.advance(40_000);
    tokensIn(await program.redeem(code));
    site.service.clock.advance(21_000);
    assertRefused(await program.redeem(late), 'invalid_grant');
    site.service.clock.advance(-61_000);
  });

  test('A33 code: its repetition revokes the tokens, but not if the repetition proves nothing', async () => {
    const code = await program.codeOf(person);
    const { access, refresh } = tokensIn(await program.redeem(code));
    const other = new Program(site, await site.application());
    assertRefused(await program.redeem({ ...code, verifier: 'x'.repeat(43) }), 'invalid_grant');
    assertRefused(await other.redeem(code), 'invalid_grant');
    assertRefused(await program.redeem({ ...code, redirectUri: 'https://evil.example/' }), 'invalid_grant');
    assert.equal(await program.isActive(access), true);
    assertRefused(await program.redeem(code), 'invalid_grant');
    for (const token of [access, refresh]) assert.equal(await program.isActive(token), false);
  });

  test('A34 PKCE: a request without a challenge of S256 is refused', async () => {
    for (const more of [
      { code_challenge: undefined, code_challenge_method: undefined },
      { code_challenge: undefined },
      { code_challenge_method: undefined },
      { code_challenge_method: 'plain' },
      { code_challenge_method: 's256' },
      { code_challenge: '' },
      { code_challenge: 'short' },
      { code_challenge: 'a'.repeat(129) },
      { code_challenge: `${'a'.repeat(42)}!` },
    ])
      assertError(await authorize(await queryWith(more)), 'invalid_request', JSON.stringify(more));
  });

  test('A34 PKCE: a code is not redeemed with another verifier', async () => {
    const code = await program.codeOf(person);
    const request = await authorizationRequest(app);
    for (const verifier of [
      '',
      'short',
      'x'.repeat(43),
      request.verifier,
      code.verifier.slice(0, -1),
      `${code.verifier}x`,
      'a'.repeat(200),
    ])
      assert.equal((await program.redeem({ ...code, verifier })).status, 400, verifier);
    const { code: text, redirectUri } = code;
    const without = { grant_type: 'authorization_code', code: text, redirect_uri: redirectUri };
    assertRefused(await program.post(oidcPaths.token, without), 'invalid_grant');
    tokensIn(await program.redeem(code));
  });

  test('A34 PKCE: only an exempted client with a secret and a nonce leaves it out, and then sends no verifier', async () => {
    const exempt = await site.application({ skipsPkce: true });
    const open = await site.application({ skipsPkce: true, kind: 'browser', authMethod: 'none' });
    const bare = { code_challenge: undefined, code_challenge_method: undefined };
    assertError(await authorize(await queryWith({ ...bare, nonce: undefined }, exempt)), 'invalid_request');
    assertError(await authorize(await queryWith(bare, open)), 'invalid_request');
    const { location } = await authorize(await queryWith(bare, exempt));
    const code = new URL(location).searchParams.get('code') ?? '';
    const issued = { code, verifier: 'x'.repeat(43), redirectUri: exempt.redirectUri };
    const asExempt = new Program(site, exempt);
    assertRefused(await asExempt.redeem(issued), 'invalid_grant');
    const fields = { grant_type: 'authorization_code', code, redirect_uri: exempt.redirectUri };
    tokensIn(await asExempt.post(oidcPaths.token, fields));
  });
});

describe('signed texts', () => {
  /** Variants of a JWT that its signature does not cover. @param secrets Known to everyone, as if they were secret. */
  function forgeriesOf(jwt: string, secrets: readonly string[]): Record<string, string> {
    const [head = '', payload = ''] = jwt.split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as object; // of a token that was issued
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const withHeader = (more: object, signature = ''): string =>
      `${encode({ ...header, ...more })}.${payload}.${signature}`;
    const forgeries: Record<string, string> = { 'signature stripped': `${head}.${payload}.` };
    for (const alg of ['none', 'None', 'NONE', ''])
      for (const signature of ['', 'AAAA'])
        forgeries[`alg ${alg} ${signature}`] = withHeader({ alg }, signature);
    for (const secret of secrets) {
      const signed = `${encode({ ...header, alg: 'HS256' })}.${payload}`;
      forgeries[`HS256 ${secret.slice(0, 20)}`] =
        `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    }
    const zero = Buffer.alloc(64).toString('base64url');
    for (const more of [
      { alg: 'ES256' },
      { kid: '../../../dev/null' },
      { kid: "x' or '1'='1" },
      { kid: 'https://evil.example/jwks' },
      { jku: 'https://evil.example/jwks' },
      { crit: ['x'], x: 1 },
      { alg: 'PBES2-HS256+A128KW', p2c: 1e9 },
      { b64: false, crit: ['b64'] },
      { zip: 'DEF' },
    ])
      forgeries[JSON.stringify(more)] = withHeader(more, zero);
    return forgeries;
  }

  test('A36 JWT: a forged ID token hint is refused', async () => {
    const { id } = await program.tokensOf(person);
    assert.match((await authorize(await queryWith({ prompt: 'none', id_token_hint: id }))).location, /code=/);
    const jwks = await send(site.service.app, { method: 'GET', path: oidcPaths.jwks });
    const keys = memberOf(jwks.body, 'keys') as { alg: string }[];
    const published = await Promise.all(
      keys.map(async (jwk) => exportSPKI((await importJWK(jwk, jwk.alg)) as PublicKey)),
    );
    const secrets = [
      ...published,
      ...keys.map((jwk) => JSON.stringify(jwk)),
      jwks.text,
      'the digests of the secrets are in the database',
      app.secret,
      '',
    ];
    for (const [name, hint] of Object.entries(forgeriesOf(id, secrets)))
      assertError(
        await authorize(await queryWith({ prompt: 'none', id_token_hint: hint })),
        'invalid_request',
        name,
      );
    const foreign = await new Program(site, await site.application()).tokensOf(person);
    assertError(
      await authorize(await queryWith({ prompt: 'none', id_token_hint: foreign.id })),
      'invalid_request',
    );
    const other = await program.tokensOf(await site.person());
    assertError(
      await authorize(await queryWith({ prompt: 'none', id_token_hint: other.id })),
      'login_required',
    );
  });

  const grant = { grant_type: 'client_credentials', scope: 'read', resource: `${api}/opaque` };
  const present = (client_assertion: string, client = signing, more: Fields = {}): Promise<Reply> =>
    new Program(site, client).post(
      oidcPaths.token,
      { ...grant, client_assertion_type: assertionType, client_assertion, ...more },
      { isAuthenticated: false },
    );

  test('A36 JWT: a forged client assertion authenticates no client', async () => {
    const aud = site.origin;
    tokensIn(await present(await key.assertion(signing.id, { aud })));
    const secrets = [JSON.stringify(key.jwk), 'the digests of the secrets are in the database', ''];
    const assertion = await key.assertion(signing.id, { aud });
    for (const [name, text] of Object.entries(forgeriesOf(assertion, secrets)))
      assert.ok([400, 401].includes((await present(text)).status), name);
    const foreign = await (await TestKey.create()).assertion(signing.id, { aud });
    const seconds = Math.floor(Date.now() / 1000);
    for (const text of [
      foreign,
      await key.assertion(app.id, { aud }),
      await key.assertion(signing.id, { aud, sub: app.id }),
      await key.assertion(signing.id, { aud, iss: app.id }),
      await key.assertion(signing.id, { aud, exp: seconds - 60 }),
      await key.assertion(signing.id, { aud, nbf: seconds + 600 }),
      await key.assertion(signing.id, { aud, jti: '' }),
      await key.assertion(signing.id, { aud, exp: 0 }),
    ])
      assertRefused(await present(text), 'invalid_client', 401);
    for (const text of ['x', 'x.y.z', '']) assert.ok([400, 401].includes((await present(text)).status), text);
    const mine = await key.assertion(signing.id, { aud });
    assert.equal((await present(mine, app)).status, 200, 'the assertion names its client itself');
    assert.ok(
      (await present(await key.assertion(signing.id, { aud }), signing, { client_id: app.id })).status >= 400,
    );
  });

  test('A36 JWT: an assertion that expires in the far future is refused, and breaks nothing', async () => {
    for (const exp of [1e300, 8.64e15, Math.floor(Date.now() / 1000) + 10 * 365 * 86_400])
      assertRefused(
        await present(await key.assertion(signing.id, { aud: site.origin, exp })),
        'invalid_client',
        401,
      );
  });

  test('A36 JWT: a client assertion is for the issuer only (CVE-2025-27370, CVE-2025-27371)', async () => {
    const endpoint = `${site.origin}${oidcPaths.token}`;
    const wrong: readonly (string | string[])[] = [
      endpoint,
      `${site.origin}/`,
      site.origin.toUpperCase(),
      `${site.origin}${oidcPaths.introspection}`,
      'https://evil.example',
      [endpoint],
      [site.origin, 'https://evil.example'],
      ['https://evil.example', site.origin],
      [],
      '',
    ];
    for (const aud of wrong)
      assertRefused(await present(await key.assertion(signing.id, { aud })), 'invalid_client', 401);
    const lenient = await site.application({
      kind: 'service',
      grantTypes: ['client_credentials'],
      redirectUris: [],
      scopes: ['read'],
      authMethod: 'private_key_jwt',
      jwks: { keys: [key.jwk] },
      acceptsTokenEndpointAudience: true,
    });
    for (const aud of [site.origin, endpoint])
      tokensIn(await present(await key.assertion(lenient.id, { aud }), lenient));
    for (const aud of wrong.slice(1))
      assertRefused(await present(await key.assertion(lenient.id, { aud }), lenient), 'invalid_client', 401);
  });

  test('SSRF: no address in a request is fetched', async () => {
    let visits = 0;
    const target = createServer((_request, response) => {
      visits += 1;
      response.end('{}');
    }).listen(0, '127.0.0.1');
    try {
      const address = target.address();
      const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`;
      for (const more of [
        { request_uri: url },
        { request_uri: `urn:ietf:params:oauth:request_uri:${url}` },
        { request: 'eyJhbGciOiJub25lIn0.e30.' },
        { registration: JSON.stringify({ jwks_uri: url }) },
        { client_id: url },
      ]) {
        const { location } = await authorize(await queryWith(more));
        assert.ok(!location.includes('code='), location);
      }
      const pushed = await program.post(oidcPaths.pushed, { client_id: app.id, request_uri: url });
      assert.equal(pushed.status, 400);
      assert.equal(visits, 0);
    } finally {
      target.close();
    }
  });
});

describe('requests', () => {
  test('a response type or mode that is not offered gives nothing away', async () => {
    for (const response_type of ['token', 'id_token', 'code token', 'code id_token', 'none', 'CODE'])
      assert.doesNotMatch((await authorize(await queryWith({ response_type }))).location, /token=|code=/);
    for (const response_mode of ['web_message', 'jwt', 'query.jwt', 'okta_post_message', 'x']) {
      const { location, text } = await authorize(await queryWith({ response_mode }));
      assert.doesNotMatch(`${location}${text}`, /[?&#]code=bvo_|value="bvo_/, response_mode);
    }
  });

  test('a parameter that is repeated is refused at every endpoint (A39)', async () => {
    const query = (await queryWith({})).toString();
    for (const name of [
      'client_id',
      'state',
      'scope',
      'code_challenge',
      'response_type',
      'nonce',
      'prompt',
    ]) {
      const { location } = await authorize(`${query}&${name}=x`);
      assert.doesNotMatch(location, /code=/, name);
    }
    const { access, refresh } = await program.tokensOf(person);
    for (const [path, fields] of [
      [oidcPaths.token, { grant_type: ['refresh_token', 'client_credentials'], refresh_token: refresh }],
      [oidcPaths.token, { grant_type: 'refresh_token', refresh_token: [refresh, 'x'] }],
      [oidcPaths.introspection, { token: [access, 'x'] }],
      [oidcPaths.revocation, { token: ['x', access] }],
      [oidcPaths.pushed, { client_id: [app.id, app.id], response_type: 'code' }],
    ] as const)
      assert.equal((await program.post(path, fields)).status, 400, path);
    assert.equal(await program.isActive(access), true);
  });

  test('claims that are deep, large or strange are refused or ignored, and fast', async () => {
    const deep = `${'{"a":'.repeat(1200)}1${'}'.repeat(1200)}`;
    const started = performance.now();
    for (const claims of [
      deep,
      '['.repeat(6000),
      '{',
      'null',
      '1',
      '[]',
      '""',
      '{"id_token":1}',
      '{"id_token":[]}',
      '{"__proto__":{"x":1}}',
      '{"id_token":{"__proto__":{"essential":true}}}',
      '{"id_token":{"constructor":{"value":"x"}}}',
      '{"userinfo":{"password":null,"sub":{"value":"x"}}}',
      `{"id_token":{"${'x'.repeat(5000)}":null}}`,
    ]) {
      const { status } = await authorize(await queryWith({ claims }));
      assert.ok(status >= 300 && status < 500, `${status} ${claims.slice(0, 40)}`);
    }
    assert.ok(performance.now() - started < 60_000);
    assert.equal((Object.prototype as { essential?: unknown }).essential, undefined);
  });

  test('the state comes back as it was sent, whatever it holds', async () => {
    for (const state of [
      '\u{1F600}ü',
      'a b+c%20&x=y#z',
      '"><script>',
      'x\r\nSet-Cookie: a=b',
      '\u0000',
      'x'.repeat(4000),
    ]) {
      const { location, cookies } = await authorize(await queryWith({ state }));
      const { searchParams, origin } = new URL(location);
      assert.equal(origin, 'https://wiki.example.org');
      assert.equal(searchParams.get('state'), state);
      assert.ok(!cookies.some((cookie) => cookie.startsWith('a=')));
    }
    const form = await authorize(
      await queryWith({ state: '"><script>alert(1)</script>', response_mode: 'form_post' }),
    );
    assert.doesNotMatch(form.text, /<script>alert/);
  });

  test('a form of more than 8 kB is sent as a pushed request, which a page says', async () => {
    const page = await person.visit(oidcPaths.authorization, 'POST', {
      client_id: app.id,
      claims: 'x'.repeat(9000),
    });
    assert.equal(page.status, 400);
    assert.match(textOf(page.text), /the form is longer than 8192 bytes.*RFC 9126/);
  });

  test('A28 types: names of members of all objects are parameters like others', async () => {
    const { status } = await program.post(oidcPaths.token, {
      grant_type: 'client_credentials',
      __proto__x: 'x',
      constructor: 'x',
      toString: 'x',
      hasOwnProperty: 'x',
    });
    assert.ok(status >= 400 && status < 500);
    for (const grant_type of ['__proto__', 'constructor', 'toString'])
      assertRefused(await program.post(oidcPaths.token, { grant_type }), 'unsupported_grant_type');
  });

  test('a scope, claim or resource that the client may not have is refused', async () => {
    assertError(
      await authorize(await queryWith({ scope: 'openid offline_access write', prompt: 'consent' })),
      /invalid_scope/,
    );
    assertError(await authorize(await queryWith({ resource: 'https://unknown.example' })), 'invalid_target');
    const third = await site.application({ isFirstParty: false });
    assertError(await authorize(await queryWith({ prompt: 'none' }, third)), 'consent_required');
    assertError(await authorize(await queryWith({ prompt: 'none login' })), 'invalid_request');
  });
});

describe('browsers', () => {
  test('A42 login CSRF: an interaction that began in another browser is refused', async () => {
    const attacker = await site.person();
    const third = await site.application({ isFirstParty: false });
    const request = await authorizationRequest(third);
    const page = await attacker.visit(request.url);
    assert.match(new URL(page.url).pathname, /^\/oauth\/interaction\//);
    for (const path of [page.url, page.url.replace('/interaction/', '/authorize/')]) {
      const arrival = await person.visit(path);
      assert.ok(arrival.url.startsWith(site.origin), arrival.url);
      assert.equal(arrival.status, 400, textOf(arrival.text));
    }
    const answered = await person.answer(page, 'allow');
    assert.ok(answered.url.startsWith(site.origin), answered.url);
    assert.ok((await attacker.answer(page, 'allow')).url.startsWith(third.redirectUri));
  });

  test('A43 CSRF: consent needs the form token of its person and page', async () => {
    const third = await site.application({ isFirstParty: false });
    const [victim, attacker] = [await site.person(), await site.person()];
    const [own, foreign] = [
      await victim.visit((await authorizationRequest(third)).url),
      await attacker.visit((await authorizationRequest(third)).url),
    ];
    const [, foreignToken = ''] = /name="form_token" value="([^"]+)"/.exec(foreign.text) ?? [];
    assert.notEqual(foreignToken, '');
    for (const token of [foreignToken, 'x']) {
      const text = own.text.replace(/(name="form_token" value=")[^"]+/g, `$1${token}`);
      const arrival = await victim.answer({ ...own, text }, 'allow');
      assert.ok(arrival.url.startsWith(site.origin), arrival.url);
    }
    const refused = await victim.send(
      'POST',
      own.url,
      { answer: 'allow' },
      { origin: 'https://evil.example' },
    );
    assert.equal(refused.status, 403);
    assert.ok((await victim.answer(own, 'allow')).url.startsWith(third.redirectUri));
  });

  test('A41 fixation: a planted session is not the one that is signed in', async () => {
    const attacker = await site.person();
    const planted = attacker.sessionToken ?? '';
    const victim = await site.person({ isSignedIn: false });
    victim.plant('session_id', planted);
    const page = await victim.visit((await authorizationRequest(app, { prompt: 'login' })).url);
    assert.ok(page.url.startsWith(site.origin));
    await victim.signIn();
    assert.notEqual(victim.sessionToken, planted);
    assert.equal(await site.service.core.sessions.find(planted), undefined, 'it was replaced');
  });

  test('A45 pending: a pending authentication signs in at no application', async () => {
    const strict = await site.another({ SECOND_FACTOR: 'required' });
    try {
      const { email } = await site.person({ isSignedIn: false });
      const login = await send(strict.app, {
        method: 'POST',
        path: '/sessions',
        fields: { email, password },
      });
      const cookie = login.cookies.map((line) => line.split(';')[0]).join('; ');
      for (const given of [cookie, cookie.replace('pending_login', 'session_id')]) {
        const query = await queryWith({ prompt: 'none' });
        const { headers } = await send(strict.app, {
          method: 'GET',
          path: `${oidcPaths.authorization}?${query.toString()}`,
          headers: { cookie: given },
        });
        assertError(
          { location: String(headers['location']) },
          /login_required|interaction_required/,
          given.slice(0, 20),
        );
      }
    } finally {
      await strict.close();
    }
  });
});

describe('clients', () => {
  const answer = (client: Pick<Application, 'id' | 'secret'>, from: string): Promise<Reply> =>
    program.post(
      oidcPaths.token,
      { grant_type: 'refresh_token', refresh_token: 'bvr_x' },
      { isAuthenticated: false, headers: { authorization: basic(client.id, client.secret) }, from },
    );

  test('A18 attempts: wrong secrets are limited for each client and network', async () => {
    const [one, other] = [await site.application(), await site.application()];
    const from = '203.0.113.5';
    await site.inOneInstant(async () => {
      for (let n = 0; n < 10; n += 1)
        assertRefused(await answer({ id: one.id, secret: `wrong ${n}` }, from), 'invalid_client', 401);
      assertRefused(await answer(one, from), 'invalid_client', 401);
    });
    assertRefused(await answer(one, '203.0.113.6'), 'invalid_grant');
    assertRefused(await answer(other, from), 'invalid_grant');
  });

  test('A18 attempts: failures of a client that authenticates use up nothing of its network', async () => {
    const limited = await site.another({ ADDRESS_LIMIT_PER_MINUTE: '20' });
    try {
      const from = '203.0.113.7';
      const failures = await Promise.all(
        Array.from({ length: 40 }, () => program.refresh('bvr_unknown', { at: limited, from })),
      );
      assert.equal(countOf(failures, 'invalid_grant'), 40);
      const device = new Program(
        site,
        await site.application({
          kind: 'native',
          grantTypes: [deviceGrant],
          redirectUris: [],
          authMethod: 'none',
        }),
      );
      const { deviceCode } = await device.device();
      const polls = [];
      for (let n = 0; n < 40; n += 1) polls.push(await device.poll(deviceCode, { at: limited, from }));
      assert.equal(countOf(polls, 'authorization_pending') + countOf(polls, 'slow_down'), 40);
      const guesses = [];
      for (let n = 0; n < 40; n += 1)
        guesses.push(await program.userinfo('bva_guess', { at: limited, from }));
      assert.ok(
        guesses.some(({ status }) => status === 429),
        'guesses of tokens are limited',
      );
    } finally {
      await limited.close();
    }
  });

  test('a token is introspected and revoked by its client, and introspected by its resource', async () => {
    const { access, refresh } = await program.tokensOf(person);
    const other = new Program(site, await site.application());
    const open = new Program(site, await site.application({ kind: 'browser', authMethod: 'none' }));
    for (const token of [access, refresh]) {
      assert.equal(await other.isActive(token), false);
      assert.equal(await open.isActive(token), false);
      assert.equal((await other.post(oidcPaths.revocation, { token })).status, 200);
      assert.equal(await program.isActive(token), true);
      const bare = { isAuthenticated: false };
      for (const path of [oidcPaths.introspection, oidcPaths.revocation]) {
        assert.ok((await program.post(path, { token }, bare)).status >= 400);
        assert.ok((await program.post(path, { token, client_id: app.id }, bare)).status >= 400);
      }
    }
    const own = await open.tokensOf(person);
    assert.equal(await open.isActive(own.access), false, 'a public client proves nothing');
    const bound = { resource: `${api}/opaque`, scope: 'openid read' };
    const { access: forApi } = await program.tokensOf(person, bound);
    const resource = new Program(site, await site.application({ resourceOf: [`${api}/opaque`] }));
    assert.equal(await resource.isActive(forApi), true);
    assert.equal(await resource.isActive(access), false);
    assert.equal((await resource.post(oidcPaths.revocation, { token: forApi })).status, 200);
    assert.equal(await program.isActive(forApi), true);
  });

  test('A55 tokens in addresses: a token or secret in the query is refused', async () => {
    const { access } = await program.tokensOf(person);
    const get = (path: string): Promise<Reply> => send(site.service.app, { method: 'GET', path });
    assert.ok((await get(`${oidcPaths.userinfo}?access_token=${access}`)).status >= 400);
    const code = await program.codeOf(person);
    const query = new URLSearchParams({
      grant_type: 'authorization_code',
      code: code.code,
      code_verifier: code.verifier,
      redirect_uri: code.redirectUri,
      client_id: app.id,
      client_secret: app.secret,
    }).toString();
    assert.ok((await get(`${oidcPaths.token}?${query}`)).status >= 400);
    const posted = await send(site.service.app, {
      method: 'POST',
      path: `${oidcPaths.token}?${query}`,
      fields: {},
    });
    assert.ok(posted.status >= 400, posted.text);
    tokensIn(await program.redeem(code));
  });

  test('a client uses only the method by which it authenticates', async () => {
    const { id, secret } = app;
    const fields = { grant_type: 'refresh_token', refresh_token: 'bvr_x' };
    const bare = { isAuthenticated: false };
    for (const given of [
      { ...fields, client_id: id },
      { ...fields, client_id: signing.id },
      { ...fields, client_id: signing.id, client_secret: 'the digests of the secrets are in the database' },
    ])
      assertRefused(await program.post(oidcPaths.token, given, bare), 'invalid_client', 401);
    const both = await program.post(oidcPaths.token, { ...fields, client_id: id, client_secret: secret });
    assert.ok(both.status >= 400);
  });

  test('an access token of an API opens no user data, and one that is bound to a key nothing without it', async () => {
    const jwt = await program.tokensOf(person, { resource: api, scope: 'openid read' });
    assert.equal(jwt.access.split('.').length, 3);
    const opaque = await program.tokensOf(person, { resource: `${api}/opaque`, scope: 'openid read' });
    for (const { access } of [jwt, opaque])
      assert.ok([401, 403].includes((await program.userinfo(access)).status), access);
    assert.equal((await program.userinfo((await program.tokensOf(person)).id)).status, 401);
    const url = `${site.origin}${oidcPaths.token}`;
    const { access } = tokensIn(
      await program.redeem(await program.codeOf(person), { headers: { dpop: await key.proof(url) } }),
    );
    assert.equal((await program.userinfo(access)).status, 401);
    const ath = createHash('sha256').update(access).digest('base64url');
    const userinfo = `${site.origin}${oidcPaths.userinfo}`;
    const prove = async (signer: TestKey, claims: Record<string, string>): Promise<number> =>
      (
        await program.userinfo(access, {
          headers: { authorization: `DPoP ${access}`, dpop: await signer.proof(userinfo, 'GET', claims) },
        })
      ).status;
    assert.equal(await prove(key, { ath }), 200);
    assert.equal(await prove(await TestKey.create(), { ath }), 401);
    assert.ok((await prove(key, {})) >= 400);
    assert.ok((await prove(key, { ath: 'x' })) >= 400);
  });

  test('A63 disabled: whatever a disabled user gave is refused, also while its rows exist', async () => {
    const disabled = await site.person();
    const tokens = await program.tokensOf(disabled);
    const code = await program.codeOf(disabled);
    const set = (at: number | null): Promise<unknown> =>
      site.db.query((sql) =>
        sql.updateTable('users').set({ disabled_at: at }).where('email', '=', disabled.email),
      );
    await set(1);
    assert.equal((await program.userinfo(tokens.access)).status, 401);
    for (const token of [tokens.access, tokens.refresh]) assert.equal(await program.isActive(token), false);
    assertRefused(await program.refresh(tokens.refresh), 'invalid_grant');
    assertRefused(await program.redeem(code), 'invalid_grant');
    const { location } = await authorize(await queryWith({ prompt: 'none' }), { who: disabled });
    assertError({ location }, 'login_required');
    await set(null);
    assert.equal(await program.isActive(tokens.access), true);
  });

  test('A68 device code: it is for the client that asked for it', async () => {
    const given = {
      kind: 'native',
      grantTypes: [deviceGrant],
      redirectUris: [],
      authMethod: 'none',
    } as const;
    const [one, other] = [
      new Program(site, await site.application(given)),
      new Program(site, await site.application(given)),
    ];
    const { deviceCode, userCode } = await one.device();
    assertRefused(await other.poll(deviceCode), 'invalid_grant');
    for (const wrong of [userCode, `${deviceCode}x`, deviceCode.toLowerCase(), ''])
      assert.ok((await one.poll(wrong)).status >= 400);
    assert.equal(countOf([await one.poll(deviceCode)], 'authorization_pending'), 1);
    assert.match(userCode, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    assert.equal((await program.post(oidcPaths.deviceAuthorization, { client_id: app.id })).status, 400);
  });
});
