// What people do on the pages, in a real browser: every page, with scripts and without, in each language, on a phone and
// on a desk.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readFile } from 'node:fs/promises';
import { minuteMs } from '../../src/kit/clock.ts';
import type { Environment } from '../../src/config/read-options.ts';
import { freshEmail } from '../support/person.ts';
import { asPublic, goodPassword, Site, Venue, Visitor, type Sitting } from '../support/visitor.ts';

const otherPassword = 'ten toads behind a blue door';
const phone = { width: 390, height: 844 };

/** Ways in which people meet a page. */
const ways: Readonly<Record<string, Sitting>> = {
  'on a desk': {},
  'on a phone, in French, without scripts': { viewport: phone, locale: 'fr-FR', javaScriptEnabled: false },
};

describe('the pages', { concurrency: 3 }, () => {
  const venue = new Venue();
  before(() => venue.open());
  after(() => venue.close());

  interface Scene {
    readonly site: Site;
    /** Somebody sits down at a browser of their own; asserted to be without faults when the story ends. */
    readonly visitor: (sitting?: Sitting) => Promise<Visitor>;
  }

  /** A story on a service of its own: each moves the clock as it needs. */
  function story(title: string, environment: Environment, tell: (scene: Scene) => Promise<void>): void {
    test(
      title,
      venue.story(async (chromium) => {
        const site = await Site.open(environment);
        const visitors: Visitor[] = [];
        try {
          await tell({
            site,
            visitor: async (sitting) => {
              const visitor = await Visitor.sitDown(chromium, site, sitting);
              visitors.push(visitor);
              return visitor;
            },
          });
          for (const { faults } of visitors) assert.deepEqual(faults, []);
        } finally {
          for (const { context } of visitors) await context.close();
          await site.close();
        }
      }),
    );
  }

  for (const [way, sitting] of Object.entries(ways)) {
    story(
      `${way} a person makes an account, signs out and in, and sets another password`,
      {},
      async (scene) => {
        const email = freshEmail();
        const at = await scene.visitor(sitting);
        await at.goTo('/');
        await at.press('page.sign_up.title');
        await at.sees('page.sign_up.title');
        await at.type({ email: 'ada', password: 'x' });
        await at.page.evaluate('document.querySelector("main form").noValidate = true');
        await at.press('page.sign_up.act');
        await at.reads('page.fault.no_email');
        assert.equal(await at.page.inputValue('#email'), 'ada', 'what was typed is still there');
        assert.equal(await at.page.inputValue('#password'), '', 'but for the password');
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
    );

    story(`${way} a person confirms the address by a link, and by a code`, asPublic, async (scene) => {
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
      await elsewhere.reads('page.confirm.done');
      assert.equal(await elsewhere.page.inputValue('#email'), byLink);
      await elsewhere.type({ password: goodPassword });
      await elsewhere.press('page.sign_in.act');
      assert.equal(elsewhere.at, '/account/sessions', 'where the person wished to go, in another browser');
      await at.goTo(link);
      await at.press('page.confirm.act');
      await at.reads('page.problem.token_invalid');

      await elsewhere.context.clearCookies();
      await elsewhere.signUp(byCode);
      await elsewhere.type({ token: 'AAAA-AAAA' });
      await elsewhere.press('page.code.verification_act');
      await elsewhere.reads('page.problem.token_invalid');
      await elsewhere.type({ token: (await site.codeTo(byCode)).toLowerCase() });
      await elsewhere.press('page.code.verification_act');
      await elsewhere.reads('page.confirm.done');
      await elsewhere.type({ password: goodPassword });
      await elsewhere.press('page.sign_in.act');
      await elsewhere.reads('page.account.what', { email: byCode });
    });

    story(
      `${way} a person signs in by mail, and resets a password that is forgotten`,
      asPublic,
      async (scene) => {
        const { site } = scene;
        const email = freshEmail();
        const at = await scene.visitor(sitting);
        await at.join(email);
        site.service.clock.advance(2 * minuteMs);
        const elsewhere = await scene.visitor(sitting);
        await elsewhere.goTo('/sign-in?return_to=%2Faccount%2Factivity');
        await elsewhere.type({ email });
        await elsewhere.press('page.sign_in.by_mail');
        await elsewhere.reads('page.code.sign_in', { email });
        await elsewhere.type({ token: await site.codeTo(email) });
        await elsewhere.press('page.code.sign_in_act');
        assert.equal(elsewhere.at, '/account/activity');

        site.service.clock.advance(2 * minuteMs);
        const third = await scene.visitor(sitting);
        await third.goTo('/sign-in?return_to=%2Faccount%2Factivity');
        await third.type({ email });
        await third.press('page.sign_in.by_mail');
        await third.goTo(await site.linkTo(email));
        await third.reads('page.sign_in_mail.what', { email });
        await third.press('page.sign_in_mail.act');
        assert.equal(third.at, '/account/activity');

        site.service.clock.advance(2 * minuteMs);
        await third.context.clearCookies();
        await third.goTo('/sign-in?return_to=%2Faccount%2Fsessions');
        await third.press('page.sign_in.forgot');
        await third.type({ email });
        await third.press('page.forgot.act');
        await third.reads('page.code.reset', { email });
        const fourth = await scene.visitor(sitting);
        await fourth.goTo(await site.linkTo(email));
        await fourth.type({ new_password: 'aaaaaaaaaaaaaaaa' });
        await fourth.press('page.reset.act');
        await fourth.reads('page.fault.guessable');
        await fourth.type({ new_password: otherPassword });
        await fourth.press('page.reset.act');
        await fourth.reads('page.reset.done');
        await fourth.type({ password: otherPassword });
        await fourth.press('page.sign_in.act');
        assert.equal(fourth.at, '/account/sessions', 'as asked for in another browser');
        await at.goTo('/account');
        await at.sees('page.sign_in.title');

        site.service.clock.advance(2 * minuteMs);
        await at.goTo('/forgot');
        await at.type({ email });
        await at.press('page.forgot.act');
        await at.type({ token: await site.codeTo(email), new_password: goodPassword });
        await at.press('page.code.reset_act');
        await at.reads('page.reset.done');
      },
    );

    story(
      `${way} a person adds an app, gives its codes, loses it, and has a device remembered`,
      asPublic,
      async (scene) => {
        const { site } = scene;
        const email = freshEmail();
        const at = await scene.visitor(sitting);
        await at.join(email);
        await at.press('page.recovery_codes.title');
        await at.reads('page.recovery_codes.none');
        await at.goTo('/account');
        await at.press('page.totp.title');
        await at.type({ name: 'Ada’s phone' });
        await at.press('page.totp.add');
        const secret = await at.page.inputValue('input[name=secret]');
        await at.type({ code: '000000' });
        await at.press('page.totp.confirm');
        await at.reads('page.totp.wrong');
        assert.equal(await at.page.inputValue('input[name=secret]'), secret, 'the same picture again');
        await at.type({ code: site.nextCode(secret) });
        await at.press('page.totp.confirm');
        await at.reads('page.totp.added');
        assert.match(await at.text(), /Ada’s phone/);
        await at.goTo('/account');
        await at.press('page.recovery_codes.title');
        await at.press('page.recovery_codes.act');
        await at.reads('page.recovery_codes.once');
        const codes = await at.page.locator('.codes code').allInnerTexts();
        assert.equal(codes.length, 10);
        await at.page.goBack();
        assert.ok(!(await at.text()).includes(codes[0] ?? ''), 'shown once');

        const elsewhere = await scene.visitor(sitting);
        await elsewhere.goTo('/sign-in?return_to=%2Faccount%2Fsessions');
        await elsewhere.type({ email, password: goodPassword });
        await elsewhere.press('page.sign_in.act');
        await elsewhere.sees('page.factor.title');
        await elsewhere.type({ proof: '000000' });
        await elsewhere.press('page.factor.totp_act');
        await elsewhere.reads('page.problem.factor_invalid');
        await elsewhere.goTo('/account');
        await elsewhere.sees('page.sign_in.title');
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
        const other = elsewhere.page.getByText(elsewhere.say('page.factor.recovery_code'), { exact: true });
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
        await elsewhere.type({ proof: '000000' });
        await elsewhere.press('page.factor.totp_act');
        await elsewhere.reads('page.problem.factor_invalid');
        await elsewhere.type({ proof: site.nextCode(secret) });
        await elsewhere.press('page.factor.totp_act');
        assert.equal(elsewhere.at, '/account/authenticators', 'back to where the person was');
        await elsewhere.press('page.totp.remove_one', { name: 'Ada’s phone' });
        await elsewhere.reads('page.totp.removed');
      },
    );

    story(`${way} a person moves to another address, and takes it back`, asPublic, async (scene) => {
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
      await elsewhere.sees('page.sign_in.title');
      await at.type({ token: await site.codeTo(wished) });
      await at.press('page.code.email_change_act');
      await at.reads('page.email_change.done');
      await at.reads('page.address.what', { email: wished });
      await elsewhere.goTo(await site.linkTo(email));
      await elsewhere.press('page.email_undo.act');
      await elsewhere.reads('page.email_undo.done');
      await at.page.reload();
      await at.sees('page.sign_in.title');
    });

    story(
      `${way} a person ends sessions, takes the data along and closes the account`,
      asPublic,
      async (scene) => {
        const { site } = scene;
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
          await other.sees('page.sign_in.title');
        }
        await at.goTo('/account/activity');
        await at.reads('page.event.authn_login_success');

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
        await at.sees('page.sign_in.title');
        await at.signIn(email);
        await at.reads('page.problem.invalid_credentials');
        await at.goTo(await site.linkTo(email));
        await at.press('page.deletion_undo.act');
        await at.reads('page.deletion_undo.done');
        await at.signIn(email);
        await at.sees('page.account.title');
      },
    );

    story(
      `${way} a person must set a second factor up before anything opens`,
      { ...asPublic, SECOND_FACTOR: 'required' },
      async (scene) => {
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
        await at.sees('page.sign_in.title');
        await at.page.goBack();
        await at.press('page.totp.title');
        await at.press('page.totp.add');
        const secret = await at.page.inputValue('input[name=secret]');
        await at.type({ code: site.nextCode(secret) });
        await at.press('page.totp.confirm');
        assert.equal(at.at, '/account/sessions');
        await at.goTo('/account/authenticators');
        await at.press('page.totp.remove_one', { name: at.say('page.totp.usual_name') });
        await at.reads('page.problem.last_factor');
      },
    );
  }

  story(
    'a person lives with passkeys alone: signs up, signs in, adds, renames and removes',
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
      await at.page.getByText(at.say('page.passkeys.change')).click();
      await at.press('page.passkeys.remove');
      await at.reads('page.problem.last_factor');

      const token = await at.hasAnotherDevice();
      await at.goTo('/account/passkeys');
      await at.press('page.passkeys.add_sign_in');
      await at.reads('page.passkeys.added');
      assert.equal(await at.page.locator('.rows > li').count(), 2);
      await token();
      await at.page.getByText(at.say('page.passkeys.change')).last().click();
      await at.page.locator('.rows > li').last().getByText(at.say('page.passkeys.remove')).waitFor();
      await at.pressOn(at.page.locator('.rows > li').last().getByText(at.say('page.passkeys.remove')));
      await at.reads('page.passkeys.removed');

      site.service.clock.advance(11 * minuteMs);
      await at.goTo('/account/data');
      await at.sees('page.step_up.title');
      await at.press('page.factor.passkey_act');
      assert.equal(at.at, '/account/data');
      await at.goTo('/account/password');
      await at.reads('page.password.none');
    },
  );

  story(
    'a passkey is the second factor, fills itself in, and says when it was not used',
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
      await at.page.getByText(at.say('page.factor.script_failed')).waitFor();
      await at.page.reload();
      await at.press('page.factor.passkey_act');
      await at.sees('page.account.title');
      await at.goTo('/sign-out');
      await at.press('page.sign_out.act');
      // As the browser of a person who picks the passkey where the name is typed.
      await at.page.addInitScript('PublicKeyCredential.isConditionalMediationAvailable = async () => true');
      await at.page.goto('/sign-in?return_to=%2Faccount%2Fsessions', { waitUntil: 'commit' });
      await at.page.waitForURL('**/account/sessions');
    },
  );

  story(
    'a person chooses a language, which stays after signing in and is kept with the account',
    {},
    async (scene) => {
      const email = freshEmail();
      const at = await scene.visitor();
      await at.signUp(email);
      await at.goTo('/sign-out');
      await at.press('page.sign_out.act');
      await at.goTo('/sign-in?email=x%40example.org&return_to=%2Faccount%2Fdata');
      await at.pressOn(at.page.getByRole('button', { name: 'Français' }));
      assert.equal(at.at, '/sign-in?email=x%40example.org&return_to=%2Faccount%2Fdata');
      assert.equal(await at.page.getAttribute('html', 'lang'), 'fr');
      await at.type({ email, password: goodPassword });
      await at.pressOn(at.page.getByRole('button', { name: 'Se connecter', exact: true }));
      assert.equal(at.at, '/account/data');
      assert.match(await at.text(), /Télécharger mes données/);
      await at.pressOn(at.page.getByRole('button', { name: 'English' }));
      assert.equal(at.at, '/account/data');
      assert.match(await at.text(), /Download my data/);
      const users = await scene.site.service.rooms.database.query((sql) =>
        sql.selectFrom('users').select('language').where('email', '=', email),
      );
      assert.deepEqual(
        users.map(({ language }) => language),
        ['en'],
      );
    },
  );

  story('two tabs, the back button and a button pressed twice do no harm', {}, async (scene) => {
    const { site } = scene;
    const email = freshEmail();
    const at = await scene.visitor();
    await at.signUp(email);
    const tab = await at.tab();
    await tab.goTo('/account/recovery-codes');
    await at.goTo('/account/password');
    await tab.goTo('/account/authenticators');
    await at.type({ password: goodPassword, new_password: otherPassword });
    await tab.goTo('/sign-out');
    await tab.press('page.sign_out.act');
    await at.press('page.password.act');
    await at.sees('page.sign_in.title');
    assert.equal(at.at, '/sign-in?return_to=%2Faccount%2Fpassword', 'and back to where it was');
    await at.type({ email, password: goodPassword });
    await at.press('page.sign_in.act');
    await at.sees('page.password.title');
    // The form of the other tab was made for the session before.
    await tab.page.goBack();
    await tab.sees('page.sign_out.title');
    await at.goTo('/account/sessions');
    await tab.goTo('/account/password');
    await at.goTo('/sign-out');
    await at.press('page.sign_out.act');
    await at.type({ email, password: goodPassword });
    await at.press('page.sign_in.act');
    await tab.type({ password: goodPassword, new_password: otherPassword });
    await tab.press('page.password.act');
    await tab.reads('page.problem.cross_site');

    await at.page.goBack();
    assert.ok(['/sign-in', '/account'].includes(at.at.split('?')[0] ?? ''), at.at);
    await at.goTo('/sign-out');
    await at.press('page.sign_out.act');
    await at.page.goBack();
    await at.goTo('/account');
    await at.sees('page.sign_in.title');

    const sent: string[] = [];
    at.page.on('request', (request) => void (request.method() === 'POST' && sent.push(request.url())));
    await at.goTo('/sign-up');
    const other = freshEmail();
    await at.type({ email: other, password: goodPassword });
    sent.length = 0;
    const loaded = at.page.waitForEvent('load');
    await at.page.evaluate(
      "for (const i of [1, 2, 3]) document.querySelector('main form button:not([type])').click()",
    );
    await loaded;
    await at.sees('page.account.title');
    assert.equal(sent.filter((url) => url.endsWith('/sign-up')).length, 1);
    const users = await site.service.rooms.database.query((sql) => sql.selectFrom('users').select('email'));
    assert.equal(users.length, 2);
  });

  story('who comes from an application goes back to it; nobody goes to another', {}, async (scene) => {
    const email = freshEmail();
    const at = await scene.visitor();
    const application = await Site.open();
    try {
      const home = `${application.origin}/sign-in`;
      await at.goTo(`/sign-up?return_to=${encodeURIComponent(home)}`);
      at.allow(application.origin);
      await at.type({ email, password: goodPassword });
      await at.press('page.sign_up.act');
      assert.equal(at.page.url(), home, 'the redirect after the form is let through');
      for (const target of ['//evil.test', '/.//evil.test', 'https://evil.test', '/\\evil.test']) {
        await at.context.clearCookies();
        await at.goTo(`/sign-in?return_to=${encodeURIComponent(target)}`);
        await at.type({ email, password: goodPassword });
        await at.press('page.sign_in.act');
        assert.equal(at.page.url(), `${scene.site.origin}/account`, target);
        await at.goTo(`/sign-in?return_to=${encodeURIComponent(target)}`);
        assert.equal(at.page.url(), `${scene.site.origin}/account`, target);
      }
    } finally {
      await application.close();
    }
  });

  story('what is not there, and what went wrong, is told in a page that leads on', {}, async (scene) => {
    const at = await scene.visitor({ locale: 'fr-FR' });
    for (const path of ['/nothing', '/account/nothing', '/dev/mailbox/none']) {
      await at.goTo(path);
      await at.sees('page.problem.not_found_title');
    }
    await at.press('page.problem.home');
    await at.press('page.mailbox.title');
    await at.reads('page.mailbox.empty');
    await at.goTo('/account/sessions?done=ended');
    await at.sees('page.sign_in.title');
    await at.goTo('/sign-in/factor');
    await at.sees('page.sign_in.title');
    await at.goTo('/sign-in/set-up');
    await at.sees('page.sign_in.title');
  });

  /** The name of the browser as the service tells it. */
  async function deviceOf(at: Visitor): Promise<string> {
    return at.page.locator('.rows strong').first().innerText();
  }
});
