// Error codes that the engine would not choose, at every endpoint and for every grant that has them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { memberOf, send, type Fields, type Reply } from '../../../../test/support/request.ts';
import { standardScopes } from '../client/client.ts';
import { oidcPaths } from '../engine/paths.ts';
import { assertRefused, confirmDevice, Program, TestKey, tokensIn } from '../test/program.ts';
import { deviceGrant, ProviderSite, type Person } from '../test/site.ts';

const api = 'https://api.example.org';
const { token, introspection, revocation, pushed, deviceAuthorization, userinfo } = oidcPaths;

describe('an error of an endpoint for programs', () => {
  let site: ProviderSite;
  let person: Person;
  let machine: Program;
  before(async () => {
    site = await ProviderSite.open('sqlite');
    person = await site.person();
    await site.resource();
    machine = new Program(
      site,
      await site.application({
        kind: 'service',
        grantTypes: ['client_credentials'],
        redirectUris: [],
        scopes: ['read'],
      }),
    );
  });
  after(() => site.close());

  const device = async (): Promise<Program> =>
    new Program(
      site,
      await site.application({ grantTypes: ['authorization_code', 'refresh_token', deviceGrant] }),
    );

  test('is invalid_client if the request names no client, with and without a slash at the end', async () => {
    for (const path of [token, introspection, revocation, pushed, deviceAuthorization])
      for (const sent of [path, `${path}/`])
        for (const fields of [
          { scope: 'openid' },
          { grant_type: 'client_credentials', token: 'x' },
          { client_secret: 'x' },
        ]) {
          const reply = await machine.post(sent, fields, { isAuthenticated: false });
          assertRefused(reply, 'invalid_client', 401);
          assert.match(String(reply.headers['www-authenticate']), /^Basic realm="http/);
        }
    // A client that says too much is not one that says nothing.
    for (const name of ['client_id', 'client_secret', 'client_assertion']) {
      const twice = { [name]: ['a', 'b'], grant_type: 'client_credentials' };
      assertRefused(await machine.post(token, twice, { isAuthenticated: false }), 'invalid_request');
    }
  });

  test('is JSON, whatever the program accepts: Java, for example, prefers a page by default', async () => {
    const java = 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2';
    const fields = { grant_type: 'no', token: 'e30.e30.e30' };
    for (const path of [token, introspection, revocation, pushed, deviceAuthorization, userinfo]) {
      const answers: unknown[] = [];
      for (const accept of ['application/json', java, 'text/html', 'application/xml']) {
        const { status, headers, body } = await machine.post(path, fields, { headers: { accept } });
        assert.ok(status >= 400, `${path} ${accept} ${status}`);
        answers.push([status, headers['content-type'], headers['www-authenticate'], body]);
      }
      for (const answer of answers) assert.deepEqual(answer, answers[0], path);
    }
  });

  test('is unauthorized_client if the client does not have the grant', async () => {
    const plain = new Program(site, await site.application());
    for (const program of [machine, plain]) {
      const own = program === machine ? ['client_credentials'] : ['authorization_code', 'refresh_token'];
      for (const grant_type of ['authorization_code', 'refresh_token', 'client_credentials', deviceGrant]) {
        if (own.includes(grant_type)) continue;
        assertRefused(await program.post(token, { grant_type }), 'unauthorized_client');
      }
      assertRefused(await program.post(deviceAuthorization, { scope: 'openid' }), 'unauthorized_client');
    }
    assertRefused(await plain.post(token, { grant_type: 'password' }), 'unsupported_grant_type');
  });

  test('is invalid_scope if a client that asks for itself would get less than it asks for', async () => {
    const ask = (fields: Fields): Promise<Reply> =>
      machine.post(token, { grant_type: 'client_credentials', ...fields });
    const wrong: readonly Fields[] = [
      { scope: 'write', resource: api }, // not its own
      { scope: 'unknown', resource: api },
      { scope: 'read write', resource: api },
      { scope: 'read' }, // of a resource that is not named
      { scope: 'unknown' },
      { scope: 'openid' },
    ];
    const stored = async (): Promise<number> =>
      (await site.db.query((sql) => sql.selectFrom('oidc_tokens' as never).select('id' as never))).length;
    const rows = await stored();
    for (const fields of wrong) assertRefused(await ask(fields), 'invalid_scope');
    assert.equal(await stored(), rows);
    const right = await ask({ scope: 'read', resource: api });
    assert.equal(memberOf(right.body, 'scope'), 'read');
    for (const fields of [{ resource: api }, {}, { scope: '' }]) tokensIn(await ask(fields));
  });

  test('is invalid_scope if what a user would be asked for opens nothing', async () => {
    const program = new Program(
      site,
      await site.application({
        grantTypes: ['authorization_code', 'refresh_token', deviceGrant],
        scopes: [...standardScopes, 'read'],
      }),
    );
    const request = {
      client_id: program.application.id,
      redirect_uri: program.application.redirectUri,
      response_type: 'code',
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
    };
    for (const path of [pushed, deviceAuthorization]) {
      for (const scope of [
        'email',
        'profile email',
        'offline_access',
        'email fly',
        'OpenID email',
        'read email',
      ])
        assertRefused(await program.post(path, { ...request, scope }), 'invalid_scope');
      for (const fields of [{ scope: 'email openid' }, { scope: 'read offline_access', resource: api }])
        assert.ok((await program.post(path, { ...request, ...fields })).status < 300);
    }
  });

  test('is invalid_dpop_proof if a proof is used twice, for every grant and at userinfo', async () => {
    const key = await TestKey.create();
    const target = `${site.origin}${token}`;
    const program = await device();
    const { deviceCode, userCode } = await program.device();
    await confirmDevice(person, { userCode });
    const dpop = await key.proof(target);
    const first = tokensIn(await program.redeem(await program.codeOf(person), { headers: { dpop } }));
    for (const used of [
      await program.redeem(await program.codeOf(person), { headers: { dpop } }),
      await program.refresh(first.refresh, { headers: { dpop } }),
      await program.poll(deviceCode, { headers: { dpop } }),
    ])
      assertRefused(used, 'invalid_dpop_proof');
    // None of these was used up, or ended for it.
    tokensIn(await program.poll(deviceCode, { headers: { dpop: await key.proof(target) } }));
    const { access } = tokensIn(
      await program.refresh(first.refresh, { headers: { dpop: await key.proof(target) } }),
    );
    const ath = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(access))).toString('base64url');
    const headers = {
      authorization: `DPoP ${access}`,
      dpop: await key.proof(`${site.origin}${userinfo}`, 'GET', { ath }),
    };
    assert.equal((await program.userinfo(access, { headers })).status, 200);
    const again = await program.userinfo(access, { headers });
    assertRefused(again, 'invalid_dpop_proof', 401);
    assert.match(String(again.headers['www-authenticate']), /^DPoP .*error="invalid_dpop_proof"/);
  });

  test('of a device that polls again ends nothing', async () => {
    const program = await device();
    const { deviceCode, userCode } = await program.device();
    await confirmDevice(person, { userCode });
    const { access, refresh } = tokensIn(await program.poll(deviceCode));
    for (let n = 0; n < 2; n += 1) assertRefused(await program.poll(deviceCode), 'invalid_grant');
    assert.equal((await program.userinfo(access)).status, 200);
    tokensIn(await program.refresh(refresh));
  });

  test('and a reply do not depend on a slash at the end of the path', async () => {
    const program = await device();
    const { refresh } = await program.tokensOf(person);
    const { refresh: next } = tokensIn(await program.refresh(refresh));
    const replay = await program.post(`${token}/`, { grant_type: 'refresh_token', refresh_token: refresh });
    assert.equal(tokensIn(replay).refresh, next);
    const { jwks, openidConfiguration, oauthConfiguration, authorization, endSession } = oidcPaths;
    const answers = async (slash: string): Promise<readonly unknown[]> => {
      const replies: Reply[] = [];
      for (const path of [token, introspection, revocation, pushed, deviceAuthorization, userinfo])
        replies.push(await program.post(path + slash, { token: 'bva_x', scope: 'openid' }));
      for (const path of [jwks, openidConfiguration, oauthConfiguration, userinfo, authorization, endSession])
        for (const method of ['GET', 'HEAD'] as const)
          replies.push(
            await send(site.service.app, {
              method,
              path: path + slash,
              headers: { accept: 'application/json' },
            }),
          );
      return replies.map(({ status, headers, text }) => [
        status,
        headers['cache-control'],
        text.replaceAll(/[\w-]{43,}|"expires_in":\d+|[A-Z]{4}-[A-Z]{4}|"request_id":"[^"]+"/g, ''),
      ]);
    };
    assert.deepEqual(await answers('/'), await answers(''));
  });
});
