// Mail scanners open every link before its reader does: some send HEAD, some load the page, some run its scripts in a
// browser. As long as they do not press the button, nothing changes and the token stays valid.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Browser as Chromium, Page } from 'playwright-core';
import { minuteMs } from '../../src/kit/clock.ts';
import { Browser } from '../support/browser.ts';
import { addApp } from '../support/factor.ts';
import { openBrowser } from '../support/chromium.ts';
import { everyRowOf } from '../support/contents.ts';
import { asPage, pressButton } from '../support/page-form.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService } from '../support/public-service.ts';
import { memberOf, type ContractRequest } from '../support/request.ts';
import { without } from '../support/feature.ts';

const newPassword = 'nine newts under a green umbrella';
/** How long a scanner's browser stays on the page, in milliseconds, for anything that the page may do by itself. */
const stayMs = 1000;

/** Mail gateways, previews of messengers, crawlers, and clients without a name or with that of a browser. */
const agents: readonly string[] = [
  'Mozilla/5.0 (compatible; Barracuda Sentinel (EE))',
  'Microsoft Office Existence Discovery',
  'SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com',
  'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
  'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
  'WhatsApp/2.23.20.0',
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36',
  'python-requests/2.32.3',
  '',
];

/** A link that was mailed to a user and not used yet. */
interface Mailed {
  /** Path and query of the link. */
  readonly path: string;
  /** Uses the link as the user, and asserts that it works. */
  readonly use: () => Promise<void>;
}

/** What a kind of mail needs to be sent. */
const featuresOf: Readonly<Record<string, readonly string[]>> = {
  sign_in: ['email-sign-in'],
  email_change: ['email-change'],
  email_undo: ['email-change'],
  factor_undo: ['totp'],
  deletion_undo: ['account-deletion'],
};

