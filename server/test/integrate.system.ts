// Runs the examples of README.md and docs/guides/integrate.md as they are printed; a user signs in and out through each.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Browser } from './support/browser.ts';
import { blockOf, readPage } from './support/document.ts';
import { without } from './support/feature.ts';
import { freePort } from './support/free-port.ts';
import { account, has, run, sendPlain, serve, startNginx, withPorts } from './support/integration.ts';
import { unescapeMarkup } from './support/markup.ts';
import { asPage, formIn, pressButton } from './support/page-form.ts';
import { freshEmail } from './support/person.ts';
import { PublicService, sessionCookie } from './support/public-service.ts';
import { assertProblem, memberOf, sendTo, type Reply } from './support/request.ts';
import { temporaryFolder } from './support/running-service.ts';

const { email, password } = account;
const guide = 'docs/guides/integrate.md';
const page = readPage(guide);

/** Sends the form of the page that `from` answered. */
function submit(at: Browser, from: string, shown: Reply, more: Readonly<Record<string, string>> = {}) {
  const { action, fields } = formIn(shown);
  return at.post(new URL(action, from).href, { ...fields, ...more });
}

/** Returns where a form of the page at `from` leads: to another origin by way of a page that continues there. */
async function targetOf(at: Browser, from: string, sent: Reply): Promise<string> {
  assert.equal(sent.status, 303, sent.text);
  const location = String(sent.headers['location']);
  if (!location.startsWith('/continue?')) return location;
  const { text } = await at.get(from === '' ? location : new URL(location, from).href, asPage);
  const [, target = ''] = /http-equiv="refresh" content="0; url=([^"]+)"/.exec(text) ?? [];
  return unescapeMarkup(target);
}

/** A user opens the application, is redirected to sign in, returns to the same address, and signs out. */
async function goThrough(application: string, accounts: string): Promise<void> {
  const at = new Browser({ send: sendPlain });
  const target = `${application}/notes?page=2&sort=a%20b`;
  const sentAway = await at.get(target, asPage);
  assert.equal(sentAway.status, 303, sentAway.text);
  const address = String(sentAway.headers['location']);
  assert.equal(new URL(address).origin, accounts);
  const signedIn = await submit(at, address, await at.get(address, asPage), { email, password });
  assert.equal(await targetOf(at, address, signedIn), target);
  const shown = await at.get(target, asPage);
  assert.equal(shown.status, 200, shown.text);
  assert.ok(shown.text.includes(email), shown.text);
  const [, link = ''] = /href="([^"]*\/sign-out\?return_to=[^"]+)"/.exec(shown.text) ?? [];
  const leaving = new URL(link, application).href;
  const left = await submit(at, leaving, await at.get(leaving, asPage));
  const end = new URL(await targetOf(at, leaving, left), accounts);
  assert.equal(end.origin, application, 'signing out leads back to the application');
  assert.equal(
    (await at.get(target, asPage)).status,
    303,
    'the application notices it with the next request',
  );
}

test('the example in Node.js sends users to sign in and gets them back', async (t) => {
  const { origin: accounts } = await serve(t);
  const origin = `http://127.0.0.1:${await freePort()}`;
  const text = blockOf(guide, 'An application in Node.js', 'js');
  const command = [process.execPath, '--input-type=module', '--eval', text];
  await run(t, command, { origin, environment: { ACCOUNTS: accounts, OWN: origin } });
  await goThrough(origin, accounts);
});

test('the example of the README sends users to sign in and gets them back', async (t) => {
  const { origin: accounts } = await serve(t);
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const text = blockOf('README.md', 'Integrate', 'js');
  const command = [process.execPath, '--input-type=module', '--eval', text];
  await run(t, command, { origin, environment: { ACCOUNTS: accounts, PORT: String(port) } });
  const at = new Browser({ send: sendPlain });
  const target = `${origin}/notes?page=2&sort=a%20b`;
  const address = String((await at.get(target, asPage)).headers['location']);
  const signedIn = await submit(at, address, await at.get(address, asPage), { email, password });
  assert.equal(await targetOf(at, address, signedIn), target);
  assert.equal((await at.get(target, asPage)).text, JSON.stringify({ email }));
});

const noPython = !has('python3', '--version') && 'There is no python3 on this machine';
test('the example in Python sends users to sign in and gets them back', { skip: noPython }, async (t) => {
  const { origin: accounts } = await serve(t);
  const origin = `http://127.0.0.1:${await freePort()}`;
  const command = ['python3', '-c', blockOf(guide, 'An application in Python', 'python')];
  await run(t, command, { origin, environment: { ACCOUNTS: accounts, OWN: origin } });
  await goThrough(origin, accounts);
});

