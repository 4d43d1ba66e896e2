// A user at a real browser, on the pages of a listening service.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type {
  Browser as Chromium,
  BrowserContext,
  BrowserContextOptions,
  Locator,
  Page,
} from 'playwright-core';
import type { Environment } from '../../src/config/read-options.ts';
import { languageOf, message, defaultLanguage, type MessageValues } from '../../src/kit/language.ts';
import { codeAt, decodeBase32 } from './authenticator-app.ts';
import { openBrowser } from './chromium.ts';
import { hasFeature } from './feature.ts';
import { freePort } from './free-port.ts';
import { codeIn } from './mail-box.ts';
import { testService, type TestService } from './service.ts';

/** A password of a careful user. */
export const goodPassword = 'nine newts under a green umbrella';

/** Public mode, without TLS and the mail server, which the pages do not involve. */
export const asPublic: Environment = {
  EMAIL_CONFIRMATION: 'true',
  EMAIL_SIGN_IN: 'true',
  REVEAL_ACCOUNTS: 'false',
  RESET_TOKEN_BY: 'mail',
  PASSWORD_MIN_LENGTH: '15',
  PASSWORD_BLOCKLIST: 'true',
  REMEMBERED_DEVICE_DAYS: '30',
};

/** A service that listens where a browser finds it. */
export class Site {
  readonly service: TestService;
  readonly origin: string;

  private constructor(service: TestService, origin: string) {
    this.service = service;
    this.origin = origin;
  }

  static async open(environment: Environment = {}): Promise<Site> {
    const port = await freePort();
    const service = await testService('sqlite', { PORT: String(port), ...environment });
    await service.app.listen({ host: '127.0.0.1', port });
    return new Site(service, `http://localhost:${port}`);
  }

  close(): Promise<void> {
    return this.service.close();
  }

