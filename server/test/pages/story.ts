// Stories of users on the pages. Each runs in any browser: with scripts or without, in any language, on any screen.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { minuteMs } from '../../src/kit/clock.ts';
import type { Environment } from '../../src/config/read-options.ts';
import { hasFeature, lacks } from '../support/feature.ts';
import { freshEmail } from '../support/person.ts';
import { asPublic, goodPassword, Site, Visitor, type Sitting, type Venue } from '../support/visitor.ts';

/** The password of users who change theirs. */
export const otherPassword = 'ten toads behind a blue door';

interface Scene {
  readonly site: Site;
  /** Opens a user's own browser, which must have reported no faults when the story ends. */
  readonly visitor: (sitting?: Sitting) => Promise<Visitor>;
}

export interface Story {
  readonly title: string;
  readonly environment: Environment;
  /** Features without which it is skipped. */
  readonly features: readonly string[];
  readonly run: (scene: Scene, sitting: Sitting) => Promise<void>;
}

export function story(
  title: string,
  environment: Environment,
  run: Story['run'],
  ...features: readonly string[]
): Story {
  return { title, environment, features, run };
}

/** The test of a story, on a service of its own: each moves the clock as it needs. */
export function perform(
  venue: Venue,
  { environment, features, run }: Story,
  sitting: Sitting = {},
): (t: TestContext) => Promise<void> {
  const play = venue.story(async (chromium) => {
    const site = await Site.open(environment);
    const visitors: Visitor[] = [];
    const visitor: Scene['visitor'] = async (own) => {
      const one = await Visitor.sitDown(chromium, site, own);
      visitors.push(one);
      return one;
    };
    try {
      await run({ site, visitor }, sitting);
      for (const { faults } of visitors) assert.deepEqual(faults, []);
    } finally {
      for (const { context } of visitors) await context.close();
      await site.close();
    }
  });
  return async (t) => {
    if (!lacks(t, ...features)) await play(t);
  };
}

const phone = { width: 390, height: 844 };

/** Browser setups in which people use a page. */
export const ways: readonly (Sitting & { readonly way: string })[] = [
  { way: 'on a desk' },
  {
    way: 'on a phone, in French, without scripts',
    viewport: phone,
    locale: 'fr-FR',
    javaScriptEnabled: false,
  },
  { way: 'on a phone, in French', viewport: phone, locale: 'fr-FR' },
  { way: 'on a desk without scripts', javaScriptEnabled: false },
];

/** The name of the browser as the service shows it. */
async function deviceOf(at: Visitor): Promise<string> {
  return at.page.locator('.rows strong').first().innerText();
}

