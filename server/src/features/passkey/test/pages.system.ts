// Passkeys on the pages, in a real browser: signing up and in with them alone, and as the second factor.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { minuteMs } from '../../../kit/clock.ts';
import { perform, story, type Story } from '../../../../test/pages/story.ts';
import { freshEmail } from '../../../../test/support/person.ts';
import { asPublic, Venue } from '../../../../test/support/visitor.ts';

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
      await at.press('page.passkeys.sign_in');
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
      await at.press('page.passkeys.title');
      await at.press('page.passkeys.add_sign_in');
      await at.reads('page.passkeys.added');
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
      await at.goTo('/sign-out');
      await at.press('page.sign_out.act');
      // Simulates a user who picks the passkey in the email field.
      await at.page.addInitScript('PublicKeyCredential.isConditionalMediationAvailable = async () => true');
      await at.page.goto('/sign-in?return_to=%2Faccount%2Fsessions', { waitUntil: 'commit' });
      await at.page.waitForURL('**/account/sessions');
    },
  ),
];

describe('passkeys on the pages', { concurrency: 2 }, () => {
  const venue = new Venue();
  before(() => venue.open());
  after(() => venue.close());

  for (const one of stories) test(one.title, perform(venue, one));
});
