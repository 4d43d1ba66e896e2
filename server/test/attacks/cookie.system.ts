// A sibling host plants cookies in a real browser: https://evil.example.test sets them with `Domain=example.test`, and the
// service is https://accounts.example.test.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerOptions } from 'node:https';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { openBrowser } from '../support/chromium.ts';
import { freePort } from '../support/free-port.ts';
import { PublicService } from '../support/public-service.ts';

const accounts = 'accounts.example.test';
const evil = 'evil.example.test';

/** The key and the self-signed certificate that the mail server of the tests has. */
const { default: tlsOptions } = createRequire(import.meta.url)('smtp-server/lib/tls-options.js') as {
  default: () => ServerOptions;
}; // the package has no types for it

test('a sibling host cannot plant a cookie of the service, by any byte before or behind its name', async (t) => {
  const port = await freePort();
  const origin = `https://${accounts}:${port}`;
  const service = await PublicService.start('sqlite', { PUBLIC_URL: origin });
  t.after(() => service.close());
  const eve = await service.member();
  const victim = await service.member();

  // Every byte that Node and browsers accept in a header and that could be taken for white space, and combinations.
  const bytes = [
    '',
    ' ',
    '\t',
    '\x85',
    '\xa0',
    '\xad',
    '\xa0\xa0',
    ' \xa0',
    '\xa0 ',
    '\xc2\xa0',
    '\xef\xbb\xbf',
    '\xe2\x80\xa8',
  ];
  const attributes = `Domain=example.test; Path=/profile; Secure`;
  const planted = bytes.flatMap((byte) =>
    [
      `${byte}__Host-session_id=${eve.sessionId}`,
      `__Host-session_id${byte}=${eve.sessionId}`,
      `=${byte}__Host-session_id=${eve.sessionId}`,
      `${byte}session_id=${eve.sessionId}`,
    ].map((pair) => `${pair}; ${attributes}`),
  );
  const received: string[] = [];
  const server = createServer(tlsOptions(), (request, response) => {
    if (request.headers.host === `${accounts}:${port}`) {
      if (request.url === '/profile') received.push(request.headers.cookie ?? '');
      service.service.app.routing(request, response);
    } else response.writeHead(200, { 'set-cookie': planted, 'content-type': 'text/html' }).end('planted');
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());

  const chromium = await openBrowser('npm', [`--host-resolver-rules=MAP *.example.test 127.0.0.1`]).catch(
    (error: unknown) => t.skip(`no browser runs here: ${String(error)}`),
  );
  if (chromium === undefined) return;
  t.after(() => chromium.close());
  const context = await chromium.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await page.goto(`${origin}/sign-in`);
  await page.fill('[name=email]', victim.email);
  await page.fill('[name=password]', victim.password);
  await page.press('[name=password]', 'Enter');
  await page.waitForURL(`${origin}/account`, { waitUntil: 'commit' });
  const profile = async (): Promise<unknown> =>
    JSON.parse((await (await page.goto(`${origin}/profile`))?.text()) ?? '');
  assert.deepEqual(await profile(), { email: victim.email });

  await page.goto(`https://${evil}:${port}/`);
  assert.deepEqual(await profile(), { email: victim.email }, 'the victim stays signed in as themselves');
  const sent = `; ${received.at(-1) ?? ''}`;
  assert.ok(sent.includes(`; \xa0__Host-session_id=${eve.sessionId}`), sent);

  const stranger = await (await chromium.newContext({ ignoreHTTPSErrors: true })).newPage();
  await stranger.goto(`https://${evil}:${port}/`);
  const alone = await stranger.goto(`${origin}/profile`);
  assert.equal(alone?.status(), 403, 'planted cookies alone are no session');
});
