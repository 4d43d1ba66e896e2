// Runs the application in Next.js with Auth.js of docs/guides/openid-web.md as it is printed. It installs 350 MB from
// the npm registry.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openBrowser } from '../../../../test/support/chromium.ts';
import { blockOf } from '../../../../test/support/document.ts';
import { freePort } from '../../../../test/support/free-port.ts';
import { run } from '../../../../test/support/integration.ts';
import { prepare } from '../../../../test/support/recipe.ts';
import { temporaryFolder } from '../../../../test/support/running-service.ts';
import { environmentOf, registerParty, secretKey } from './party.ts';
import { password, ProviderSite } from './site.ts';

const files = [
  'auth.js',
  'app/api/auth/[...nextauth]/route.js',
  'middleware.js',
  'app/layout.js',
  'app/page.js',
] as const;

test('a user signs in and out of an application in Next.js with Auth.js', async (t) => {
  const folder = await temporaryFolder(t);
  writeFileSync(join(folder, 'package.json'), '{}');
  const packages = ['next@16', 'react@19', 'react-dom@19', 'next-auth@5.0.0-beta.32'];
  const install = ['install', '--no-audit', '--no-fund', ...packages];
  const installed = spawnSync('npm', install, { cwd: folder, timeout: 300_000 });
  if (installed.status !== 0) return t.skip('Next.js cannot be installed from the npm registry here');
  const site = await ProviderSite.open('sqlite', { SECRET_KEY: secretKey });
  t.after(() => site.close());
  const own = `http://localhost:${await freePort()}`;
  const guide = 'docs/guides/openid-web.md';
  const settings = await registerParty(site, { own, registration: blockOf(guide, 'Next.js', 'sh') });
  for (const [i, file] of files.entries()) {
    mkdirSync(join(folder, file, '..'), { recursive: true });
    writeFileSync(join(folder, file), blockOf(guide, 'Next.js', i === 0 ? 'js' : `js ${i + 1}`));
  }
  const next = [process.execPath, join(folder, 'node_modules/next/dist/bin/next')];
  prepare([...next, 'build'], folder);
  await run(t, [...next, 'start', '-H', 'localhost', '-p', new URL(own).port], {
    origin: own,
    environment: { ...environmentOf(settings), AUTH_SECRET: 'only a test', HOME: folder },
    folder,
  });

  const person = await site.person({ isSignedIn: false });
  const chromium = await openBrowser();
  t.after(() => chromium.close());
  const page = await chromium.newPage();
  await page.goto(`${own}/`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((url) => url.pathname === '/sign-in');
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText(`You are ${person.email}`).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await page.goto(`${site.origin}/account`);
  assert.equal(new URL(page.url()).pathname, '/sign-in', 'the session here has ended');
});
