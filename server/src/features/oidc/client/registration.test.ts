// Registers clients and resources with every combination that cannot work, and sees each refused in a sentence.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Problem } from '../../../kit/problem.ts';
import { deviceGrant, standardScopes } from './client.ts';
import { clientFields } from './client-fields.ts';
import { fieldsOf, requireClient } from './registration.ts';
import { fieldsOfResource, requireResource, resourceFields } from './resource.ts';
import type { Input } from './field.ts';

const wiki = { name: 'Wiki', redirect_uris: ['https://wiki.example.org/callback'] };
const app = { name: 'App', kind: 'native', redirect_uris: ['http://127.0.0.1/callback'] };
const service = { name: 'Nightly', kind: 'service' };

/** Returns what is refused, as `field message`. */
function faultsOf(work: () => unknown): string[] {
  try {
    work();
    return [];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    assert.equal(error.code, 'invalid_request');
    for (const { field, message } of error.fields)
      assert.ok(error.message.includes(`  - ${field} ${message}`), 'the message has every fault');
    return error.fields.map(({ field, message }) => `${field} ${message}`);
  }
}

const clientFaults = (input: Input): string[] => faultsOf(() => requireClient(input));

test('a name and a redirect URI make a confidential web client', () => {
  const { id, ...client } = requireClient(wiki);
  assert.match(id, /^[0-9a-f]{20}$/);
  assert.deepEqual(client, {
    name: 'Wiki',
    kind: 'web',
    grantTypes: ['authorization_code', 'refresh_token'],
    redirectUris: wiki.redirect_uris,
    postLogoutRedirectUris: [],
    backchannelLogoutSessionRequired: true,
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    authMethod: 'client_secret_basic',
    idTokenAlg: 'RS256',
    isFirstParty: false,
    access: { emailDomains: [], users: [] },
    skipsPkce: false,
    requiresPar: false,
    acceptsTokenEndpointAudience: false,
    resourceOf: [],
    lifetimes: {
      accessTokenSeconds: 600,
      idTokenSeconds: 600,
      refreshIdleDays: 30,
      refreshMaxDays: 180,
      refreshGraceSeconds: 30,
    },
  });
});

test('each kind has its own defaults', () => {
  const browser = requireClient({ ...wiki, kind: 'browser' });
  assert.deepEqual([browser.authMethod, browser.scopes], ['none', ['openid', 'profile', 'email']]);
  assert.equal(requireClient(app).authMethod, 'none');
  const nightly = requireClient(service);
  assert.deepEqual([nightly.grantTypes, nightly.scopes], [['client_credentials'], []]);
  const television = requireClient({ name: 'TV', kind: 'native', grant_types: [], device: true });
  assert.deepEqual(television.grantTypes, [deviceGrant]);
  assert.deepEqual(requireClient({ ...app, device: true }).grantTypes, [
    'authorization_code',
    'refresh_token',
    deviceGrant,
  ]);
});

const anyKind = ['web', 'browser', 'native'] as const;
const badUris = [
  '',
  'wiki.example.org/callback',
  '/callback',
  '//wiki.example.org/callback',
  'https://',
  'https:// wiki.example.org/',
  'https://wiki.example.org/call back',
  'https://wiki.example.org/\ncallback',
  'https://wiki.example.org/#fragment',
  'https://wiki.example.org/#',
  'https://*.example.org/callback',
  'https://wiki.example.org/*',
  'https://user@wiki.example.org/callback',
  'https://user:password@wiki.example.org/callback',
  String.raw`https://wiki.example.org\@evil.example/`,
  'https://wïki.example.org/callback',
  'http://wiki.example.org/callback',
  'http://10.0.0.1/callback',
  'http://127.0.0.1.example.org/callback',
  'http://localhost.example.org/callback',
  'http://localhost@evil.example/callback',
  'http://0.0.0.0/callback',
  'javascript:alert(1)',
  'JavaScript:alert(1)//.',
  'data:text/html,<script>',
  'vbscript:x',
  'blob:https://wiki.example.org/1',
  'file:///etc/passwd',
  'about:blank',
  'ws://wiki.example.org/',
  'ftp://wiki.example.org/',
  'myapp:/callback',
  'myapp://callback',
  `https://wiki.example.org/${'a'.repeat(2000)}`,
];

