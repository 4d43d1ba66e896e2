// Runs the applications of docs/guides/recipes.md behind nginx; a user signs in and out in a real browser.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { openBrowser } from './chromium.ts';
import { blockOf } from './document.ts';
import { freePort } from './free-port.ts';
import { account, has, run, sendPlain, serve, startNginx } from './integration.ts';
import { Browser } from './browser.ts';

/** A reason why no recipe can run on this machine. */
export const noNginx = !has('nginx', '-v') && 'There is no nginx on this machine';

/** The code of a recipe. */
export function recipe(heading: string, language: string): string {
  return blockOf('docs/guides/recipes.md', heading, language);
}

/** Prepares an application, such as by migrations of its database. @throws with what the program printed. */
export function prepare([file = '', ...args]: readonly string[], folder: string): void {
  const { status, stdout, stderr } = spawnSync(file, args, { cwd: folder, encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`);
}

/**
 * Runs an application behind nginx, and a user signs in and out in Chromium.
 *
 * @param command Returns the command that starts the application on a port.
 */
export async function signsInAndOut(
  t: TestContext,
  folder: string,
  command: (port: number) => readonly string[],
): Promise<void> {
  const [port, applicationPort] = [await freePort(), await freePort()];
  const origin = `http://localhost:${port}`;
  const { port: servicePort } = await serve(t, { PUBLIC_URL: origin });
  await run(t, command(applicationPort), {
    origin: `http://127.0.0.1:${applicationPort}`,
    environment: { PORT: String(applicationPort), HOME: folder },
    folder,
  });
  await startNginx(t, { 8080: port, 5000: servicePort, 3000: applicationPort });
  await assertForgedIsIgnored(origin);

  const chromium = await openBrowser();
  t.after(() => chromium.close());
  const page = await chromium.newPage();
  const target = `${origin}/notes?page=2`;
  await page.goto(target);
  assert.equal(new URL(page.url()).pathname, '/sign-in');
  await page.getByLabel('Email').fill(account.email);
  await page.getByLabel('Password', { exact: true }).fill(account.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.waitForURL(target);
  assert.match(await page.locator('p').innerText(), new RegExp(`^You are ${account.email} \\(user 1\\)\\.`));
  await page.getByRole('link', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  // The way back is the start of the application, which needs a session again.
  await page.waitForURL((url) => url.pathname === '/sign-in');
  assert.equal(new URL(page.url()).searchParams.get('return_to'), `${origin}/`);
}

/** A client that names a user in the headers of the proxy gets 401 without a session, and its own name with one. */
async function assertForgedIsIgnored(origin: string): Promise<void> {
  const at = new Browser({ send: sendPlain });
  const forged = {
    'remote-user': '9',
    'remote-subject': 'eve',
    'remote-email': 'eve@example.org',
    'remote-name': 'Eve',
    remote_user: '9',
    REMOTE_USER: '9',
  };
  assert.equal((await at.get(`${origin}/notes`, forged)).status, 401);
  assert.equal((await at.post(`${origin}/sessions`, account)).status, 200);
  const { status, text } = await at.get(`${origin}/notes`, forged);
  assert.equal(status, 200, text);
  assert.match(text, new RegExp(`You are ${account.email} \\(user 1\\)`));
}
