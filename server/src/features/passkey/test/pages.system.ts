// Passkeys on the pages, in a real browser: signing up and in with them alone, and as the second factor.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../../../test/support/eventually.ts';
import { minuteMs } from '../../../kit/clock.ts';
import { perform, story, type Story } from '../../../../test/pages/story.ts';
import { rowsIn } from '../../../../test/support/contents.ts';
import { hasFeature } from '../../../../test/support/feature.ts';
import { freshEmail } from '../../../../test/support/person.ts';
import { asPublic, goodPassword, Venue } from '../../../../test/support/visitor.ts';

const stories: readonly Story[] = [
  story(
    'a user without a password signs up and in with passkeys, and adds, renames and removes them',
    { ...asPublic, EMAIL_SIGN_IN: 'false' },
    async (scene) => {
      const { site } = scene;
      const email = freshEmail();
      const at = await scene.visitor({ hasDevice: true });
      await at.goTo('/sign-up?return_to=%2Faccount%2Fpasskeys');
      await at.type({ email });
      await at.press('page.passkeys.sign_up');
      await at.reads('page.code.verification', { email });
      const link = await site.linkTo(email);
      const elsewhere = await scene.visitor();
      await elsewhere.goTo(link);
      await elsewhere.press('page.confirm.act');
      await elsewhere.reads('page.problem.same_browser_required');
      await at.goTo(link);
      await at.press('page.confirm.act');
      await at.press('page.factor.passkey_act');
      assert.equal(at.at, '/account/passkeys');
      await at.page.getByText(at.say('page.passkeys.change')).click();
      await at.type({ name: '“Ada’s” <key>' });
      await at.press('page.passkeys.rename');
      assert.match(await at.text(), /“Ada’s” <key>/);
      await at.press('page.passkeys.remove_one', { name: '“Ada’s” <key>' });
      await at.press('page.passkeys.remove');
      await at.reads('page.problem.last_factor');

      const token = await at.hasAnotherDevice();
      await at.goTo('/account/passkeys');
      await at.press('page.passkeys.add_sign_in');
      await at.reads('page.passkeys.added');
      assert.equal(await at.page.locator('.rows > li').count(), 2);
      await token();
      await at.pressOn(at.page.locator('.rows > li').last().getByText(at.say('page.passkeys.remove')));
      await at.press('page.passkeys.remove');
      await at.reads('page.passkeys.removed');

      site.service.clock.advance(11 * minuteMs);
      await at.goTo('/account/passkeys');
      await at.sees('page.step_up.title');
      await at.press('page.factor.passkey_act');
      assert.equal(at.at, '/account/passkeys');
      await at.goTo('/account/password');
      await at.reads('page.password.none');
    },
  ),

  story(
    'a passkey is the second factor, is offered by autofill, and the page says if it was not used',
    asPublic,
    async (scene) => {
      const email = freshEmail();
      const at = await scene.visitor({ hasDevice: true });
      await at.join(email);
      await at.goTo('/account/passkeys');
      await at.press('page.passkeys.add_sign_in');
      await at.readsAdded('page.passkeys.added');
      await at.goTo('/sign-out');
      await at.press('page.sign_out.act');
      await at.signIn(email);
      await at.sees('page.factor.title');
      await at.page.evaluate(
        "navigator.credentials.get = async () => { throw new DOMException('no', 'NotAllowedError') }",
      );
      await at.page.getByRole('button', { name: at.say('page.factor.passkey_act') }).click();
      await at.page.getByText(at.say('page.script.cancelled')).waitFor();
      await at.page.reload();
      await at.press('page.factor.passkey_act');
      await at.sees('page.account.title');
      // The session ends while the page is open.
      await at.goTo('/account/passkeys');
      await at.context.clearCookies({ name: 'session_id' });
      await at.press('page.passkeys.add_second_factor');
      await at.seesSignIn();
      await at.press('page.passkeys.sign_in');
      await at.sees('page.passkeys.title');
      await at.goTo('/account');
      await at.goTo('/sign-out');
      await at.press('page.sign_out.act');
      // Simulates a user who picks the passkey in the email field.
      await at.page.addInitScript('PublicKeyCredential.isConditionalMediationAvailable = async () => true');
      await at.page.goto('/sign-in?return_to=%2Faccount%2Fsessions', { waitUntil: 'commit' });
      await at.page.waitForURL('**/account/sessions');
    },
  ),

  story(
    'a browser with passkeys is offered one after a password, and does not stay signed in if the user does not wish to',
    asPublic,
    async (scene) => {
      const email = freshEmail();
      const at = await scene.visitor({ hasDevice: true });
      const isKept = async (name: string): Promise<boolean> =>
        (await at.context.cookies()).some((cookie) => cookie.name.endsWith(name) && cookie.expires > 0);
      await at.join(email);
      await at.context.clearCookies();
      await at.signIn(email); // refuses the offer
      assert.ok(await isKept('passkey_offer'));
      assert.ok(await isKept('session_id'));
      await at.context.clearCookies();
      await at.goTo('/sign-in?return_to=%2Faccount%2Fdata');
      await at.type({ email, password: goodPassword });
      await at.press('page.sign_in.act');
      await at.sees('page.passkeys.offer');
      await at.press('page.passkeys.add_sign_in');
      if (hasFeature('recovery-code')) await at.press('page.recovery_codes.later');
      assert.equal(at.at, '/account/data');
      await at.goTo('/sign-out');
      await at.press('page.sign_out.act');
      await at.page.locator('input[name=stay]:visible').uncheck();
      await at.press('page.passkeys.sign_in');
      await at.sees('page.account.title');
      assert.ok(!(await isKept('session_id')), 'the script copied the checkbox');
    },
  ),
];

