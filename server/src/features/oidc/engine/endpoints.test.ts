// What holds for every endpoint of the provider: who may call it from where, that it reads no cookie, that a token of one
// kind is not accepted as another one, and that the engine writes nothing on the console.
import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { StepDatabase, type Countdown } from '../../../../test/faults/step-database.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { send, memberOf, type ContractRequest, type Fields } from '../../../../test/support/request.ts';
import { assertRefused, basic, Program, tokensIn } from '../test/program.ts';
import {
  authorizationRequest,
  deviceGrant,
  ProviderSite,
  type Application,
  type Person,
} from '../test/site.ts';
import { oidcPaths } from './paths.ts';

const programPaths: readonly string[] = [
  oidcPaths.token,
  oidcPaths.userinfo,
  oidcPaths.introspection,
  oidcPaths.revocation,
  oidcPaths.pushed,
  oidcPaths.deviceAuthorization,
  oidcPaths.jwks,
  oidcPaths.openidConfiguration,
  oidcPaths.oauthConfiguration,
];

/** One secret of each kind, none of them used. */
interface Secrets {
  readonly access: string;
  readonly refresh: string;
  readonly id: string;
  readonly own: string;
  readonly code: string;
  readonly device: string;
  readonly userCode: string;
  readonly pushed: string;
  readonly session: string;
  readonly interaction: string;
}