/** An application that trusts its proxy and shows the user of the headers. */
async function startTrustingApplication(t: TestContext): Promise<number> {
  const server = createServer((request, response) => {
    const { 'remote-user': id, 'remote-subject': subject, ...headers } = request.headers;
    const [shownEmail, name] = ['remote-email', 'remote-name'].map((header) =>
      Buffer.from(String(headers[header] ?? ''), 'latin1').toString(),
    );
    const others = Object.keys(headers).filter((header) => /^remote(?!-(?:email|name)$)/.test(header));
    const shown = [request.method, id, shownEmail, `subject=${String(subject)}`, `name=${name}`, ...others];
    const body = `<p>${shown.join(' ')}</p><a href="/sign-out?return_to=/">`;
    request.resume().on('end', () => response.setHeader('content-type', 'text/html').end(body));
  });
  const port = await freePort();
  await once(server.listen(port, '127.0.0.1'), 'listening');
  t.after(async () => {
    server.closeAllConnections();
    await server[Symbol.asyncDispose]();
  });
  return port;
}

/**
 * A script gets 401 from the proxy, and a sent form leads back to its page. Values of a client for the headers of the
 * user do not reach the application.
 */
async function asksFirst(origin: string): Promise<void> {
  const at = new Browser({ send: sendPlain });
  const script = { 'sec-fetch-mode': 'cors', accept: '*/*' };
  for (const method of ['GET', 'POST'] as const) {
    const refused = await at.send({ method, path: `${origin}/api/items`, headers: script });
    assertProblem(refused, 401, 'sign_in_required');
  }
  const form = { 'sec-fetch-mode': 'navigate', referer: `${origin}/edit?id=1` };
  const sent = await at.send({ method: 'POST', path: `${origin}/save`, fields: { a: 'b' }, headers: form });
  const address = new URL(String(sent.headers['location']));
  assert.equal(address.searchParams.get('return_to'), `${origin}/edit?id=1`, sent.text);

  const forged = {
    'remote-user': '9',
    'remote-subject': 'eve',
    'remote-email': 'eve@example.org',
    'remote-name': 'Eve',
    remote_user: '9',
    remote_name: 'Eve',
    'remote-amr': 'mfa',
  };
  assert.equal((await at.get(`${origin}/notes`, { ...script, ...forged })).status, 401);
  const login = await at.post(`${origin}/sessions`, { email, password });
  assert.equal(login.status, 200, login.text);
  const subject = String(memberOf((await at.get(`${origin}/profile/details`)).body, 'subject'));
  const shownAs = async (name: string): Promise<void> => {
    const request = { method: 'POST', path: `${origin}/notes`, fields: { a: 'b' }, headers: forged } as const;
    const { text } = await at.send(request);
    const shown = `<p>POST 1 ${email} subject=${subject} name=${name}</p><a href="/sign-out?return_to=/">`;
    assert.equal(text, shown);
  };
  await shownAs('');
  const named = await at.send({
    method: 'PUT',
    path: `${origin}/profile/details`,
    fields: { name: 'Zoë 张伟' },
  });
  assert.equal(named.status, 200, named.text);
  await shownAs('Zoë 张伟');
}

const noProxy = without('forward-auth');
const noNginx = noProxy || (!has('nginx', '-v') && 'There is no nginx on this machine');
test('the example for nginx passes the user to the application in headers', { skip: noNginx }, async (t) => {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const { port: servicePort } = await serve(t, { PUBLIC_URL: origin });
  await startNginx(t, { 8080: port, 5000: servicePort, 3000: await startTrustingApplication(t) });
  await goThrough(origin, origin);

  await asksFirst(origin);
  const asked = await sendTo(origin, { method: 'GET', path: '/forward_auth' });
  assert.equal(asked.status, 404, 'the location is internal');

  // The location that demands a second factor: the account has none.
  const at = new Browser({ send: sendPlain });
  await at.post(`${origin}/sessions`, { email, password });
  const refused = await at.get(`${origin}/admin/`, { accept: 'application/json' });
  assert.equal(refused.status, 401);
  assert.match(
    String(refused.headers['www-authenticate']),
    /^Bearer error=.*acr_values="second", max_age="900"$/,
  );
  const led = String((await at.get(`${origin}/admin/users`, asPage)).headers['location']);
  assert.equal(
    led,
    `${origin}/step-up?${new URLSearchParams({ return_to: `${origin}/admin/users`, factor: 'second', max_age: '900' }).toString()}`,
  );
  const { text } = await at.get(led, asPage);
  assert.match(text, /requires a second factor/);
});

const noCaddy = noProxy || (!has('caddy', 'version') && 'There is no caddy on this machine');
test('the example for Caddy passes the user to the application in headers', { skip: noCaddy }, async (t) => {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const { port: servicePort } = await serve(t, { PUBLIC_URL: origin });
  const folder = await temporaryFolder(t);
  const site = withPorts(blockOf(guide, 'A proxy that asks first', 'caddyfile'), {
    8080: port,
    5000: servicePort,
    3000: await startTrustingApplication(t),
  }).replace('example.org', `http://localhost:${port}`);
  writeFileSync(join(folder, 'Caddyfile'), `{\nadmin off\n}\n${site}`);
  const command = ['caddy', 'run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile'];
  await run(t, command, { origin, environment: { HOME: folder } });
  await goThrough(origin, origin);
  await asksFirst(origin);
});

