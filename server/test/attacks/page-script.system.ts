// Script injection into pages (A10): what attackers put into addresses, forms, names and headers is shown as plain
// text.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Browser as Chromium, BrowserContext, Page } from 'playwright-core';
import { minuteMs } from '../../src/kit/clock.ts';
import { Browser } from '../support/browser.ts';
import { everyRowOf } from '../support/contents.ts';
import { addApp, addPasskey } from '../support/factor.ts';
import { hasFeature, entriesOf } from '../support/feature.ts';
import { asPage } from '../support/page-form.ts';
import { PasskeyDevice } from '../support/passkey-device.ts';
import { freshEmail } from '../support/person.ts';
import { send, type Fields, type Reply } from '../support/request.ts';
import { asPublic, goodPassword, Site, Venue } from '../support/visitor.ts';

/** Each payload leaves a mark if it is not treated as text: it runs `mark()`, or an element or attribute appears. */
const payloads: readonly string[] = [
  '<script>mark()</script>',
  '"><script>mark()</script>',
  "'><img src=x onerror=mark()>",
  '"><svg/onload=mark()>',
  '" autofocus onfocus="mark()',
  "' onmouseover='mark()' x='",
  '</title><script>mark()</script>',
  '</textarea></noscript><script>mark()</script>',
  '--><script>mark()</script><!--',
  '<iframe srcdoc="<script>parent.mark()</script>"></iframe>',
  '<base href="//evil.test/"><link rel=stylesheet href="//evil.test/x.css">',
  '<form action="//evil.test/"><button formaction="javascript:mark()">',
  'javascript:mark()//',
  '{{constructor.constructor("mark()")()}}${mark()}`${mark()}`',
  '&lt;script&gt;mark()&lt;/script&gt;&#60;script&#62;mark()&#60;/script&#62;\u2028%3Cscript%3Emark()%3C/script%3E',
];
/** As long as a password must be. */
const plainWords = 'some words that do nothing';
const everyPayload = payloads.join(' ');

/** Elements of a page with the names of their attributes, in order, without text and values. */
const skeleton = `(root => [...root.querySelectorAll('*')].map(({ localName, attributes }) =>
  [localName, ...[...attributes].map(({ name }) => name)].join(' ')))`;

const pages = ['/', '/nothing', '/sign-in', '/sign-up', '/forgot', '/confirm', '/confirm/again', '/reset'];
/** Pages of links in emails, each with its feature. */
const linkPages = pagesIn({
  '/sign-in/link': 'email-sign-in',
  '/account/email': 'email-change',
  '/account/email/undo': 'email-change',
  '/account/delete/undo': 'account-deletion',
  '/account/factors/undo': undefined,
});
const ownPages = pagesIn({
  '/account': undefined,
  '/account/address': 'email-change',
  '/account/password': undefined,
  '/account/passkeys': 'passkey',
  '/account/authenticators': 'totp',
  '/account/recovery-codes': 'recovery-code',
  '/account/sessions': undefined,
  '/account/activity': 'activity',
  '/account/data': 'data-export',
  '/sign-out': undefined,
});
/** Pages that show names, devices and addresses. */
const showingPages = pagesIn({
  '/account/passkeys': 'passkey',
  '/account/sessions': undefined,
  '/account/activity': 'activity',
  '/account/address': 'email-change',
  '/account': undefined,
  '/dev/mailbox': 'mailbox',
});
const parameters = ['return_to', 'email', 'token', 'done', 'language', 'factor', 'x'];

/** The pages of no feature, and those whose feature the project has. */
function pagesIn(all: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(all)
    .filter(([, feature]) => feature === undefined || hasFeature(feature))
    .map(([path]) => path);
}

