// Signing in to a closed account on the pages: who proves to own it is shown the date of the removal and can keep it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dayMs, minuteMs } from '../../../kit/clock.ts';
import { Browser, signIn } from '../../../../test/support/browser.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { addApp, addPasskey, passkeyOptionsIn } from '../../../../test/support/factor.ts';
import { lacks } from '../../../../test/support/feature.ts';
import { asPage, formIn } from '../../../../test/support/page-form.ts';
import { PasskeyDevice } from '../../../../test/support/passkey-device.ts';
import { PublicService, sessionCookie, type Member } from '../../../../test/support/public-service.ts';
import { assertProblem, type Reply } from '../../../../test/support/request.ts';

const next = '/account/data';

onEachEngine('a closed account', (engine) => {
  let service: PublicService;
  before(async () => (service = await PublicService.start(engine)));
  after(() => service.close());

  async function close(browser: Browser): Promise<void> {
    const reply = await browser.send({ method: 'DELETE', path: '/profile' });
    assert.equal(reply.status, 200, reply.text);
  }
  /** A user who has closed the account. */
  async function closed(): Promise<Member> {
    const member = await service.member();
    await close(await signIn(service, member));
    return member;
  }
  const enter = (at: Browser, { email, password }: Pick<Member, 'email' | 'password'>): Promise<Reply> =>
    at.submit('/sign-in', { email, password, return_to: next });
  const reasonsOf = async (id: number): Promise<(string | null)[]> =>
    (await service.service.core.audit.list({ limit: 100 }))
      .filter(({ userId }) => userId === id)
      .map(({ reason }) => reason);

  /** Asserts that a reply leads to the page of the closed account, and keeps the account with its button. */
  async function keep(at: Browser, { email }: Pick<Member, 'email'>, reply: Reply): Promise<void> {
    const target = String(reply.headers['location']);
    assert.match(
      target,
      /^\/account-closed\?token=[\w-]+\.del_[^&]+&return_to=%2Faccount%2Fdata$/,
      reply.text,
    );
    assert.equal(at.sessionId, undefined);
    const page = await at.get(target, asPage);
    assert.match(page.text, new RegExp(email));
    const day = new Date(service.service.clock.now() + 14 * dayMs).toISOString().slice(0, 10);
    assert.match(page.text, new RegExp(`will be deleted on <time datetime="${day}`));
    assert.equal(page.headers['referrer-policy'], 'no-referrer');
    const { action, fields } = formIn(page);
    const done = String((await at.submit(action, fields)).headers['location']);
    assert.match((await at.get(done, asPage)).text, /open again[^]*href="\/sign-in\?return_to/);
  }

  test('is kept by a user who gave the password on the page, with the button of the page that says so', async () => {
    const ada = await closed();
    const at = new Browser(service);
    await keep(at, ada, await enter(at, ada));
    assert.deepEqual((await reasonsOf(ada.id)).slice(0, 2), ['deletion_undone', 'reopening_offered']);
    assert.equal((await enter(at, ada)).headers['location'], next);
  });

  test('stays closed for a wrong password, for the API, and for a second use of the button', async () => {
    const ada = await closed();
    const wrong = await service.logIn(ada.email, 'not the password');
    const right = await service.logIn(ada.email, ada.password);
    assertProblem(right, 401, 'invalid_credentials');
    assert.equal(
      right.text.replaceAll(/"request_id":"[^"]*"/g, ''),
      wrong.text.replaceAll(/"request_id":"[^"]*"/g, ''),
    );
    const at = new Browser(service);
    assert.equal((await enter(at, { ...ada, password: 'not the password' })).status, 401);
    const target = String((await enter(at, ada)).headers['location']);
    const { action, fields } = formIn(await at.get(target, asPage));
    service.service.clock.advance(11 * minuteMs);
    assert.equal((await at.submit(action, fields)).status, 403, 'after ten minutes');
    assert.match((await at.get(target, asPage)).text, /wrong, was used before, or has expired/);
    assert.equal((await service.logIn(ada.email, ada.password)).status, 401);
  });

  test('can be kept with the link of the mail after many sign-ins to it', async () => {
    const ada = await closed();
    const mailed = await service.tokenFor(ada.email);
    for (let n = 0; n < 5; n += 1) {
      const reply = await enter(new Browser(service), ada);
      assert.match(String(reply.headers['location']), /^\/account-closed\?token=/, `sign-in ${n}`);
    }
    service.service.clock.advance(11 * minuteMs);
    const late = new Browser(service);
    await keep(late, ada, await enter(late, ada));
    await close(await signIn(service, ada));
    assert.equal((await late.put('/profile/undo', { token: mailed })).status, 403);
    const reopened = await late.put('/profile/undo', { token: await service.tokenFor(ada.email) });
    assert.equal(reopened.status, 200, reopened.text);
  });

  test('asks for the second factor before it can be kept', async (t) => {
    if (lacks(t, 'totp')) return;
    const ada = await service.member();
    const inside = await signIn(service, ada);
    const app = await addApp(inside, service.service.clock);
    await close(inside);
    const at = new Browser(service);
    const reply = await enter(at, ada);
    assert.equal(reply.headers['location'], `/sign-in/factor?return_to=${encodeURIComponent(next)}`);
    const { fields } = formIn(await at.get('/sign-in/factor', asPage));
    const give = (proof: string): Promise<Reply> =>
      at.submit('/sign-in/factor', {
        ...fields,
        factor: 'totp',
        proof,
        return_to: next,
        remember_device: 'true',
      });
    assert.equal((await give('000000')).status, 401);
    const api = await at.post('/sessions/factor', { factor: 'totp', proof: app.nextCode() });
    assertProblem(api, 403, 'pending_authentication_required');
    await keep(at, ada, await give(app.nextCode()));
  });

  test('is kept by a user who signed in with a passkey on the page', async (t) => {
    if (lacks(t, 'passkey')) return;
    const ada = await service.member();
    const inside = await signIn(service, ada);
    const device = new PasskeyDevice('https://accounts.test');
    await addPasskey(inside, device);
    await close(inside);
    const answer = async (at: Browser): Promise<string> =>
      device.get(passkeyOptionsIn(await at.post('/sessions/passkey', {})));
    const api = new Browser(service);
    assertProblem(
      await api.put('/sessions/passkey', { credential: await answer(api) }),
      401,
      'factor_invalid',
    );
    const at = new Browser(service);
    const credential = await answer(at);
    await keep(at, ada, await at.submit('/sign-in/passkey', { credential, return_to: next }));
  });

  test('that the operator has disabled, or whose time is up, is refused like a wrong password', async () => {
    const { accounts } = service.service.core;
    const [disabled, due] = [await closed(), await closed()];
    await accounts.setDisabled(disabled.id, true, { actor: 'operator' });
    assert.equal((await enter(new Browser(service), disabled)).status, 401);
    service.service.clock.advance(14 * dayMs);
    const reply = await enter(new Browser(service), due);
    assert.equal(reply.status, 401);
    assert.ok(!reply.cookies.some((cookie) => cookie.startsWith(sessionCookie)));
  });
});