const application = 'https://app.accounts.test';

/** Starts the service in public mode, with an allowed origin on a subdomain. */
async function servePublic(t: TestContext): Promise<PublicService> {
  const service = await PublicService.start('sqlite', { ALLOWED_ORIGINS: application });
  t.after(() => service.close());
  return service;
}

test('return_to is kept through a registration, a password reset and their emails', async (t) => {
  const service = await servePublic(t);
  const target = `${application}/notes?page=2`;
  const person = { email: freshEmail(), password };
  const at = new Browser(service);
  /** Opens a page with the way back, sends its form, and presses the button of the mail. Returns the page after it. */
  const comesBack = async (
    path: string,
    fields: Readonly<Record<string, string>>,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Reply> => {
    const shown = await at.get(`${path}?return_to=${encodeURIComponent(target)}`, asPage);
    const sent = formIn(shown);
    const asked = await at.post(sent.action, { ...sent.fields, ...fields });
    assert.equal(asked.status, 303, asked.text);
    await service.deliver();
    const [link = ''] = /https:\S+token=\S+/.exec(service.mails.at(-1)?.text ?? '') ?? [];
    const { pathname, search } = new URL(link);
    return pressButton(at, pathname + search, more);
  };
  // The browser that registered is signed in by the confirmation.
  const confirmed = await comesBack('/sign-up', person);
  assert.ok(unescapeMarkup(confirmed.text).includes(`href="${target}"`), confirmed.text);
  const way = `/sign-out?${new URLSearchParams({ return_to: target }).toString()}`;
  const signOut = formIn(await at.get(way, asPage));
  const signedOut = await at.post(signOut.action, signOut.fields);
  assert.equal(await targetOf(at, '', signedOut), target);
  const new_password = 'nine herons in other reeds';
  const signInForm = formIn(await comesBack('/forgot', { email: person.email }, { new_password }));
  assert.equal(signInForm.action, '/sign-in');
  const fields = { ...signInForm.fields, email: person.email, password: new_password };
  assert.equal(await targetOf(at, '', await at.post(signInForm.action, fields)), target);
});

test('the cookie belongs to one host, and a page on another host of the site can call the service if its origin is allowed', async (t) => {
  const service = await servePublic(t);
  const { email: address, password: secret, sessionId } = await service.member();
  const login = await service.logIn(address, secret);
  for (const cookie of login.cookies) assert.doesNotMatch(cookie, /domain/i);
  const cookie = `${sessionCookie}=${sessionId}`;
  const from = (origin: string) => ({ cookie, origin, 'sec-fetch-site': 'same-site' });
  const ask = (method: 'GET' | 'DELETE', origin: string) =>
    service.send({ method, path: method === 'GET' ? '/profile' : '/sessions', headers: from(origin) });
  const stranger = 'https://other.accounts.test';
  const readers = await Promise.all([ask('GET', application), ask('GET', stranger)]);
  assert.deepEqual(
    readers.map(({ headers }) => headers['access-control-allow-origin']),
    [application, undefined],
  );
  assertProblem(await ask('DELETE', stranger), 403, 'cross_site');
  assert.ok((await ask('DELETE', application)).status < 400);
});

test('in local mode a page on another port can change something only if its origin is allowed', async (t) => {
  const named = 'http://localhost:3000';
  const { origin } = await serve(t, { ALLOWED_ORIGINS: named });
  const fields = { email, password };
  const headers = { 'sec-fetch-site': 'same-site' };
  const logIn = (from: string) =>
    sendTo(origin, { method: 'POST', path: '/sessions', fields, headers: { ...headers, origin: from } });
  assertProblem(await logIn('http://localhost:8000'), 403, 'cross_site');
  assert.equal((await logIn(named)).status, 200);
});

const sameExpression =
  'the three proxy examples have the same expression, and it matches every path of the service';
test(sameExpression, { skip: noProxy }, () => {
  const patterns = [...page.matchAll(/\^\/\(\?:account\|.*?\(\?:\/\|\$\)/g)].map(([pattern]) => pattern);
  assert.equal(patterns.length, 3);
  assert.equal(new Set(patterns).size, 1);
  const pattern = new RegExp(patterns[0] ?? '^$');
  const snapshot = readFileSync(join(import.meta.dirname, 'routes.snapshot.txt'), 'utf8');
  const paths = [...snapshot.matchAll(/ cost \d+ +[A-Z]+ +(\/\S*)/g)].map(([, path = '']) => path);
  assert.ok(paths.length > 50, 'the list is read');
  const ours = /^\/(?:$|health\/|forward_auth$|openapi\.json$)/; // of the application, of the operator, of the proxy
  assert.deepEqual(
    paths.filter((path) => !pattern.test(path) && !ours.test(path)),
    [],
  );
});
