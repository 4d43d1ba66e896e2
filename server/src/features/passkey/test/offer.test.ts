// The offer of a passkey after a sign-in with a password, and where the first second factor of an account leads.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dayMs, minuteMs } from '../../../kit/clock.ts';
import { Browser } from '../../../../test/support/browser.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { addApp, addPasskey, passkeyOptionsIn } from '../../../../test/support/factor.ts';
import { hasFeature, lacks } from '../../../../test/support/feature.ts';
import { asPage, formIn } from '../../../../test/support/page-form.ts';
import { PasskeyDevice } from '../../../../test/support/passkey-device.ts';
import { PublicService, type Member } from '../../../../test/support/public-service.ts';
import type { Fields, Reply } from '../../../../test/support/request.ts';

const origin = 'https://accounts.test';
const offerPath = '/account/passkeys/offer';

onEachEngine('the offer of a passkey', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine);
  });
  after(() => service.close());

  const post = (browser: Browser, path: string, fields: Fields): Promise<Reply> =>
    browser.send({ method: 'POST', path, fields, headers: asPage });

  /** Signs in on the page, whose script says that the browser has passkeys. Returns where the page leads. */
  async function signIn(
    browser: Browser,
    member: Member,
    more: Fields = { offer: 'passkey' },
  ): Promise<string> {
    const { email, password } = member;
    const fields = { email, password, stay: 'true', return_to: '/account/data', ...more };
    return String((await post(browser, '/sign-in', fields)).headers['location']);
  }

  async function addOnPage(browser: Browser, address: string): Promise<Reply> {
    const { fields } = formIn(await browser.get(address, asPage));
    const options = passkeyOptionsIn(await browser.post('/profile/passkeys', {}));
    const credential = new PasskeyDevice(origin).create(options);
    return post(browser, '/account/passkeys', { ...fields, credential });
  }

  test('follows a sign-in with a password, and "Not now" is remembered on the device for 30 days', async () => {
    const member = await service.member();
    const browser = new Browser(service);
    const offer = await signIn(browser, member);
    assert.equal(offer, `${offerPath}?return_to=%2Faccount%2Fdata`);
    const page = await browser.get(offer, asPage);
    assert.equal(page.status, 200);
    assert.match(page.text, /Sign in faster next time[\s\S]*password alone[\s\S]*Not now/);
    const [, later = ''] = /(<form method="post" action="[^"]+offer">[\s\S]*?<\/form>)/.exec(page.text) ?? [];
    const { action, fields } = formIn({ ...page, text: later });
    const reply = await post(browser, action, fields);
    assert.equal(reply.headers['location'], '/account/data');
    assert.match(
      reply.cookies.join('\n'),
      new RegExp(`__Host-passkey_offer=later; Max-Age=${(30 * dayMs) / 1000};`),
    );
    assert.equal(await signIn(browser, member), '/account/data');
    assert.doesNotMatch((await new Browser(service).get('/sign-in', asPage)).text, /value="passkey"/);
  });

  test('is shown only if the script says that the browser is able to', async () => {
    const member = await service.member();
    assert.match(
      (await new Browser(service).get('/sign-in', asPage)).text,
      /name="offer" value="" data-offer="passkey"/,
    );
    for (const more of [{}, { offer: '' }, { offer: 'other' }, { offer: 'constructor' }])
      assert.equal(await signIn(new Browser(service), member, more), '/account/data', JSON.stringify(more));
  });

  test('is skipped for an account with a passkey, and for 30 days then', async () => {
    const member = await service.member();
    const owner = new Browser(service);
    await owner.post('/sessions', { email: member.email, password: member.password });
    await addPasskey(owner, new PasskeyDevice(origin));
    const reply = await owner.get(`${offerPath}?return_to=%2Faccount%2Fdata`, asPage);
    assert.deepEqual([reply.status, reply.headers['location']], [303, '/account/data']);
    assert.equal(owner.cookie('__Host-passkey_offer'), 'later');
  });

  test('never asks for another proof: it is skipped if the last one is too old', async () => {
    const browser = new Browser(service);
    const offer = await signIn(browser, await service.member());
    service.service.clock.advance(11 * minuteMs);
    assert.equal((await browser.get(offer, asPage)).headers['location'], '/account/data');
  });

  test('leads to the recovery codes after the first factor, and then to where the user wanted to go', async () => {
    const browser = new Browser(service);
    const added = await addOnPage(browser, await signIn(browser, await service.member()));
    const target = String(added.headers['location']);
    if (!hasFeature('recovery-code')) return assert.equal(target, '/account/data');
    assert.equal(target, '/account/recovery-codes?done=first&return_to=%2Faccount%2Fdata');
    const page = await browser.get(target, asPage);
    assert.match(page.text, /Two-step verification is on\.[\s\S]*href="\/account\/data"\s*>Not now</);
    const create = formIn({
      ...page,
      text: page.text.slice(page.text.indexOf('action="/account/recovery-codes"') - 30),
    });
    const made = await post(browser, '/account/recovery-codes', create.fields);
    assert.equal(made.headers['location'], '/account/recovery-codes/new?return_to=%2Faccount%2Fdata');
    const codes = await browser.get(`/account/recovery-codes/new?return_to=%2Faccount%2Fdata`, asPage);
    const text = codes.text.slice(
      codes.text.indexOf('<form method="post" action="/account/recovery-codes/new"'),
    );
    const saved = await post(browser, '/account/recovery-codes/new', formIn({ ...codes, text }).fields);
    assert.equal(saved.headers['location'], '/account/data');
    // A further factor leads back to its page.
    const another = await addOnPage(browser, '/account/passkeys');
    assert.equal(another.headers['location'], '/account/passkeys?done=added');
  });

  test('lets a password manager create a passkey without a prompt only if the next sign-in stays the same', async (t) => {
    const member = await service.member();
    const browser = new Browser(service);
    assert.doesNotMatch((await browser.get(await signIn(browser, member), asPage)).text, /data-automatic/);
    if (lacks(t, 'totp')) return;
    await addApp(browser, service.service.clock);
    const page = await browser.get(`${offerPath}?return_to=%2Faccount%2Fdata`, asPage);
    assert.match(page.text, /data-automatic/);
    const { fields } = formIn(page);
    const device = new PasskeyDevice(origin);
    const silent = { isPresent: false, isVerified: false };
    const optionsFor = async (asked: Fields): Promise<unknown> =>
      passkeyOptionsIn(await browser.post('/profile/passkeys', asked));
    const add = (credential: string, automatic: string): Promise<Reply> =>
      post(browser, '/account/passkeys', { ...fields, credential, automatic });
    // A credential without presence or verification answers only the options of an automatic creation, and as one.
    for (const [asked, automatic, quirks] of [
      [{}, 'true', silent],
      [{}, 'true', {}],
      [{}, '', silent],
      [{ automatic: 'true' }, '', {}],
      [{ use: 'second_factor' }, 'true', silent],
    ] as const) {
      const reply = await add(new PasskeyDevice(origin).create(await optionsFor(asked), quirks), automatic);
      assert.match(String(reply.headers['location']), /note=/, JSON.stringify([asked, automatic]));
    }
    const options = (await optionsFor({ automatic: 'true' })) as { authenticatorSelection: object };
    assert.deepEqual(
      [
        options.authenticatorSelection,
        String((await add(device.create(options, silent), 'true')).headers['location']),
      ],
      [{ residentKey: 'required', userVerification: 'preferred', requireResidentKey: true }, '/account/data'],
    );
  });
});