describe('a link that scanners have opened', () => {
  let service: PublicService;
  let origin: string;
  let chromium: Chromium | undefined;
  let whyNone = '';

  before(async () => {
    service = await PublicService.start('sqlite', { EMAIL_SIGN_IN: 'true' });
    origin = await service.service.app.listen({ host: '127.0.0.1', port: 0 });
    chromium = await openBrowser().catch((error: unknown) => {
      whyNone = `no browser runs here: ${String(error)}`;
      return undefined;
    });
  });
  after(async () => {
    await chromium?.close();
    await service.close();
  });

  async function linkTo(email: string): Promise<string> {
    await service.deliver();
    const { text = '' } = service.mails.findLast(({ to }) => to === email) ?? {};
    const link = /https:\/\/accounts\.test(\/\S+\?\S+)/.exec(text)?.[1];
    return link ?? assert.fail(`no link for ${email}`);
  }
  async function press(
    at: Browser,
    path: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const { status, text } = await pressButton(at, path, more);
    assert.equal(status, 200, text);
  }
  async function signedIn(): Promise<{ email: string; password: string; at: Browser }> {
    const { email, password } = await service.member();
    const at = new Browser(service);
    assert.equal((await at.post('/sessions', { email, password })).status, 200);
    service.service.clock.advance(2 * minuteMs); // longer than the pause between two mails of a kind
    return { email, password, at };
  }
  const emailOf = async (at: Browser): Promise<unknown> => memberOf((await at.get('/profile')).body, 'email');

  /** By kind of token. */
  const mailed: Readonly<Record<string, () => Promise<Mailed>>> = {
    async verification() {
      const [email, password] = [freshEmail(), newPassword];
      const at = new Browser(service); // the browser that registers; another one is asked for the password
      assert.equal((await at.post('/users', { email, password })).status, 200);
      const path = await linkTo(email);
      const use = async (): Promise<void> => {
        assert.equal((await service.logIn(email, password)).status, 401);
        await press(at, path);
        assert.equal((await service.logIn(email, password)).status, 200);
      };
      return { path, use };
    },
    async reset() {
      const { email } = await service.member();
      await service.post('/reset_password', { email });
      const path = await linkTo(email);
      const use = async (): Promise<void> => {
        await press(new Browser(service), path, { new_password: newPassword });
        assert.equal((await service.logIn(email, newPassword)).status, 200);
      };
      return { path, use };
    },
    async sign_in() {
      const { email } = await service.member();
      await service.post('/sessions/email', { email });
      const path = await linkTo(email);
      const use = async (): Promise<void> => {
        const at = new Browser(service);
        await press(at, path);
        assert.equal(await emailOf(at), email);
      };
      return { path, use };
    },
    async email_change() {
      const { email, password, at } = await signedIn();
      const wished = freshEmail();
      await at.post('/profile/email', { email: wished, password });
      const path = await linkTo(wished);
      const use = async (): Promise<void> => {
        assert.equal(await emailOf(at), email);
        await press(at, path);
        assert.equal(await emailOf(at), wished);
      };
      return { path, use };
    },
    async email_undo() {
      const { email, password, at } = await signedIn();
      const wished = freshEmail();
      await at.post('/profile/email', { email: wished, password });
      await press(at, await linkTo(wished));
      const path = await linkTo(email);
      const use = async (): Promise<void> => {
        assert.equal(await emailOf(at), wished);
        await press(new Browser(service), path);
        assert.equal((await at.get('/profile')).status, 403);
        await press(new Browser(service), await linkTo(email), { new_password: newPassword });
        assert.equal((await service.logIn(email, newPassword)).status, 200);
      };
      return { path, use };
    },
    async factor_undo() {
      const { email, password, at } = await signedIn();
      await addApp(at, service.service.clock);
      const path = await linkTo(email);
      const use = async (): Promise<void> => {
        assert.deepEqual(memberOf((await service.logIn(email, password)).body, 'factors'), ['totp']);
        await press(new Browser(service), path);
        assert.equal((await service.logIn(email, password)).status, 401);
        await press(new Browser(service), await linkTo(email), { new_password: newPassword });
        assert.equal(memberOf((await service.logIn(email, newPassword)).body, 'message'), 'logged in');
      };
      return { path, use };
    },
    async deletion_undo() {
      const { email, password, at } = await signedIn();
      assert.equal((await at.send({ method: 'DELETE', path: '/profile' })).status, 200);
      const path = await linkTo(email);
      const use = async (): Promise<void> => {
        assert.equal((await service.logIn(email, password)).status, 401);
        await press(new Browser(service), path);
        assert.equal((await service.logIn(email, password)).status, 200);
      };
      return { path, use };
    },
  };

  /** Asserts that no row changes during the work. */
  async function assertInert(scan: () => Promise<unknown>): Promise<void> {
    const { database } = service.service.core;
    const earlier = await everyRowOf(database);
    await scan();
    assert.deepEqual(await everyRowOf(database), earlier);
  }

  /** Requests the link as each client in the list, each request from an address of its own. */
  async function scanByProgram(path: string): Promise<void> {
    const ask = async (method: ContractRequest['method'], headers: ContractRequest['headers'] = {}) => {
      const { status, cookies, headers: said } = await service.send({ method, path, headers });
      assert.deepEqual([cookies, said['location'], said['refresh']], [[], undefined, undefined]);
      return status;
    };
    for (const agent of agents) {
      const headers = { 'user-agent': agent };
      const first = await ask('HEAD', { ...headers, ...asPage });
      assert.ok(first < 500, `HEAD is answered with ${first}`);
      assert.ok((await ask('OPTIONS', headers)) < 500);
      for (let i = 0; i < 10; i += 1) assert.equal(await ask('GET', { ...headers, ...asPage }), 200);
      assert.equal(await ask('GET', { ...headers, accept: '*/*' }), 200);
      assert.equal(await ask('GET', { ...headers, ...asPage, 'sec-purpose': 'prefetch;prerender' }), 200);
    }
  }

  /** Unwanted effects of a page: requests to other hosts, and errors in the console. */
  function watch(page: Page): readonly string[] {
    const seen: string[] = [];
    page.on('request', (request) => {
      const isOurs = new URL(request.url()).origin === origin && request.method() === 'GET';
      if (!isOurs) seen.push(`${request.method()} ${request.url()}`);
    });
    page.on('console', (message) => {
      // Advice of the browser begins with [DOM].
      if (!message.text().startsWith('[DOM]')) seen.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => seen.push(`error: ${error.message}`));
    page.on('dialog', (dialog) => {
      seen.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    return seen;
  }

  async function scanByBrowser(browser: Chromium, path: string): Promise<void> {
    const page = await browser.newPage();
    try {
      const seen = watch(page);
      await page.addInitScript({
        content: `addEventListener('securitypolicyviolation', (event) => console.log(event.violatedDirective));`,
      });
      const response = await page.goto(origin + path);
      assert.equal(response?.status(), 200);
      assert.equal(
        await page.locator('main form button:not([type])').count(),
        1,
        'it is the page of the link',
      );
      await page.locator('main form button:not([type])').hover();
      await pause(stayMs);
      assert.equal(page.url(), origin + path, 'the browser stayed on the page');
      assert.deepEqual(seen, [], path);
      assert.deepEqual(await page.context().cookies(), []);
    } finally {
      await page.close();
    }
  }

  /** Those of features that are there. */
  const present = Object.entries(mailed).filter(([kind]) => without(...(featuresOf[kind] ?? [])) === false);

  test('covers every kind of token', () => {
    const kinds = service.service.core.auth.identity.tokens.kinds.map(({ kind }) => kind);
    const sent = kinds.filter((kind) => kind !== 'factor_undo' || present.some(([one]) => one === kind));
    assert.deepEqual(present.map(([kind]) => kind).toSorted(), sent.toSorted());
  });

  for (const [kind, mail] of present) {
    test(`${kind}: stays valid after programs requested it a hundred times from different addresses`, async () => {
      const one = await mail();
      await assertInert(() => scanByProgram(one.path));
      await one.use();
    });
  }

  test('each kind of link stays valid after browsers ran the scripts of its page, which sends no requests', async (t) => {
    const browser = chromium;
    if (browser === undefined) return t.skip(whyNone);
    const mails: Mailed[] = [];
    for (const [, mail] of present) mails.push(await mail());
    await assertInert(() => Promise.all(mails.map(({ path }) => scanByBrowser(browser, path))));
    for (const { use } of mails) await use();
  });
});
