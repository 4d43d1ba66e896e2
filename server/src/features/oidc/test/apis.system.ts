// Runs the APIs and the command-line tool of docs/guides/openid-apps.md as they are printed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import * as openid from 'openid-client';
import { blockOf } from '../../../../test/support/document.ts';
import { freePort } from '../../../../test/support/free-port.ts';
import { run } from '../../../../test/support/integration.ts';
import { registered, secretKey } from './party.ts';
import { ProviderSite, textOf, type Application } from './site.ts';
import { addSkippedApp, withoutSkippedApp } from './skipped-app.ts';

const guide = 'docs/guides/openid-apps.md';
const root = join(import.meta.dirname, '../../../../..');
const redirectUri = 'http://localhost:3000/callback';

let site: ProviderSite;
before(async () => {
  site = await ProviderSite.open('sqlite', { SECRET_KEY: secretKey, REMEMBERED_DEVICE_DAYS: '30' });
});
after(() => site.close());

/** The application of a guide, with openid-client. */
async function applicationOf(id: string, secret: string): Promise<Application> {
  const config = await openid.discovery(
    new URL(site.origin),
    id,
    undefined,
    openid.ClientSecretBasic(secret),
    { execute: [openid.allowInsecureRequests] },
  );
  return { id, secret, redirectUri, config, isPublic: false };
}

/** Starts an API of the guide. Returns its origin. */
async function startApi(
  t: Parameters<typeof run>[0],
  heading: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  await run(t, [process.execPath, '--input-type=module', '--eval', blockOf(guide, heading, 'js')], {
    origin,
    environment: { ISSUER: site.origin, PORT: String(port), ...environment },
    folder: root,
  });
  return origin;
}

/** Sends a request with an access token. */
async function ask(
  target: string,
  token: string | undefined,
  method = 'GET',
): Promise<{ readonly status: number; readonly challenge: string; readonly body: string }> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(target, { method, headers });
  const challenge = response.headers.get('www-authenticate') ?? '';
  return { status: response.status, challenge, body: await response.text() };
}

test(
  'an API verifies access tokens, and asks for a scope and for two factors',
  { skip: withoutSkippedApp },
  async (t) => {
    const heading = 'An API that verifies tokens';
    const client = (await registered(site, blockOf(guide, heading, 'sh'))).at(-1);
    const application = await applicationOf(client?.id ?? '', client?.secret ?? '');
    const api = `${await startApi(t, heading)}/orders`;
    const person = await site.person();
    const code = await addSkippedApp(person);
    const more = { resource: 'https://orders.example.org/' };
    const tokens = await site.tokens(person, application, { ...more, scope: 'openid orders:read' });
    const { sub } = tokens.claims() ?? {};

    assert.deepEqual(await ask(api, undefined), { status: 401, challenge: 'Bearer', body: '' });
    assert.equal((await ask(api, tokens.id_token)).challenge, 'Bearer error="invalid_token"');
    const reply = await ask(api, tokens.access_token);
    assert.deepEqual(JSON.parse(reply.body), { user: sub, application: 'sales' });
    const without = await site.tokens(person, application, { ...more, scope: 'openid' });
    assert.equal((await ask(api, without.access_token)).status, 403);

    const refused = await ask(api, tokens.access_token, 'DELETE');
    assert.equal(refused.status, 401);
    const [, acr = ''] = /acr_values="([^"]+)"/.exec(refused.challenge) ?? [];
    const page = await person.visit('/step-up?factor=second&return_to=/account');
    await person.submit(page, { proof: code() });
    const stronger = await site.tokens(person, application, {
      ...more,
      scope: 'openid orders:read',
      acr_values: acr,
    });
    assert.equal((await ask(api, stronger.access_token, 'DELETE')).status, 200);
  },
);

test('an API introspects access tokens, and refuses one whose session has ended', async (t) => {
  const heading = 'An API that introspects tokens';
  const [, upload, files] = await registered(site, blockOf(guide, heading, 'sh'));
  const application = await applicationOf(upload?.id ?? '', upload?.secret ?? '');
  const api = `${await startApi(t, heading, { CLIENT_SECRET: files?.secret ?? '' })}/files`;
  const person = await site.person();
  const more = { resource: 'https://files.example.org/' };
  const tokens = await site.tokens(person, application, { ...more, scope: 'openid files:read' });

  assert.equal((await ask(api, undefined)).status, 401);
  assert.equal((await ask(api, tokens.access_token)).status, 200);
  const without = await site.tokens(person, application, { ...more, scope: 'openid' });
  assert.equal((await ask(api, without.access_token)).status, 403);
  const ofAnother = await site.tokens(person, application, { scope: 'openid' });
  assert.equal((await ask(api, ofAnother.access_token)).status, 401, 'of no resource');
  await person.send('DELETE', '/sessions');
  assert.equal((await ask(api, tokens.access_token)).status, 401);
});

test('a command-line tool signs a user in by a code', async (t) => {
  const heading = 'A command-line tool';
  await registered(site, blockOf(guide, heading, 'sh'));
  const tool = spawn(process.execPath, ['--input-type=module', '--eval', blockOf(guide, heading, 'js')], {
    cwd: root,
    env: { ISSUER: site.origin },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => tool.kill());
  const lines = createInterface({ input: tool.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  const [, address = ''] = /^Open (http\S+)$/.exec(await next()) ?? [];
  const [, code = ''] = /shows ([A-Z-]+)\.$/.exec(await next()) ?? [];
  const person = await site.person();
  const entry = await person.visit(address);
  assert.ok(entry.text.includes(code), 'the link fills in the code');
  const question = await person.submit(entry);
  assert.ok(question.text.includes(code), 'the page shows the code for comparison');
  assert.match(textOf((await person.answer(question, 'allow')).text), /connected/);
  assert.equal(await next(), `You are ${person.email}.`);
  assert.equal(await next(), 'The access token is valid for 600 seconds.');
});
