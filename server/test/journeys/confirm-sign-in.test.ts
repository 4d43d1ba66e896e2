// The browser that registered is signed in by a confirmation and by a registration on a page, and not by a reset.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Browser } from '../support/browser.ts';
import { hasFeature, without } from '../support/feature.ts';
import { passkeyOptionsIn } from '../support/factor.ts';
import { codeIn, linkIn } from '../support/mail-box.ts';
import { asPage, formIn } from '../support/page-form.ts';
import { PasskeyDevice } from '../support/passkey-device.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService } from '../support/public-service.ts';
import { send, type Reply } from '../support/request.ts';
import { testService } from '../support/service.ts';

const password = 'nine newts under a green umbrella';
const next = '/account/data';

describe('a confirmation in the browser that registered', () => {
  let service: PublicService;
  before(async () => (service = await PublicService.start('sqlite')));
  after(() => service.close());

  async function register(at: Browser, email: string): Promise<void> {
    const fields = { email, password, return_to: next };
    assert.equal((await at.submit('/sign-up', fields)).status, 200);
    await service.deliver();
  }
  const mailTo = (email: string): string => service.mails.findLast(({ to }) => to === email)?.text ?? '';

  /** The ways to confirm. Each returns the reply to its form. */
  const ways: Readonly<Record<string, (at: Browser, email: string) => Promise<Reply>>> = {
    'its link': async (at, email) => {
      const { action, fields } = formIn(await at.get(linkIn(mailTo(email)), asPage));
      return at.submit(action, fields);
    },
    'its code': (at, email) =>
      at.submit('/confirm/code', { token: codeIn(mailTo(email)) ?? '', return_to: next }),
  };

  for (const [name, confirm] of Object.entries(ways)) {
    test(`signs in by ${name} and continues, and the record says how`, async () => {
      const email = freshEmail();
      const at = new Browser(service);
      await register(at, email);
      const reply = await confirm(at, email);
      assert.deepEqual([reply.status, reply.headers['location']], [303, next], reply.text);
      assert.deepEqual((await at.get('/profile')).body, { email });
      assert.notEqual(at.cookie('__Host-device'), undefined, 'the device is known from now on');
      assert.equal(at.cookie('__Host-last_way'), 'password', 'the way of the next sign-in');
      const { database } = service.service.core;
      const id = await service.idOf(email);
      const events = await database.query((sql) =>
        sql
          .selectFrom('audit_events')
          .select(['reason', 'facts'])
          .where('user_id', '=', id)
          .orderBy('id', 'desc')
          .limit(3),
      );
      assert.deepEqual(events.map(({ reason }) => reason).toReversed(), [
        'email_verified',
        'signed_in',
        'session_created',
      ]);
      assert.match(String(events[1]?.facts), /"email"/);
      const kinds = service.mails.filter(({ to }) => to === email).map(({ subject }) => subject);
      assert.equal(kinds.length, 1, 'no mail about a new device');
    });
  }

  test('by the link signs in no other browser, and not where another account is signed in', async () => {
    const email = freshEmail();
    await register(new Browser(service), email);
    const elsewhere = new Browser(service);
    const { action, fields } = formIn(await elsewhere.get(linkIn(mailTo(email)), asPage));
    assert.match((await elsewhere.submit(action, fields)).text, /in another browser/);
    const reply = await elsewhere.submit(action, { ...fields, password });
    assert.match(String(reply.headers['location']), /^\/sign-in\?done=confirmed&email=/);
    assert.equal(elsewhere.sessionId, undefined);

    const other = await service.member();
    const own = new Browser(service);
    await own.post('/sessions', { email: other.email, password: other.password });
    const session = own.sessionId;
    const second = freshEmail();
    await register(own, second);
    const asked = await ways['its link']?.(own, second);
    assert.match(String(asked?.headers['location']), /^\/sign-in\?done=confirmed&email=/);
    assert.equal(own.sessionId, session);
  });

  test('asks for the passkey of the registration', { skip: without('passkey') }, async () => {
    const email = freshEmail();
    const at = new Browser(service);
    const device = new PasskeyDevice('https://accounts.test');
    const options = passkeyOptionsIn(await at.post('/users/passkey', { email }));
    await at.submit('/sign-up/passkey', { email, credential: device.create(options), return_to: next });
    await service.deliver();
    const reply = await ways['its link']?.(at, email);
    const target = String(reply?.headers['location']);
    assert.equal(target, `/sign-in/factor?return_to=${encodeURIComponent(next)}`);
    const { text } = await at.get(target, asPage);
    assert.match(text, new RegExp(`<p class="who">${email}</p>`));
    assert.match(text, /<a href="\/sign-in\?return_to[^"]*">Use another account</);
    assert.equal(at.sessionId, undefined);
  });

  test('asks for a second factor where all users need one', async () => {
    const strict = await service.reconfigured({ SECOND_FACTOR: 'required' });
    const email = freshEmail();
    const at = new Browser(strict);
    await at.submit('/sign-up', { email, password });
    await strict.deliver();
    const text = strict.mails.findLast(({ to }) => to === email)?.text ?? '';
    const { action, fields } = formIn(await at.get(linkIn(text), asPage));
    assert.equal((await at.submit(action, fields)).headers['location'], '/sign-in/set-up');
    assert.match((await at.get('/sign-in/set-up', asPage)).text, new RegExp(`<p class="who">${email}</p>`));
    assert.equal(at.sessionId, undefined);
  });

  test('by the API opens no session, and neither does a reset', async () => {
    const email = freshEmail();
    const at = new Browser(service);
    await register(at, email);
    const token = new URL(linkIn(mailTo(email)), 'https://accounts.test').searchParams.get('token') ?? '';
    const put = await at.put('/email_verification', { email, token });
    assert.deepEqual([put.body, at.sessionId], [{ email, message: 'email confirmed' }, undefined]);

    await at.submit('/forgot', { email });
    await service.deliver();
    const page = await at.get(linkIn(mailTo(email)), asPage);
    assert.match(page.text, new RegExp(`name="email" value="${email}" autocomplete="username"`));
    assert.match(page.text, /autocomplete="new-password"/);
    const { action, fields } = formIn(page);
    const reset = await at.submit(action, { ...fields, new_password: `${password}!` });
    assert.match(String(reset.headers['location']), /^\/sign-in\?done=password&email=/);
    assert.equal(at.sessionId, undefined);
    assert.match(
      (await at.get(String(reset.headers['location']), asPage)).text,
      new RegExp(`value="${email}"`),
    );
  });
});

test('a registration on a page signs in immediately in local mode, by password and by passkey', async (t) => {
  const local = await testService('sqlite', { PORT: '5000' });
  t.after(() => local.close());
  const open = (): Browser => new Browser({ send: (request) => send(local.app, request) });
  const byPassword = open();
  const registered = await byPassword.submit('/sign-up', { email: freshEmail(), password, return_to: next });
  assert.equal(registered.headers['location'], next);
  if (!hasFeature('passkey')) return;
  const email = freshEmail();
  const byPasskey = open();
  const device = new PasskeyDevice('http://localhost:5000');
  const options = passkeyOptionsIn(await byPasskey.post('/users/passkey', { email }));
  const credential = device.create(options);
  const reply = await byPasskey.submit('/sign-up/passkey', { email, credential, return_to: next });
  assert.equal(reply.headers['location'], next, reply.text);
  assert.deepEqual((await byPasskey.get('/profile')).body, { email });
  assert.match((await byPasskey.get('/account', asPage)).text, new RegExp(email));
});
