/**
 * Takes pictures of every page of the service in a browser: light and dark, on a phone and on a desktop, in each
 * language.
 *
 *   npm run screenshots                 into docs/guides/pages: those that docs/guides/pages.md shows
 *   npm run screenshots -- FOLDER --all each page in each setup
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { openBrowser } from '../server/test/support/chromium.ts';
import { codeAt, decodeBase32 } from '../server/test/support/authenticator-app.ts';
import { hasFeature } from '../server/test/support/feature.ts';
import { freePort } from '../server/test/support/free-port.ts';
import { kits } from '../server/test/support/kit.ts';
import { testService, type TestService } from '../server/test/support/service.ts';

const root = path.resolve(import.meta.dirname, '..');
/** The first button that sends a form; others show a password or copy codes. */
const submit = 'main form button:not([type=button])';
const password = 'nine newts under a green umbrella';

interface Way {
  readonly name: string;
  readonly colorScheme: 'light' | 'dark';
  readonly locale: string;
  readonly viewport: { readonly width: number; readonly height: number };
  /** Colors that the user chose for everything. */
  readonly forcedColors?: 'active';
}

const phone = { width: 390, height: 844 };
const desk = { width: 1280, height: 900 };
const ways: readonly Way[] = [
  { name: 'light', colorScheme: 'light', locale: 'en-GB', viewport: phone },
  { name: 'dark', colorScheme: 'dark', locale: 'en-GB', viewport: phone },
  { name: 'desk', colorScheme: 'light', locale: 'en-GB', viewport: desk },
  { name: 'french', colorScheme: 'light', locale: 'fr-FR', viewport: phone },
  { name: 'forced', colorScheme: 'light', locale: 'en-GB', viewport: phone, forcedColors: 'active' },
];
/** Without --all: the pictures of docs/guides/pages.md. */
const guide = readFileSync(path.join(root, 'docs/guides/pages.md'), 'utf8');
const shown: ReadonlySet<string> = new Set(
  [...guide.matchAll(/\]\(pages\/([\w.-]+)\.png\)/g)].map(([, name = '']) => name),
);

/** A walk through all pages; `draw` takes a picture of the current one. */
class Walk {
  readonly #service: TestService;
  readonly #origin: string;
  readonly #page: Page;
  readonly #draw: (name: string) => Promise<void>;

  constructor(service: TestService, origin: string, page: Page, draw: (name: string) => Promise<void>) {
    this.#service = service;
    this.#origin = origin;
    this.#page = page;
    this.#draw = draw;
  }

  async go(): Promise<void> {
    const email = 'ada@example.org';
    await this.#outside(email);
    await this.#account();
    const [service, origin, page, draw] = [this.#service, this.#origin, this.#page, this.#draw];
    const stage = { service, origin, page, draw, allow: () => {} };
    for (const kit of kits) await kit.draw?.(stage);
    await this.#factors();
    await this.#withFactor(email);
  }

  async #at(address: string, name?: string): Promise<void> {
    await this.#page.goto(`${this.#origin}${address}`);
    if (name !== undefined) await this.#draw(name);
  }

