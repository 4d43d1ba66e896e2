// One test for each change to the inside of the engine (patches.ts) and for what surrounds its requests. Each fails
// without its change: an update of the engine that moves what is changed shows here.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { exchange as exchangeBytes } from '../../../../test/support/raw-connection.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { without } from '../../../../test/support/feature.ts';
import { PublicService } from '../../../../test/support/public-service.ts';
import { memberOf, send, type Reply } from '../../../../test/support/request.ts';
import { addSecret, expireSecret, listSecrets } from '../client/store.ts';
import { createClientSecret } from '../client/secret.ts';
import { tokenPrefixes } from '../token/token-form.ts';
import { assertRefused, basic, countOf, Program, TestKey, tokensIn } from '../test/program.ts';
import { authorizationRequest, deviceGrant, ProviderSite, type Application } from '../test/site.ts';
import { oidcPaths } from './paths.ts';

const sessionCookies = (lines: readonly string[]): string[] =>
  lines.filter((line) => line.startsWith('session_id='));

/** Members of the payload of a JWT. */
function claimsOf(jwt: string): Record<string, unknown> {
  const [, payload = ''] = jwt.split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>; // an object, by RFC 7519
}

onEachEngine('the provider changes its engine so that', (engine) => {
  let site: ProviderSite;
  let app: Application;
  let program: Program;
  const service: Partial<Application> = {};
  before(async () => {
    site = await ProviderSite.open(engine);
    app = await site.application();
    program = new Program(site, app);
    Object.assign(
      service,
      await site.application({
        kind: 'service',
        grantTypes: ['client_credentials'],
        redirectUris: [],
        scopes: ['read'],
      }),
    );
    await site.resource();
  });
  after(() => site.close());

  const machine = (): Program => new Program(site, service as Application);
  const clientCredentials = {
    grant_type: 'client_credentials',
    resource: 'https://api.example.org',
    scope: 'read',
  };

  test('no address that a request names is in an answer', async () => {
    const running = await PublicService.start(engine);
    try {
      await running.service.app.listen({ host: '127.0.0.1', port: 0 });
      const address = running.service.app.server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const at = await site.register(running.service);
      const origin = 'https://accounts.test';
      const host = 'evil.example';
      const headers = `Host: ${host}\r\nX-Forwarded-Host: ${host}\r\nForwarded: host=${host};proto=http\r\nX-Forwarded-Proto: http\r\nAccept: text/html\r\nConnection: close`;
      const query = new URLSearchParams({
        client_id: at.id,
        response_type: 'code',
        redirect_uri: at.redirectUri,
        scope: 'openid',
        code_challenge: 'a'.repeat(43),
        code_challenge_method: 'S256',
      }).toString();
      const expected: Readonly<Record<string, RegExp>> = {
        [oidcPaths.openidConfiguration]: /"token_endpoint":"https:\/\/accounts\.test\/oauth\/token"/,
        [oidcPaths.oauthConfiguration]: /"issuer":"https:\/\/accounts\.test"/,
        [`${oidcPaths.authorization}?${query}`]:
          /set-cookie: __Secure-oidc_interaction=[^]*; secure;[^]*location: \/oauth\/interaction\//i,
        [`${oidcPaths.authorization}?client_id=${at.id}`]: /location: \/oauth\/error/i,
        [oidcPaths.userinfo]: /www-authenticate: Bearer realm="https:\/\/accounts\.test"/i,
      };
      for (const [target, answer] of Object.entries(expected)) {
        const { text } = await exchangeBytes(port, `GET ${target} HTTP/1.1\r\n${headers}\r\n\r\n`);
        assert.match(text, answer);
        assert.doesNotMatch(text, /evil\.example/, target);
        const absolute = await exchangeBytes(
          port,
          `GET http://${host}${target} HTTP/1.1\r\n${headers}\r\n\r\n`,
        );
        assert.doesNotMatch(absolute.text, /evil\.example/, target);
      }
      const key = await TestKey.create();
      const token = async (url: string): Promise<Reply> =>
        running.post(
          oidcPaths.token,
          { grant_type: 'authorization_code', code: 'bvo_x', redirect_uri: at.redirectUri },
          {
            authorization: basic(at.id, at.secret),
            host,
            'x-forwarded-host': host,
            dpop: await key.proof(url),
          },
        );
      assertRefused(await token(`https://${host}${oidcPaths.token}`), 'invalid_dpop_proof');
      assertRefused(await token(`${origin}${oidcPaths.token}`), 'invalid_grant');
    } finally {
      await running.close();
    }
  });

  test('a sign-in through an application leaves exactly one session cookie, which is ours', async () => {
    const person = await site.person({ isSignedIn: false });
    const page = await person.visit((await authorizationRequest(app)).url);
    assert.ok((await person.signInAt(page)).url.startsWith(app.redirectUri));
    assert.equal(person.cookies.filter((name) => name === 'session_id').length, 1);
    const token = person.sessionToken ?? '';
    await program.codeOf(person);
    assert.equal(person.sessionToken, token, 'the engine does not rename the session');
    assert.ok((await site.service.core.sessions.find(token)) !== undefined);
  });

  test('a stale or foreign session cookie is neither used nor replaced', async () => {
    const person = await site.person();
    const stale = person.sessionToken ?? '';
    assert.equal((await person.send('DELETE', '/sessions')).status, 200);
    for (const value of [stale, 'x', crypto.randomUUID(), '"', 'a'.repeat(3000)]) {
      const { url } = await authorizationRequest(app);
      const reply = await send(site.service.app, {
        method: 'GET',
        path: url.slice(site.origin.length),
        headers: { cookie: `session_id=${value}`, accept: 'text/html' },
      });
      assert.equal(reply.status, 303, reply.text);
      assert.deepEqual(sessionCookies(reply.cookies), []);
      assert.match(String(reply.headers['location']), /^\/oauth\/interaction\//);
    }
  });

  test('of 50 equal proofs of possession one is accepted', async () => {
    const key = await TestKey.create();
    const dpop = await key.proof(`${site.origin}${oidcPaths.token}`);
    const replies = await Promise.all(
      Array.from({ length: 50 }, () =>
        machine().post(oidcPaths.token, clientCredentials, { headers: { dpop } }),
      ),
    );
    assert.deepEqual([countOf(replies, 'ok'), countOf(replies, 'invalid_dpop_proof')], [1, 49]);
  });

  test('a proof of a clock that is ahead is remembered for as long as it is accepted', async () => {
    const ahead = Math.floor(Date.now() / 1000) + 290;
    const headers = {
      dpop: await (await TestKey.create()).proof(`${site.origin}${oidcPaths.token}`, 'POST', { iat: ahead }),
    };
    const { clock, core } = site.service;
    tokensIn(await machine().post(oidcPaths.token, clientCredentials, { headers }));
    clock.advance(310_000);
    await core.purge();
    assertRefused(
      await machine().post(oidcPaths.token, clientCredentials, { headers }),
      'invalid_dpop_proof',
    );
    clock.advance(-310_000);
  });

  test('of 50 equal client assertions one is accepted', async () => {
    const key = await TestKey.create();
    const signing = await site.application({
      kind: 'service',
      grantTypes: ['client_credentials'],
      redirectUris: [],
      scopes: ['read'],
      authMethod: 'private_key_jwt',
      jwks: { keys: [key.jwk] },
    });
    const client_assertion = await key.assertion(signing.id, { aud: site.origin });
    const fields = {
      ...clientCredentials,
      client_assertion,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    };
    const replies = await Promise.all(
      Array.from({ length: 50 }, () =>
        new Program(site, signing).post(oidcPaths.token, fields, { isAuthenticated: false }),
      ),
    );
    assert.deepEqual([countOf(replies, 'ok'), countOf(replies, 'invalid_client')], [1, 49]);
  });

  test('an assertion may expire between two milliseconds (RFC 7519 §2), and is accepted once', async () => {
    const key = await TestKey.create();
    const signing = await site.application({ authMethod: 'private_key_jwt', jwks: { keys: [key.jwk] } });
    const client_assertion = await key.assertion(signing.id, {
      aud: site.origin,
      exp: Math.floor(Date.now() / 1000) + 60.1234567,
    });
    const fields = {
      grant_type: 'refresh_token',
      refresh_token: 'bvr_x',
      client_assertion,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    };
    for (const [error, status] of [
      ['invalid_grant', 400],
      ['invalid_client', 401],
    ] as const) {
      const reply = await new Program(site, signing).post(oidcPaths.token, fields, {
        isAuthenticated: false,
      });
      assert.equal(memberOf(reply.body, 'error'), error, reply.text);
      assert.equal(reply.status, status);
    }
  });

  test('two secrets of a client are valid until the older one expires, and none is stored', async () => {
    const client = await site.application({
      kind: 'service',
      grantTypes: ['client_credentials'],
      redirectUris: [],
      scopes: ['read'],
    });
    const { db, service: running } = site;
    const next = createClientSecret();
    const now = running.clock.now();
    const [older] = await listSecrets(db, client.id, now);
    await db.transaction((tx) => addSecret(tx, client.id, { hash: next.hash, now }));
    const answer = (secret: string): Promise<Reply> =>
      new Program(site, { ...client, secret }).post(oidcPaths.token, clientCredentials);
    for (const secret of [client.secret, next.secret]) assert.equal((await answer(secret)).status, 200);
    for (const wrong of ['the digests of the secrets are in the database', `${next.secret}x`])
      assert.equal((await answer(wrong)).status, 401);
    await db.transaction((tx) => expireSecret(tx, older?.id ?? '', now));
    assert.deepEqual([(await answer(client.secret)).status, (await answer(next.secret)).status], [401, 200]);
    const rows = await db.query((sql) => sql.selectFrom('oidc_client_secrets' as never).selectAll());
    const dump = JSON.stringify(rows);
    for (const { secret } of [client, next]) {
      assert.ok(!dump.includes(secret));
      assert.ok(!dump.includes(Buffer.from(secret).toString('base64')));
    }
  });

  test('codes and tokens begin with the prefix of their kind', async () => {
    const person = await site.person();
    const code = await program.codeOf(person);
    const { access, refresh } = tokensIn(await program.redeem(code));
    const own = tokensIn(await machine().post(oidcPaths.token, clientCredentials));
    const pushed = await program.post(oidcPaths.pushed, {
      client_id: app.id,
      response_type: 'code',
      redirect_uri: app.redirectUri,
      code_challenge: 'a'.repeat(43),
      code_challenge_method: 'S256',
      scope: 'openid',
    });
    const device = new Program(
      site,
      await site.application({
        kind: 'native',
        grantTypes: [deviceGrant],
        redirectUris: [],
        authMethod: 'none',
      }),
    );
    assert.equal(pushed.status, 201, pushed.text);
    const urn = String(memberOf(pushed.body, 'request_uri'));
    const found: Readonly<Record<string, string>> = {
      AccessToken: access,
      AuthorizationCode: code.code,
      ClientCredentials: own.access,
      DeviceCode: (await device.device()).deviceCode,
      PushedAuthorizationRequest: urn.slice(urn.lastIndexOf(':') + 1),
      RefreshToken: refresh,
    };
    assert.deepEqual(Object.keys(found).toSorted(), Object.keys(tokenPrefixes).toSorted());
    for (const [kind, token] of Object.entries(found))
      assert.match(token, new RegExp(`^${tokenPrefixes[kind]}[\\w-]{43}$`), kind);
  });

  test('two tabs of a session have the same sid, and other clients another one', async () => {
    const person = await site.person();
    const notified = { backchannelLogoutUri: 'https://wiki.example.org/logout' };
    const [tab, other] = [
      new Program(site, await site.application(notified)),
      new Program(site, await site.application(notified)),
    ];
    const codes = await Promise.all([tab.codeOf(person), tab.codeOf(person)]);
    const tokens = await Promise.all(codes.map(async (code) => tokensIn(await tab.redeem(code))));
    for (const { access } of tokens) assert.equal(await tab.isActive(access), true);
    const ids = [...tokens, await other.tokensOf(person)].map(({ id }) => id);
    const sids = ids.map((jwt) => claimsOf(jwt)['sid']);
    assert.equal(typeof sids[0], 'string');
    assert.equal(sids[0], sids[1]);
    assert.notEqual(sids[0], sids[2]);
  });

  test(
    'the requested authentication context is returned if it was reached',
    { skip: without('totp') },
    async () => {
      const person = await site.person();
      const [id = ''] = (person.sessionToken ?? '').split('.');
      const now = site.service.clock.now();
      const factors = JSON.stringify([
        { factor: 'password', at: now },
        { factor: 'totp', at: now },
      ]);
      await site.db.query((sql) => sql.updateTable('sessions').set({ factors }).where('id', '=', id));
      const [mfa, sfa] = ['https://refeds.org/profile/mfa', 'https://refeds.org/profile/sfa'];
      for (const [acr_values, acr] of [
        [undefined, mfa],
        [sfa, sfa],
        [`unknown ${sfa} ${mfa}`, sfa],
        ['unknown', mfa],
      ]) {
        const { id: token } = await program.tokensOf(person, acr_values === undefined ? {} : { acr_values });
        assert.equal(claimsOf(token)['acr'], acr, acr_values);
      }
    },
  );

  test('its pages need no script but the one of form_post, whose form goes to a registered URI of any form', async () => {
    const person = await site.person();
    for (const [kind, redirectUri, used] of [
      ['web', 'https://wiki.example.org/callback', undefined],
      ['native', 'http://[::1]/callback', 'http://[::1]:8765/callback'],
      ['native', 'com.example.wiki:/callback', undefined],
    ] as const) {
      const at = await site.application({
        kind,
        redirectUris: [redirectUri],
        ...(kind === 'native' && { authMethod: 'none' }),
      });
      const { url } = await authorizationRequest(at, {
        response_mode: 'form_post',
        redirect_uri: used ?? redirectUri,
      });
      const asked = await person.visit(url);
      // An app of a device could be any other one: its user is always asked.
      const { headers, text } = kind === 'native' ? await person.answer(asked, 'allow') : asked;
      assert.match(text, /name="code" value="bvo_/);
      assert.ok(text.includes(`action="${used ?? redirectUri}"`), text);
      const policy = headers.get('content-security-policy') ?? '';
      assert.match(
        policy,
        /^default-src 'none'; script-src 'sha256-[^']+'; frame-ancestors 'none'; base-uri 'none'$/,
      );
    }
  });

  test('a wrong client secret is refused in the same way as an unknown client', async () => {
    const wrong = { grant_type: 'client_credentials' };
    const answers = await Promise.all(
      [basic(app.id, 'wrong'), basic('unknown', 'wrong')].map((authorization) =>
        program.post(oidcPaths.token, wrong, { isAuthenticated: false, headers: { authorization } }),
      ),
    );
    const [one, other] = answers.map(({ status, text }) => ({ status, text }));
    assert.deepEqual(one, other);
    assert.equal(one?.status, 401);
  });
});