onEachEngine('an endpoint of the provider', (engine) => {
  let site: ProviderSite;
  let app: Application;
  let program: Program;
  let person: Person;
  before(async () => {
    site = await ProviderSite.open(engine);
    await site.resource();
    app = await site.application({
      grantTypes: ['authorization_code', 'refresh_token', 'client_credentials', deviceGrant],
      scopes: ['openid', 'profile', 'email', 'offline_access', 'read'],
    });
    program = new Program(site, app);
    person = await site.person();
  });
  after(() => site.close());

  const clientCredentials = {
    grant_type: 'client_credentials',
    resource: 'https://api.example.org',
    scope: 'read',
  };

  async function push(): Promise<string> {
    const reply = await program.post(oidcPaths.pushed, {
      client_id: app.id,
      response_type: 'code',
      redirect_uri: app.redirectUri,
      scope: 'openid',
      code_challenge: 'a'.repeat(43),
      code_challenge_method: 'S256',
    });
    assert.equal(reply.status, 201, reply.text);
    return String(memberOf(reply.body, 'request_uri'));
  }

  async function secrets(): Promise<Secrets> {
    const stranger = await site.person({ isSignedIn: false });
    const { url } = await authorizationRequest(app);
    const { location = '' } = await stranger.send('GET', url);
    const { deviceCode, userCode } = await program.device();
    return {
      ...(await program.tokensOf(person)),
      own: tokensIn(await program.post(oidcPaths.token, clientCredentials)).access,
      code: (await program.codeOf(person)).code,
      device: deviceCode,
      userCode,
      pushed: (await push()).replace('urn:ietf:params:oauth:request_uri:', ''),
      session: person.sessionToken ?? '',
      interaction: new URL(location).pathname.split('/').at(-1) ?? '',
    };
  }

  test('accepts no token of another kind (A37)', async () => {
    const all: Readonly<Record<string, string>> = { ...(await secrets()), secret: app.secret };
    const kinds = Object.keys(all);
    /** How each endpoint is called with a secret, and the kinds that it takes. */
    const endpoints: Readonly<
      Record<
        string,
        { readonly takes: readonly string[]; readonly accepts: (secret: string) => Promise<boolean> }
      >
    > = {
      'code of the token endpoint': {
        takes: [], // the verifier is wrong: that it is found is seen by the reason below
        accepts: async (code) =>
          (await program.redeem({ code, verifier: 'x'.repeat(43), redirectUri: app.redirectUri })).status ===
          200,
      },
      'device code of the token endpoint': {
        takes: ['device'],
        accepts: async (code) => /authorization_pending|slow_down/.test((await program.poll(code)).text),
      },
      userinfo: {
        takes: ['access'],
        accepts: async (token) => (await program.userinfo(token)).status === 200,
      },
      'userinfo in the body': {
        takes: ['access'],
        accepts: async (access_token) =>
          (await program.post(oidcPaths.userinfo, { access_token }, { isAuthenticated: false })).status ===
          200,
      },
      introspection: {
        takes: ['access', 'refresh', 'own'],
        accepts: async (token) => {
          const { body } = await program.post(oidcPaths.introspection, { token });
          return memberOf(body, 'active') === true;
        },
      },
      'the session cookie': {
        takes: ['session'],
        accepts: async (token) => {
          const { status } = await send(site.service.app, {
            method: 'GET',
            path: '/profile',
            headers: { cookie: `session_id=${token}` },
          });
          return status === 200;
        },
      },
      'the session cookie of an authorization request': {
        takes: ['session'],
        accepts: async (token) => {
          const { url } = await authorizationRequest(app, { prompt: 'none' });
          const { headers } = await send(site.service.app, {
            method: 'GET',
            path: url.slice(site.origin.length),
            headers: { cookie: `session_id=${token}` },
          });
          return String(headers['location']).includes('code=');
        },
      },
      'a request URI': {
        takes: ['pushed'],
        accepts: async (id) => {
          const query = new URLSearchParams({
            client_id: app.id,
            request_uri: `urn:ietf:params:oauth:request_uri:${id}`,
          });
          const { headers } = await send(site.service.app, {
            method: 'GET',
            path: `${oidcPaths.authorization}?${query.toString()}`,
            headers: { cookie: `session_id=${person.sessionToken ?? ''}` },
          });
          return String(headers['location']).includes('code=');
        },
      },
      'the secret of the client': {
        takes: ['secret'],
        accepts: async (secret) =>
          (
            await program.post(oidcPaths.token, clientCredentials, {
              isAuthenticated: false,
              headers: { authorization: basic(app.id, secret) },
            })
          ).status === 200,
      },
      'an ID token hint': {
        takes: ['id'],
        accepts: async (id_token_hint) => {
          const { url } = await authorizationRequest(app, { prompt: 'none', id_token_hint });
          const { headers } = await send(site.service.app, {
            method: 'GET',
            path: url.slice(site.origin.length),
            headers: { cookie: `session_id=${person.sessionToken ?? ''}` },
          });
          return String(headers['location']).includes('code=');
        },
      },
      // Last, because it uses the token.
      'refresh token of the token endpoint': {
        takes: ['refresh'],
        accepts: async (token) => (await program.refresh(token)).status === 200,
      },
    };
    for (const [name, { takes, accepts }] of Object.entries(endpoints)) {
      const accepted: string[] = [];
      for (const kind of kinds) if (await accepts(all[kind] ?? '')) accepted.push(kind);
      assert.deepEqual(accepted.toSorted(), takes.toSorted(), name);
    }
    // The refresh token was rotated above; the others were revoked by none of the requests.
    for (const token of [all['access'], all['own']]) assert.equal(await program.isActive(token ?? ''), true);
  });

  test('of revocation revokes a token of its client, and nothing for another kind of secret', async () => {
    const { code, device, session, own, access, refresh, id } = await secrets();
    for (const token of [code, device, session, 'x', '']) {
      const { status } = await program.post(oidcPaths.revocation, { token });
      assert.equal(status, token === '' ? 400 : 200);
    }
    assertRefused(await program.post(oidcPaths.revocation, { token: id }), 'unsupported_token_type');
    assert.equal((await program.userinfo(access)).status, 200);
    assert.equal((await program.post(oidcPaths.revocation, { token: own })).status, 200);
    assert.equal(await program.isActive(own), false);
    assert.equal((await program.post(oidcPaths.revocation, { token: refresh })).status, 200);
    for (const token of [access, refresh]) assert.equal(await program.isActive(token), false);
    assertRefused(await program.refresh(refresh), 'invalid_grant');
  });

  test('for programs answers the same with and without the cookie of a user', async () => {
    const { access, refresh } = await program.tokensOf(person);
    const authorization = basic(app.id, app.secret);
    const requests: readonly ContractRequest[] = [
      ...programPaths.map((path) => ({ method: 'GET', path }) as const),
      ...programPaths.map((path) => ({ method: 'OPTIONS', path }) as const),
      ...programPaths.map((path) => ({ method: 'POST', path, fields: { client_id: app.id } }) as const),
      { method: 'GET', path: oidcPaths.userinfo, headers: { authorization: `Bearer ${access}` } },
      { method: 'POST', path: oidcPaths.userinfo, fields: { access_token: access } },
      ...[access, refresh].map(
        (token) =>
          ({
            method: 'POST',
            path: oidcPaths.introspection,
            fields: { token },
            headers: { authorization },
          }) as const,
      ),
    ];
    const cookie = `session_id=${person.sessionToken ?? ''}`;
    for (const request of requests) {
      const answers = [];
      for (const more of [{}, { cookie }]) {
        const headers = { ...request.headers, ...more };
        const { status, text, cookies } = await send(site.service.app, { ...request, headers });
        answers.push({ status, text: text.replace(/"request_id":"[^"]+"/, ''), cookies });
      }
      assert.deepEqual(answers[0], answers[1], `${request.method} ${request.path}`);
      assert.deepEqual(answers[0]?.cookies, [], request.path);
    }
  });

  test('is open to pages of other sites exactly if it reads no cookie', async () => {
    const posts = site.service.routes.filter(
      ({ method, url }) => method === 'POST' && /^\/(?:oauth|device|\.well-known)/.test(url),
    );
    const open: string[] = [];
    for (const { url } of posts) {
      const { body } = await send(site.service.app, {
        method: 'POST',
        path: url.replace(':uid', 'a'.repeat(43)),
        fields: { client_id: app.id },
        headers: { origin: 'https://other.example', 'sec-fetch-site': 'cross-site' },
      });
      if (memberOf(body, 'code') !== 'cross_site') open.push(url);
    }
    assert.deepEqual(
      open.toSorted(),
      [
        oidcPaths.authorization, // redirected to a GET, which brings the cookie only from the browser's own navigation
        oidcPaths.deviceAuthorization,
        oidcPaths.endSession, // as well
        oidcPaths.introspection,
        oidcPaths.pushed,
        oidcPaths.revocation,
        oidcPaths.token,
        oidcPaths.userinfo,
      ].toSorted(),
    );
  });

  test('refuses a body over 16 kB, whether or not its length is named', async () => {
    const fields: Fields = { grant_type: 'client_credentials', client_assertion: 'x'.repeat(17 * 1024) };
    const authorization = basic(app.id, app.secret);
    for (const path of programPaths.slice(0, 6)) {
      const named = await send(site.service.app, {
        method: 'POST',
        path,
        fields,
        headers: { authorization },
      });
      assert.equal(named.status, 413, path);
      const body = new ReadableStream({
        start(controller) {
          for (let n = 0; n < 20; n += 1)
            controller.enqueue(new TextEncoder().encode(`p${n}=${'x'.repeat(1000)}&`));
          controller.close();
        },
      });
      const chunked = await fetch(`${site.origin}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', authorization },
        body,
        duplex: 'half',
      });
      assert.equal(chunked.status, 400, path);
      assert.match(await chunked.text(), /parse the request body/, path);
    }
  });

  test('answers a failure of the database at any step, and has then changed nothing or everything', async (t) => {
    const countdown: Countdown = {
      steps: 0,
      act: () => {
        throw new Error('planted');
      },
    };
    const failing = await site.another(
      {},
      { watchDatabase: (database) => new StepDatabase(database, countdown) },
    );
    const written = t.mock.method(console, 'error', () => {});
    try {
      await program.userinfo('bva_x', { at: failing }); // it has loaded its engine and its keys
      let failures = 0;
      for (let n = 1; n < 50; n += 1) {
        const { refresh } = await program.tokensOf(person);
        countdown.steps = n;
        const reply = await program.refresh(refresh, { at: failing });
        countdown.steps = 0;
        if (reply.status === 200) break;
        failures += 1;
        assertRefused(reply, 'server_error', 500);
        tokensIn(await program.refresh(refresh));
      }
      assert.ok(failures > 8, String(failures));
      const { url } = await authorizationRequest(app);
      for (const [n, accept] of Array.from(
        { length: 40 },
        (_, at) => [at + 1, at % 2 === 0 ? 'text/html' : '*/*'] as const,
      )) {
        countdown.steps = n;
        const { status, headers, cookies } = await send(failing.app, {
          method: 'GET',
          path: url.slice(site.origin.length),
          headers: { cookie: `session_id=${person.sessionToken ?? ''}`, accept },
        });
        const isOver = countdown.steps > 0;
        countdown.steps = 0;
        if (isOver) break;
        const { location = '' } = headers;
        assert.ok(!String(location).includes('code='), `step ${n} ${String(location)}`);
        assert.ok([303, 500].includes(status), String(status));
        assert.deepEqual(cookies, []);
      }
    } finally {
      await failing.close();
    }
    assert.equal(written.mock.callCount(), 0);
  });

  test('is known by the path that was sent only', async () => {
    for (const [method, path] of [
      ['GET', '/oauth/auth%6frize'],
      ['GET', '/oauth/us%65rinfo'],
      ['GET', '/%6fauth/jwks'],
      ['POST', '/oauth/tok%65n'],
      ['OPTIONS', '/oauth/tok%65n'],
    ] as const) {
      const { status, text } = await send(site.service.app, { method, path });
      assert.equal(status, 404, `${method} ${path} ${text}`);
    }
  });

  test('of the engine writes nothing on the console', async (t: TestContext) => {
    const written = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) =>
      t.mock.method(console, name, () => {}),
    );
    const streams = [t.mock.method(process.stderr, 'write', () => true)];
    const again = await site.another(); // its engine is new, so that what it writes once is written now
    try {
      const over = new Program(site, app);
      const { access, refresh, id } = await program
        .tokensOf(person, { prompt: 'consent login' })
        .catch(() => program.tokensOf(person, { scope: 'openid email profile offline_access' }));
      const at = { at: again };
      await over.refresh(refresh, at);
      await over.refresh('bvr_x', at);
      await over.post(oidcPaths.token, clientCredentials, at);
      await over.post(oidcPaths.introspection, { token: access }, at);
      await over.userinfo(access, at);
      await over.userinfo('bva_x', at);
      await over.post(oidcPaths.deviceAuthorization, { client_id: app.id }, at);
      await over.poll('bvd_x', at);
      await over.post(oidcPaths.pushed, { client_id: app.id }, at);
      await over.post(oidcPaths.revocation, { token: refresh }, at);
      await over.post(oidcPaths.token, { grant_type: 'unknown' }, at);
      await over.post(
        oidcPaths.token,
        { grant_type: 'client_credentials' },
        { ...at, isAuthenticated: false },
      );
      for (const path of programPaths) {
        await send(again.app, { method: 'GET', path });
        await send(again.app, {
          method: 'OPTIONS',
          path,
          headers: { origin: 'https://wiki.example.org', 'access-control-request-method': 'POST' },
        });
      }
      for (const more of [
        {},
        { prompt: 'none' },
        { prompt: 'none', id_token_hint: id },
        { response_mode: 'form_post' },
        { response_type: 'token' },
        { redirect_uri: 'https://evil.example/' },
        { claims: '{"userinfo":{"email":null}}' },
        { resource: 'https://unknown.example' },
      ] as Readonly<Record<string, string>>[]) {
        const { url } = await authorizationRequest(app, more);
        for (const headers of [{}, { cookie: `session_id=${person.sessionToken ?? ''}` }])
          await send(again.app, {
            method: 'GET',
            path: url.slice(site.origin.length),
            headers: { accept: 'text/html', ...headers },
          });
      }
    } finally {
      await again.close();
    }
    for (const mocked of [...written, ...streams])
      assert.deepEqual(
        mocked.mock.calls.map(({ arguments: given }) => given),
        [],
      );
  });
});