/** Every field that holds a URI, with how a value is given. */
const uriFields: Readonly<Record<string, (uri: string) => unknown>> = {
  redirect_uris: (uri) => [uri],
  post_logout_redirect_uris: (uri) => [uri],
  backchannel_logout_uri: (uri) => uri,
  initiate_login_uri: (uri) => uri,
};

for (const [name, give] of Object.entries(uriFields))
  for (const kind of anyKind)
    test(`${name} of a ${kind} client has no URI that another party could receive`, () => {
      for (const uri of badUris) {
        const faults = clientFaults({ ...wiki, kind, [name]: give(uri) });
        assert.equal(faults.length, 1, `${uri}: ${faults.join('; ')}`);
        assert.ok(faults[0]?.startsWith(`${name} `), faults[0]);
        assert.ok((faults[0]?.length ?? 0) < 300, 'a long value is cut');
      }
    });

test('URIs that can work are accepted', () => {
  const secure = [
    'https://wiki.example.org/callback?app=1',
    'https://wiki.example.org:8443',
    'https://[2001:db8::1]/',
  ];
  const local = ['http://localhost:3000/callback', 'http://127.0.0.1:8080/', 'http://[::1]/callback'];
  for (const name of ['redirect_uris', 'post_logout_redirect_uris']) {
    for (const kind of anyKind)
      assert.deepEqual(clientFaults({ ...wiki, kind, [name]: [...secure, ...local] }), []);
    const own = ['com.example.app:/callback', 'com.example.app://callback'];
    assert.deepEqual(clientFaults({ ...app, [name]: own }), []);
    assert.equal(clientFaults({ ...wiki, [name]: own }).length, 2);
  }
  assert.equal(clientFaults({ ...app, redirect_uris: ['https://localhost/callback'] }).length, 1);
  assert.deepEqual(clientFaults({ ...wiki, backchannel_logout_uri: 'http://localhost:3000/logout' }), []);
  assert.equal(clientFaults({ ...wiki, initiate_login_uri: 'http://localhost:3000/login' }).length, 1);
});

const [rsa, weak, ec, wrongCurve, ed25519] = [
  generateKeyPairSync('rsa', { modulusLength: 2048 }),
  generateKeyPairSync('rsa', { modulusLength: 1024 }),
  generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  generateKeyPairSync('ed25519'),
];
const jwk = (pair: typeof rsa): object => pair.publicKey.export({ format: 'jwk' });
const jwks = { keys: [jwk(rsa), jwk(ec)] };

