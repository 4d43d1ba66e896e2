// Staying signed in on a device, or until the browser ends: for every way to sign in on a page, with a second factor too;
// and the way that was used last.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Browser } from '../../../test/support/browser.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { addApp, addPasskey, addRecoveryCodes, passkeyOptionsIn } from '../../../test/support/factor.ts';
import { entriesOf, hasFeature } from '../../../test/support/feature.ts';
import { codeIn } from '../../../test/support/mail-box.ts';
import { asPage, formIn } from '../../../test/support/page-form.ts';
import { PasskeyDevice } from '../../../test/support/passkey-device.ts';
import { PublicService, sessionCookie, type Member } from '../../../test/support/public-service.ts';
import type { Fields, Reply } from '../../../test/support/request.ts';
import { textOf } from '../../../test/support/markup.ts';
import { hourMs, minuteMs } from '../../kit/clock.ts';

const device = new PasskeyDevice('https://accounts.test');

/** Returns the Set-Cookie header of a cookie; `undefined` if the reply does not set it. */
const headerOf = ({ cookies }: Reply, name: string): string | undefined =>
  cookies.find((line) => line.startsWith(`${name}=`) && !line.startsWith(`${name}=;`));

onEachEngine('a sign-in on a page', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  const post = (browser: Browser, path: string, fields: Fields): Promise<Reply> =>
    browser.send({ method: 'POST', path, fields, headers: asPage });

  /** The ways to sign in on the page, by their names. Each returns the reply that the first factor gets. */
  const ways: Readonly<Record<string, (browser: Browser, member: Member, stay: Fields) => Promise<Reply>>> = {
    password: (browser, { email, password }, stay) => post(browser, '/sign-in', { email, password, ...stay }),
    ...entriesOf<(browser: Browser, member: Member, stay: Fields) => Promise<Reply>>('passkey', {
      passkey: async (browser, _, stay) => {
        const options = passkeyOptionsIn(await browser.post('/sessions/passkey', {}));
        return post(browser, '/sign-in/passkey', { credential: device.get(options), ...stay });
      },
    }),
    ...entriesOf<(browser: Browser, member: Member, stay: Fields) => Promise<Reply>>('email-sign-in', {
      email: async (browser, { email }, stay) => {
        service.service.clock.advance(2 * minuteMs);
        await post(browser, '/sign-in/email', { email, ...stay });
        await service.deliver();
        const text = service.mails.findLast(({ to }) => to === email)?.text ?? '';
        return post(browser, '/sign-in/code', { token: codeIn(text) ?? '' });
      },
    }),
  };

  async function lifeOf({ id }: Member): Promise<number> {
    const [newest] = await service.service.core.sessions.list(id, 1);
    return (newest?.expires_at ?? 0) - (newest?.created_at ?? 0);
  }

  for (const [name, signIn] of Object.entries(ways)) {
    describe(`by ${name}`, () => {
      async function signedIn(
        stay: Fields,
        hasApp = false,
      ): Promise<{ member: Member; reply: Reply; browser: Browser }> {
        const member = await service.member();
        const owner = new Browser(service);
        await owner.post('/sessions', { email: member.email, password: member.password });
        if (name === 'passkey') await addPasskey(owner, device);
        const app = hasApp ? await addApp(owner, service.service.clock) : undefined;
        service.service.clock.advance(1000); // the session of the browser is the newest one
        const browser = new Browser(service);
        let reply = await signIn(browser, member, stay);
        assert.equal(reply.status, 303, reply.text);
        if (app !== undefined && browser.sessionId === undefined)
          reply = await post(browser, '/sign-in/factor', {
            ...formIn(await browser.get('/sign-in/factor', asPage)).fields,
            factor: 'totp',
            proof: app.nextCode(),
          });
        assert.ok(browser.sessionId, reply.text);
        return { member, reply, browser };
      }

      for (const hasApp of hasFeature('totp') ? [false, true] : [false]) {
        test(`lasts if the user stays signed in${hasApp ? ', with a second factor' : ''}`, async () => {
          const { member, reply, browser } = await signedIn({ stay: 'true' }, hasApp);
          assert.match(headerOf(reply, sessionCookie) ?? '', /; Max-Age=2592000;/);
          assert.equal(await lifeOf(member), 30 * 24 * hourMs);
          const found = await service.service.core.sessions.find(browser.sessionId);
          assert.equal(found?.endsWithBrowser, false);
          const { text } = await new Browser(service).get('/sign-in', asPage);
          assert.doesNotMatch(text, /class="badge"/);
          assert.equal(browser.cookie('__Host-last_way'), name);
        });

        test(`ends with the browser otherwise${hasApp ? ', with a second factor' : ''}`, async () => {
          const { member, reply, browser } = await signedIn({}, hasApp);
          assert.doesNotMatch(headerOf(reply, sessionCookie) ?? assert.fail(), /Max-Age|Expires/i);
          assert.equal(await lifeOf(member), 12 * hourMs);
          assert.equal(browser.cookie('__Host-last_way'), undefined, 'the device keeps nothing');
          service.service.clock.advance(12 * hourMs);
          assert.equal((await browser.get('/profile')).status, 403);
        });
      }

      // A page with one way marks none.
      const isOnlyWay = Object.keys(ways).length === 1 && 'there is no other way';
      test('is marked on the page as the way that was used last', { skip: isOnlyWay }, async () => {
        const { browser } = await signedIn({ stay: 'true' });
        const page = new Browser(service);
        page.plant('__Host-last_way', browser.cookie('__Host-last_way') ?? '');
        const { text } = await page.get('/sign-in', asPage);
        const [marked, ...others] = [...text.matchAll(/<button[\s\S]*?<\/button>/g)]
          .map(([button]) => button)
          .filter((button) => button.includes('class="badge"'));
        assert.equal(others.length, 0);
        const label =
          { password: /^Sign in/, passkey: /passkey/i, email: /email/i }[name] ?? assert.fail(name);
        assert.match(textOf(marked ?? ''), label);
      });
    });
  }

  test('has a checkbox that is on, and stays as it was after a refusal', async () => {
    const browser = new Browser(service);
    const isChecked = ({ text }: Reply): boolean =>
      /<input\s+type="checkbox"\s+name="stay"\s+value="true"\s+checked/.test(text);
    assert.ok(isChecked(await browser.get('/sign-in', asPage)));
    const { email } = await service.member();
    for (const stay of [{ stay: 'true' }, {}]) {
      const refused = await browser.submit('/sign-in', { email, password: 'wrong', ...stay });
      assert.equal(isChecked(refused), 'stay' in stay);
    }
  });

  test('ignores a way in the cookie that no page has', async () => {
    for (const value of ['none', 'constructor', '<b>', 'x'.repeat(30), '']) {
      const browser = new Browser(service);
      browser.plant('__Host-last_way', value);
      const { status, text } = await browser.get('/sign-in', asPage);
      assert.equal(status, 200);
      assert.doesNotMatch(text, /class="badge"/, value);
    }
  });

  test('keeps its end when the session is renewed, also by programs', async () => {
    const { email, password, ...member } = await service.member();
    service.service.clock.advance(1000); // the session of the browser is the newest one
    const browser = new Browser(service);
    await post(browser, '/sign-in', { email, password });
    const renewals: (() => Promise<Reply>)[] = [
      () => browser.post('/sessions/step_up', { factor: 'password', proof: password }),
      async () =>
        post(browser, '/step-up', {
          ...formIn(await browser.get('/account/password', asPage)).fields,
          factor: 'password',
          proof: password,
        }),
      ...Object.values(
        entriesOf<() => Promise<Reply>>('totp', {
          app: async () => {
            await addApp(browser, service.service.clock);
            return browser.get('/profile');
          },
          ...entriesOf<() => Promise<Reply>>('recovery-code', {
            codes: async () => {
              await addRecoveryCodes(browser);
              return browser.get('/profile');
            },
          }),
        }),
      ),
    ];
    for (const renew of renewals) {
      const former = browser.sessionId;
      const reply = await renew();
      assert.ok([200, 303].includes(reply.status), reply.text);
      assert.notEqual(browser.sessionId, former);
      const header = headerOf(reply, sessionCookie);
      if (header !== undefined) assert.doesNotMatch(header, /Max-Age/);
      const found = await service.service.core.sessions.find(browser.sessionId);
      assert.equal(found?.endsWithBrowser, true);
      assert.equal(await lifeOf({ ...member, email, password }), 12 * hourMs);
    }
  });

  test('through the API lasts as before', async () => {
    const { email, password } = await service.member();
    const reply = await new Browser(service).post('/sessions', { email, password });
    assert.match(headerOf(reply, sessionCookie) ?? '', /; Max-Age=2592000;/);
    assert.equal(headerOf(reply, '__Host-last_way'), undefined);
  });
});
