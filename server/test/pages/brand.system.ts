// Brand colors as people see them: in a real browser, every text and every edge of a button is measured, light and dark,
// on pages and in emails. And what a logo that is opened as a page may do.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { useAxe } from '../support/axe.ts';
import { freshEmail } from '../support/person.ts';
import { goodPassword, Site, Venue, Visitor } from '../support/visitor.ts';

const brands = {
  default: '#1a56c4',
  yellow: '#ffd400',
  black: '#000000',
  orange: '#ff7a00',
  teal: '#008080',
  white: '#ffffff',
};
const schemes = ['light', 'dark'] as const;

/** Runs in a page: texts below 4.5:1 that axe finds, and buttons whose fill and edge are both below 3:1. */
const measure = `(async () => {
  const { violations, passes } = await axe.run(document, { runOnly: { type: 'rule', values: ['color-contrast'] } });
  const faults = violations.flatMap(({ nodes }) => nodes.map(({ html, failureSummary }) => html + failureSummary));
  const luminance = (color) => {
    const canvas = document.createElement('canvas').getContext('2d');
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((byte) => {
      const value = byte / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const groundOf = (one) => {
    const color = getComputedStyle(one).backgroundColor;
    return color === 'rgba(0, 0, 0, 0)' && one.parentElement ? groundOf(one.parentElement) : color;
  };
  let buttons = 0;
  for (const one of document.querySelectorAll('button, .button, .act, input:not([type=hidden])')) {
    const { borderTopColor: edge, borderTopWidth: width } = getComputedStyle(one);
    if (one.getClientRects().length === 0 || width === '0px') continue;
    buttons += 1;
    const best = contrast(edge, groundOf(one.parentElement));
    if (best < 2.995) faults.push(one.outerHTML.slice(0, 200) + ' has an edge of ' + best.toFixed(2));
  }
  return { faults, buttons, texts: passes.flatMap(({ nodes }) => nodes).length };
})()`;

interface Measured {
  readonly faults: readonly string[];
  readonly buttons: number;
  readonly texts: number;
}

describe('a brand color', { concurrency: 2 }, () => {
  const venue = new Venue();
  before(() => venue.open());
  after(() => venue.close());
  const addAxe = useAxe();
  const folder = mkdtempSync(join(tmpdir(), 'bienvenue-brand-'));
  after(() => rmSync(folder, { recursive: true }));

  for (const [name, color] of Object.entries(brands)) {
    test(
      `${name}: each text has 4.5:1 and each edge 3:1, on pages and in emails`,
      venue.story(async (chromium) => {
        const site = await Site.open({ PRODUCT_COLOR: color });
        const at = await Visitor.sitDown(chromium, site, { bypassCSP: true });
        const faults: string[] = [];
        let states = 0;
        const look = async (state: string, minButtons: number): Promise<void> => {
          await addAxe(at);
          for (const scheme of schemes) {
            await at.page.emulateMedia({ colorScheme: scheme });
            const measured = await at.page.evaluate<Measured>(measure);
            faults.push(...measured.faults.map((fault) => `${state}, ${scheme}: ${fault}`));
            assert.ok(measured.texts > 2 && measured.buttons >= minButtons, `${state} was measured`);
            states += 1;
          }
        };
        try {
          for (const path of ['/', '/sign-in', '/sign-up', '/forgot']) {
            await at.goTo(path);
            await look(path, 2);
          }
          const email = freshEmail();
          await at.goTo('/sign-in');
          await at.type({ email, password: 'eight herons' });
          await at.press('page.sign_in.act');
          await look('a refused sign-in', 3);
          await site.service.core.auth.registerUser(email, goodPassword);
          await at.goTo('/sign-in');
          await at.type({ email, password: goodPassword });
          await at.press('page.sign_in.act');
          await at.goTo('/account');
          await look('/account', 0);
          for (const path of ['/account/password', '/account/sessions']) {
            await at.goTo(path);
            await look(path, path.endsWith('password') ? 1 : 0);
          }
          const mails = site.service.core.mail;
          // All mails have the same styles: each is measured in one color, and some in every color.
          for (const kind of color === brands.yellow ? mails.kinds : mails.kinds.slice(0, 3)) {
            await at.page.setContent(mails.composeExample(kind, 'en')?.html ?? assert.fail(kind));
            await look(`mail ${kind}`, 0);
          }
          assert.ok(states >= 22, `${states} states`);
          assert.deepEqual(faults, []);
        } finally {
          await at.context.close();
          await site.close();
        }
      }),
    );
  }

  test(
    'a logo, an icon and a theme are shown, and an SVG file that is opened as a page runs no script',
    venue.story(async (chromium) => {
      const evil = `<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30" onload="document.title='ran'">
        <style>rect { fill: red }</style><rect width="90" height="30"/><script>document.title = 'ran'</script></svg>`;
      const logo = join(folder, 'logo.svg');
      writeFileSync(logo, evil);
      const theme = join(folder, 'theme');
      mkdirSync(theme);
      writeFileSync(join(theme, 'back.svg'), evil);
      writeFileSync(
        join(theme, 'theme.css'),
        'body { background-image: url(back.svg) } h1 { color: rgb(1, 2, 3) }',
      );
      const site = await Site.open({
        PRODUCT_LOGO: logo,
        PRODUCT_LOGO_DARK: logo,
        PRODUCT_LOGO_ALONE: 'true',
        PRODUCT_ICON: logo,
        PRODUCT_NAME: 'Nordlys',
        THEME_DIR: theme,
      });
      const at = await Visitor.sitDown(chromium, site);
      try {
        await at.goTo('/sign-in');
        const { page } = at;
        const ask = (expression: string): Promise<unknown> => page.evaluate<unknown>(expression);
        assert.equal(await page.getByRole('link', { name: 'Nordlys' }).count(), 1);
        assert.equal(await ask(`document.querySelector('.product img').naturalWidth`), 90);
        assert.equal(await ask(`getComputedStyle(document.querySelector('h1')).color`), 'rgb(1, 2, 3)');
        await page.emulateMedia({ colorScheme: 'dark' });
        await at.goTo('/sign-in');
        assert.match(
          String(await ask(`document.querySelector('.product img').currentSrc`)),
          /\/logo\/dark\?/,
        );
        assert.deepEqual(at.faults, []);
        for (const path of ['/logo', '/logo/dark', '/icon.svg', '/theme/back.svg']) {
          await at.goTo(path);
          assert.notEqual(await page.title(), 'ran', path);
          assert.equal(await page.evaluate<string>('document.documentElement.tagName'), 'svg', path);
        }
      } finally {
        await at.context.close();
        await site.close();
      }
    }),
  );
});
