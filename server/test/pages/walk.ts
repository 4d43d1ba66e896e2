// Every page that the flows reach can be left and found again: reload, Back and Forward, another language, and another
// tab with the same address show the same page in the same state, and change nothing in the database. The pages are found by
// walking, and each page of the service must be among them. `walk.system.ts` presses Back and Forward with scripts only,
// `walk.long.ts` also without.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { hasFeature } from '../support/feature.ts';
import { everyRowOf } from '../support/contents.ts';
import { Site, Venue, Visitor, type Sitting } from '../support/visitor.ts';
import { Tour, tourEnvironment, tourOfSetUp } from './tour.ts';

/** Bytes of a page with its style, script and icon, as a proxy with gzip sends them. */
const maxPageBytes = 24 * 1024;
const maxSignInBytes = 20 * 1024;
const maxScriptBytes = 8 * 1024;

/** Routes of pages that show none: files, redirects, and what the preview of the theme frames. */
const noPage = /\.\w+$|^\/\.well-known\/|^\/dev\/theme\/:/;

/** Pages that the tour reaches with an authenticator app as second factor. */
const behindApp = /^\/(?:sign-in\/factor|account\/factors\/undo|account\/recovery-codes\/new)$/;

/** Whether a path is of a route; the path of a route may have parameters. */
const isOf = (url: string, path: string): boolean =>
  new RegExp(`^${url.replaceAll(/:\w+/g, '[^/]+')}$`).test(path);

/** What a page shows, and what its forms would send. Counted waits pass in real time. */
interface Shown {
  readonly address: string;
  readonly texts: readonly string[];
  readonly fields: readonly string[];
  readonly codes: readonly string[];
}

const readPage = `(() => {
  const main = document.querySelector('main').cloneNode(true);
  for (const wait of main.querySelectorAll('[data-wait]')) wait.remove();
  const texts = [...main.querySelectorAll('h1, p, summary, li, button')].map((one) => one.textContent.replaceAll(/\\s+/g, ' ').trim());
  // What the script tells the service about the device is no content.
  const fields = [...document.querySelectorAll('main input:not([data-offer])')].map(({ form, name, type, value }) =>
    [form?.getAttribute('action'), name, type, type === 'password' ? '' : value].join(' '));
  const codes = [...main.querySelectorAll('code')].map((one) => one.textContent);
  const query = [...new URLSearchParams(location.search)].map(String).sort();
  return { address: [location.pathname, ...query].join(' '), texts, fields, codes };
})()`;

/** The usual name of a factor is translated. */
const untranslated = (field: string): string => field.replace(/ name text .*/, ' name');

/** Notes what moved since the page was opened, without the user. */
const watchShifts = `globalThis.shifts = [];
  new PerformanceObserver((list) => {
    for (const { hadRecentInput, sources } of list.getEntries())
      if (!hadRecentInput) shifts.push(...sources.map(({ node }) => node?.outerHTML ?? node?.textContent ?? ''));
  }).observe({ type: 'layout-shift', buffered: true });`;

const gzipped = (body: Buffer | string): number => gzipSync(body, { level: 6 }).length;

/** Checks each page of a tour. */
class Revisitor {
  readonly #at: Visitor;
  readonly #site: Site;
  readonly #assetBytes: number;
  /** Presses Back and Forward. */
  readonly #goesBack: boolean;
  /** Opens the address of each state. It stays open: a new tab takes four times as long. */
  #tab: Visitor | undefined;
  readonly faults: string[] = [];
  readonly states: string[] = [];
  readonly paths = new Set<string>();

  constructor(
    at: Visitor,
    site: Site,
    { assetBytes, goesBack }: { readonly assetBytes: number; readonly goesBack: boolean },
  ) {
    this.#at = at;
    this.#site = site;
    this.#assetBytes = assetBytes;
    this.#goesBack = goesBack;
  }