/** An input that cannot work, with the beginning of each fault. */
const refused: readonly (readonly [input: Input, ...faults: readonly string[]])[] = [
  [{}, 'name is missing', 'redirect_uris is missing'],
  [{ ...wiki, id: 'Wiki' }, 'id must'],
  [{ ...wiki, id: '-wiki' }, 'id must'],
  [{ ...wiki, id: 'a'.repeat(64) }, 'id must'],
  [{ ...wiki, id: 7 }, 'id must'],
  [{ ...wiki, name: '  ' }, 'name must'],
  [{ ...wiki, name: 'a'.repeat(101) }, 'name must'],
  [{ ...wiki, name: 'Wi\u202Eki' }, 'name must'],
  [{ ...wiki, name: 'Wi\nki' }, 'name must'],
  [{ ...wiki, redirect_uri: 'x' }, 'redirect_uri is not a field; did you mean redirect_uris?'],
  [{ ...wiki, client_secret: 'hunter2' }, 'client_secret is not a field'],
  [{ ...wiki, kind: 'spa' }, 'kind must'],
  [{ name: 'Wiki' }, 'redirect_uris is missing'],
  [{ ...wiki, redirect_uris: [] }, 'redirect_uris is missing'],
  [{ ...wiki, redirect_uris: 'https://wiki.example.org' }, 'redirect_uris must be a list'],
  [{ ...wiki, redirect_uris: [7] }, 'redirect_uris must be a list'],
  [{ ...wiki, first_party: 'yes' }, 'first_party must'],
  [{ ...wiki, scopes: ['open id'] }, 'scopes has "open id"'],
  [{ ...wiki, scopes: [''] }, 'scopes has ""'],
  [{ ...wiki, grant_types: ['password'] }, 'grant_types has "password"'],
  [{ ...wiki, grant_types: ['implicit'] }, 'grant_types has "implicit"'],
  [{ ...wiki, grant_types: [] }, 'grant_types must have', 'redirect_uris has no effect'],
  [
    { ...wiki, grant_types: ['refresh_token'] },
    'grant_types has refresh_token',
    'redirect_uris has no effect',
  ],
  [
    { ...wiki, grant_types: ['authorization_code'], scopes: ['openid', 'offline_access'] },
    'scopes has offline_access',
  ],
  [{ ...wiki, scopes: ['profile', 'email'] }, 'scopes has profile and email without openid'],
  [{ ...wiki, scopes: ['orders:read'], skip_pkce: true }, 'skip_pkce needs the scope openid'],
  [
    { name: 'TV', grant_types: ['device_code'], scopes: ['openid'], skip_pkce: true },
    'skip_pkce has no effect without the grant authorization_code',
  ],
  ...(['refresh_idle_days', 'refresh_max_days', 'refresh_grace_seconds'] as const).map(
    (name) =>
      [
        { ...wiki, grant_types: ['authorization_code'], scopes: ['openid'], [name]: 60 },
        `${name} has no effect without the grant refresh_token`,
      ] as const,
  ),
  [{ ...service, id_token_seconds: 300 }, 'id_token_seconds has no effect'],
  [
    { ...wiki, kind: 'browser', grant_types: ['authorization_code', 'client_credentials'] },
    'grant_types has',
  ],
  [{ ...wiki, kind: 'browser', device: true }, 'grant_types has device_code'],
  [
    { ...wiki, kind: 'browser', token_endpoint_auth_method: 'client_secret_post' },
    'token_endpoint_auth_method must be none',
  ],
  [{ ...app, token_endpoint_auth_method: 'client_secret_basic' }, 'token_endpoint_auth_method must be none'],
  [{ ...wiki, token_endpoint_auth_method: 'none' }, 'token_endpoint_auth_method must not be none'],
  [{ ...wiki, token_endpoint_auth_method: 'client_secret_jwt' }, 'token_endpoint_auth_method must be one of'],
  [{ ...wiki, token_endpoint_auth_method: 'private_key_jwt' }, 'jwks is missing'],
  [{ ...wiki, token_endpoint_auth_method: 'client_secret_basic', jwks }, 'jwks has no effect'],
  [{ ...wiki, jwks_uri: 'https://wiki.example.org/jwks' }, 'jwks_uri is not supported yet'],
  [{ ...wiki, jwks: { keys: [] } }, 'jwks must'],
  [{ ...wiki, jwks: '{' }, 'jwks must'],
  [{ ...wiki, jwks: { keys: [jwk(weak)] } }, 'jwks has a key (number 1) that must be an RSA key'],
  [{ ...wiki, jwks: { keys: [jwk(rsa), jwk(wrongCurve)] } }, 'jwks has a key (number 2) that must be'],
  [
    { ...wiki, jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } },
    'jwks has a key (number 1) that contains a private key',
  ],
  [
    { ...wiki, jwks: { keys: [ec.privateKey.export({ format: 'jwk' })] } },
    'jwks has a key (number 1) that contains a private key',
  ],
  [
    { ...wiki, jwks: { keys: [{ ...jwk(ec), use: 'enc' }] } },
    'jwks has a key (number 1) that is not for signatures',
  ],
  [
    { ...wiki, jwks: { keys: [{ ...jwk(ec), key_ops: ['sign'] }] } },
    'jwks has a key (number 1) that is not for verification',
  ],
  [{ ...wiki, jwks: { keys: [{ ...jwk(ec), kid: 7 }] } }, 'jwks has a key (number 1) that has a "kid" that'],
  ...Object.entries({ RS256: ec, ES384: ec, none: ec, RS512: rsa, ES256: rsa, 'RSA-OAEP': rsa }).map(
    ([alg, pair]) =>
      [
        { ...wiki, jwks: { keys: [{ ...jwk(pair), alg }] } },
        `jwks has a key (number 1) that has the "alg" "${alg}", which`,
      ] as const,
  ),
  [{ ...wiki, accept_token_endpoint_audience: true }, 'accept_token_endpoint_audience has no effect'],
  [{ ...wiki, kind: 'browser', skip_pkce: true }, 'skip_pkce is for web clients only'],
  [{ ...wiki, kind: 'browser', resource_of: ['https://api.example.org'] }, 'resource_of is not possible'],
  [{ ...wiki, resource_of: ['api'] }, 'resource_of has "api"'],
  [
    { ...wiki, backchannel_logout_session_required: true },
    'backchannel_logout_session_required has no effect',
  ],
  [{ ...wiki, id_token_signed_response_alg: 'none' }, 'id_token_signed_response_alg must'],
  [{ ...wiki, id_token_signed_response_alg: 'HS256' }, 'id_token_signed_response_alg must'],
  [
    { ...wiki, allowed_email_domains: ['@example.org', '10.0.0.1'] },
    'allowed_email_domains has "@example.org"',
    'allowed_email_domains has "10.0.0.1"',
  ],
  [{ ...wiki, allowed_users: ['a@b@c', 'a b'] }, 'allowed_users has "a@b@c"', 'allowed_users has "a b"'],
  [{ ...wiki, access_token_seconds: 59 }, 'access_token_seconds must'],
  [{ ...wiki, id_token_seconds: 3601 }, 'id_token_seconds must'],
  [{ ...wiki, refresh_idle_days: 1.5 }, 'refresh_idle_days must'],
  [{ ...wiki, refresh_max_days: 731 }, 'refresh_max_days must'],
  [{ ...wiki, refresh_max_days: 10 }, 'refresh_idle_days must not be more than refresh_max_days'],
  [{ ...wiki, refresh_grace_seconds: 301 }, 'refresh_grace_seconds must'],
  [{ ...wiki, refresh_grace_seconds: '30' }, 'refresh_grace_seconds must'],
  [{ ...service, ...wiki, kind: 'service' }, 'redirect_uris has no effect'],
  [{ ...service, token_endpoint_auth_method: 'none' }, 'token_endpoint_auth_method must not be none'],
  [
    { ...service, grant_types: ['authorization_code'] },
    'grant_types has authorization_code',
    'redirect_uris is missing',
  ],
  [{ ...service, scopes: ['openid', 'orders:read'] }, 'scopes has openid'],
  [
    { ...service, first_party: true, allowed_users: ['ann'], allowed_groups: ['staff'] },
    'first_party has no effect',
    'allowed_users has no effect',
    'allowed_groups has no effect',
  ],
  [
    { ...service, require_pushed_authorization_requests: true },
    'require_pushed_authorization_requests has no effect',
  ],
];