/** For each setup. */
export const stories: readonly Story[] = [
  story(
    'a user creates an account, signs out and in, and changes the password',
    {},
    async (scene, sitting) => {
      const email = freshEmail();
      const at = await scene.visitor(sitting);
      await at.goTo('/');
      await at.press('page.sign_up.title');
      await at.sees('page.sign_up.title');
      await at.type({ email: 'ada', password: 'x' });
      await at.press('page.sign_up.act');
      await at.reads('page.fault.no_email');
      assert.equal(await at.page.inputValue('#email'), 'ada', 'the typed values are kept');
      assert.equal(await at.page.inputValue('#password'), '', 'except the password');
      await at.type({ email, password: goodPassword });
      await at.press('page.sign_up.act');
      await at.reads('page.account.what', { email });
      await at.goTo('/');
      await at.sees('page.account.title');
      await at.goTo('/sign-up');
      await at.type({ email, password: goodPassword });
      await at.press('page.sign_up.act');
      await at.reads('page.problem.email_taken');

      await at.goTo('/account');
      await at.press('page.password.title');
      await at.type({ password: 'wrong', new_password: otherPassword });
      await at.press('page.password.act');
      await at.reads('page.problem.password_wrong');
      await at.type({ password: goodPassword, new_password: otherPassword });
      await at.press('page.password.act');
      await at.reads('page.password.done');
      await at.page.reload();
      assert.equal(at.at, '/account/password?done=changed', 'a reload sends nothing again');

      await at.goTo('/sign-out');
      await at.reads('page.sign_out.what', { email });
      await at.press('page.sign_out.act');
      await at.reads('page.sign_out.done');
      await at.type({ email, password: goodPassword });
      await at.press('page.sign_in.act');
      await at.reads('page.problem.invalid_credentials');
      assert.equal(await at.page.inputValue('#email'), email);
      await at.type({ password: otherPassword });
      await at.press('page.sign_in.act');
      await at.sees('page.account.title');
    },
  ),

  story('a user confirms the address with a link, and with a code', asPublic, async (scene, sitting) => {
    const { site } = scene;
    const at = await scene.visitor(sitting);
    const [byLink, byCode] = [freshEmail(), freshEmail()];
    await at.goTo('/sign-in?return_to=%2Faccount%2Fsessions');
    await at.press('page.sign_in.sign_up');
    await at.type({ email: byLink, password: goodPassword });
    await at.press('page.sign_up.act');
    await at.sees('page.code.title');
    await at.reads('page.code.verification', { email: byLink });

    const elsewhere = await scene.visitor(sitting);
    const link = await site.linkTo(byLink);
    await elsewhere.goTo(link);
    await elsewhere.reads('page.confirm.what', { email: byLink });
    await elsewhere.press('page.confirm.act');
    await elsewhere.reads('page.confirm.elsewhere', { email: byLink });
    await elsewhere.type({ password: 'wrong' });
    await elsewhere.press('page.confirm.act');
    await elsewhere.reads('page.problem.password_wrong');
    await elsewhere.type({ password: goodPassword });
    await elsewhere.press('page.confirm.act');
    await elsewhere.reads('page.confirm.done');
    assert.equal(await elsewhere.page.inputValue('#email'), byLink);
    await elsewhere.type({ password: goodPassword });
    await elsewhere.press('page.sign_in.act');
    assert.equal(elsewhere.at, '/account/sessions', 'the page that the user wanted, in another browser');
    await at.goTo(link);
    await at.press('page.confirm.act');
    await at.reads('page.problem.token_invalid');

    await elsewhere.context.clearCookies();
    await elsewhere.signUp(byCode);
    await elsewhere.enterCode('token', 'AAAA-AAAA', 'page.code.verification_act');
    await elsewhere.reads('page.problem.token_invalid');
    await elsewhere.enterCode(
      'token',
      (await site.codeTo(byCode)).toLowerCase(),
      'page.code.verification_act',
    );
    await elsewhere.reads('page.account.what', { email: byCode });
  }),

  story(
    'a user signs in by mail',
    asPublic,
    async (scene, sitting) => {
      const { site } = scene;
      const email = freshEmail();
      const at = await scene.visitor(sitting);
      await at.join(email);
      site.service.clock.advance(2 * minuteMs);
      const elsewhere = await scene.visitor(sitting);
      await elsewhere.goTo('/sign-in?return_to=%2Faccount%2Fpassword');
      await elsewhere.type({ email });
      await elsewhere.press('page.sign_in.by_mail');
      await elsewhere.reads('page.code.sign_in', { email });
      await elsewhere.enterCode('token', await site.codeTo(email), 'page.code.sign_in_act');
      assert.equal(elsewhere.at, '/account/password');

      site.service.clock.advance(2 * minuteMs);
      const third = await scene.visitor(sitting);
      await third.goTo('/sign-in?return_to=%2Faccount%2Fpassword');
      await third.type({ email });
      await third.press('page.sign_in.by_mail');
      await third.goTo(await site.linkTo(email));
      await third.reads('page.sign_in_mail.what', { email });
      await third.press('page.sign_in_mail.act');
      assert.equal(third.at, '/account/password');
    },
    'email-sign-in',
  ),

  story('a user resets a forgotten password', asPublic, async (scene, sitting) => {
    const { site } = scene;
    const email = freshEmail();
    const at = await scene.visitor(sitting);
    await at.join(email);
    site.service.clock.advance(2 * minuteMs);
    const elsewhere = await scene.visitor(sitting);
    await elsewhere.goTo('/sign-in?return_to=%2Faccount%2Fsessions');
    await elsewhere.press('page.sign_in.forgot');
    await elsewhere.type({ email });
    await elsewhere.press('page.forgot.act');
    await elsewhere.reads('page.code.reset', { email });
    const third = await scene.visitor(sitting);
    await third.goTo(await site.linkTo(email));
    await third.type({ new_password: 'aaaaaaaaaaaaaaaa' });
    await third.press('page.reset.act');
    await third.reads('page.fault.guessable');
    await third.type({ new_password: otherPassword });
    await third.press('page.reset.act');
    await third.reads('page.reset.done');
    await third.type({ password: otherPassword });
    await third.press('page.sign_in.act');
    assert.equal(third.at, '/account/sessions', 'as requested in another browser');
    await at.goTo('/account');
    await at.seesSignIn();

    site.service.clock.advance(2 * minuteMs);
    await at.goTo('/forgot');
    await at.type({ email });
    await at.press('page.forgot.act');
    await at.type({ token: await site.codeTo(email), new_password: goodPassword });
    await at.press('page.code.reset_act');
    await at.reads('page.reset.done');
  }),

  story(
    'a user adds an app, enters its codes, loses it, and has a device remembered',
    asPublic,
    async (scene, sitting) => {
      const { site } = scene;
      const email = freshEmail();
      const at = await scene.visitor(sitting);
      await at.join(email);
      await at.press('page.recovery_codes.title');
      await at.reads('page.recovery_codes.none');
      await at.goTo('/account');
      await at.press('page.totp.title');
      await at.press('page.totp.add');
      await at.type({ name: 'Ada’s phone' });
      const secret = await at.seed();
      await at.enterCode('code', '000000', 'page.totp.confirm');
      await at.reads('page.totp.wrong');
      assert.equal(await at.seed(), secret, 'the same picture again');
      await at.enterCode('code', site.nextCode(secret), 'page.totp.confirm');
      await at.readsAdded('page.totp.added');
      await at.goTo('/account/authenticators');
      assert.match(await at.text(), /Ada’s phone/);
      await at.goTo('/account');
      await at.press('page.recovery_codes.title');
      await at.press('page.recovery_codes.act');
      await at.reads('page.recovery_codes.once');
      const codes = await at.page.locator('.codes code').allInnerTexts();
      assert.equal(codes.length, 10);
      await at.press('page.recovery_codes.have_saved');
      await at.reads('page.recovery_codes.saved');
      await at.goTo('/account/recovery-codes/new');
      assert.ok(!(await at.text()).includes(codes[0] ?? ''), 'shown until they are saved');

      const elsewhere = await scene.visitor(sitting);
      await elsewhere.goTo('/sign-in?return_to=%2Faccount%2Fsessions');
      await elsewhere.type({ email, password: goodPassword });
      await elsewhere.press('page.sign_in.act');
      await elsewhere.sees('page.factor.title');
      await elsewhere.enterCode('proof', '000000', 'page.factor.totp_act');
      await elsewhere.reads('page.problem.factor_invalid');
      await elsewhere.goTo('/account');
      await elsewhere.seesSignIn();
      await elsewhere.goTo('/sign-in/factor?return_to=%2Faccount%2Fsessions');
      await elsewhere.type({ proof: site.nextCode(secret) });
      await elsewhere.page.locator('input[name=remember_device]:visible').check();
      await elsewhere.press('page.factor.totp_act');
      assert.equal(elsewhere.at, '/account/sessions');
      await elsewhere.reads('page.sessions.remembered');
      await elsewhere.goTo('/sign-out');
      await elsewhere.press('page.sign_out.act');
      await elsewhere.signIn(email);
      await elsewhere.sees('page.account.title');
      await elsewhere.goTo('/account/sessions');
      await elsewhere.press('page.sessions.forget_one', { name: await deviceOf(elsewhere) });
      await elsewhere.goTo('/sign-out');
      await elsewhere.press('page.sign_out.act');

      await elsewhere.signIn(email);
      await elsewhere.sees('page.factor.title');
      const other = elsewhere.page.getByText(elsewhere.say('page.factor.recovery_code_ask'));
      await other.first().click();
      const form = elsewhere.page.locator('details[open] form');
      await form.locator('input[name=proof]').fill(codes[0] ?? '');
      await elsewhere.pressOn(form.getByRole('button').last());
      await elsewhere.sees('page.account.title');
      await elsewhere.goTo('/account/recovery-codes');
      await elsewhere.reads('page.recovery_codes.left', { left: 9 });

      site.service.clock.advance(11 * minuteMs);
      await elsewhere.goTo('/account/authenticators');
      await elsewhere.sees('page.step_up.title');
      await elsewhere.enterCode('proof', '000000', 'page.factor.totp_act');
      await elsewhere.reads('page.problem.factor_invalid');
      await elsewhere.enterCode('proof', site.nextCode(secret), 'page.factor.totp_act');
      assert.equal(elsewhere.at, '/account/authenticators', 'back to the previous page');
      await elsewhere.press('page.totp.remove_one', { name: 'Ada’s phone' });
      await elsewhere.sees('page.totp.remove_one', { name: 'Ada’s phone' });
      await elsewhere.press('page.totp.remove');
      await elsewhere.reads('page.totp.removed');
    },
    'totp',
    'recovery-code',
    'remembered-device',
  ),

  story(
    'a user changes the address, and undoes the change',
    asPublic,
    async (scene, sitting) => {
      const { site } = scene;
      const [email, wished] = [freshEmail(), freshEmail()];
      const at = await scene.visitor(sitting);
      await at.join(email);
      site.service.clock.advance(11 * minuteMs);
      await at.press('page.address.title');
      await at.type({ email: wished, password: 'wrong' });
      await at.press('page.address.act');
      await at.reads('page.problem.password_wrong');
      assert.equal(await at.page.inputValue('#email'), wished);
      await at.type({ password: goodPassword });
      await at.press('page.address.act');
      await at.reads('page.code.email_change', { email: wished });
      const link = await site.linkTo(wished);
      const elsewhere = await scene.visitor(sitting);
      await elsewhere.goTo(link);
      await elsewhere.press('page.email_change.act');
      await elsewhere.seesSignIn();
      await at.enterCode('token', await site.codeTo(wished), 'page.code.email_change_act');
      await at.reads('page.email_change.done');
      await at.reads('page.address.what', { email: wished });
      await elsewhere.goTo(await site.linkTo(email));
      await elsewhere.press('page.email_undo.act');
      await elsewhere.reads('page.email_undo.done');
      await at.page.reload();
      await at.seesSignIn();
    },
    'email-change',
  ),

  story('a user ends sessions', asPublic, async (scene, sitting) => {
    const email = freshEmail();
    const at = await scene.visitor(sitting);
    await at.join(email);
    const [second, third] = [await scene.visitor(sitting), await scene.visitor(sitting)];
    await second.signIn(email);
    await third.signIn(email);
    await at.press('page.sessions.title');
    assert.equal(await at.page.locator('.rows > li').count(), 3);
    await at.press('page.sessions.end_one', { name: await deviceOf(at) });
    await at.reads('page.sessions.ended');
    assert.equal(await at.page.locator('.rows > li').count(), 2);
    await at.press('page.sessions.end_others');
    assert.equal(await at.page.locator('.rows > li').count(), 1);
    for (const other of [second, third]) {
      await other.page.reload();
      await other.seesSignIn();
    }
    if (!hasFeature('activity')) return;
    await at.goTo('/account/activity');
    await at.reads('page.activity.this_device');
  }),

  story(
    'a user downloads the data and closes the account',
    asPublic,
    async (scene, sitting) => {
      const { site } = scene;
      const email = freshEmail();
      const at = await scene.visitor(sitting);
      await at.join(email);
      site.service.clock.advance(11 * minuteMs);
      await at.goTo('/account');
      await at.press('page.data.title');
      await at.sees('page.step_up.title');
      await at.type({ proof: goodPassword });
      await at.press('page.factor.password_act');
      assert.equal(at.at, '/account/data');
      const downloading = at.page.waitForEvent('download');
      await at.page.getByRole('link', { name: at.say('page.data.export') }).click();
      const file = await (await downloading).path();
      assert.ok((await readFile(file, 'utf8')).includes(email));
      await at.page.locator('input[name=sure]').check();
      await at.press('page.data.close_act');
      await at.sees('page.data.closed_title');
      await at.goTo('/account');
      await at.seesSignIn();
      await at.signIn(email);
      await at.reads('page.problem.invalid_credentials');
      await at.goTo(await site.linkTo(email));
      await at.press('page.deletion_undo.act');
      await at.reads('page.deletion_undo.done');
      await at.signIn(email);
      await at.sees('page.account.title');
    },
    'data-export',
    'account-deletion',
  ),

  story(
    'a user must enroll a second factor before anything else',
    { ...asPublic, SECOND_FACTOR: 'required' },
    async (scene, sitting) => {
      const { site } = scene;
      const email = freshEmail();
      const at = await scene.visitor(sitting);
      await at.signUp(email);
      await at.goTo(await site.linkTo(email));
      await at.press('page.confirm.act');
      await at.goTo('/sign-in?return_to=%2Faccount%2Fsessions');
      await at.type({ email, password: goodPassword });
      await at.press('page.sign_in.act');
      await at.sees('page.set_up.title');
      await at.goTo('/account/sessions');
      await at.seesSignIn();
      await at.page.goBack();
      await at.press('page.totp.title');
      await at.press('page.totp.add');
      const secret = await at.seed();
      await at.enterCode('code', site.nextCode(secret), 'page.totp.confirm');
      if (hasFeature('recovery-code')) await at.press('page.recovery_codes.later');
      assert.equal(at.at, '/account/sessions');
      await at.goTo('/account/authenticators');
      await at.press('page.totp.remove_one', { name: at.say('page.totp.usual_name') });
      await at.press('page.totp.remove');
      await at.reads('page.problem.last_factor');
    },
    'totp',
  ),
];
