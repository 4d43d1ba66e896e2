// The browser application of docs/guides/openid-apps.md with oidc-client-ts, as it is printed, in a real browser: the
// scenarios of relying-parties.system.ts.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { openBrowser } from '../../../../test/support/chromium.ts';
import { blockOf } from '../../../../test/support/document.ts';
import { freePort } from '../../../../test/support/free-port.ts';
import { registerParty, secretKey } from './party.ts';
import { password, ProviderSite, type Person } from './site.ts';
import { addSkippedApp, withoutSkippedApp } from './skipped-app.ts';

const guide = 'docs/guides/openid-apps.md';
const heading = 'A browser application';
const root = join(import.meta.dirname, '../../../../..');

const markup = '<!doctype html><title>Tasks</title><body><script type="module" src="/app.js"></script>';

let site: ProviderSite;
let chromium: Browser;
let server: Server;
let own = '';

before(async () => {
  site = await ProviderSite.open('sqlite', { SECRET_KEY: secretKey, REMEMBERED_DEVICE_DAYS: '30' });
  own = `http://localhost:${await freePort()}`;
  await registerParty(site, { own, registration: blockOf(guide, heading, 'sh') });
  const source = blockOf(guide, heading, 'js').replace('http://localhost:5000', site.origin);
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: root },
    bundle: true,
    format: 'esm',
    write: false,
  });
  server = createServer(({ url }, response) => {
    const isScript = url === '/app.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? (outputFiles[0]?.text ?? '') : markup);
  });
  server.listen(Number(new URL(own).port), '127.0.0.1');
  chromium = await openBrowser();
});
after(async () => {
  await chromium.close();
  server.close();
  await site.close();
});

/** A page of the application, in a browser in which the person is signed in at the provider. */
async function openFor(person: Person): Promise<{ readonly page: Page; readonly context: BrowserContext }> {
  const context = await chromium.newContext();
  await context.addCookies(
    person.cookieValues.map(({ name, value }) => ({ name, value, url: site.origin, httpOnly: true })),
  );
  const page = await context.newPage();
  await page.goto(`${own}/`);
  return { page, context };
}

async function assertShows(page: Page, words: string): Promise<void> {
  await page.getByText(words).waitFor();
  assert.equal(page.url(), `${own}/`);
}

async function assertAsked(page: Page): Promise<void> {
  await page.waitForURL((url) => url.origin === site.origin && url.pathname === '/sign-in');
}

test('sign in', async () => {
  const person = await site.person({ isSignedIn: false });
  const { page, context } = await openFor(person);
  await assertAsked(page);
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await assertShows(page, `You are ${person.email}`);
  await context.close();
});

test('refresh', async () => {
  const person = await site.person();
  const { page, context } = await openFor(person);
  await assertShows(page, `You are ${person.email}`);
  const [reply] = await Promise.all([
    page.waitForResponse((response) => response.url().endsWith('/oauth/token')),
    page.getByRole('button', { name: 'Refresh' }).click(),
  ]);
  assert.match(reply.request().postData() ?? '', /grant_type=refresh_token/);
  assert.equal(reply.status(), 200);
  await assertShows(page, `You are ${person.email}`);
  await context.close();
});

test('step up by acr', { skip: withoutSkippedApp }, async () => {
  const person = await site.person();
  const code = await addSkippedApp(person);
  const { page, context } = await openFor(person);
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.waitForURL((url) => url.pathname === '/step-up');
  await page.locator('input[name=proof]').fill(code()); // the page sends a whole code by itself
  await assertShows(page, 'You signed in with two factors.');
  await context.close();
});

test('sign out there', async () => {
  const { page, context } = await openFor(await site.person());
  await page.getByRole('button', { name: 'Sign out' }).click();
  await assertAsked(page);
  await context.close();
});

test('sign out here', async () => {
  const person = await site.person();
  const { page, context } = await openFor(person);
  await page.getByText('You are').waitFor();
  await person.send('DELETE', '/sessions');
  await page.getByRole('button', { name: 'Refresh' }).click();
  await assertAsked(page);
  await context.close();
});

test('disable', async () => {
  const person = await site.person();
  const { page, context } = await openFor(person);
  await page.getByText('You are').waitFor();
  await site.disable(person);
  await page.getByRole('button', { name: 'Refresh' }).click();
  await assertAsked(page);
  await context.close();
});
