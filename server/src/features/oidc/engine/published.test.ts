// Compares docs/reference/oidc.md with what the provider publishes and with its errors, so that every change shows in
// review. The page is written by hand; its blocks and tables are those of this test.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { requireClient } from '../client/registration.ts';
import { TestKey } from '../test/program.ts';
import { authorizationRequest, ProviderSite, type Application, type Person } from '../test/site.ts';

const page = readFileSync(new URL('../oidc.md', import.meta.url), 'utf8');
const publicUrl = 'https://accounts.example.org';

/** A request that is refused, and how it is described on the page. */
type Case = readonly [what: string, ask: () => Promise<Answer>];

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** A row of the table of errors. */
function rowOf(endpoint: string, what: string, { status, body }: Answer): string {
  const { error, error_description: text = '' } = (body ?? {}) as {
    error?: string;
    error_description?: string;
  };
  const answer = error === undefined ? `\`${JSON.stringify(body)}\`` : `\`${error}\``;
  return `| ${endpoint} | ${what} | ${status} | ${answer} | ${text} |`;
}

/** Rows of tables, without the blanks that align their cells. */
function rowsOf(text: string): string[] {
  return text.split('\n').flatMap((line) =>
    line.startsWith('|')
      ? [
          `| ${line
            .slice(1, -1)
            .split('|')
            .map((cell) => cell.trim())
            .join(' | ')} |`,
        ]
      : [],
  );
}

/** Parameters of an authorization response, in the query or in the fragment. */
function parametersOf(location: string): Readonly<Record<string, string>> {
  const { searchParams, hash } = new URL(location);
  return Object.fromEntries(hash === '' ? searchParams : new URLSearchParams(hash.slice(1)));
}