for (const [input, ...begins] of refused)
  test(`refuses ${JSON.stringify(input).slice(0, 100)}: ${begins.join(', ')}`, () => {
    const faults = clientFaults(input);
    assert.deepEqual(
      faults.map((fault, i) => (fault.startsWith(begins[i] ?? '?') ? begins[i] : fault)),
      begins,
    );
  });

test('a client is the same after it was written as fields', () => {
  const full = requireClient({
    ...wiki,
    id: 'wiki',
    device: true,
    post_logout_redirect_uris: ['https://wiki.example.org/'],
    backchannel_logout_uri: 'https://wiki.example.org/logout',
    backchannel_logout_session_required: false,
    initiate_login_uri: 'https://wiki.example.org/login',
    jwks: JSON.stringify(jwks),
    id_token_signed_response_alg: 'ES256',
    first_party: true,
    allowed_email_domains: ['EXAMPLE.org', 'bücher.example'],
    allowed_users: ['Ann@Example.org', 'd2e5'],
    allowed_groups: ['Staff', 'on call'],
    skip_pkce: true,
    require_pushed_authorization_requests: true,
    accept_token_endpoint_audience: true,
    resource_of: ['https://api.example.org/'],
    refresh_grace_seconds: 0,
  });
  assert.deepEqual(full.access, {
    emailDomains: ['example.org', 'xn--bcher-kva.example'],
    users: ['ann@example.org', 'd2e5'],
    groups: ['Staff', 'on call'],
  });
  for (const client of [full, requireClient(wiki), requireClient(app), requireClient(service)])
    assert.deepEqual(requireClient(fieldsOf(client)), client);
  const names = Object.keys(fieldsOf(full));
  assert.deepEqual(
    Object.keys(clientFields).filter((name) => !names.includes(name)),
    ['device'],
    'no field is lost',
  );
});

test('keys may say what they are for', () => {
  const algorithms = { ES256: ec, RS256: rsa, PS256: rsa, EdDSA: ed25519, Ed25519: ed25519 };
  for (const [alg, pair] of Object.entries(algorithms))
    assert.deepEqual(
      clientFaults({
        ...wiki,
        jwks: { keys: [{ ...jwk(pair), alg, use: 'sig', key_ops: ['verify'], kid: 'k' }] },
      }),
      [],
      alg,
    );
});

