// Runs the MCP server of docs/guides/openid-apps.md as it is printed, and signs in with the client of the MCP SDK. It
// installs 30 MB from the npm registry.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { blockOf } from '../../../../test/support/document.ts';
import { freePort } from '../../../../test/support/free-port.ts';
import { run } from '../../../../test/support/integration.ts';
import { temporaryFolder } from '../../../../test/support/running-service.ts';
import { environmentOf, registerParty, secretKey } from './party.ts';
import { ProviderSite } from './site.ts';

/** What the test uses of the SDK, which is not installed with this project. */
interface Sdk {
  readonly Client: new (info: { name: string; version: string }) => {
    connect(transport: Transport): Promise<void>;
    callTool(call: { name: string }): Promise<{ content: readonly { text: string }[] }>;
    close(): Promise<void>;
  };
  readonly StreamableHTTPClientTransport: new (url: URL, options: object) => Transport;
}
interface Transport {
  finishAuth(code: string): Promise<void>;
}

test('an MCP client finds the provider, signs in and calls a tool', async (t) => {
  const folder = await temporaryFolder(t);
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const packages = ['@modelcontextprotocol/sdk@1', 'express@5', 'jose@6', 'zod@4'];
  const install = ['install', '--no-audit', '--no-fund', ...packages];
  if (spawnSync('npm', install, { cwd: folder, timeout: 300_000 }).status !== 0)
    return t.skip('The MCP SDK cannot be installed from the npm registry here');
  writeFileSync(
    join(folder, 'sdk.js'),
    `export { Client } from '@modelcontextprotocol/sdk/client/index.js';
     export { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';`,
  );
  const { Client, StreamableHTTPClientTransport } = (await import(join(folder, 'sdk.js'))) as Sdk; // the two above
  const site = await ProviderSite.open('sqlite', { SECRET_KEY: secretKey });
  t.after(() => site.close());
  const guide = 'docs/guides/openid-apps.md';
  const own = `http://localhost:${await freePort()}`;
  const settings = await registerParty(site, { own, registration: blockOf(guide, 'An MCP server', 'sh') });
  writeFileSync(join(folder, 'server.js'), blockOf(guide, 'An MCP server', 'js'));
  await run(t, [process.execPath, 'server.js'], {
    origin: own,
    environment: environmentOf(settings),
    folder,
  });

  const redirectUrl = 'http://127.0.0.1:41000/callback'; // any port
  const kept: { tokens?: unknown; verifier?: string; target?: URL } = {};
  const authProvider = {
    redirectUrl,
    clientMetadata: { redirect_uris: [redirectUrl], scope: 'openid offline_access notes:read' },
    clientInformation: () => ({ client_id: settings.id }),
    tokens: () => kept.tokens,
    saveTokens: (given: unknown) => {
      kept.tokens = given;
    },
    redirectToAuthorization: (url: URL) => {
      kept.target = url;
    },
    saveCodeVerifier: (given: string) => {
      kept.verifier = given;
    },
    codeVerifier: () => kept.verifier,
  };
  const address = new URL(`${own}/mcp`);
  const first = new StreamableHTTPClientTransport(address, { authProvider });
  await assert.rejects(new Client({ name: 'test', version: '1' }).connect(first), {
    message: 'Unauthorized',
  });
  assert.equal(kept.target?.searchParams.get('resource'), address.href);
  const person = await site.person();
  const consent = await person.visit(kept.target?.href ?? '');
  assert.match(consent.text, /notes:read/);
  const callback = await person.answer(consent, 'allow');
  await first.finishAuth(new URL(callback.url).searchParams.get('code') ?? '');

  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(address, { authProvider }));
  const { content } = await client.callTool({ name: 'list_notes' });
  assert.match(content[0]?.text ?? '', /^The notes of [\w-]+$/);
  await client.close();
});
