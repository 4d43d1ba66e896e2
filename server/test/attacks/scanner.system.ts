// Mail scanners that run the scripts of a page in a browser: see scanner.test.ts.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Browser as Chromium, Page } from 'playwright-core';
import { openBrowser } from '../support/chromium.ts';
import { openScanStage, type Mailed, type ScanStage } from './scan-stage.ts';

/** How long a scanner's browser stays on the page, in milliseconds, for anything that the page may do by itself. */
const stayMs = 1000;

describe('a link that browsers of scanners have opened', () => {
  let stage: ScanStage;
  let origin: string;
  let chromium: Chromium | undefined;
  let whyNone = '';

  before(async () => {
    stage = await openScanStage();
    origin = await stage.service.service.app.listen({ host: '127.0.0.1', port: 0 });
    chromium = await openBrowser().catch((error: unknown) => {
      whyNone = `no browser runs here: ${String(error)}`;
      return undefined;
    });
  });
  after(async () => {
    await chromium?.close();
    await stage.service.close();
  });

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
      dialog.dismiss().catch(() => {}); // its page may have closed
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

  test('stays valid after they ran the scripts of its page, which sends no requests, of each kind', async (t) => {
    const browser = chromium;
    if (browser === undefined) return t.skip(whyNone);
    const mails: Mailed[] = [];
    for (const [, mail] of stage.mailed) mails.push(await mail());
    await stage.assertInert(() => Promise.all(mails.map(({ path }) => scanByBrowser(browser, path))));
    for (const { use } of mails) await use();
  });
});
