// Every page in every state, as used by people with low vision, without a mouse, in a right-to-left script, or on a
// small screen: WCAG 2.2 A and AA as far as a program can check, and the best practices of axe.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import axe from 'axe-core';
import { minuteMs } from '../../src/kit/clock.ts';
import type { MessageValues } from '../../src/kit/language.ts';
import { hasFeature } from '../support/feature.ts';
import { freshEmail } from '../support/person.ts';
import { asPublic, goodPassword, Site, Venue, Visitor, type Sitting } from '../support/visitor.ts';

/** The narrowest screen that a page must fit without horizontal scrolling (WCAG 2.2 §1.4.10). */
const narrow = { width: 320, height: 640 };
const standards = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Runs in a page: returns its faults, as sentences. */
const lookOver = `(async (standards) => {
  const faults = [];
  const report = ({ violations }, where) => {
    for (const { id, nodes } of violations)
      for (const { html, failureSummary } of nodes) faults.push(where + ' ' + id + ': ' + html + ' ' + failureSummary);
  };
  report(await axe.run(document, { runOnly: standards, resultTypes: ['violations'] }), 'axe');
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  for (const input of document.querySelectorAll('input:not([type=hidden]):not([hidden])'))
    if (input.labels.length !== 1) faults.push('no label of its own: ' + input.outerHTML);
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push('two of the id ' + id);
  for (const one of document.querySelectorAll('[aria-describedby]'))
    for (const id of one.getAttribute('aria-describedby').split(' '))
      if (!document.getElementById(id)) faults.push('described by nothing: ' + id);
  const shut = document.querySelectorAll('details:not([open])');
  for (const box of shut) box.open = true;
  for (const direction of ['ltr', 'rtl']) {
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
  for (const box of shut) box.open = false;
  return faults;
})`;
/** Runs in a page in dark mode: returns text that cannot be read. */
const lookInTheDark = `axe.run(document, { runOnly: { type: 'rule', values: ['color-contrast'] }, resultTypes: ['violations'] })
  .then(({ violations }) => violations.flatMap(({ nodes }) => nodes.map(({ html, failureSummary }) => 'dark ' + html + failureSummary)))`;

/** States that a walk shows: some in any project, and some with features, whose names are separated by a space. */
type States = Readonly<Record<string, number>> & { readonly always: number };

function countStates({ always, ...ofFeatures }: States): number {
  return Object.entries(ofFeatures)
    .filter(([features]) => features.split(' ').every(hasFeature))
    .reduce((sum, [, count]) => sum + count, always);
}