describe('docs/reference/oidc.md', () => {
  let site: ProviderSite;
  let app: Application;
  let other: Application;
  let person: Person;
  before(async () => {
    site = await ProviderSite.open('sqlite');
    [app, other] = [await site.application(), await site.application()];
    await site.resource();
    person = await site.person();
  });
  after(() => site.close());

  const basic = ({ id, secret }: Application): Record<string, string> => ({
    authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
  });

  const post = async (
    path: string,
    fields: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = basic(app),
  ): Promise<Answer> => {
    const response = await fetch(`${site.origin}${path}`, {
      method: 'POST',
      headers: { accept: 'application/json', ...headers },
      body: new URLSearchParams(fields),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? '' : (JSON.parse(text) as unknown) };
  };

  /** Sends an authorization request as a program, and reads an error from a page of ours or from the redirect. */
  const authorize = async (
    more: Readonly<Record<string, string | undefined>>,
    at = person,
  ): Promise<Answer> => {
    const url = new URL((await authorizationRequest(app)).url);
    for (const [name, value] of Object.entries(more))
      if (value === undefined) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    const { status, location, text } = await at.send('GET', url.href, undefined, {
      accept: 'application/json',
    });
    if (location === undefined) return { status, body: JSON.parse(text) as unknown };
    return { status, body: parametersOf(location) };
  };

  test('has the discovery document', async () => {
    const reply = await site.service.app.inject({ url: '/.well-known/openid-configuration' });
    const published = JSON.parse(reply.payload.replaceAll(site.origin, publicUrl)) as unknown;
    const [, block = ''] = /```json discovery\n([^]*?)\n```/.exec(page) ?? [];
    assert.deepEqual(JSON.parse(block), published);
    assert.equal(reply.headers['cache-control'], 'public, max-age=3600');
    const same = await site.service.app.inject({ url: '/.well-known/oauth-authorization-server' });
    assert.equal(same.payload, reply.payload);
  });

  test('publishes algorithms with which a registered key authenticates, at each endpoint that publishes them', async () => {
    const reply = await site.service.app.inject({ url: '/.well-known/openid-configuration' });
    const published: Readonly<Record<string, unknown>> = reply.json();
    const list = (name: string): readonly string[] => published[name] as readonly string[];
    for (const endpoint of ['token', 'revocation', 'introspection']) {
      assert.ok(list(`${endpoint}_endpoint_auth_methods_supported`).includes('private_key_jwt'));
      for (const alg of list(`${endpoint}_endpoint_auth_signing_alg_values_supported`)) {
        const key = await TestKey.create(alg);
        const registered = requireClient({ name: 'x', kind: 'service', jwks: { keys: [key.jwk] } });
        const { id } = await site.application({
          ...registered,
          id: `signs-${endpoint}-${alg}`.toLowerCase(),
        });
        const { status } = await post(
          new URL(String(published[`${endpoint}_endpoint`])).pathname,
          {
            grant_type: 'client_credentials',
            token: 'bva_x',
            client_assertion: await key.assertion(id, { aud: site.origin }),
            client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          },
          {},
        );
        assert.equal(status, 200, `${endpoint} ${alg}`);
      }
    }
  });

  test('has every error of its endpoints', async () => {
    const code = async (): Promise<string> => {
      const request = await authorizationRequest(app);
      const callback = await person.visitUntil(request.url, app.redirectUri);
      return new URL(callback).searchParams.get('code') ?? '';
    };
    const tokens = await site.tokens(person, app);
    const refresh = tokens.refresh_token ?? '';
    const { redirectUri: redirect_uri } = app;
    const grant = { grant_type: 'authorization_code', redirect_uri };
    const wrong = 'x'.repeat(43);
    const token = '/oauth/token';
    const machine = await site.application({
      kind: 'service',
      grantTypes: ['client_credentials'],
      redirectUris: [],
      scopes: ['read'],
    });
    const narrow = await site.application({ scopes: ['openid', 'email'] });
    const dpop = await (await TestKey.create()).proof(`${site.origin}${token}`);
    await post(token, { grant_type: 'client_credentials' }, { ...basic(machine), dpop });
    const cases: Readonly<Record<string, readonly Case[]>> = {
      token: [
        ['no client', () => post(token, { grant_type: 'refresh_token' }, {})],
        ['unknown client, or a wrong secret', () => post(token, grant, basic({ ...app, secret: 'bvs_x' }))],
        ['the client authenticates in two ways', () => post(token, { ...grant, client_secret: 'x' })],
        ['no `grant_type`', () => post(token, {})],
        ['a grant that does not exist', () => post(token, { grant_type: 'password' })],
        ['a grant that the client does not have', () => post(token, { grant_type: 'client_credentials' })],
        ['no code', () => post(token, grant)],
        ['unknown or expired code', () => post(token, { ...grant, code: 'bvo_x' })],
        ['code of another client', async () => post(token, { ...grant, code: await code() }, basic(other))],
        [
          'wrong `code_verifier`',
          async () => post(token, { ...grant, code: await code(), code_verifier: wrong }),
        ],
        [
          'another `redirect_uri`',
          async () => post(token, { ...grant, code: await code(), redirect_uri: 'https://evil.example/' }),
        ],
        ['unknown refresh token', () => post(token, { grant_type: 'refresh_token', refresh_token: 'bvr_x' })],
        [
          'a scope of no resource that is named',
          () => post(token, { grant_type: 'client_credentials', scope: 'read' }, basic(machine)),
        ],
        [
          'a DPoP proof that was used before',
          async () => post(token, { grant_type: 'client_credentials' }, { ...basic(machine), dpop }),
        ],
        [
          'refresh token of another client',
          () => post(token, { grant_type: 'refresh_token', refresh_token: refresh }, basic(other)),
        ],
        [
          'a refresh that asks for more scopes',
          () =>
            post(token, {
              grant_type: 'refresh_token',
              refresh_token: refresh,
              scope: 'openid offline_access',
            }),
        ],
        [
          'unknown resource',
          () =>
            post(token, {
              grant_type: 'refresh_token',
              refresh_token: refresh,
              resource: 'https://no.example/',
            }),
        ],
      ],
      authorize: [
        ['unknown client', () => authorize({ client_id: 'no' })],
        ['unregistered `redirect_uri`', () => authorize({ redirect_uri: `${redirect_uri}/x` })],
        ['no `response_type`', () => authorize({ response_type: undefined })],
        ['`response_type` other than `code`', () => authorize({ response_type: 'token' })],
        ['no PKCE', () => authorize({ code_challenge: undefined, code_challenge_method: undefined })],
        ['`code_challenge_method=plain`', () => authorize({ code_challenge_method: 'plain' })],
        ['no scope that opens anything', () => authorize({ scope: 'fly', nonce: undefined })],
        ['a scope that the client is not registered for', () => authorize({ client_id: narrow.id })],
        ['unknown `response_mode`', () => authorize({ response_mode: 'web_message' })],
        ['unknown `prompt`', () => authorize({ prompt: 'dance' })],
        ['unknown resource', () => authorize({ resource: 'https://no.example/' })],
        ['a request object', () => authorize({ request: 'e30.e30.' })],
        ['`request_uri` of another server', () => authorize({ request_uri: 'https://evil.example/' })],
        [
          '`prompt=none` without a session',
          async () => authorize({ prompt: 'none' }, await site.person({ isSignedIn: false })),
        ],
      ],
      userinfo: [
        ['no token', () => post('/oauth/userinfo', {}, {})],
        ['unknown or expired token', () => post('/oauth/userinfo', {}, { authorization: 'Bearer bva_x' })],
      ],
      introspect: [
        ['no client', () => post('/oauth/introspect', { token: tokens.access_token }, {})],
        [
          'token of another client',
          () => post('/oauth/introspect', { token: tokens.access_token }, basic(other)),
        ],
        ['unknown token', () => post('/oauth/introspect', { token: 'bva_x' })],
        ['a JWT', () => post('/oauth/introspect', { token: 'e30.e30.e30' })],
      ],
      revoke: [
        ['no client', () => post('/oauth/revoke', { token: refresh }, {})],
        [
          'token of another client: nothing is revoked',
          () => post('/oauth/revoke', { token: refresh }, basic(other)),
        ],
        ['a JWT', () => post('/oauth/revoke', { token: 'e30.e30.e30' })],
      ],
      par: [
        ['no client', () => post('/oauth/par', {}, {})],
        [
          'unregistered `redirect_uri`',
          () =>
            post('/oauth/par', {
              client_id: app.id,
              response_type: 'code',
              redirect_uri: 'https://evil.example/',
            }),
        ],
      ],
      'device-authorization': [['a client without the grant', () => post('/oauth/device-authorization', {})]],
    };
    const rows: string[] = [];
    for (const [endpoint, all] of Object.entries(cases))
      for (const [what, ask] of all) rows.push(rowOf(endpoint, what, await ask()));
    const known = rowsOf(page).map((row) => row.replaceAll('…', ''));
    assert.deepEqual(
      rows.filter((row) => !known.includes(row)),
      [],
      rows.join('\n'),
    );
  });
});

test('docs/project/oauth.md names tests that exist', () => {
  const checklists = readFileSync(new URL('../oauth.md', import.meta.url), 'utf8');
  const references = [...checklists.matchAll(/Test `(?<path>[^`]+)` "(?<title>[^"]+)"/g)];
  assert.ok(references.length > 15);
  for (const { groups } of references) {
    const { path = '', title = '' } = groups ?? {};
    const text = readFileSync(new URL(path, new URL('../../../../../', import.meta.url)), 'utf8');
    assert.ok(text.includes(title), `${path} has no test "${title}"`);
  }
});