test('resources are refused that cannot work', () => {
  const api = { identifier: 'https://api.example.org/', name: 'Orders' };
  assert.deepEqual(requireResource(api), {
    ...api,
    scopes: [],
    tokenFormat: 'opaque',
    alg: 'ES256',
    tokenSeconds: 600,
  });
  const jwt = requireResource({ ...api, token_format: 'jwt', alg: 'RS256', scopes: ['orders:read'] });
  assert.deepEqual([jwt.tokenSeconds, jwt.alg], [300, 'RS256']);
  for (const resource of [jwt, requireResource(api)])
    assert.deepEqual(requireResource(fieldsOfResource(resource)), resource);
  const faults = (input: Input): string[] => faultsOf(() => requireResource({ ...api, ...input }));
  for (const identifier of ['', 'api', '/api', 'https://api.example.org/#x', 'https://*.example.org/', 7])
    assert.match(faults({ identifier }).join('\n'), /^identifier is [^\n]+$/);
  assert.match(
    faults({ token_format: 'jwt', token_seconds: 301 }).join('\n'),
    /^token_seconds must be 300[^\n]+$/,
  );
  assert.match(faults({ token_seconds: 3601 }).join('\n'), /^token_seconds must be a whole [^\n]+$/);
  assert.match(faults({ alg: 'RS256' }).join('\n'), /^alg has no effect[^\n]+$/);
  assert.match(faults({ scope: 'x' }).join('\n'), /^scope is not a field; did you mean scopes\?$/);
});

test('the reference has each field with its description and its default', () => {
  const page = readFileSync(new URL('../clients.md', import.meta.url), 'utf8').replaceAll(/ {2,}/g, ' ');
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  const fields = [...Object.entries(clientFields), ...Object.entries(resourceFields)];
  const written = fields.map(([name, { says, defaultSays }]) => `| \`${name}\` | ${says} | ${defaultSays} |`);
  assert.deepEqual(rows.slice(0, written.length), written);
});

test('the description of each field names the values that it accepts', () => {
  const said = (text: string): readonly string[] => text.match(/\w+/g) ?? [];
  const limited = [...Object.entries(clientFields), ...Object.entries(resourceFields)].flatMap(
    ([name, { read, says }]) => {
      const faults: string[] = [];
      read('no such value', (fault) => faults.push(fault));
      const [, words = '', min = '', max = ''] =
        /^must be (?:one of (.+)|a whole number from (\d+) to (\d+))$/.exec(faults.join('\n')) ?? [];
      const values = [...words.split(', '), min, max].filter((value) => value !== '');
      return values.length === 0
        ? []
        : [{ name, missing: values.filter((value) => !said(says).includes(value)) }];
    },
  );
  assert.ok(limited.length > 8, 'the fields are found');
  assert.deepEqual(
    limited.filter(({ missing }) => missing.length > 0),
    [],
  );
});

test('a name has something to see, and nothing that is invisible or turns the text around', () => {
  const named = (name: string): string[] => [
    ...clientFaults({ ...wiki, name }),
    ...faultsOf(() => requireResource({ identifier: 'https://api.example.org', name })),
  ];
  const wrong = [
    '\u200B',
    '\u200D',
    '\u2800',
    '\uFE0F',
    '\u00AD',
    'Wi\u200Bki',
    'Wi\uFEFFki',
    'Wi\u00ADki',
    'Wi\u{E0041}ki',
  ];
  const turning = ['\u061C', '\u200E', '\u200F', '\u202A', '\u202E', '\u2066', '\u2069'];
  for (const name of [...wrong, ...turning.map((one) => `Wi${one}ki`), 'a\u0007', 'a\u2028b'])
    assert.deepEqual(
      named(name).map((fault) => fault.slice(0, 9)),
      ['name must', 'name must'],
      JSON.stringify(name),
    );
  for (const name of ['Wiki', 'ويكي', 'می\u200Cخواهم', '👩\u200D💻', '❤\uFE0F', 'क्\u200Dष'])
    assert.deepEqual(named(name), [], name);
});

test('a resource has no scope that the provider defines', () => {
  for (const scope of standardScopes)
    assert.match(
      faultsOf(() =>
        requireResource({ identifier: 'https://api.example.org', name: 'API', scopes: ['read', scope] }),
      ).join('\n'),
      new RegExp(`^scopes has ${scope}, which the provider itself defines`),
    );
});