describe('script in pages', () => {
  const venue = new Venue();
  let site: Site;
  before(async () => {
    site = await Site.open(asPublic);
    await venue.open();
  });
  after(async () => {
    await venue.close();
    await site.close();
  });

  const ask = (at: Browser, path: string): Promise<Reply> => at.get(path, asPage);
  const query = (value: string, names: readonly string[] = parameters): string =>
    String(new URLSearchParams(Object.fromEntries(names.map((name) => [name, value]))));

  /** Registers and confirms a user with the address. */
  async function register(email: string): Promise<void> {
    await post('/users', { email, password: goodPassword });
    const link = new URL(await site.linkTo(email), site.origin);
    const confirmed = await send(site.service.app, {
      method: 'PUT',
      path: '/email_verification',
      fields: { email, token: link.searchParams.get('token') ?? '', password: goodPassword },
    });
    assert.equal(confirmed.status, 200, confirmed.text);
  }
  const post = (path: string, fields: Fields, headers = {}): Promise<Reply> =>
    send(site.service.app, { method: 'POST', path, fields, headers });

  /** Observes a browser context: which scripts ran, what the policy blocked, and what was requested. */
  async function watch(
    chromium: Chromium,
  ): Promise<{ context: BrowserContext; page: Page; marks: string[] }> {
    const context = await chromium.newContext({ baseURL: site.origin });
    const marks: string[] = [];
    await context.exposeBinding('mark', (_source, what: unknown) => void marks.push(String(what)));
    await context.addInitScript(
      `document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => mark('policy ' + violatedDirective + ' ' + blockedURI));
      PublicKeyCredential.isConditionalMediationAvailable = async () => false;`,
    );
    const page = await context.newPage();
    page.on('dialog', (dialog) => void marks.push(dialog.message()));
    page.on('pageerror', (error) => void marks.push(String(error)));
    page.on('request', (request) => {
      const { origin } = new URL(request.url());
      if (origin !== site.origin) marks.push(`asked for ${request.url()}`);
    });
    return { context, page, marks };
  }
  const bonesOf = (page: Page): Promise<string[]> => page.evaluate(`${skeleton}(document)`);

  test(
    'A10 script: every page treats each payload in each query parameter as text',
    venue.story(async (chromium) => {
      const { context, page, marks } = await watch(chromium);
      const email = freshEmail();
      await register(email);
      const signed = await context.request.post('/sessions', { form: { email, password: goodPassword } });
      assert.equal(signed.status(), 200);
      const visit = async (path: string): Promise<string[]> => {
        await page.goto(path);
        return bonesOf(page);
      };
      const look = async (path: string, texts: readonly string[]): Promise<void> => {
        const [plain, plainPath] = [
          await visit(`${path}?${query('X')}`),
          await visit(`${path}?${query('/x')}`),
        ];
        for (const text of texts) {
          assert.deepEqual(await visit(`${path}?${query(text)}`), plain, `${path} ${text}`);
          const target = `/x#${text.replaceAll(/\s/g, '/')}`; // a target cannot contain a space
          assert.deepEqual(await visit(`${path}?${query(target)}`), plainPath, `${path} ${target}`);
        }
      };
      for (const path of ownPages) await look(path, [everyPayload]);
      site.service.clock.advance(11 * minuteMs);
      await look('/step-up', [everyPayload]);
      await context.clearCookies();
      await look('/sign-in', payloads);
      for (const path of [...pages, ...linkPages]) await look(path, [everyPayload]);
      assert.deepEqual(marks, []);
      await page.goto('/sign-in');
      const made = await page.locator('.field button.show').count();
      assert.equal(made, 1, 'our own script runs');
      // Checks the observation itself: it reports what the policy blocks, and a script that runs.
      await page.evaluate(
        `document.head.append(Object.assign(document.createElement('style'), { textContent: 'a {}' }))`,
      );
      await page.evaluate('mark("ran")');
      assert.match(marks.join(), /policy style-src-elem inline.*ran/);
      await context.close();
    }),
  );

  test(
    'A10 script: every form treats each payload in each field as text in a real browser',
    venue.story(async (chromium) => {
      const email = freshEmail();
      await register(email);
      const at = new Browser({ send: (request) => send(site.service.app, request) });
      assert.equal((await at.post('/sessions', { email, password: goodPassword })).status, 200);
      const page = await (await chromium.newContext()).newPage();
      const posts = site.service.routes.filter(
        ({ method, isPage, isRefusal }) => method === 'POST' && isPage && !isRefusal,
      );
      assert.ok(posts.length > 25);
      const token = /name="form_token" value="([^"]+)"/.exec((await ask(at, '/account')).text)?.[1] ?? '';
      const names = [
        ...parameters,
        'password',
        'new_password',
        'credential',
        'id',
        'name',
        'code',
        'secret',
        'proof',
        'by',
        'sure',
      ];
      const replyTo = async (url: string, value: string): Promise<string> => {
        if (url === '/sign-out') return '';
        const fields = { ...Object.fromEntries(names.map((name) => [name, value])), form_token: token };
        return (await at.send({ method: 'POST', path: url, fields, headers: asPage })).text;
      };
      for (const { url } of posts) {
        const texts = await Promise.all([plainWords, ...payloads].map((value) => replyTo(url, value)));
        const [plain, ...others] = await page.evaluate<string[]>(
          `${JSON.stringify(texts)}.map((text) => ${skeleton}(new DOMParser().parseFromString(text, 'text/html')).join('\\n'))`,
        );
        for (const [i, bones] of others.entries()) assert.equal(bones, plain, `${url} ${payloads[i]}`);
      }
      await page.context().close();
    }),
  );

  test(
    'A10 script: shows stored names, devices and addresses as text everywhere',
    venue.story(async (chromium) => {
      const { context, page, marks } = await watch(chromium);
      const agent = everyPayload.replaceAll(/[^\u0020-\u007e]/g, '');
      const bonesWith = async (name: string, email: string, device: string): Promise<string[][]> => {
        await register(email);
        const at = new Browser(
          { send: (request) => send(site.service.app, { ...request, from: '192.0.2.1' }) },
          { 'user-agent': device },
        );
        await at.post('/sessions', { email, password: goodPassword });
        if (hasFeature('passkey')) {
          await addPasskey(at, new PasskeyDevice(site.origin));
          const own = await ask(at, '/account/passkeys');
          const token = /name="form_token" value="([^"]+)"/.exec(own.text)?.[1] ?? '';
          const id = /name="id" value="([^"]+)"/.exec(own.text)?.[1] ?? '';
          const fields = { id, name, form_token: token };
          await at.send({ method: 'POST', path: '/account/passkeys/rename', fields, headers: asPage });
        }
        if (hasFeature('totp')) await addApp(at, site.service.clock);
        await context.clearCookies();
        const session = at.cookie('session_id') ?? assert.fail('no session');
        await context.addCookies([{ name: 'session_id', value: session, url: site.origin }]);
        const seen: string[][] = [];
        for (const path of showingPages) {
          await page.goto(path);
          assert.match(page.url(), new RegExp(`${path}$`));
          const bones = await bonesOf(page);
          seen.push(path === '/dev/mailbox' ? [...new Set(bones)].toSorted() : bones);
        }
        return seen;
      };
      const plain = await bonesWith('mine', 'plain@example.org', 'curl/8.0');
      for (const payload of payloads.slice(0, 4)) {
        const email = `x'onfocus=\`{{mark}}$&lt/${payload.length}@example.org`;
        assert.deepEqual(await bonesWith(payload.slice(0, 60), email, agent), plain, payload);
      }
      assert.deepEqual(marks, []);
      await context.close();
    }),
  );

  test(
    'A10 script: pages store nothing in the browser, load nothing from other sites, are small, and have a strict policy',
    venue.story(async (chromium) => {
      const { context, page, marks } = await watch(chromium);
      const email = freshEmail();
      await register(email);
      await context.request.post('/sessions', { form: { email, password: goodPassword } });
      for (const path of ['/nothing', ...ownPages]) {
        const reply = (await page.goto(path)) ?? assert.fail(path);
        const policy = reply.headers()['content-security-policy'] ?? '';
        assert.match(policy, /^default-src 'none'; style-src 'self'; script-src 'self';/, path);
        assert.doesNotMatch(
          policy,
          /unsafe|\*(?![;\s]|$)|data:|blob:|https?:\/\/(?!localhost:\*|127\.0\.0\.1:\*)/,
        );
        assert.match(policy, /frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'/);
        assert.ok((await reply.body()).length < 20_000, path);
        const kept = await page.evaluate(
          '(async () => localStorage.length + sessionStorage.length + (await indexedDB.databases()).length + (await caches.keys()).length)()',
        );
        assert.equal(kept, 0, path);
      }
      const cookies = await context.cookies();
      assert.ok(cookies.length > 0 && cookies.every(({ httpOnly }) => httpOnly), 'no script reads a cookie');
      assert.deepEqual(marks, []);
      await context.close();
    }),
  );

  test(
    'A43 cross-site: a form on a page of another origin, same site or not, changes nothing in a real browser',
    venue.story(async (chromium) => {
      const email = freshEmail();
      await register(email);
      const other = freshEmail();
      await register(other);
      const forms: Readonly<Record<string, Readonly<Record<string, string>>>> = {
        '/sign-out': {},
        '/language': { language: 'fr' },
        '/sign-in': { email: other, password: goodPassword },
        '/sign-up': { email: freshEmail(), password: goodPassword },
        '/forgot': { email },
        ...entriesOf('account-deletion', { '/account/data/close': { sure: 'yes' } }),
        '/account/sessions/others': {},
        '/users': { email: freshEmail(), password: goodPassword },
        '/sessions': { email: other, password: goodPassword },
      };
      const evil = createServer((request, response) => {
        const { pathname } = new URL(request.url ?? '', 'http://x');
        const fields = Object.entries(forms[pathname] ?? {});
        const inputs = fields.map(([name, value]) => `<input name="${name}" value="${value}">`);
        response.setHeader('content-type', 'text/html');
        response.end(
          `<form method="post" action="${site.origin}${pathname}">${inputs.join('')}</form><script>document.forms[0].submit()</script>`,
        );
      }).listen(0);
      await once(evil, 'listening');
      const { port } = evil.address() as AddressInfo; // it listens on a port
      const context = await chromium.newContext();
      try {
        const reply = await context.request.post(`${site.origin}/sessions`, {
          form: { email, password: goodPassword },
        });
        assert.equal(reply.status(), 200);
        const earlier = await everyRowOf(site.service.core.database);
        const cookies = await context.cookies();
        const page = await context.newPage();
        for (const host of ['127.0.0.1', 'localhost']) {
          for (const path of Object.keys(forms)) {
            const landed = page.waitForResponse((response) => response.request().method() === 'POST');
            await page.goto(`http://${host}:${port}${path}`);
            const answer = await landed;
            await page.waitForURL(`${site.origin}${path}`);
            assert.equal(answer.status(), 403, `${host} ${path}`);
          }
        }
        assert.deepEqual(await context.cookies(), cookies);
        assert.deepEqual(await everyRowOf(site.service.core.database), earlier);
      } finally {
        await context.close();
        evil.close();
      }
    }),
  );
});