describe('the accessibility of the pages', { concurrency: 2 }, () => {
  const venue = new Venue();
  before(() => venue.open());
  after(() => venue.close());

  /** Faults of a walk, and the number of states that it saw. */
  class Inspector {
    readonly at: Visitor;
    readonly faults: string[] = [];
    readonly seen: string[] = [];

    constructor(at: Visitor) {
      this.at = at;
    }

    /** Checks the current page. */
    async look(state: string): Promise<void> {
      const { page } = this.at;
      await page.evaluate(axe.source);
      const light = await page.evaluate<string[]>(`${lookOver}(${JSON.stringify(standards)})`);
      await page.emulateMedia({ colorScheme: 'dark' });
      const dark = await page.evaluate<string[]>(lookInTheDark);
      await page.emulateMedia({ colorScheme: 'light' });
      this.seen.push(state);
      this.faults.push(...[...light, ...dark].map((fault) => `${state}: ${fault}`));
    }

    async go(path: string, state: string = path): Promise<void> {
      await this.at.goTo(path);
      await this.look(state);
    }

    async press(key: string, state: string, values: MessageValues = {}): Promise<void> {
      await this.at.press(key, values);
      await this.look(state);
    }

    async enterCode(name: string, code: string, key: string, state: string): Promise<void> {
      await this.at.enterCode(name, code, key);
      await this.look(state);
    }
  }

  /** Adds an authenticator app, and checks each state on the way. Returns the seed of the app. */
  async function addApp(inspector: Inspector, site: Site): Promise<string> {
    const { at } = inspector;
    await inspector.go('/account/authenticators', 'no apps');
    await inspector.press('page.totp.add', 'seed');
    const secret = await at.seed();
    await inspector.enterCode('code', '000000', 'page.totp.confirm', 'seed, wrong code');
    await inspector.enterCode('code', site.nextCode(secret), 'page.totp.confirm', 'apps');
    await inspector.press('page.totp.remove_one', 'app, to be removed', {
      name: at.say('page.totp.usual_name'),
    });
    return secret;
  }

  function walk(
    title: string,
    { environment, ...sitting }: Sitting & { environment: Readonly<Record<string, string>> },
    go: (inspector: Inspector, site: Site) => Promise<void>,
    states: States,
  ): void {
    test(
      title,
      venue.story(async (chromium) => {
        const site = await Site.open(environment);
        // axe is injected into the page past its policy.
        const at = await Visitor.sitDown(chromium, site, { viewport: narrow, bypassCSP: true, ...sitting });
        try {
          const inspector = new Inspector(at);
          await go(inspector, site);
          assert.deepEqual(inspector.faults, []);
          assert.equal(new Set(inspector.seen).size, countStates(states), 'as many states as there are');
          assert.deepEqual(at.faults, []);
        } finally {
          await at.context.close();
          await site.close();
        }
      }),
    );
  }

  const linked = {
    ...asPublic,
    TERMS_URL: 'https://example.org/terms',
    PRIVACY_URL: 'https://example.org/privacy',
    SUPPORT_URL: 'mailto:help@example.org',
  };

  walk(
    'finds no fault in any page outside an account, also after a rejection',
    { environment: linked },
    async (inspector, site) => {
      const { at } = inspector;
      const email = freshEmail();
      await inspector.go('/', 'welcome');
      await inspector.go('/nothing', 'not found');
      await inspector.go('/sign-in', 'sign in');
      await at.type({ email, password: 'x' });
      await inspector.press('page.sign_in.act', 'sign in, refused');
      if (hasFeature('email-sign-in')) {
        await at.type({ email });
        await inspector.press('page.sign_in.by_mail', 'code to sign in');
        await inspector.enterCode('token', 'AAAA-AAAA', 'page.code.sign_in_act', 'code to sign in, refused');
      }
      await inspector.go('/sign-up', 'sign up');
      await at.type({ email, password: 'aaaaaaaaaaaaaaaa' });
      await at.page.locator('#password').blur();
      await at.page.getByText(at.say('page.fault.guessable')).waitFor();
      await inspector.look('sign up, warned as it is typed');
      await inspector.press('page.sign_up.act', 'sign up, refused');
      await at.type({ password: goodPassword });
      await inspector.press('page.sign_up.act', 'code to confirm');
      if (hasFeature('mailbox')) await inspector.go('/dev/mailbox', 'mailbox');
      const link = await site.linkTo(email);
      await inspector.go(link, 'confirm');
      await inspector.press('page.confirm.act', 'sign in, confirmed');
      await at.goTo(link);
      await inspector.press('page.confirm.act', 'link, refused');
      await inspector.go('/confirm?email=x%40example.org&token=x', 'link, incomplete');
      await inspector.go('/confirm/again', 'confirm again');
      await inspector.go('/forgot', 'forgot');
      await at.type({ email });
      site.service.clock.advance(2 * minuteMs);
      await inspector.press('page.forgot.act', 'code to reset');
      await at.type({ token: 'AAAA-AAAA', new_password: goodPassword });
      await inspector.press('page.code.reset_act', 'code to reset, refused');
      await inspector.go(await site.linkTo(email), 'reset');
      await at.type({ new_password: 'aaaaaaaaaaaaaaaa' });
      await inspector.press('page.reset.act', 'reset, refused');
      const token = new URL(link, site.origin).searchParams.get('token') ?? '';
      const open = (path: string): Promise<void> =>
        inspector.go(`${path}?email=x%40example.org&token=${token}`, path);
      if (hasFeature('email-sign-in')) await open('/sign-in/link');
      if (hasFeature('email-change'))
        for (const path of ['/account/email', '/account/email/undo']) await open(path);
      if (hasFeature('account-deletion')) {
        await open('/account/delete/undo');
        await inspector.press('page.deletion_undo.act', 'undo, refused');
      }
    },
    { always: 18, 'email-sign-in': 3, mailbox: 1, 'email-change': 2, 'account-deletion': 2 },
  );

  walk(
    'finds no fault in any page of an account, also after a rejection',
    { environment: linked, hasDevice: true },
    async (inspector, site) => {
      const { at } = inspector;
      const email = freshEmail();
      await at.join(email);
      await inspector.look('account');
      for (const name of ['password', 'sessions']) await inspector.go(`/account/${name}`);
      for (const [feature, name] of Object.entries({
        'email-change': 'address',
        activity: 'activity',
        'data-export': 'data',
        'recovery-code': 'recovery-codes',
      }))
        if (hasFeature(feature)) await inspector.go(`/account/${name}`);
      if (hasFeature('passkey')) await inspector.go('/account/passkeys', 'no passkeys');
      await inspector.go('/sign-out');
      await at.goTo('/account/password');
      await at.type({ password: 'wrong', new_password: goodPassword });
      await inspector.press('page.password.act', 'password, refused');
      if (hasFeature('email-change')) {
        await at.goTo('/account/address');
        await at.type({ email, password: goodPassword });
        await inspector.press('page.address.act', 'address, refused');
      }
      if (hasFeature('passkey')) {
        await at.goTo('/account/passkeys');
        await inspector.press('page.passkeys.add_sign_in', 'passkeys');
      }
      const secret = hasFeature('totp') ? await addApp(inspector, site) : undefined;
      if (hasFeature('recovery-code')) {
        await at.goTo('/account/recovery-codes');
        await inspector.press('page.recovery_codes.act', 'recovery codes');
      }
      site.service.clock.advance(11 * minuteMs);
      await inspector.go(hasFeature('totp') ? '/account/authenticators' : '/account/passkeys', 'step-up');
      await at.context.clearCookies();
      await at.signIn(email);
      await inspector.look('second factor');
      if (secret !== undefined) {
        // The passkey is asked for first.
        if (hasFeature('passkey')) await at.page.getByText(at.say('page.factor.totp_ask')).click();
        await inspector.enterCode('proof', '000000', 'page.factor.totp_act', 'second factor, refused');
        await at.type({ proof: site.nextCode(secret) });
      }
      if (hasFeature('remembered-device'))
        await at.page.locator('input[name=remember_device]:visible').check();
      await at.press(secret === undefined ? 'page.factor.passkey_act' : 'page.factor.totp_act');
      if (hasFeature('remembered-device'))
        await inspector.go('/account/sessions', 'sessions, a device remembered');
      if (hasFeature('data-export') && hasFeature('account-deletion')) {
        await at.goTo('/account/data');
        await at.page.locator('input[name=sure]').check();
        await inspector.press('page.data.close_act', 'closed');
      }
    },
    {
      always: 7,
      'email-change': 2,
      activity: 1,
      'data-export': 1,
      'recovery-code': 2,
      passkey: 2,
      totp: 5,
      'remembered-device': 1,
      'data-export account-deletion': 1,
    },
  );

  walk(
    'finds no fault in the page where a second factor must be enrolled',
    { environment: { SECOND_FACTOR: 'required' } },
    async (inspector) => {
      await inspector.at.signUp(freshEmail());
      await inspector.look('set up');
    },
    { always: 1 },
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
        'Sign in',
        ...(hasFeature('passkey') ? ['Passkey'] : []),
        'Create an account',
      ]);
      await at.goTo('/sign-in');
      await tabTo('email');
      await keyboard.type(email);
      await keyboard.press('Tab');
      await keyboard.type(goodPassword);
      await keyboard.press('Tab');
      await keyboard.press('Space');
      assert.equal(await at.page.getAttribute('#password', 'type'), 'text');
      assert.equal((await focused()).text, 'password', 'the focus is in the field that is shown now');
      await enter();
      await at.sees('page.account.title');
      await tabTo('Skip');
      await keyboard.press('Enter');
      const section = hasFeature('email-change') ? 'E-mail address' : 'Password';
      const [first = ''] = await tabTo(section);
      assert.ok(first.startsWith(section), 'past the content above');
      if (section !== 'Password') await tabTo('Password');
      await enter();
      await at.sees('page.password.title');
      await tabTo('password');
      await keyboard.type('wrong');
      await tabTo('new_password');
      await keyboard.type(goodPassword);
      await enter();
      await at.reads('page.problem.password_wrong');
      await tabTo('Back to your account');
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
    { always: 1 },
  );
});
