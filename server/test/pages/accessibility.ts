// Every page in every state, as used by people with low vision, without a mouse, in a right-to-left script, or on a
// small screen: WCAG 2.2 A and AA as far as a program can check, and the best practices of axe. `accessibility.system.ts` runs
// axe in French in the first state of each page, and in dark mode wherever an element is of a kind that it has not seen.
// `accessibility.long.ts` runs it in every state.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Environment } from '../../src/config/read-options.ts';
import { useAxe } from '../support/axe.ts';
import { hasFeature } from '../support/feature.ts';
import { freshEmail } from '../support/person.ts';
import { goodPassword, Site, Venue, Visitor, type Sitting } from '../support/visitor.ts';
import { Tour, tourEnvironment, tourOfSetUp } from './tour.ts';

/** The narrowest screen that a page must fit without horizontal scrolling (WCAG 2.2 §1.4.10). */
const narrow = { width: 320, height: 640 };
const standards = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Runs in a page: returns its faults, as sentences. Without standards it runs no axe. */
const lookOver = `(async (standards, direction) => {
  document.documentElement.dir = direction;
  const faults = [];
  const report = ({ violations }, where) => {
    for (const { id, nodes } of violations)
      for (const { html, failureSummary } of nodes) faults.push(where + ' ' + id + ': ' + html + ' ' + failureSummary);
  };
  if (standards.length > 0)
    report(await axe.run(document, { runOnly: standards, resultTypes: ['violations'] }), 'axe');
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  for (const input of document.querySelectorAll('input:not([type=hidden]):not([hidden])'))
    if (input.labels.length !== 1) faults.push('no label of its own: ' + input.outerHTML);
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push('two of the id ' + id);
  for (const one of document.querySelectorAll('[aria-describedby]'))
    for (const id of one.getAttribute('aria-describedby').split(' '))
      if (!document.getElementById(id)) faults.push('described by nothing: ' + id);
  // The browser moves the focus when it first draws the page.
  for (let frames = 0; frames < 2; frames += 1) await new Promise(requestAnimationFrame);
  const notice = document.querySelector('main [autofocus]');
  const isRefused = new URLSearchParams(location.search).has('note');
  if (isRefused && (!notice || document.activeElement !== notice)) faults.push('the focus is not on what was refused');
  if (isRefused !== /^(Error|Erreur)/.test(document.title)) faults.push('title: ' + document.title);
  const shut = document.querySelectorAll('details:not([open])');
  for (const box of shut) box.open = true;
  for (const direction of ['rtl', 'ltr']) {
    document.documentElement.dir = direction;
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) faults.push(direction + ' scrolls sideways: ' + scrollWidth);
    for (const one of document.body.querySelectorAll(':not(.skip)')) {
      const { left, right, width } = one.getBoundingClientRect();
      if (width > 0 && (left < -0.5 || right > clientWidth + 0.5)) faults.push(direction + ' is outside: ' + one.outerHTML.slice(0, 200));
      if (one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0 && getComputedStyle(one).display !== 'inline' && one.tagName !== 'INPUT')
        faults.push(direction + ' runs over: ' + one.outerHTML.slice(0, 200));
      const { transitionDuration, animationName } = getComputedStyle(one);
      if (transitionDuration !== '0s' || animationName !== 'none') faults.push('moves: ' + one.outerHTML.slice(0, 200));
    }
  }
  document.documentElement.dir = 'ltr';
  // With the letter spacing of readers (WCAG 2.2 §1.4.12), which a wide font needs too.
  for (const one of document.querySelectorAll('main button')) {
    const words = document.createRange();
    one.style.letterSpacing = '0.12em';
    for (const part of one.childNodes)
      for (const { index, 0: word } of part.nodeType === 3 ? part.data.matchAll(/\\p{L}+/gu) : []) {
        words.setStart(part, index);
        words.setEnd(part, index + word.length);
        const rows = new Set([...words.getClientRects()].map(({ top }) => Math.round(top)));
        if (rows.size > 1) faults.push('a word is broken: ' + word + ' in ' + one.outerHTML.slice(0, 200));
      }
    one.style.letterSpacing = '';
  }
  for (const one of document.querySelectorAll('a, button, summary, .choice')) {
    const { width, height } = one.getBoundingClientRect();
    const isInText = one.matches('a') && one.parentElement.matches('p, li, h2') && one.parentElement.textContent.trim() !== one.textContent.trim();
    if (width > 0 && height < 43.5 && !isInText && !one.matches('.skip, pre a')) faults.push('small target: ' + height + ' ' + one.outerHTML.slice(0, 200));
  }
  document.documentElement.style.fontSize = '200%';
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) {
    const wide = [...document.body.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5);
    faults.push('large text scrolls sideways: ' + wide.at(-1)?.outerHTML.slice(0, 200));
  }
  for (const one of document.querySelectorAll('main :is(h1, h2, p, a, button, label, strong, small, span, time)')) {
    const { width, height } = one.getBoundingClientRect();
    if (width > 0 && width < 96 && height > 192) faults.push('large text has no room: ' + one.outerHTML.slice(0, 200));
  }
  document.documentElement.style.fontSize = '';
  for (const box of shut) box.open = false;
  return faults;
})`;
/**
 * Runs in a page: returns the kind of each visible element, on which its colors depend: the names, classes and ARIA
 * attributes of the element and of all that it is in.
 */