  async look(state: string): Promise<void> {
    const { page } = this.#at;
    const shown = await this.#read();
    const rows = await this.#rows();
    this.states.push(state);
    this.paths.add(new URL(page.url()).pathname);
    const compare = async (how: string, seen: Shown, isSameLanguage = true): Promise<void> => {
      const parts = (one: Shown): unknown =>
        isSameLanguage ? one : { ...one, texts: one.texts.length, fields: one.fields.map(untranslated) };
      try {
        assert.deepEqual(parts(seen), parts(shown));
      } catch (error) {
        this.faults.push(`${state}: ${how}: ${(error as Error).message}`);
      }
    };
    const isLeaving = await this.#at.isLeaving(); // its navigation can abort a reload
    const reply = await (isLeaving ? page.goto(page.url()) : page.reload());
    await compare('reload', await this.#read());
    const bytes = gzipped((await reply?.body()) ?? '') + this.#assetBytes;
    const most = shown.address.startsWith('/sign-in ') ? maxSignInBytes : maxPageBytes;
    if (bytes > most) this.faults.push(`${state}: ${bytes} bytes`);
    if (this.#at.hasScripts) {
      const shifts = await page.evaluate<string[]>('shifts');
      this.faults.push(...shifts.map((one) => `${state}: the layout shifts: ${one}`));
    }

    if (!isLeaving) {
      if (this.#goesBack) {
        await page.goBack();
        await page.goForward();
        await compare('Back and Forward', await this.#read());
      }
      // Neither language nor scripts make a difference to the other; a check in one of the two setups is enough.
      // A missing page has no address of ours, to which the choice of a language could return.
      if (!this.#at.hasScripts && state !== 'not found') {
        await this.#at.chooseLanguage('fr');
        await compare('in French', await this.#read(), false);
        await this.#at.chooseLanguage('en');
        await compare('in English again', await this.#read());
      }
    }
    if (this.#at.hasScripts) {
      this.#tab ??= await this.#at.tab();
      await this.#tab.goTo(this.#at.at);
      await compare('another tab', await this.#tab.page.evaluate<Shown>(readPage));
    }

    try {
      assert.deepEqual(await this.#rows(), rows);
    } catch (error) {
      this.faults.push(`${state}: changes the database: ${(error as Error).message}`);
    }
  }

  #read(): Promise<Shown> {
    return this.#at.page.evaluate<Shown>(readPage);
  }

  /** All rows, without the language of the account. */
  async #rows(): Promise<Record<string, readonly string[]>> {
    const rows = await everyRowOf(this.#site.service.core.database);
    const users = rows['users']?.map((row) => row.replace(/"language":("\w+"|null)/, '')) ?? [];
    return { ...rows, users };
  }
}

const ways: readonly (Sitting & { readonly way: string })[] = [
  { way: 'on a phone', viewport: { width: 390, height: 844 }, hasTouch: true, hasDevice: true },
  { way: 'on a desk without scripts', viewport: { width: 1280, height: 900 }, javaScriptEnabled: false },
];

/**
 * Declares the tests.
 * @param goesBackWithoutScripts Whether Back and Forward are pressed also where no scripts run.
 */
export function declareWalk({ goesBackWithoutScripts }: { readonly goesBackWithoutScripts: boolean }): void {
  describe('the pages of every flow', { concurrency: 2 }, () => {
    const venue = new Venue();
    before(() => venue.open());
    after(() => venue.close());

    for (const { way, ...sitting } of ways)
      test(
        `are the same again however a user leaves and finds them, ${way}`,
        venue.story(async (chromium) => {
          const site = await Site.open(tourEnvironment);
          const strict = await Site.open({ SECOND_FACTOR: 'required' });
          const assetBytes = await weighAssets(site);
          const paths = new Set<string>();
          const visit = async (
            at: Site,
            go: (visitor: Visitor, look: (state: string) => Promise<void>) => Promise<void>,
          ): Promise<void> => {
            const visitor = await Visitor.sitDown(chromium, at, sitting);
            if (visitor.hasScripts) await visitor.context.addInitScript(watchShifts);
            const goesBack = visitor.hasScripts || goesBackWithoutScripts;
            const revisitor = new Revisitor(visitor, at, { assetBytes, goesBack });
            await go(visitor, (state) => revisitor.look(state)).catch((error: unknown) => {
              revisitor.faults.push(`after ${revisitor.states.at(-1)}: ${String((error as Error).stack)}`);
            });
            for (const path of revisitor.paths) paths.add(path);
            assert.deepEqual(revisitor.faults, []);
            assert.equal(new Set(revisitor.states).size, revisitor.states.length, 'each state has its name');
            await visitor.leave();
          };
          try {
            await visit(site, (visitor, look) => new Tour(visitor, site, look).go());
            await visit(strict, tourOfSetUp);
            const missed = site.service.routes
              .filter(({ method, isPage, isRefusal }) => method === 'GET' && isPage && !isRefusal)
              .map(({ url }) => url)
              .filter((url) => !noPage.test(url) && ![...paths].some((path) => isOf(url, path)))
              .filter((url) => hasFeature('totp') || !behindApp.test(url))
              // Passkeys need scripts.
              .filter((url) => sitting.hasDevice === true || !url.startsWith('/account/passkeys/remove'));
            assert.deepEqual(missed, [], 'every page is on the way');
          } finally {
            await site.close();
            await strict.close();
          }
        }),
      );

    /** Bytes of what every page loads. */
    async function weighAssets(site: Site): Promise<number> {
      const text = await (await fetch(`${site.origin}/sign-in`, { headers: { accept: 'text/html' } })).text();
      const assets = [...text.matchAll(/<(?:link|script)[^>]+(?:href|src)="(\/[^"]+)"/g)].map(
        ([, path = '']) => path,
      );
      assert.ok(assets.length >= 3, String(assets));
      const weights = await Promise.all(
        assets.map(async (path) => {
          const bytes = gzipped(Buffer.from(await (await fetch(`${site.origin}${path}`)).arrayBuffer()));
          if (path.includes('.js')) assert.ok(bytes < maxScriptBytes, `${path}: ${bytes}`);
          return bytes;
        }),
      );
      return weights.reduce((sum, one) => sum + one, 0);
    }
  });
}