  /** Text of the newest mail to the address that contains the text. */
  async #mailTo(email: string, part = ''): Promise<string> {
    const mails = await this.service.core.outbox.listKept(100);
    const newest = mails.find(({ recipient, text }) => recipient === email && text.includes(part));
    return newest?.text ?? assert.fail(`no mail to ${email}`);
  }

  /** Path and query of the link in the newest mail to the address; of a link to the path, if one is given. */
  async linkTo(email: string, path = ''): Promise<string> {
    const [link = ''] = /http\S+\?\S+/.exec(await this.#mailTo(email, path)) ?? [];
    const { pathname, search } = new URL(link);
    return `${pathname}${search}`;
  }

  /** The code in the newest mail to the address. */
  async codeTo(email: string): Promise<string> {
    return codeIn(await this.#mailTo(email)) ?? assert.fail(`no code to ${email}`);
  }

  /** The code that an app with this seed shows, of a time step that was not used yet. */
  nextCode(secret: string): string {
    this.service.clock.advance(30_000);
    return codeAt(decodeBase32(secret), this.service.clock.now());
  }
}

export interface Sitting extends BrowserContextOptions {
  /** Has a passkey device that always confirms. */
  readonly hasDevice?: boolean;
  /** The browser offers passkeys in the autofill of the email field. */
  readonly fillsPasskeys?: boolean;
}

export class Visitor {
  readonly site: Site;
  readonly context: BrowserContext;
  readonly page: Page;
  /** Errors in the page that are not visible. */
  readonly faults: string[] = [];
  readonly #language: string;
  readonly hasScripts: boolean;
  /** Has a passkey device, and scripts to use it. */
  readonly hasDevice: boolean;
  /** Origins that requests may go to. */
  readonly #allowed: Set<string>;

  private constructor(
    site: Site,
    context: BrowserContext,
    page: Page,
    {
      language,
      hasScripts,
      hasDevice,
    }: { readonly language: string; readonly hasScripts: boolean; readonly hasDevice: boolean },
  ) {
    this.#language = language;
    this.hasScripts = hasScripts;
    this.hasDevice = hasScripts && hasDevice;
    this.#allowed = new Set([site.origin]);
    this.site = site;
    this.context = context;
    this.page = page;
  }

  static async sitDown(
    chromium: Chromium,
    site: Site,
    { hasDevice = false, fillsPasskeys = false, ...options }: Sitting = {},
  ): Promise<Visitor> {
    const context = await chromium.newContext({ baseURL: site.origin, reducedMotion: 'reduce', ...options });
    const page = await context.newPage();
    const hasScripts = options.javaScriptEnabled !== false;
    const language = languageOf(options.locale) ?? defaultLanguage;
    const visitor = new Visitor(site, context, page, { language, hasScripts, hasDevice });
    page.on('pageerror', (error) => visitor.faults.push(String(error)));
    page.on('dialog', (dialog) => void visitor.faults.push(`dialog: ${dialog.message()}`));
    page.on('console', (entry) => {
      // The browser's own message about a rejected form; any other message is a fault of the page.
      const isStatus = entry.text().includes('Failed to load resource: the server responded');
      if (entry.type() === 'error' && !isStatus) visitor.faults.push(entry.text());
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!visitor.#allowed.has(new URL(url).origin)) visitor.faults.push(`asked for ${url}`);
    });
    if (hasDevice) await visitor.#addDevice();
    // It would sign in with the device's only passkey before the test continues.
    if (!fillsPasskeys && hasScripts)
      await page.addInitScript(
        'if (globalThis.PublicKeyCredential) PublicKeyCredential.isConditionalMediationAvailable = async () => false',
      );
    return visitor;
  }

  async #addDevice(transport: 'internal' | 'usb' = 'internal'): Promise<() => Promise<void>> {
    const cdp = await this.context.newCDPSession(this.page);
    await cdp.send('WebAuthn.enable', {});
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport,
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    return async () => {
      await cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
    };
  }

  /** Connects a second passkey device; the returned function removes it. */
  hasAnotherDevice(): Promise<() => Promise<void>> {
    return this.#addDevice('usb');
  }

  /** Another tab of the same browser. */
  async tab(): Promise<Visitor> {
    const { hasScripts, hasDevice } = this;
    const own = { language: this.#language, hasScripts, hasDevice };
    return new Visitor(this.site, this.context, await this.context.newPage(), own);
  }

  /** Opens the page on purpose. */
  allow(origin: string): void {
    this.#allowed.add(origin);
  }

  /** Path and query of the current page. */
  get at(): string {
    const { pathname, search } = new URL(this.page.url());
    return `${pathname}${search}`;
  }

  async goTo(path: string): Promise<void> {
    await this.page.goto(path);
  }

  /** Types into inputs of the page's content, by their names. */
  async type(fields: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, value] of Object.entries(fields))
      await this.page.locator(`main input[name="${name}"]:visible`).first().fill(value);
  }

  /**
   * Types a code and sends it with the button of this message. With scripts, a form that asks for nothing else sends a
   * complete code by itself.
   */
  async enterCode(name: string, code: string, key: string): Promise<void> {
    const input = this.page.locator(`main input[name="${name}"]:visible`).first();
    const full = await input.getAttribute('data-full');
    const isFull = full !== null && new RegExp(full).test(code.replaceAll('-', ''));
    const count = await this.page.evaluate<number>(
      `[...document.querySelectorAll('main input[name="${name}"]')].find((one) => one.checkVisibility())
        .form.querySelectorAll('input:not([type=hidden], [hidden])').length`,
    );
    if (this.hasScripts && isFull && count === 1) {
      await Promise.all([this.page.waitForEvent('load'), input.fill(code)]);
      return;
    }
    await input.fill(code);
    await this.press(key);
  }

  /** The seed that the page of a new authenticator app shows. */
  async seed(): Promise<string> {
    const text = await this.page.locator('.steps code').textContent();
    return text?.replaceAll(' ', '') ?? assert.fail(`no seed at ${this.at}`);
  }

  /** A message of the service in the visitor's language. */
  say(key: string, values: MessageValues = {}): string {
    return message(this.#language, key, values);
  }

  /** Presses the button or link with this message, and waits for the next page. */
  async press(key: string, values: MessageValues = {}): Promise<void> {
    const name = this.say(key, values);
    const main = this.page.locator('main');
    const button = main.getByRole('button', { name, exact: true });
    const link = main.getByRole('link', { name, exact: true });
    const section = main.locator('a', { has: this.page.getByText(name, { exact: true }) }); // contains more than its title
    const marked = main.getByRole('button', {
      name: `${name} ${this.say('page.sign_in.last_used')}`,
      exact: true,
    });
    await this.pressOn(button.or(marked).or(link).or(section).first());
  }

  async pressOn(what: Locator): Promise<void> {
    const loaded = this.page.waitForEvent('load');
    await Promise.all([loaded, what.click()]);
  }

  /**
   * Chooses the language at the end of the page. By a script, because the walks do it on each page: the first use of a
   * locator takes as long as loading the page.
   */
  async chooseLanguage(language: string): Promise<void> {
    const loaded = this.page.waitForEvent('load');
    const press = `document.querySelector('footer button[value="${language}"]').click()`;
    await Promise.all([loaded, this.page.evaluate(press)]);
  }

  /** Whether the page continues at an application by itself. */
  isLeaving(): Promise<boolean> {
    return this.page.evaluate<boolean>("document.querySelector('meta[http-equiv=refresh]') !== null");
  }

  /** Asserts that the page has this title. */
  async sees(key: string, values: MessageValues = {}): Promise<void> {
    const heading = (await this.page.locator('h1').innerText()).trim();
    assert.equal(heading, this.say(key, values), `at ${this.at}: ${await this.text()}`);
  }

  /** Asserts that this is the sign-in page. */
  seesSignIn(): Promise<void> {
    return this.sees('page.sign_in.heading', { product: 'Bienvenue' });
  }

  /** Asserts that the page shows this message. */
  async reads(key: string, values: MessageValues = {}): Promise<void> {
    const text = await this.text();
    assert.ok(text.includes(this.say(key, values)), `${this.at} does not say ${key}: ${text}`);
  }

  /** The text of the page's content. */
  async text(): Promise<string> {
    return this.page.locator('main').innerText();
  }

  /** Asserts that the page shows this message, or after the first factor, what continues there. */
  readsAdded(key: string): Promise<void> {
    return this.reads(hasFeature('recovery-code') ? 'page.recovery_codes.first' : key);
  }

  async signUp(email: string, password: string = goodPassword): Promise<void> {
    await this.goTo('/sign-up');
    await this.type({ email, password });
    await this.press('page.sign_up.act');
  }

  async signIn(email: string, password: string = goodPassword): Promise<void> {
    await this.goTo('/sign-in');
    await this.type({ email, password });
    await this.press('page.sign_in.act');
    // A browser with a passkey device is offered one.
    if (this.at.startsWith('/account/passkeys/offer')) await this.press('page.passkeys.offer_later');
  }

  /** Signs up and in; confirms the address if that is required. */
  async join(email: string): Promise<void> {
    await this.signUp(email);
    if (this.at === '/account') return;
    await this.goTo(await this.site.linkTo(email));
    await this.press('page.confirm.act');
    if (this.at.startsWith('/sign-in')) await this.signIn(email);
  }

  /** Asserts that no hidden error occurred, and closes the browser. */
  async leave(): Promise<void> {
    await this.context.close();
    assert.deepEqual(this.faults, []);
  }
}

/** A browser for the tests of one file; on a machine without one, they skip and say why. */
export class Venue {
  #chromium: Chromium | undefined;
  #whyNone = '';

  async open(): Promise<void> {
    this.#chromium = await openBrowser().catch((error: unknown) => {
      this.#whyNone = `no browser runs here: ${String(error)}`;
      return undefined;
    });
  }

  async close(): Promise<void> {
    await this.#chromium?.close();
  }

  /** A test that needs the browser. */
  story(work: (chromium: Chromium) => Promise<void>): (t: TestContext) => Promise<void> {
    return async (t) => {
      if (this.#chromium === undefined) t.skip(this.#whyNone);
      else await work(this.#chromium);
    };
  }
}
