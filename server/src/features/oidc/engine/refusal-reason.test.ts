// The log says why a request of an application was refused: the replies say less, so that attackers learn nothing.
import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../../../test/support/eventually.ts';
import { startService, type ServiceProcess } from '../../../../test/support/service.ts';
import { memberOf } from '../../../../test/support/request.ts';
import { digestOfSecret } from '../client/secret.ts';
import { basic as basicOf, TestKey } from '../test/program.ts';
import { clearerReasons, uriOfReason } from '../wire/refusal-reason.ts';

/** The first line about a path in the log after the given number of them: it is written shortly after the reply. */
async function lineAbout(
  { lines }: ServiceProcess,
  path: string,
  from: number,
): Promise<Readonly<Record<string, unknown>>> {
  const line = await eventually(`a line about ${path}`, () =>
    lines.slice(from).find((one) => one.includes(`"${path}"`)),
  );
  return JSON.parse(line) as Readonly<Record<string, unknown>>;
}

test('the log line of a refused request of an application has the reason', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bienvenue-reasons-'));
  const key = await TestKey.create();
  const file = join(folder, 'clients.toml');
  const jwk = Object.entries(key.jwk).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  writeFileSync(
    file,
    `[client.robot]\nname = "Robot"\nkind = "service"\njwks = { keys = [{ ${jwk.join(', ')} }] }\n` +
      `[client.report]\nname = "Report"\nkind = "service"\nsecret_sha256 = ["${Buffer.from(digestOfSecret('right')).toString('hex')}"]\n`,
  );
  const service = await startService({ DATA_DIR: folder, CLIENTS_FILE: file });
  t.after(async () => {
    await service.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const issuer = String(
    memberOf(await (await fetch(`${service.baseUrl}/.well-known/openid-configuration`)).json(), 'issuer'),
  );

  /** Sends a request and returns its line in the log, which is written shortly after the reply. */
  const lineOf = async (
    path: string,
    fields: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Readonly<Record<string, unknown>>> => {
    const from = service.lines.length;
    const reply = await fetch(service.baseUrl + path, {
      method: 'POST',
      headers: { ...headers },
      body: new URLSearchParams(fields),
    });
    await reply.text();
    const facts = await lineAbout(service, path, from);
    assert.equal(facts['status'], reply.status);
    return facts;
  };

  const secret = 'bvs_a_secret_in_a_header';
  const basic = { authorization: `Basic ${Buffer.from(`nobody:${secret}`).toString('base64')}` };
  for (const endpoint of ['token', 'introspect', 'revoke', 'par', 'device-authorization'])
    assert.equal((await lineOf(`/oauth/${endpoint}`, {}, basic))['reason'], 'client not found', endpoint);
  const bearer = { authorization: 'Bearer bva_unknown' };
  assert.equal((await lineOf('/oauth/userinfo', {}, bearer))['reason'], 'access token not found');

  const assertion = async (aud: string): Promise<Record<string, string>> => ({
    grant_type: 'client_credentials',
    client_assertion: await key.assertion('robot', { aud }),
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  });
  const wrong = await lineOf('/oauth/token', await assertion(`${issuer}/oauth/token`));
  assert.deepEqual(
    [wrong['client'], wrong['reason']],
    ['robot', 'audience (aud) must be the issuer identifier'],
  );
  const refused = { ...(await assertion(issuer)), grant_type: 'authorization_code' };
  assert.match(String((await lineOf('/oauth/token', refused))['reason']), /grant type is not allowed/);
  const unreadable = {
    ...(await assertion(issuer)),
    client_assertion: `e30.${btoa('{"a":"private text"')}.x`,
    client_id: 'robot',
  };
  assert.match(String((await lineOf('/oauth/token', unreadable))['reason']), /payload/);

  const tryWith = async (text: string): Promise<unknown> => {
    const authorization = `Basic ${Buffer.from(`report:${text}`).toString('base64')}`;
    return (await lineOf('/oauth/token', { grant_type: 'password' }, { authorization }))['reason'];
  };
  for (const changed of ['right ', ' right', 'right%0A'])
    assert.match(String(await tryWith(changed)), /white space/, changed);
  for (const changed of ['ri%zzght', 'right%'])
    assert.match(String(await tryWith(changed)), /percent-encoding/, changed);
  const { reason } = await lineOf('/oauth/token', {
    grant_type: 'password',
    client_id: 'report',
    client_secret: 'right\n',
  });
  assert.match(String(reason), /^the secret is right, but has white space around it/);
  // Ten a minute. If this takes longer, one more is allowed each six seconds, so that the right one may be accepted once.
  let [tries, right] = [0, ''];
  while (tries < 100 && !right.startsWith('too many wrong secrets')) {
    const said = await tryWith(`wrong ${(tries += 1)}`);
    if (said === 'invalid secret provided') continue;
    assert.match(String(said), /^too many wrong secrets/);
    right = String(await tryWith('right'));
  }
  assert.ok(tries > 7, `${tries} tries`);
  assert.match(right, /^too many wrong secrets/, 'the right one is refused for a minute');
  const log = service.lines.join('\n');
  for (const text of [secret, 'bva_unknown', 'private text', await key.assertion('robot', { aud: issuer })])
    assert.ok(!log.includes(text), text);
});

test('so has that of a browser whose application sent a wrong request, wherever it is redirected', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bienvenue-reasons-'));
  const file = join(folder, 'clients.toml');
  const secret = 'right';
  const digest = Buffer.from(digestOfSecret(secret)).toString('hex');
  writeFileSync(
    file,
    `[client.wiki]\nname = "Wiki"\nredirect_uris = ["https://wiki.example.org/callback"]\nsecret_sha256 = ["${digest}"]\ngrant_types = ["authorization_code", "client_credentials"]\nscopes = ["openid"]\n`,
  );
  // With the lines of requests that are not refused.
  const service = await startService({ DATA_DIR: folder, CLIENTS_FILE: file, LOG_LEVEL: 'debug' });
  t.after(async () => {
    await service.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const lineOf = async (
    path: string,
    ask: () => Promise<Response>,
  ): Promise<Readonly<Record<string, unknown>>> => {
    const from = service.lines.length;
    await (await ask()).text();
    return lineAbout(service, path, from);
  };
  const right: Readonly<Record<string, string>> = {
    client_id: 'wiki',
    redirect_uri: 'https://wiki.example.org/callback',
    response_type: 'code',
    scope: 'openid',
    state: 's',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  };
  const slash = 'https://wiki.example.org/callback/?token=private-text\u0007';
  const cases: readonly (readonly [
    path: string,
    fields: Readonly<Record<string, string>>,
    reason: RegExp,
  ])[] = [
    [
      '/oauth/authorize',
      { ...right, redirect_uri: slash },
      /^redirect_uri did not match.*: "https:\/\/wiki\.example\.org\/callback\/\?…"$/,
    ],
    [
      '/oauth/authorize',
      { ...right, redirect_uri: `${right['redirect_uri']} ` },
      /: "https:\/\/wiki\.example\.org\/callback "$/,
    ],
    ['/oauth/authorize', { ...right, client_id: 'nobody' }, /^client not found$/],
    ['/oauth/authorize', { ...right, code_challenge: '', code_challenge_method: '' }, /code_challenge/],
    ['/oauth/authorize', { ...right, response_type: 'token' }, /unsupported response_type/],
    ['/oauth/authorize', { ...right, scope: 'fly' }, /request openid/],
    [
      '/oauth/authorize',
      { ...right, resource: 'https://api.example.org?token=private-text' },
      /^the resource is not registered: "https:\/\/api\.example\.org\?…"$/,
    ],
    ['/oauth/authorize', { ...right, scope: 'openid email' }, /^requested scope is not allowed: "email"$/],
    ['/oauth/authorize', { ...right, request: 'a.b.c' }, /request_not_supported/],
    ['/oauth/end-session', { client_id: 'nobody' }, /client_id is not registered/],
    [
      '/oauth/end-session',
      { client_id: 'wiki', post_logout_redirect_uri: slash },
      /^post_logout_redirect_uri is not registered: "https:\/\/wiki\.example\.org\/callback\/\?…"$/,
    ],
  ];
  for (const accept of ['text/html', 'application/json'])
    for (const [path, fields, reason] of cases) {
      const query = new URLSearchParams(fields).toString();
      const line = await lineOf(path, () =>
        fetch(`${service.baseUrl}${path}?${query}`, { headers: { accept }, redirect: 'manual' }),
      );
      assert.match(String(line['reason']), reason, `${path} ${accept}`);
      if (fields['client_id'] === 'wiki') assert.equal(line['client'], 'wiki');
    }
  for (const path of ['/oauth/authorize', '/oauth/end-session']) {
    const body = new URLSearchParams({ state: 'x'.repeat(9000) });
    const line = await lineOf(path, () =>
      fetch(`${service.baseUrl}${path}`, { method: 'POST', body, redirect: 'manual' }),
    );
    assert.match(String(line['reason']), /longer than 8192 bytes/, path);
  }
  // It is the answer of the user or of the session, not a fault of the application.
  const silent = new URLSearchParams({ ...right, prompt: 'none' }).toString();
  const answered = await lineOf('/oauth/authorize', () =>
    fetch(`${service.baseUrl}/oauth/authorize?${silent}`, { redirect: 'manual' }),
  );
  assert.equal(answered['reason'], undefined);
  const lost = await lineOf('/oauth/token', () =>
    fetch(`${service.baseUrl}/oauth/token`, {
      method: 'POST',
      headers: { authorization: basicOf('wiki', secret) },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'fly' }),
    }),
  );
  assert.match(String(lost['reason']), /^a requested scope is not one of this client/);
  assert.doesNotMatch(service.lines.join('\n'), /private-text/);
});

test('the reasons that are made clearer are still those of the engine', () => {
  const engine = new URL('.', import.meta.resolve('oidc-provider'));
  const source = globSync('**/*.js', { cwd: engine })
    .map((file) => readFileSync(new URL(file, engine), 'utf8'))
    .join('\n')
    .replaceAll("\\'", "'");
  const others = ['URI malformed', 'the resource is not registered']; // of Node.js, and ours
  for (const [part] of [...clearerReasons, ...uriOfReason])
    assert.ok(others.includes(part) || source.includes(part), part);
});