/** Browsers and password managers whose WebAuthn lacks something, as scripts that remove it. */
const lacking: Readonly<Record<string, string>> = {
  'has none of the JSON functions': `
    delete PublicKeyCredential.parseCreationOptionsFromJSON;
    delete PublicKeyCredential.parseRequestOptionsFromJSON;
    delete PublicKeyCredential.prototype.toJSON;`,
  'throws in toJSON': `PublicKeyCredential.prototype.toJSON = () => { throw new TypeError('Illegal invocation'); };`,
  'returns nothing useful from toJSON': `PublicKeyCredential.prototype.toJSON = () => ({});`,
};

/**
 * Offers autofill that waits: asked holds a function for each request, which picks a passkey. Prompts fail with the
 * error that failing names.
 */
const waitingAutofill = `{
  const get = navigator.credentials.get.bind(navigator.credentials);
  globalThis.asked = [];
  PublicKeyCredential.isConditionalMediationAvailable = async () => true;
  navigator.credentials.get = ({ publicKey, mediation, signal }) => {
    if (mediation !== 'conditional')
      return globalThis.failing ? Promise.reject(new DOMException('', failing)) : get({ publicKey });
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
      asked.push(() => get({ publicKey }).then(resolve, reject));
    });
  };
}`;

/** Sentences for the errors of WebAuthn. */
const sentences: Readonly<Record<string, string>> = {
  NotAllowedError: 'cancelled',
  SecurityError: 'address',
  InvalidStateError: 'known',
  NotSupportedError: 'unsupported',
  OperationError: 'unknown',
};