  async #press(selector: string, name?: string): Promise<void> {
    await this.#page.click(selector);
    await this.#page.waitForLoadState('load');
    if (name !== undefined) await this.#draw(name);
  }

  async #outside(email: string): Promise<void> {
    const page = this.#page;
    await this.#at('/', 'welcome');
    await this.#at('/sign-in', 'sign-in');
    await page.fill('#email', email);
    await page.fill('#password', 'eight herons');
    await this.#press(submit, 'sign-in-refused');
    await this.#at('/forgot', 'forgot');
    await this.#at('/sign-up', 'sign-up');
    await page.fill('#email', email);
    await page.fill('#password', 'short');
    await page.evaluate("document.querySelector('#password').minLength = 0");
    await this.#press(submit, 'sign-up-refused');
    await page.fill('#password', password);
    await this.#press(submit, 'check-your-email');
    if (hasFeature('mailbox')) await this.#at('/dev/mailbox', 'mailbox');
    const link = await this.#mailed();
    await this.#at(link, 'confirm');
    await this.#press(submit);
    await page.context().clearCookies();
    await page.context().addCookies([{ name: 'done', value: '.sign-in~confirmed', url: this.#origin }]);
    await this.#at('/sign-in?done=confirmed', 'confirmed');
    await this.#at(link);
    await this.#press(submit, 'link-refused');
    await this.#at('/nothing', 'not-found');
    await this.#at('/sign-in');
    await page.fill('#email', email);
    await page.fill('#password', password);
    await this.#press(submit);
    if (page.url().includes('/account/passkeys/offer')) {
      await this.#draw('passkey-offer');
      await this.#press('form[action$="/offer"] button');
    }
    await this.#draw('account');
  }

  /** Path and query of the link in the newest mail. */
  async #mailed(): Promise<string> {
    const [newest] = await this.#service.core.outbox.listKept(1);
    const [link = ''] = /http\S+/.exec(newest?.text ?? '') ?? [];
    const url = new URL(link);
    return `${url.pathname}${url.search}`;
  }

  async #account(): Promise<void> {
    if (hasFeature('email-change')) await this.#at('/account/address', 'address');
    await this.#at('/account', 'account-overview');
    await this.#at('/account/password', 'password');
    await this.#at('/account/sessions', 'sessions');
    if (hasFeature('activity')) {
      await this.#at('/account/activity', 'activity');
      await this.#at('/account/activity/not-you', 'not-you');
    }
    if (hasFeature('data-export')) await this.#at('/account/data', 'data');
    if (hasFeature('recovery-code')) await this.#at('/account/recovery-codes', 'recovery-codes-none');
    await this.#at('/sign-out', 'sign-out');
  }

  async #factors(): Promise<void> {
    const page = this.#page;
    if (hasFeature('passkey')) {
      await this.#at('/account/passkeys', 'passkeys-none');
      await this.#press('form[data-use=sign_in] button');
      await page.waitForURL(/done=(?:added|first)/);
      if (page.url().includes('done=first')) await this.#draw('recovery-codes-first');
      await this.#at('/account/passkeys', 'passkeys');
    }
    if (hasFeature('totp')) {
      await this.#at('/account/authenticators');
      await this.#press(submit, 'authenticator-app');
      const secret = (await page.textContent('.steps code'))?.replaceAll(' ', '') ?? '';
      await page.fill('#code', codeAt(decodeBase32(secret), this.#service.clock.now()));
      await this.#press(submit, 'authenticator-apps');
    }
    if (hasFeature('recovery-code')) {
      await this.#at('/account/recovery-codes');
      await this.#press(submit, 'recovery-codes');
      await this.#press(submit, 'recovery-codes-saved');
    }
    await this.#at('/account', 'account-with-factors');
    if (hasFeature('totp')) {
      await this.#at('/account/authenticators');
      await this.#press('.rows a', 'authenticator-remove');
    }
    if (hasFeature('passkey')) {
      await this.#at('/account/passkeys');
      await this.#press('.rows a', 'passkey-remove');
    }
  }

  async #withFactor(email: string): Promise<void> {
    const page = this.#page;
    this.#service.clock.advance(11 * 60_000);
    await this.#at(hasFeature('passkey') ? '/account/passkeys' : '/account/authenticators', 'step-up');
    await page.context().clearCookies();
    await this.#at('/sign-in');
    await page.fill('#email', email);
    await page.fill('#password', password);
    await this.#press(submit, 'second-factor');
  }
}

/** Takes pictures of each page in one setup. */
async function drawAll(
  browser: Browser,
  way: Way,
  folder: string,
  isWanted: (picture: string) => boolean,
): Promise<void> {
  const port = await freePort();
  const environment = {
    PORT: String(port),
    EMAIL_SIGN_IN: 'true',
    EMAIL_CONFIRMATION: 'true',
    PASSWORD_MIN_LENGTH: '15',
    PASSWORD_BLOCKLIST: 'true',
    REMEMBERED_DEVICE_DAYS: '30',
    TERMS_URL: 'https://example.org/terms',
    PRIVACY_URL: 'https://example.org/privacy',
  };
  const service = await testService('sqlite', environment);
  await service.app.listen({ host: '127.0.0.1', port });
  const context = await browser.newContext({
    ...way,
    deviceScaleFactor: 1,
    reducedMotion: 'reduce',
  });
  try {
    const page = await newPage(context);
    const draw = async (name: string): Promise<void> => {
      const picture = way.name === 'light' ? name : `${name}.${way.name}`;
      if (!isWanted(picture)) return;
      writeFileSync(path.join(folder, `${picture}.png`), await page.screenshot({ fullPage: true }));
    };
    await new Walk(service, `http://localhost:${port}`, page, draw).go();
  } finally {
    await context.close();
    await service.close();
  }
}

/** A page whose browser has a passkey device that always confirms. */
async function newPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send('WebAuthn.enable', {});
  await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  // Autofill would use the device's only passkey to sign in before the picture is taken.
  await page.addInitScript('PublicKeyCredential.isConditionalMediationAvailable = async () => false');
  return page;
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { all: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  if (values.help) {
    process.stdout.write(
      'npm run screenshots -- [FOLDER] [--all]\n\nDraws the pages of docs/guides/pages.md, or all; into docs/guides/pages if nothing is said.\n',
    );
    return;
  }
  const folder = path.resolve(positionals[0] ?? path.join(root, 'docs', 'guides', 'pages'));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const browser = await openBrowser('machine');
  try {
    for (const way of ways)
      await drawAll(browser, way, folder, (picture) => values.all || shown.has(picture));
  } finally {
    await browser.close();
  }
  process.stdout.write(`The pictures are in ${path.relative(process.cwd(), folder) || '.'}\n`);
}

await main();
