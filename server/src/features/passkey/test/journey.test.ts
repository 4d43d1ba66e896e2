// Passkeys from end to end: registered with, added, used to sign in and as second factor, and removed; and every
// attempt to pass without one is rejected.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dayMs, minuteMs } from '../../../kit/clock.ts';
import { Browser } from '../../../../test/support/browser.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { PasskeyDevice, type Quirks } from '../../../../test/support/passkey-device.ts';
import { freshEmail } from '../../../../test/support/person.ts';
import { PublicService } from '../../../../test/support/public-service.ts';
import { memberOf, type Reply } from '../../../../test/support/request.ts';
import { reasonIn } from '../../../../test/support/traces.ts';
import { hasFeature, lacks } from '../../../../test/support/feature.ts';

const origin = 'https://accounts.test';

onEachEngine('passkeys', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, {
      EMAIL_SIGN_IN: 'true',
      PASSKEY_ORIGINS: 'https://app.test',
    });
  });
  after(() => service.close());

  interface Person {
    readonly browser: Browser;
    readonly email: string;
    readonly password: string;
    readonly id: number;
  }

  async function person(): Promise<Person> {
    const { email, password, id } = await service.member();
    const browser = new Browser(service);
    assert.equal((await browser.post('/sessions', { email, password })).status, 200);
    return { browser, email, password, id };
  }

  const optionsIn = (reply: Reply): Record<string, unknown> => {
    assert.equal(reply.status, 200, reply.text);
    return memberOf(reply.body, 'public_key') as Record<string, unknown>;
  };

  /** Adds a passkey of the device, or a security key. */
  async function addPasskey(
    { browser }: Pick<Person, 'browser'>,
    device: PasskeyDevice,
    { use = 'sign_in', quirks = {} }: { use?: string; quirks?: Quirks } = {},
  ): Promise<Reply> {
    const options = optionsIn(await browser.post('/profile/passkeys', { use }));
    return browser.put('/profile/passkeys', { credential: device.create(options, quirks) });
  }

  async function withPasskey(): Promise<Person & { device: PasskeyDevice }> {
    const ada = await person();
    const device = new PasskeyDevice(origin);
    const added = await addPasskey(ada, device);
    assert.equal(added.status, 200, added.text);
    return { ...ada, device };
  }

  async function signIn(browser: Browser, device: PasskeyDevice, quirks: Quirks = {}): Promise<Reply> {
    const options = optionsIn(await browser.post('/sessions/passkey', {}));
    return browser.put('/sessions/passkey', { credential: device.get(options, quirks) });
  }

  interface Listed {
    readonly id: string;
    readonly name: string;
    readonly use: string;
    readonly storage: string;
    readonly last_used_at?: string;
  }
  const listOf = async (browser: Browser): Promise<Listed[]> =>
    memberOf((await browser.get('/profile/passkeys')).body, 'passkeys') as Listed[];

  const remove = (browser: Browser, id: string | undefined): Promise<Reply> =>
    browser.send({ method: 'DELETE', path: `/profile/passkeys/${id}` });

  /** The authentication methods of the browser's session. */
  async function methodsIn(browser: Browser): Promise<string[] | undefined> {
    const sessions = memberOf((await browser.get('/sessions')).body, 'sessions') as {
      current: boolean;
      amr: string[];
    }[];
    return sessions.find(({ current }) => current)?.amr;
  }

  test('are enough to sign in, because they are two factors', async () => {
    const ada = await withPasskey();
    const browser = new Browser(service);
    const login = await signIn(browser, ada.device);
    assert.deepEqual([login.status, login.body], [200, { email: ada.email, message: 'logged in' }]);
    assert.deepEqual((await browser.get('/profile')).body, { email: ada.email });
    assert.deepEqual(await methodsIn(browser), ['pop', 'mfa']);
    const [listed] = await listOf(browser);
    assert.deepEqual([listed?.use, listed?.storage], ['sign_in', 'synced']);
    assert.ok(listed?.last_used_at !== undefined);
  });

  test('do not reveal who has one', async () => {
    const options = optionsIn(await new Browser(service).post('/sessions/passkey', {}));
    assert.deepEqual(
      [options['rpId'], options['userVerification'], options['allowCredentials'], options['timeout']],
      ['accounts.test', 'required', [], 5 * minuteMs],
    );
    const { device } = await withPasskey();
    const [taken, free] = await Promise.all(
      [(await person()).email, freshEmail()].map(async (email) =>
        optionsIn(await new Browser(service).post('/users/passkey', { email })),
      ),
    );
    assert.deepEqual(Object.keys(taken ?? {}), Object.keys(free ?? {}));
    assert.deepEqual(taken?.['excludeCredentials'], []);
    assert.equal(device.credentials.length, 1);
  });

  test('A47 every entry point: a passkey is the second factor after a password or a mail, and in a step-up', async () => {
    const ada = await withPasskey();
    const browser = new Browser(service);
    const half = await browser.post('/sessions', { email: ada.email, password: ada.password });
    assert.deepEqual(memberOf(half.body, 'factors'), ['passkey']);
    const options = optionsIn(await browser.post('/sessions/factor/passkey', {}));
    assert.equal((options['allowCredentials'] as unknown[]).length, 1);
    const unverified = { isVerified: false };
    const full = await browser.post('/sessions/factor', {
      factor: 'passkey',
      proof: ada.device.get(options, unverified),
    });
    assert.equal(full.status, 200, full.text);
    service.service.clock.advance(11 * minuteMs);
    assert.equal((await browser.post('/profile/passkeys', {})).status, 401);
    const again = optionsIn(await browser.post('/sessions/step_up/passkey', {}));
    const proof = ada.device.get(again);
    assert.equal((await browser.post('/sessions/step_up', { factor: 'passkey', proof })).status, 200);
    assert.equal((await browser.post('/profile/passkeys', {})).status, 200);
    if (!hasFeature('email-sign-in')) return;
    await service.post('/sessions/email', { email: ada.email });
    const token = await service.tokenFor(ada.email);
    const byMail = await new Browser(service).put('/sessions/email', { email: ada.email, token });
    assert.deepEqual(memberOf(byMail.body, 'factors'), ['passkey']);
  });

  test('that do not verify their user are only a second factor', async () => {
    const ada = await person();
    const key = new PasskeyDevice(origin, { counts: true });
    const unverified = { isVerified: false };
    assert.equal((await addPasskey(ada, key, { quirks: unverified })).status, 401, 'as a passkey');
    const added = await addPasskey(ada, key, { use: 'second_factor', quirks: unverified });
    assert.equal(added.status, 200, added.text);
    assert.deepEqual(
      (await listOf(ada.browser)).map(({ use, storage }) => [use, storage]),
      [['second_factor', 'device']],
    );
    assert.equal((await signIn(new Browser(service), key)).status, 401, 'even if it claims that it did');
    const browser = new Browser(service);
    await browser.post('/sessions', { email: ada.email, password: ada.password });
    const options = optionsIn(await browser.post('/sessions/factor/passkey', {}));
    const proof = key.get(options, unverified);
    assert.equal((await browser.post('/sessions/factor', { factor: 'passkey', proof })).status, 200);
    const passkey = await withPasskey();
    assert.equal((await signIn(new Browser(service), passkey.device, unverified)).status, 401);
  });

  test('A46 authentication methods: after a mail they are two factors only if they verified their user', async (t) => {
    if (lacks(t, 'email-sign-in')) return;
    for (const isVerified of [false, true]) {
      const ada = await withPasskey();
      await service.post('/sessions/email', { email: ada.email });
      const browser = new Browser(service);
      const token = await service.tokenFor(ada.email);
      assert.equal((await browser.put('/sessions/email', { email: ada.email, token })).status, 200);
      const options = optionsIn(await browser.post('/sessions/factor/passkey', {}));
      const proof = ada.device.get(options, { isVerified });
      assert.equal((await browser.post('/sessions/factor', { factor: 'passkey', proof })).status, 200);
      const methods = ['email', 'pop'];
      assert.deepEqual(await methodsIn(browser), isVerified ? [...methods, 'mfa'] : methods);
    }
  });

  test('are rejected if anything in the response is wrong', async () => {
    const ada = await withPasskey();
    const other = await withPasskey();
    const wrong: Record<string, Quirks> = {
      'a page of another site': { origin: 'https://accounts.test.evil.example' },
      'another scheme': { origin: 'http://accounts.test' },
      'another relying party': { rpId: 'evil.example' },
      'another key': { isForged: true },
      'a changed signature': { isTampered: true },
      'another type': { type: 'webauthn.create' },
      'another challenge': { challenge: Buffer.alloc(32).toString('base64url') },
      "another person's handle": { userHandle: other.device.credentials[0]?.userHandle ?? '' },
      'no handle': { userHandle: '' },
    };
    for (const [title, quirks] of Object.entries(wrong)) {
      const browser = new Browser(service);
      const reply = await signIn(browser, ada.device, quirks);
      assert.deepEqual([reply.status, memberOf(reply.body, 'code')], [401, 'factor_invalid'], title);
      assert.equal(browser.sessionId, undefined, title);
    }
    assert.equal(
      (await signIn(new Browser(service), ada.device, { origin: 'https://app.test' })).status,
      200,
    );
    assert.deepEqual((await new Browser(service).get('/.well-known/webauthn')).body, {
      origins: [origin, 'https://app.test'],
    });
  });

  test('A37 namespaces: a challenge is accepted once, in time, and only for its purpose', async () => {
    const ada = await withPasskey();
    const browser = new Browser(service);
    const options = optionsIn(await browser.post('/sessions/passkey', {}));
    const credential = ada.device.get(options);
    assert.equal((await browser.put('/sessions/passkey', { credential })).status, 200);
    assert.equal(
      (await new Browser(service).put('/sessions/passkey', { credential })).status,
      401,
      'replayed',
    );
    assert.equal(
      (await new Browser(service).put('/sessions/passkey', { credential: ada.device.get(options) })).status,
      401,
      'answered again',
    );
    const late = optionsIn(await browser.post('/sessions/passkey', {}));
    service.service.clock.advance(5 * minuteMs);
    assert.equal(
      (await browser.put('/sessions/passkey', { credential: ada.device.get(late) })).status,
      401,
      'late',
    );
    const half = async (): Promise<Browser> => {
      const one = new Browser(service);
      await one.post('/sessions', { email: ada.email, password: ada.password });
      return one;
    };
    const [first, second] = [await half(), await half()];
    const theirs = ada.device.get(optionsIn(await first.post('/sessions/factor/passkey', {})));
    const submit = (one: Browser, proof: string, path = '/sessions/factor'): Promise<Reply> =>
      one.post(path, { factor: 'passkey', proof });
    assert.equal((await submit(second, theirs)).status, 401, 'of another login');
    assert.equal(
      (await browser.put('/sessions/passkey', { credential: theirs })).status,
      401,
      'as a sign-in',
    );
    const signInAnswer = ada.device.get(optionsIn(await first.post('/sessions/passkey', {})));
    assert.equal((await submit(second, signInAnswer)).status, 401, 'a sign-in as second factor');
    assert.equal((await submit(browser, theirs, '/sessions/step_up')).status, 401, 'as a step-up');
    assert.equal((await submit(first, theirs)).status, 200);
    service.service.clock.advance(dayMs);
    assert.ok((await service.service.core.auth.purge()) > 0, 'answered challenges are purged');
  });

  test('only one of many concurrent responses to a challenge signs in', async () => {
    const ada = await withPasskey();
    const options = optionsIn(await new Browser(service).post('/sessions/passkey', {}));
    const credential = ada.device.get(options);
    const replies = await Promise.all(
      Array.from({ length: 5 }, () => new Browser(service).put('/sessions/passkey', { credential })),
    );
    assert.deepEqual(
      replies.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 401, 401, 401, 401],
    );
  });

  test('whose counter does not increase are rejected: there may be a copy', async () => {
    const ada = await person();
    const key = new PasskeyDevice(origin, { counts: true });
    assert.equal((await addPasskey(ada, key)).status, 200);
    assert.equal((await signIn(new Browser(service), key)).status, 200);
    for (const counter of [1, 2, 0])
      assert.equal((await signIn(new Browser(service), key, { counter })).status, 401, `${counter}`);
    assert.equal((await signIn(new Browser(service), key, { counter: 9 })).status, 200);
  });

  test('register an account without a password, confirmed in the browser that registered it', async () => {
    const email = freshEmail();
    const device = new PasskeyDevice(origin);
    const browser = new Browser(service);
    const options = optionsIn(await browser.post('/users/passkey', { email }));
    const made = await browser.put('/users/passkey', { email, credential: device.create(options) });
    assert.deepEqual([made.status, made.body], [200, { email, message: 'user created' }]);
    assert.equal((await signIn(browser, device)).status, 401, 'before the address is confirmed');
    const token = await service.tokenFor(email);
    const elsewhere = await new Browser(service).put('/email_verification', { email, token });
    assert.deepEqual([elsewhere.status, memberOf(elsewhere.body, 'code')], [403, 'same_browser_required']);
    assert.equal((await browser.put('/email_verification', { email, token })).status, 200);
    assert.equal((await signIn(browser, device)).status, 200);
    assert.equal((await browser.post('/sessions', { email, password: 'x'.repeat(15) })).status, 401);
    const [only] = await listOf(browser);
    const refused = await remove(browser, only?.id);
    // Users may sign in by mail here; otherwise, it is the only way to sign in.
    assert.equal(refused.status, hasFeature('email-sign-in') ? 200 : 409);
  });

  test('of one registration stand only if that one is confirmed', async (t) => {
    if (lacks(t, 'email-sign-in')) return;
    const password = 'nine newts under a green umbrella';
    const claim = async (email: string, device: PasskeyDevice): Promise<Browser> => {
      const browser = new Browser(service);
      const options = optionsIn(await browser.post('/users/passkey', { email }));
      const made = await browser.put('/users/passkey', { email, credential: device.create(options) });
      assert.equal(made.status, 200, made.text);
      return browser;
    };
    const confirm = async (
      at: Browser,
      email: string,
      fields: Record<string, string> = {},
    ): Promise<number> =>
      (await at.put('/email_verification', { email, token: await service.tokenFor(email), ...fields }))
        .status;
    const opens = async (email: string, device: PasskeyDevice): Promise<[number, number]> => [
      (await signIn(new Browser(service), device)).status,
      (await service.logIn(email, password)).status,
    ];

    const mine = new PasskeyDevice(origin);
    const byPasskey = freshEmail();
    const owner = await claim(byPasskey, mine);
    await service.post('/users', { email: byPasskey, password });
    const others = await claim(byPasskey, new PasskeyDevice(origin));
    assert.equal(await confirm(owner, byPasskey), 200);
    assert.deepEqual(await opens(byPasskey, mine), [200, 401]);
    assert.equal(await confirm(others, byPasskey), 403);

    const byPassword = freshEmail();
    const theirs = new PasskeyDevice(origin);
    await service.post('/users', { email: byPassword, password });
    await claim(byPassword, theirs);
    assert.equal(await confirm(new Browser(service), byPassword, { password }), 200);
    assert.deepEqual(await opens(byPassword, theirs), [401, 200]);

    const byNewPassword = freshEmail();
    await claim(byNewPassword, theirs);
    const elsewhere = new Browser(service);
    assert.equal(await confirm(elsewhere, byNewPassword, { password }), 403);
    assert.equal(await confirm(elsewhere, byNewPassword, { new_password: password }), 200);
    assert.deepEqual(await opens(byNewPassword, theirs), [401, 200]);
  });

  test('of several registrations with one credential belong to the account that is confirmed first', async (t) => {
    if (lacks(t, 'email-sign-in')) return;
    const device = new PasskeyDevice(origin);
    const [first, second] = [freshEmail(), freshEmail()];
    const browser = new Browser(service);
    const options = optionsIn(await browser.post('/users/passkey', { email: first }));
    const credential = device.create(options);
    assert.equal((await browser.put('/users/passkey', { email: first, credential })).status, 200);
    const other = new Browser(service);
    const again = device.remake(optionsIn(await other.post('/users/passkey', { email: second })));
    assert.equal((await other.put('/users/passkey', { email: second, credential: again })).status, 200);
    const confirm = async (at: Browser, email: string): Promise<Reply> =>
      at.put('/email_verification', { email, token: await service.tokenFor(email) });
    assert.equal((await confirm(browser, first)).status, 200);
    const late = await confirm(other, second);
    assert.deepEqual([late.status, memberOf(late.body, 'code')], [403, 'password_required']);
    assert.equal((await signIn(new Browser(service), device)).status, 200);
  });

  test('for another address than the requested one, or for a taken one, create nothing', async () => {
    const ada = await person();
    const [email, other] = [freshEmail(), freshEmail()];
    const device = new PasskeyDevice(origin);
    const browser = new Browser(service);
    const options = optionsIn(await browser.post('/users/passkey', { email }));
    const moved = await browser.put('/users/passkey', { email: other, credential: device.create(options) });
    assert.equal(moved.status, 401);
    const taken = optionsIn(await browser.post('/users/passkey', { email: ada.email }));
    const reply = await browser.put('/users/passkey', { email: ada.email, credential: device.create(taken) });
    assert.deepEqual([reply.status, reply.body], [200, { email: ada.email, message: 'user created' }]);
    assert.deepEqual(await listOf(ada.browser), []);
    assert.equal((await signIn(browser, device)).status, 401);
    await service.deliver();
    const subjects = service.mails.filter(({ to }) => to === ada.email).map(({ subject }) => subject);
    assert.ok(
      subjects.some((subject) => /already/i.test(subject)),
      subjects.join('\n'),
    );
  });

  test('A11 enumeration: get the same reply to a registration for a taken address and a free one, however often one is used', async () => {
    const browser = new Browser(service);
    const ask = async (email: string): Promise<Record<string, unknown>> =>
      optionsIn(await browser.post('/users/passkey', { email }));
    const submit = async (email: string, credential: string): Promise<string> => {
      const { status, text } = await browser.put('/users/passkey', { email, credential });
      const said = text.replace(email, 'the address').replace(/"request_id":"[^"]+"/, '');
      return `${status} ${said}`;
    };
    /** Answers one challenge with the registered credential, and then with what signs in. */
    const toldBySigningIn = async (
      email: string,
      { device: own }: { device: PasskeyDevice },
    ): Promise<string[]> => {
      const device = new PasskeyDevice(origin);
      const made = await submit(email, device.create(await ask(email)));
      const question = optionsIn(await browser.post('/sessions/passkey', {}));
      const answers = [device.get(question), own.get(question)];
      const replies = [made];
      for (const credential of answers)
        replies.push(`${(await new Browser(service).put('/sessions/passkey', { credential })).status}`);
      return replies;
    };
    const toldByAdding = async (email: string, at: Pick<Person, 'browser'>): Promise<string> => {
      const device = new PasskeyDevice(origin);
      await submit(email, device.create(await ask(email)));
      const options = optionsIn(await at.browser.post('/profile/passkeys', {}));
      return `${(await at.browser.put('/profile/passkeys', { credential: device.remake(options) })).status}`;
    };
    /** The same credential for two addresses in parallel. */
    const toldByTwo = async (email: string): Promise<string[]> => {
      const device = new PasskeyDevice(origin);
      const other = freshEmail();
      const made = device.create(await ask(email));
      const again = device.remake(await ask(other));
      return Promise.all([submit(email, made), submit(other, again)]);
    };
    /** Added to the user's own account while it is registered for the address. */
    const toldByAddingAtOnce = async (email: string, at: Browser): Promise<string> => {
      const device = new PasskeyDevice(origin);
      const made = device.create(await ask(email));
      const credential = device.remake(optionsIn(await at.post('/profile/passkeys', {})));
      const [, { status, body }] = await Promise.all([
        submit(email, made),
        at.put('/profile/passkeys', { credential }),
      ]);
      if (status === 200) assert.equal((await remove(at, String(memberOf(body, 'id')))).status, 200);
      return `${status}`;
    };
    /** Replies about an address to credentials that are new, used, used before, or of the client's own account. */
    const repliesAbout = async (email: string): Promise<string[]> => {
      const device = new PasskeyDevice(origin);
      const first = device.create(await ask(email));
      const replies = [await submit(email, first), await submit(email, first)];
      replies.push(await submit(email, device.remake(await ask(email))));
      const other = freshEmail();
      replies.push(await submit(other, device.remake(await ask(other))));
      const mallory = await withPasskey();
      replies.push(await submit(email, mallory.device.remake(await ask(email))));
      return [...replies, ...(await toldBySigningIn(email, mallory)), await toldByAdding(email, mallory)];
    };
    const { email: taken } = await person();
    const unconfirmed = freshEmail();
    await submit(unconfirmed, new PasskeyDevice(origin).create(await ask(unconfirmed)));
    const free = await repliesAbout(freshEmail());
    assert.deepEqual(
      free.map((reply) => Number(reply.slice(0, 3))),
      [200, 401, 200, 200, 400, 200, 401, 200, 200],
    );
    assert.deepEqual(await repliesAbout(taken), free, 'of a taken address');
    assert.deepEqual(await repliesAbout(unconfirmed), free, 'of one that waits for its confirmation');
    for (let i = 0; i < 20; i += 1)
      for (const email of [freshEmail(), taken, unconfirmed])
        assert.deepEqual(
          (await toldByTwo(email)).map((reply) => reply.slice(0, 3)),
          ['200', '200'],
          email,
        );
    const mallory = await withPasskey();
    for (let i = 0; i < 20; i += 1)
      for (const email of [freshEmail(), taken, unconfirmed])
        assert.equal(await toldByAddingAtOnce(email, mallory.browser), '200', email);
  });

  test('are recorded when they are rejected', async () => {
    const ada = await withPasskey();
    const refusals = async (): Promise<(number | undefined)[]> =>
      (await service.service.core.audit.list({ event: 'authn_login_fail', limit: 2000 }))
        .filter((event) => reasonIn(event) === 'first_factor_refused factor=passkey')
        .map(({ userId }) => userId ?? undefined);
    const earlier = await refusals();
    assert.equal((await signIn(new Browser(service), ada.device, { isForged: true })).status, 401);
    const stranger = new PasskeyDevice(origin);
    stranger.create({
      challenge: '',
      rp: { id: 'accounts.test' },
      user: { id: 'x' },
      excludeCredentials: [],
    });
    assert.equal((await signIn(new Browser(service), stranger)).status, 401);
    const added = await refusals();
    assert.equal(added.length, earlier.length + 2);
    assert.ok(added.includes(ada.id), 'whose it is');
  });

  test('A58 trojan identifier: those of an attacker who registered the address first are removed when its owner registers', async () => {
    const claim = async (email: string): Promise<{ browser: Browser; device: PasskeyDevice }> => {
      const [browser, device] = [new Browser(service), new PasskeyDevice(origin)];
      const options = optionsIn(await browser.post('/users/passkey', { email }));
      await browser.put('/users/passkey', { email, credential: device.create(options) });
      return { browser, device };
    };
    const password = 'nine newts under a green umbrella';
    const confirm = async (browser: Browser, email: string): Promise<number> =>
      (await browser.put('/email_verification', { email, token: await service.tokenFor(email) })).status;

    const registered = freshEmail();
    const mallory = await claim(registered);
    const owner = new Browser(service);
    await owner.post('/users', { email: registered, password });
    assert.equal(await confirm(owner, registered), 200);
    assert.equal((await signIn(mallory.browser, mallory.device)).status, 401, 'the owner registers');
    assert.equal((await owner.post('/sessions', { email: registered, password })).status, 200);

    const resetting = freshEmail();
    const eve = await claim(resetting);
    const reset = await service.reset(resetting, await service.resetToken(resetting), password);
    assert.equal(reset.status, 200, reset.text);
    assert.equal((await signIn(eve.browser, eve.device)).status, 401, 'the owner sets a password');
    const login = await owner.post('/sessions', { email: resetting, password });
    assert.deepEqual(login.body, { email: resetting, message: 'logged in' });

    const asking = freshEmail();
    await claim(asking);
    const sent = service.mails.length;
    await owner.post('/email_verification', { email: asking });
    await service.deliver();
    assert.ok(
      service.mails.slice(sent).filter(({ to }) => to === asking).length <= 1,
      'another browser cannot confirm it',
    );
    assert.equal(await confirm(owner, asking), 403);
  });

  test("A64 other people's objects: passkeys are listed, renamed and removed only by their owner", async () => {
    const ada = await withPasskey();
    const second = new PasskeyDevice(origin);
    await addPasskey(ada, second);
    const [first] = await listOf(ada.browser);
    assert.equal(
      (await ada.browser.put(`/profile/passkeys/${first?.id}`, { name: 'Work phone' })).status,
      200,
    );
    assert.equal((await listOf(ada.browser))[0]?.name, 'Work phone');
    const options = optionsIn(await ada.browser.post('/profile/passkeys', {}));
    assert.throws(() => second.create(options), /InvalidStateError/, 'a device does not create a second one');
    const eve = await withPasskey();
    assert.equal((await remove(eve.browser, first?.id)).status, 404, 'A64');
    assert.equal((await eve.browser.put(`/profile/passkeys/${first?.id}`, { name: 'x' })).status, 404);
    const removed = await remove(ada.browser, first?.id);
    assert.equal(removed.status, 200, removed.text);
    assert.deepEqual(memberOf(removed.body, 'signal'), {
      rpId: 'accounts.test',
      userId: ada.device.credentials[0]?.userHandle,
      allAcceptedCredentialIds: [second.credentials[0]?.id],
    });
    assert.equal((await signIn(new Browser(service), ada.device)).status, 401);
    assert.equal((await signIn(new Browser(service), second)).status, 200);
    await service.deliver();
    const texts = service.mails.filter(({ to }) => to === ada.email).map(({ text }) => text);
    assert.match(texts.join('\n'), /passkey was added/);
    assert.match(texts.join('\n'), /passkey was removed/);
  });

  test('A48 enrollment: a challenge of one user does not register a passkey of another', async () => {
    const ada = await withPasskey();
    const eve = await person();
    const options = optionsIn(await eve.browser.post('/profile/passkeys', {}));
    const stolen = JSON.parse(ada.device.create({ ...options, excludeCredentials: [] })) as object;
    assert.equal(
      (await eve.browser.put('/profile/passkeys', { credential: JSON.stringify(stolen) })).status,
      200,
    );
    const again = optionsIn(await ada.browser.post('/profile/passkeys', {}));
    const replayed = await ada.browser.put('/profile/passkeys', { credential: JSON.stringify(stolen) });
    assert.equal(replayed.status, 401, "a challenge of eve's");
    assert.ok(again['challenge'] !== undefined);
  });

  test('as any text are rejected without a fault', async () => {
    const ada = await person();
    const texts = [
      'x',
      '{}',
      '[]',
      'null',
      '1',
      '{"id":"AA","rawId":"AA","type":"public-key","response":{}}',
      '{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"!!","attestationObject":"o2","authenticatorData":"","signature":""}}',
      '{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"bnVsbA","attestationObject":"AA","authenticatorData":"AA","signature":"AA"}}',
      `{"__proto__":{"x":1},"id":"${'A'.repeat(2000)}"}`,
    ];
    for (const credential of texts) {
      assert.equal((await ada.browser.put('/sessions/passkey', { credential })).status, 401, credential);
      assert.equal((await ada.browser.put('/profile/passkeys', { credential })).status, 401, credential);
      const email = freshEmail();
      assert.equal((await ada.browser.put('/users/passkey', { email, credential })).status, 401, credential);
    }
  });

  test('A63 other entry points: a passkey of a disabled or removed user cannot sign in', async () => {
    const { auth } = service.service.core;
    for (const shut of [(id: number) => auth.setDisabled(id, true), (id: number) => auth.removeUser(id)]) {
      const ada = await withPasskey();
      assert.equal(await shut(ada.id), true);
      const reply = await signIn(new Browser(service), ada.device);
      assert.deepEqual([reply.status, memberOf(reply.body, 'code')], [401, 'factor_invalid']);
      assert.equal((await ada.browser.get('/profile/passkeys')).status, 403);
    }
  });
});

onEachEngine('the last passkey', (engine) => {
  test('cannot be removed if it is the only way to sign in', async () => {
    const service = await PublicService.start(engine);
    try {
      const email = freshEmail();
      const [browser, device] = [new Browser(service), new PasskeyDevice(origin)];
      const options = memberOf((await browser.post('/users/passkey', { email })).body, 'public_key');
      await browser.put('/users/passkey', { email, credential: device.create(options) });
      await browser.put('/email_verification', { email, token: await service.tokenFor(email) });
      const request = memberOf((await browser.post('/sessions/passkey', {})).body, 'public_key');
      await browser.put('/sessions/passkey', { credential: device.get(request) });
      const [only] = memberOf((await browser.get('/profile/passkeys')).body, 'passkeys') as { id: string }[];
      const reply = await browser.send({ method: 'DELETE', path: `/profile/passkeys/${only?.id}` });
      assert.deepEqual([reply.status, memberOf(reply.body, 'code')], [409, 'last_factor']);
      assert.equal((await browser.get('/profile')).status, 200);
    } finally {
      await service.close();
    }
  });
});