const scriptStories: readonly Story[] = [
  ...Object.entries(lacking).map(([what, script]) =>
    story(`a user adds and uses a passkey in a browser that ${what}`, {}, async (scene) => {
      const at = await scene.visitor({ hasDevice: true });
      await at.context.addInitScript(script);
      await at.signUp(freshEmail());
      await at.goTo('/account/passkeys');
      await at.press('page.passkeys.add_sign_in');
      await at.readsAdded('page.passkeys.added');
      await at.goTo('/sign-out');
      await at.press('page.sign_out.act');
      await at.press('page.passkeys.sign_in');
      await at.sees('page.account.title');
    }),
  ),

  story('a browser without WebAuthn says so, and offers the other ways', asPublic, async (scene) => {
    const email = freshEmail();
    const own = await scene.visitor({ hasDevice: true });
    await own.join(email);
    await own.goTo('/account/passkeys');
    await own.press('page.passkeys.add_sign_in');
    const at = await scene.visitor();
    await at.context.addInitScript(
      "Object.defineProperty(globalThis, 'PublicKeyCredential', { value: undefined })",
    );
    const noticesAt = async (path: string): Promise<number> => {
      await at.goTo(path);
      return at.page.locator('[data-failed]:visible').count();
    };
    assert.equal(await noticesAt('/sign-up'), 0, 'the password is another way');
    assert.equal(await noticesAt('/sign-in'), 0);
    await at.signIn(email);
    await at.reads('page.script.unsupported');
    await at.reads('page.factor.other');
    assert.equal(await at.page.getByRole('button', { name: at.say('page.factor.passkey_act') }).count(), 0);
    await own.goTo('/account/passkeys');
    await own.context.clearCookies();
    const other = freshEmail();
    await at.join(other);
    assert.equal(await noticesAt('/account/passkeys'), 1);
    assert.equal(await noticesAt('/account/passkeys/offer'), 1);
  }),

  ...(hasFeature('totp')
    ? [
        story(
          'a password manager creates a passkey after a sign-in with two factors, without a prompt',
          asPublic,
          async (scene) => {
            const { site } = scene;
            const email = freshEmail();
            const at = await scene.visitor({ hasDevice: true });
            await at.join(email);
            await at.goTo('/account/authenticators');
            await at.press('page.totp.add');
            const seed = await at.seed();
            await at.enterCode('code', site.nextCode(seed), 'page.totp.confirm');
            await at.context.clearCookies();
            await at.context.addInitScript(`{
              const create = navigator.credentials.create.bind(navigator.credentials);
              PublicKeyCredential.getClientCapabilities = async () => ({ conditionalCreate: true });
              navigator.credentials.create = ({ publicKey, mediation }) => {
                if (mediation !== 'conditional') throw new Error('a prompt');
                return create({ publicKey });
              };
            }`);
            await at.goTo('/sign-in?return_to=%2Faccount%2Fdata');
            await at.type({ email, password: goodPassword });
            await at.press('page.sign_in.act');
            await at.enterCode('proof', site.nextCode(seed), 'page.factor.totp_act');
            await at.page.waitForURL('**/account/data');
            await at.goTo('/account/passkeys');
            assert.equal(await at.page.locator('.rows > li').count(), 1);
          },
        ),
      ]
    : []),

  story(
    'autofill is offered again after a cancelled prompt, and still works after six minutes',
    {},
    async (scene) => {
      const { clock } = scene.site.service;
      const at = await scene.visitor({ hasDevice: true, fillsPasskeys: true });
      await at.page.clock.install();
      await at.page.addInitScript(waitingAutofill);
      await at.signUp(freshEmail());
      await at.goTo('/account/passkeys');
      await at.press('page.passkeys.add_sign_in');
      await at.goTo('/sign-out');
      await at.press('page.sign_out.act');
      const isAsked = async (times: number): Promise<void> => {
        await eventually(
          `${times} prompts`,
          async () => (await at.page.evaluate<number>('asked.length')) >= times,
        );
      };
      await isAsked(1);
      const button = at.page.getByRole('button', { name: at.say('page.passkeys.sign_in') });
      for (const [i, [error, reason]] of Object.entries(sentences).entries()) {
        await at.page.evaluate(`failing = '${error}'`);
        await button.click();
        await at.page.getByText(at.say(`page.script.${reason}`)).waitFor();
        await isAsked(i + 2);
      }
      const asked = await at.page.evaluate<number>('asked.length');
      clock.advance(4 * minuteMs);
      await at.page.clock.fastForward(4 * minuteMs);
      await isAsked(asked + 1);
      clock.advance(2 * minuteMs);
      await at.page.clock.fastForward(2 * minuteMs);
      await Promise.all([at.page.waitForURL('**/account'), at.page.evaluate('void asked.at(-1)()')]);
    },
  ),

  story(
    'the form of a passkey without scripts is no attempt, and says what to do',
    asPublic,
    async (scene) => {
      const email = freshEmail();
      const own = await scene.visitor({ hasDevice: true });
      await own.join(email);
      await own.goTo('/account/passkeys');
      await own.press('page.passkeys.add_sign_in');
      const at = await scene.visitor({ javaScriptEnabled: false });
      await at.signIn(email);
      await at.reads('page.factor.needs_script');
      const { database } = scene.site.service.core;
      const attempts = await rowsIn(database, 'attempts');
      await at.press('page.factor.passkey_act');
      await at.reads('page.script.unknown');
      assert.deepEqual(await rowsIn(database, 'attempts'), attempts);
    },
  ),
];

describe('passkeys on the pages', { concurrency: 2 }, () => {
  const venue = new Venue();
  before(() => venue.open());
  after(() => venue.close());

  for (const one of [...stories, ...scriptStories]) test(one.title, perform(venue, one));
});