const readKinds = `(() => {
  const isOn = ({ name, value }) => name.startsWith('aria-') && value !== 'false';
  const step = (one) => [one.localName, ...one.classList, ...[...one.attributes].filter(isOn).map(({ name }) => name)].join('.');
  const kind = (one) => (one === document.body ? '' : kind(one.parentElement) + ' > ' + step(one));
  return [...document.body.querySelectorAll('*')].filter((one) => one.checkVisibility()).map(kind);
})()`;
/** Runs in a page in dark mode: returns text that cannot be read. */
const lookInTheDark = `axe.run(document, { runOnly: { type: 'rule', values: ['color-contrast'] }, resultTypes: ['violations'] })
  .then(({ violations }) => violations.flatMap(({ nodes }) => nodes.map(({ html, failureSummary }) => 'dark ' + html + failureSummary)))`;

/** Declares the tests. @param inEveryState Whether axe runs in every state in French and in dark mode too. */
export function declareAccessibility({ inEveryState }: { readonly inEveryState: boolean }): void {
  describe('the accessibility of the pages', { concurrency: 2 }, () => {
    const venue = new Venue();
    before(() => venue.open());
    after(() => venue.close());
    const addAxe = useAxe();

    /** Faults of a walk, and the number of states that it saw. */
    class Inspector {
      readonly at: Visitor;
      readonly faults: string[] = [];
      readonly seen: string[] = [];
      /** Pages that axe has seen in French. */
      readonly #seenInFrench = new Set<string>();
      /** Kinds of elements that axe has seen in dark mode. */
      readonly #seenInTheDark = new Set<string>();

      constructor(at: Visitor) {
        this.at = at;
      }

      /** Checks the current page, also in French: there the words are longer. */
      async look(state: string): Promise<void> {
        if (state === 'theme') return; // a tool of developers, whose frames hold the other pages
        await this.#lookIn(state, standards);
        const { page } = this.at;
        if (await this.at.isLeaving()) return;
        const kinds = await page.evaluate<string[]>(readKinds);
        if (inEveryState || kinds.some((kind) => !this.#seenInTheDark.has(kind))) {
          for (const kind of kinds) this.#seenInTheDark.add(kind);
          await page.emulateMedia({ colorScheme: 'dark' });
          const dark = await page.evaluate<string[]>(lookInTheDark);
          await page.emulateMedia({ colorScheme: 'light' });
          this.faults.push(...dark.map((fault) => `${state}: ${fault}`));
        }
        await this.at.chooseLanguage('fr');
        const { pathname } = new URL(page.url());
        const isNew = inEveryState || !this.#seenInFrench.has(pathname);
        this.#seenInFrench.add(pathname);
        await this.#lookIn(`${state}, in French, right to left`, isNew ? standards : [], 'rtl');
        await this.at.chooseLanguage('en');
      }

      async #lookIn(
        state: string,
        rules: readonly string[],
        direction: 'ltr' | 'rtl' = 'ltr',
      ): Promise<void> {
        const { page } = this.at;
        if (rules.length > 0) await addAxe(this.at);
        const faults = await page.evaluate<string[]>(
          `${lookOver}(${JSON.stringify([rules, direction]).slice(1, -1)})`,
        );
        this.seen.push(state);
        this.faults.push(...faults.map((fault) => `${state}: ${fault}`));
      }
    }

    function walk(
      title: string,
      { environment, ...sitting }: Sitting & { environment: Environment },
      go: (inspector: Inspector, site: Site) => Promise<void>,
    ): void {
      test(
        title,
        venue.story(async (chromium) => {
          const site = await Site.open(environment);
          // The policy of the page forbids axe.
          const at = await Visitor.sitDown(chromium, site, { viewport: narrow, bypassCSP: true, ...sitting });
          try {
            const inspector = new Inspector(at);
            await go(inspector, site);
            assert.deepEqual(inspector.faults, []);
            assert.ok(inspector.seen.length > 0);
            assert.deepEqual(at.faults, []);
          } finally {
            await at.context.close();
            await site.close();
          }
        }),
      );
    }

    walk(
      'finds no fault in any page, in any state and both languages',
      { environment: tourEnvironment, hasDevice: true, hasTouch: true },
      (inspector, site) => new Tour(inspector.at, site, (state) => inspector.look(state)).go(),
    );

    walk(
      'finds no fault in the pages where a second factor must be enrolled',
      { environment: { SECOND_FACTOR: 'required' }, hasTouch: true },
      (inspector) => tourOfSetUp(inspector.at, (state) => inspector.look(state)),
    );

    walk(
      'signs in, uses the account and signs out with the keyboard alone, and the focus is always visible',
      { environment: {}, viewport: { width: 1280, height: 900 } },
      async ({ at, seen }) => {
        const { keyboard } = at.page;
        const focused = (): Promise<{ text: string; outline: number; isSeen: boolean }> =>
          at.page.evaluate(`(() => {
            const one = document.activeElement;
            const { top, bottom, width } = one.getBoundingClientRect();
            const { outlineStyle, outlineWidth } = getComputedStyle(one);
            return {
              text: (one.name || one.textContent).trim().replaceAll(/\\s+/g, ' '),
              outline: outlineStyle === 'none' ? 0 : Number.parseFloat(outlineWidth),
              isSeen: width > 0 && bottom > 0 && top < innerHeight,
            };
          })()`);
        /** Presses Tab until the element is reached; each stop on the way must be visible. */
        const tabTo = async (text: string): Promise<string[]> => {
          const stops: string[] = [];
          for (let steps = 0; steps < 30; steps += 1) {
            await keyboard.press('Tab');
            const stop = await focused();
            stops.push(stop.text);
            assert.ok(stop.isSeen && stop.outline >= 2, `${stop.text} is not seen to have the focus`);
            if (stop.text.startsWith(text)) return stops;
          }
          return assert.fail(`${text} is not reached: ${stops.join(', ')}`);
        };
        const enter = async (): Promise<void> => {
          await Promise.all([at.page.waitForEvent('load'), keyboard.press('Enter')]);
        };
        const email = freshEmail();
        await at.signUp(email);
        await at.goTo('/sign-out');
        await at.press('page.sign_out.act');

        await at.goTo('/sign-in');
        const order = await tabTo('Create an account');
        assert.deepEqual(order, [
          'Skip to the content',
          'Bienvenue',
          'email',
          'Forgot password?',
          'Show',
          'password',
          'stay',
          ...(hasFeature('passkey') ? ['Sign in Last used', 'Passkey'] : ['Sign in']),
          'Create an account',
        ]);
        await at.goTo('/sign-in');
        await tabTo('email');
        await keyboard.type(email);
        await tabTo('password');
        await keyboard.type(goodPassword);
        await keyboard.press('Shift+Tab');
        await keyboard.press('Space');
        assert.equal(await at.page.getAttribute('#password', 'type'), 'text');
        assert.equal((await focused()).text, 'Show', 'the focus stays');
        await tabTo('password');
        await enter();
        await at.sees('page.account.title');
        await tabTo('Skip');
        await keyboard.press('Enter');
        const section = hasFeature('email-change') ? 'Email' : 'Password';
        const [first = ''] = await tabTo(section);
        assert.doesNotMatch(first, /Skip|Bienvenue/, 'past the content above');
        if (section !== 'Password') await tabTo('Password');
        await enter();
        await at.sees('page.password.title');
        await tabTo('password');
        await keyboard.type('wrong');
        await tabTo('new_password');
        await keyboard.type(goodPassword);
        await enter();
        await at.reads('page.problem.password_wrong');
        await at.goTo('/account/password');
        await tabTo('Overview');
        await enter();
        await tabTo('Sign out');
        await enter();
        await at.reads('page.sign_out.done');
        await at.goTo('/sign-in');
        await at.type({ email: 'nobody', password: 'x' });
        await tabTo('Sign in');
        await enter();
        // The script moves the focus shortly after the page has loaded: a fault takes the user to its field.
        await at.page.waitForFunction("document.activeElement?.getAttribute('name') === 'email'");
        seen.push('by keys');
      },
    );
  });
}
