// Users on the pages, in a real browser: every flow with or without scripts, and what needs scripts, a language or two
// tabs. The stories in every setup take minutes: journeys.long.ts.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { hasFeature } from '../support/feature.ts';
import { freshEmail } from '../support/person.ts';
import { goodPassword, Site, Venue } from '../support/visitor.ts';
import { otherPassword, perform, stories, story, ways, type Story } from './story.ts';

/** As long as a person takes to press again, in milliseconds. */
const slowMs = 300;

const longOnly = /changes the address|ends sessions|closes the account/;

const ownStories: readonly Story[] = [
  story(
    'a user chooses a language, which stays after signing in and is stored with the account',
    {},
    async (scene) => {
      const email = freshEmail();
      const at = await scene.visitor();
      await at.signUp(email);
      await at.goTo('/sign-out');
      await at.press('page.sign_out.act');
      await at.goTo('/sign-in?email=x%40example.org&return_to=%2Faccount%2Fpassword');
      await at.pressOn(at.page.getByRole('button', { name: 'Français' }));
      assert.equal(at.at, '/sign-in?email=x%40example.org&return_to=%2Faccount%2Fpassword');
      assert.equal(await at.page.getAttribute('html', 'lang'), 'fr');
      for (const path of ['/sign-in', '/sign-up', '/forgot']) {
        await at.goTo(path);
        await at.type({ email });
        for (const name of ['English', 'Français']) {
          await at.pressOn(at.page.getByRole('button', { name }));
          assert.equal(await at.page.inputValue('#email'), email, `${path} keeps what was typed`);
        }
      }
      await at.goTo('/sign-in?return_to=%2Faccount%2Fpassword');
      await at.type({ email, password: goodPassword });
      await at.pressOn(at.page.getByRole('button', { name: 'Se connecter', exact: true }));
      assert.equal(at.at, '/account/password');
      assert.match(await at.text(), /Changer le mot de passe/);
      await at.pressOn(at.page.getByRole('button', { name: 'English' }));
      assert.equal(at.at, '/account/password');
      assert.match(await at.text(), /Change password/);
      const users = await scene.site.service.core.database.query((sql) =>
        sql.selectFrom('users').select('language').where('email', '=', email),
      );
      assert.deepEqual(
        users.map(({ language }) => language),
        ['en'],
      );
    },
  ),

  story('two tabs, the back button and a button pressed twice do no harm', {}, async (scene) => {
    const { site } = scene;
    const email = freshEmail();
    const at = await scene.visitor();
    await at.signUp(email);
    const tab = await at.tab();
    await tab.goTo('/account');
    await at.goTo('/account/password');
    await tab.goTo('/account/sessions');
    await at.type({ password: goodPassword, new_password: otherPassword });
    await tab.goTo('/sign-out');
    await tab.press('page.sign_out.act');
    await at.press('page.password.act');
    await at.seesSignIn();
    assert.match(
      new URL(at.page.url()).searchParams.get('return_to') ?? '',
      /^\/account\/password\?note=/,
      'and back to where it was',
    );
    await at.type({ email, password: goodPassword });
    await at.press('page.sign_in.act');
    await at.sees('page.password.title');
    await at.reads('page.frame.unsent');
    // The form of the other tab belongs to the earlier session.
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
    await tab.press('page.problem.again');
    await tab.sees('page.password.title');
    await tab.reads('page.frame.unsent');

    await at.page.goBack();
    assert.ok(['/sign-in', '/account'].includes(at.at.split('?')[0] ?? ''), at.at);
    await at.goTo('/sign-out');
    await at.press('page.sign_out.act');
    await at.page.goBack();
    await at.goTo('/account');
    await at.seesSignIn();

    const sent: string[] = [];
    at.page.on('request', (request) => void (request.method() === 'POST' && sent.push(request.url())));
    await at.goTo('/sign-up');
    const other = freshEmail();
    await at.type({ email: other, password: goodPassword });
    sent.length = 0;
    // While the first request is running.
    await at.page.route('**/sign-up', async (route) => {
      await pause(slowMs);
      await route.continue();
    });
    await at.page.evaluate(`{
      const button = document.querySelector('main form button:not([type])');
      for (const ms of [0, 50, 100]) setTimeout(() => button.click(), ms);
    }`);
    await at.page.waitForURL('**/account');
    await at.sees('page.account.title');
    assert.equal(sent.filter((url) => url.endsWith('/sign-up')).length, 1);
    const users = await site.service.core.database.query((sql) => sql.selectFrom('users').select('email'));
    assert.equal(users.length, 2);
  }),

  story('a user who comes from an application returns to it, and never to another one', {}, async (scene) => {
    const email = freshEmail();
    const at = await scene.visitor();
    const application = await Site.open();
    try {
      const home = `${application.origin}/sign-in`;
      await at.goTo(`/sign-up?return_to=${encodeURIComponent(home)}`);
      at.allow(application.origin);
      await at.type({ email, password: goodPassword });
      await at.press('page.sign_up.act');
      await at.page.waitForURL(home); // by way of a page that continues there
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
  }),

  story('a missing page and an error are shown in a page with a way to continue', {}, async (scene) => {
    const at = await scene.visitor({ locale: 'fr-FR' });
    for (const path of ['/nothing', '/account/nothing', '/dev/mailbox/none']) {
      await at.goTo(path);
      await at.sees('page.problem.not_found_title');
    }
    await at.press('page.problem.home');
    if (hasFeature('mailbox')) {
      await at.press('page.mailbox.title');
      await at.reads('page.mailbox.empty');
    }
    await at.goTo('/account/sessions?done=ended');
    await at.seesSignIn();
    await at.goTo('/sign-in/factor');
    await at.seesSignIn();
    await at.goTo('/sign-in/set-up');
    await at.seesSignIn();
  }),
];

describe('the pages', { concurrency: 3 }, () => {
  const venue = new Venue();
  before(() => venue.open());
  after(() => venue.close());

  // HTTP tests cover the flows of the excluded stories, which run in journeys.long.ts only.
  for (const [i, one] of stories.filter(({ title }) => !longOnly.test(title)).entries()) {
    const { way, ...sitting } = ways[i % 2] ?? assert.fail();
    test(`${way} ${one.title}`, perform(venue, one, sitting));
  }
  for (const one of ownStories) test(one.title, perform(venue, one));
});
