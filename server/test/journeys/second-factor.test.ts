// A second factor from end to end: enrolled, requested on every way to sign in, used for a step-up, lost and replaced.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dayMs, minuteMs, secondMs } from '../../src/kit/clock.ts';
import { codeAt, decodeBase32 } from '../support/authenticator-app.ts';
import { Browser } from '../support/browser.ts';
import { rowsIn } from '../support/contents.ts';
import { onEachEngine } from '../support/engines.ts';
import { pendingCookie, PublicService, sessionCookie } from '../support/public-service.ts';
import { memberOf, type Reply } from '../support/request.ts';
import { lacks, needs } from '../support/feature.ts';
import { factorKits } from '../support/kit.ts';

const newPassword = 'nine newts under a green umbrella';

onEachEngine(needs('a second factor', 'totp', 'recovery-code'), (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true' });
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

  /** Enrolls an app; returns it with its current code. */
  async function addApp({ browser }: Person): Promise<() => string> {
    const begun = await browser.post('/profile/totp', { name: 'Phone' });
    assert.equal(begun.status, 200, begun.text);
    const { id, secret, uri, qr_svg: picture } = begun.body as Record<string, string>;
    assert.ok(uri?.startsWith('otpauth://totp/') && picture?.startsWith('<svg'));
    const seed = decodeBase32(secret ?? '');
    const code = (): string => codeAt(seed, service.service.clock.now());
    const confirmed = await browser.put('/profile/totp', { id: id ?? '', code: code() });
    assert.equal(confirmed.status, 200, confirmed.text);
    service.service.clock.advance(30 * secondMs); // each time step is used once
    return code;
  }

  const factorsIn = (reply: Reply): unknown => memberOf(reply.body, 'factors');

  test('A45 pending: it is requested after the password, and every route is closed before', async () => {
    const ada = await person();
    const code = await addApp(ada);
    const browser = new Browser(service);
    const half = await browser.post('/sessions', { email: ada.email, password: ada.password });
    assert.deepEqual(half.body, {
      email: ada.email,
      message: 'second factor required',
      factors: ['totp'],
    });
    assert.equal(half.status, 200);
    assert.equal(browser.sessionId, undefined);
    assert.ok(browser.cookie(pendingCookie));
    for (const path of ['/profile', '/sessions', '/profile/totp', '/profile/recovery_codes'])
      assert.equal((await browser.get(path)).status, 403, path);
    assert.equal((await browser.post('/profile/totp', {})).status, 403);
    assert.equal(
      (await browser.put('/profile/password', { password: ada.password, new_password: newPassword })).status,
      403,
    );
    assert.equal((await browser.post('/sessions/factor', { factor: 'totp', proof: '000000' })).status, 401);
    const full = await browser.post('/sessions/factor', { factor: 'totp', proof: code() });
    assert.deepEqual([full.status, full.body], [200, { email: ada.email, message: 'logged in' }]);
    assert.equal(browser.cookie(pendingCookie), undefined);
    assert.equal((await browser.get('/profile')).status, 200);
    const again = await browser.post('/sessions/factor', { factor: 'totp', proof: code() });
    assert.equal(again.status, 403, 'the pending authentication has ended');
  });

  test('A47 every entry point: it is requested after a mail and after a reset, which does not remove it', async (t) => {
    if (lacks(t, 'email-sign-in')) return;
    const ada = await person();
    await addApp(ada);
    service.service.clock.advance(2 * minuteMs);
    const byMail = new Browser(service);
    await byMail.post('/sessions/email', { email: ada.email });
    const token = await service.tokenFor(ada.email);
    const signIn = await byMail.put('/sessions/email', { email: ada.email, token });
    assert.deepEqual(factorsIn(signIn), ['totp']);
    assert.equal(byMail.sessionId, undefined);
    const reset = await service.resetToken(ada.email);
    assert.equal((await service.reset(ada.email, reset, newPassword)).status, 200);
    const afterReset = new Browser(service);
    const login = await afterReset.post('/sessions', { email: ada.email, password: newPassword });
    assert.deepEqual(factorsIn(login), ['totp']);
    assert.equal(afterReset.sessionId, undefined);
    assert.equal(
      (await byMail.post('/sessions/factor', { factor: 'totp', proof: '123456' })).status,
      403,
      'ended by the reset',
    );
  });

  /** Enrolls an app; returns its code of any instant, and the reply to it in pending authentications. */
  async function steps(): Promise<{
    readonly enter: (at: number) => Promise<number>;
    readonly stepUp: (at: number) => Promise<number>;
  }> {
    const ada = await person();
    const { id, secret } = (await ada.browser.post('/profile/totp', {})).body as Record<string, string>;
    const seed = decodeBase32(secret ?? '');
    const code = codeAt(seed, service.service.clock.now());
    assert.equal((await ada.browser.put('/profile/totp', { id: id ?? '', code })).status, 200);
    return {
      enter: async (at) => {
        const browser = new Browser(service);
        await browser.post('/sessions', { email: ada.email, password: ada.password });
        return (await browser.post('/sessions/factor', { factor: 'totp', proof: codeAt(seed, at) })).status;
      },
      stepUp: async (at) =>
        (await ada.browser.post('/sessions/step_up', { factor: 'totp', proof: codeAt(seed, at) })).status,
    };
  }

  test('A49 replay: a code is accepted once, in any browser and on any route, and no older one after it', async () => {
    const { clock } = service.service;
    const { enter, stepUp } = await steps();
    assert.equal(await enter(clock.now()), 401, 'the time step of the enrollment is used');
    clock.advance(90 * secondMs);
    const earlier = clock.now() - 30 * secondMs;
    assert.equal(await enter(clock.now()), 200);
    for (const at of [clock.now(), earlier]) {
      assert.equal(await enter(at), 401, 'in another browser');
      assert.equal(await stepUp(at), 401, 'on another route');
    }
    clock.advance(30 * secondMs);
    assert.equal(await stepUp(clock.now() - 30 * secondMs), 401, 'in the next step');
    assert.equal(await stepUp(clock.now()), 200);
    assert.equal(await enter(clock.now()), 401, 'after the other route');
  });

  test('A50 window: accepts a code that is one step off, rejects two steps, and any used step after the clock was set back', async () => {
    const { clock } = service.service;
    const { enter } = await steps();
    clock.advance(120 * secondMs);
    assert.equal(await enter(clock.now() - 60 * secondMs), 401, 'two steps ago');
    assert.equal(await enter(clock.now() + 60 * secondMs), 401, 'two steps ahead');
    assert.equal(await enter(clock.now() - 30 * secondMs), 200, 'one step ago');
    const used = clock.now() - 30 * secondMs;
    clock.advance(-30 * secondMs);
    assert.equal(await enter(used), 401, 'the used step, with the clock set back');
    assert.equal(await enter(used - 30 * secondMs), 401, 'the one before it');
    clock.advance(30 * secondMs);
    assert.equal(await enter(clock.now() + 30 * secondMs), 200, 'one step ahead');
    assert.equal(await enter(clock.now()), 401, 'this step, after it');
  });

  test('A49 replay: only one of many concurrent uses of a code succeeds', async () => {
    const ada = await person();
    const code = await addApp(ada);
    const browsers = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const browser = new Browser(service);
        await browser.post('/sessions', { email: ada.email, password: ada.password });
        return browser;
      }),
    );
    const proof = code();
    const replies = await Promise.all(
      browsers.map((browser) => browser.post('/sessions/factor', { factor: 'totp', proof })),
    );
    assert.deepEqual(
      replies.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 401, 401, 401],
    );
  });

  test('A18 other entry points: attempts count before they are verified, and a disabled factor does not affect the others', async () => {
    const ada = await person();
    const code = await addApp(ada);
    const made = await ada.browser.post('/profile/recovery_codes', {});
    const codes = memberOf(made.body, 'recovery_codes') as string[];
    const browser = new Browser(service);
    await browser.post('/sessions', { email: ada.email, password: ada.password });
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => browser.post('/sessions/factor', { factor: 'totp', proof: '000000' })),
    );
    const verified = replies.filter(({ status }) => status === 401).length;
    assert.equal(verified, 5);
    assert.ok(replies.every(({ status }) => status === 401 || status === 429));
    assert.equal((await browser.post('/sessions/factor', { factor: 'totp', proof: code() })).status, 429);
    const proof = codes[0] ?? '';
    assert.equal((await browser.post('/sessions/factor', { factor: 'recovery_code', proof })).status, 200);
  });

  test('A18 other entry points: a replaced factor is accepted immediately, however often the older one was guessed', async () => {
    const ada = await person();
    await addApp(ada);
    await ada.browser.post('/profile/recovery_codes', {});
    const enter = async (proof: string): Promise<number> => {
      const browser = new Browser(service);
      await browser.post('/sessions', { email: ada.email, password: ada.password });
      return (await browser.post('/sessions/factor', { factor: 'recovery_code', proof })).status;
    };
    for (let i = 0; i < 5; i += 1) assert.equal(await enter('00000-0000-0000'), 401);
    assert.equal(await enter('00000-0000-0000'), 429);
    const made = await ada.browser.post('/profile/recovery_codes', {});
    const [fresh = ''] = memberOf(made.body, 'recovery_codes') as string[];
    assert.equal(await enter(fresh), 200);
  });

  test('A51 double use: there are ten recovery codes, each works once, and new ones revoke the old', async () => {
    const ada = await person();
    assert.equal((await ada.browser.post('/profile/recovery_codes', {})).status, 400, 'nothing to recover');
    await addApp(ada);
    const first = memberOf(
      (await ada.browser.post('/profile/recovery_codes', {})).body,
      'recovery_codes',
    ) as string[];
    assert.equal(new Set(first).size, 10);
    for (const code of first)
      assert.match(code, /^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/);
    const enter = async (proof: string): Promise<number> => {
      const browser = new Browser(service);
      const login = await browser.post('/sessions', { email: ada.email, password: ada.password });
      assert.deepEqual(factorsIn(login), ['totp', 'recovery_code']);
      return (await browser.post('/sessions/factor', { factor: 'recovery_code', proof })).status;
    };
    const [one = '', two = '', three = ''] = first;
    const raced = await Promise.all(Array.from({ length: 4 }, () => enter(one)));
    assert.deepEqual(
      raced.toSorted((a, b) => a - b),
      [200, 401, 401, 401],
      'of four at once',
    );
    assert.equal(await enter(` ${two.toLowerCase().replaceAll('-', ' ')}`), 200, 'as users type it');
    assert.deepEqual((await ada.browser.get('/profile/recovery_codes')).body, { left: 8 });
    await service.deliver();
    const notifications = service.mails.filter(
      ({ to, subject }) => to === ada.email && subject.includes('recovery code'),
    );
    assert.equal(notifications.length, 2, 'each use sends a notification');
    const second = memberOf(
      (await ada.browser.post('/profile/recovery_codes', {})).body,
      'recovery_codes',
    ) as string[];
    assert.equal(await enter(three), 401, 'an old one');
    assert.equal(await enter(second[0] ?? ''), 200);
  });

  test('is requested again before sensitive actions', async () => {
    const ada = await person();
    const code = await addApp(ada);
    service.service.clock.advance(11 * minuteMs);
    const refused = await ada.browser.post('/profile/recovery_codes', {});
    assert.equal(refused.status, 401);
    assert.deepEqual(
      [memberOf(refused.body, 'code'), memberOf(refused.body, 'factors'), memberOf(refused.body, 'max_age')],
      ['step_up_required', ['totp'], 600],
    );
    assert.match(String(refused.headers['www-authenticate']), /insufficient_user_authentication/);
    const change = { password: ada.password, new_password: newPassword };
    assert.equal((await ada.browser.put('/profile/password', change)).status, 401, 'the password alone');
    assert.equal((await ada.browser.post('/profile/totp', {})).status, 401);
    const old = ada.browser.sessionId;
    const byPassword = await ada.browser.post('/sessions/step_up', {
      factor: 'password',
      proof: ada.password,
    });
    assert.equal(byPassword.status, 200);
    assert.equal((await ada.browser.post('/profile/totp', {})).status, 401, 'a weaker factor');
    assert.equal(
      (await ada.browser.post('/sessions/step_up', { factor: 'totp', proof: '000000' })).status,
      401,
    );
    assert.equal(
      (await ada.browser.post('/sessions/step_up', { factor: 'totp', proof: code() })).status,
      200,
    );
    assert.notEqual(ada.browser.sessionId, old);
    assert.equal(await service.profile(old ?? ''), 403, 'A41: the earlier session id is rejected');
    assert.equal((await ada.browser.post('/profile/recovery_codes', {})).status, 200);
    assert.equal((await ada.browser.put('/profile/password', change)).status, 200);
  });

  test('without one, a recent password is enough to change factors', async () => {
    const ada = await person();
    service.service.clock.advance(11 * minuteMs);
    const refused = await ada.browser.post('/profile/totp', {});
    assert.deepEqual([refused.status, memberOf(refused.body, 'factors')], [401, ['password']]);
    await ada.browser.post('/sessions/step_up', { factor: 'password', proof: ada.password });
    assert.equal((await ada.browser.post('/profile/totp', {})).status, 200);
  });

  test('ends the other sessions when it is added, sends a notification, and can be removed', async () => {
    const ada = await person();
    const other = new Browser(service);
    await other.post('/sessions', { email: ada.email, password: ada.password });
    await addApp(ada);
    assert.equal((await other.get('/profile')).status, 403);
    const list = memberOf((await ada.browser.get('/profile/totp')).body, 'authenticators') as {
      id: string;
      name: string;
    }[];
    assert.deepEqual(
      list.map(({ name }) => name),
      ['Phone'],
    );
    await ada.browser.post('/profile/recovery_codes', {});
    const remove = await ada.browser.send({ method: 'DELETE', path: `/profile/totp/${list[0]?.id}` });
    assert.equal(remove.status, 200, remove.text);
    const login = await other.post('/sessions', { email: ada.email, password: ada.password });
    assert.deepEqual(login.body, { email: ada.email, message: 'logged in' });
    assert.deepEqual(
      (await ada.browser.get('/profile/recovery_codes')).body,
      { left: 0 },
      'its recovery codes are removed too',
    );
    await service.deliver();
    const subjects = service.mails
      .filter(({ to }) => to === ada.email)
      .map(({ text }) => text)
      .join('\n');
    assert.match(subjects, /authenticator app was added/);
    assert.match(subjects, /authenticator app was removed/);
  });

  test("A64 other people's objects: another user's authenticator is not found", async () => {
    const [ada, eve] = [await person(), await person()];
    await addApp(ada);
    await addApp(eve);
    const list = memberOf((await ada.browser.get('/profile/totp')).body, 'authenticators') as {
      id: string;
    }[];
    const path = `/profile/totp/${list[0]?.id}`;
    assert.equal((await eve.browser.send({ method: 'DELETE', path })).status, 404);
    assert.equal((await ada.browser.send({ method: 'DELETE', path })).status, 200);
  });

  test('the list of sessions shows how each was created, and others can be ended', async () => {
    const ada = await person();
    const code = await addApp(ada);
    const phone = new Browser(service, {
      'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    });
    await phone.post('/sessions', { email: ada.email, password: ada.password });
    await phone.post('/sessions/factor', { factor: 'totp', proof: code() });
    interface Listed {
      readonly id: string;
      readonly current: boolean;
      readonly device?: string;
      readonly amr: string[];
      readonly factors: { factor: string; auth_time: string }[];
    }
    const listed = async (browser: Browser): Promise<Listed[]> =>
      memberOf((await browser.get('/sessions')).body, 'sessions') as Listed[];
    const [mine, others] = [(await listed(phone)).find(({ current }) => current), await listed(ada.browser)];
    assert.deepEqual([mine?.device, mine?.amr], ['Firefox, Linux', ['pwd', 'otp', 'mfa']]);
    assert.deepEqual(
      mine?.factors.map(({ factor }) => factor),
      ['password', 'totp'],
    );
    assert.equal(others.length, 2);
    const eve = await person();
    const path = `/sessions/${mine?.id}`;
    assert.equal((await eve.browser.send({ method: 'DELETE', path })).status, 404, 'A64');
    assert.equal((await ada.browser.send({ method: 'DELETE', path })).status, 200);
    assert.equal((await phone.get('/profile')).status, 403);
    await phone.post('/sessions', { email: ada.email, password: ada.password });
    service.service.clock.advance(30 * secondMs);
    await phone.post('/sessions/factor', { factor: 'totp', proof: code() });
    const ended = await ada.browser.send({ method: 'DELETE', path: '/sessions?others=true' });
    assert.deepEqual([ended.status, ended.body], [200, { message: 'other sessions ended' }]);
    assert.deepEqual(
      [(await phone.get('/profile')).status, (await ada.browser.get('/profile')).status],
      [403, 200],
    );
  });

  test('A63 other entry points: a pending authentication ends with the account, with the password, and after ten minutes', async () => {
    const { auth } = service.service.core;
    const kills = {
      password: (ada: Person) => auth.setPassword(ada.email, newPassword),
      disabled: (ada: Person) => auth.setDisabled(ada.id, true),
      removed: (ada: Person) => auth.removeUser(ada.id),
      time: async () => service.service.clock.advance(10 * minuteMs),
    };
    for (const [name, kill] of Object.entries(kills)) {
      const ada = await person();
      const code = await addApp(ada);
      const browser = new Browser(service);
      await browser.post('/sessions', { email: ada.email, password: ada.password });
      await kill(ada);
      const reply = await browser.post('/sessions/factor', { factor: 'totp', proof: code() });
      assert.equal(reply.status, 403, name);
      assert.equal(browser.sessionId, undefined);
    }
  });

  test('the operator removes all of them, and the owner is notified', async () => {
    const ada = await person();
    await addApp(ada);
    await ada.browser.post('/profile/recovery_codes', {});
    assert.equal(await service.service.core.enrollment.reset(ada.id, { actor: 'operator' }), true);
    assert.equal((await ada.browser.get('/profile')).status, 403, 'sessions end');
    const login = await ada.browser.post('/sessions', { email: ada.email, password: ada.password });
    assert.deepEqual(login.body, { email: ada.email, message: 'logged in' });
    await service.deliver();
    assert.ok(service.mails.some(({ to, subject }) => to === ada.email && subject.includes('removed')));
    assert.equal(await service.service.core.enrollment.reset(0, { actor: 'operator' }), false);
  });

  test('a seed is encrypted, has no effect until it is confirmed, and expires after a quarter of an hour', async () => {
    const ada = await person();
    const { id, secret } = (await ada.browser.post('/profile/totp', {})).body as {
      id: string;
      secret: string;
    };
    const rows = await rowsIn(service.service.core.database, 'totp_authenticators');
    assert.ok(rows.some((row) => row['id'] === id));
    assert.ok(!JSON.stringify(rows).includes(secret));
    const login = await new Browser(service).post('/sessions', { email: ada.email, password: ada.password });
    assert.equal(factorsIn(login), undefined);
    service.service.clock.advance(15 * minuteMs);
    await ada.browser.post('/sessions/step_up', { factor: 'password', proof: ada.password });
    const code = codeAt(decodeBase32(secret), service.service.clock.now());
    assert.equal((await ada.browser.put('/profile/totp', { id, code })).status, 401);
  });
});

onEachEngine(needs('a remembered device', 'totp', 'remembered-device'), (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { REMEMBERED_DEVICE_DAYS: '30', KNOWN_DEVICE_DAYS: '180' });
  });
  after(() => service.close());

  interface Owner {
    readonly email: string;
    readonly password: string;
    readonly code: () => string;
    /** A user whose device is remembered and who is signed out. */
    readonly laptop: Browser;
  }

  const logIn = (browser: Browser, { email, password }: Pick<Owner, 'email' | 'password'>): Promise<Reply> =>
    browser.post('/sessions', { email, password });

  async function owner(): Promise<Owner> {
    const { email, password } = await service.member();
    const laptop = new Browser(service, {
      'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    });
    await logIn(laptop, { email, password });
    const { id = '', secret = '' } = (await laptop.post('/profile/totp', {})).body as Record<string, string>;
    const code = (): string => {
      service.service.clock.advance(30 * secondMs); // each time step is used once
      return codeAt(decodeBase32(secret), service.service.clock.now());
    };
    assert.equal((await laptop.put('/profile/totp', { id, code: code() })).status, 200);
    await laptop.send({ method: 'DELETE', path: '/sessions' });
    await logIn(laptop, { email, password });
    const proof = code();
    const full = await laptop.post('/sessions/factor', { factor: 'totp', proof, remember_device: 'true' });
    assert.equal(full.status, 200, full.text);
    return { email, password, code, laptop };
  }

  const isAsked = (reply: Reply): boolean => memberOf(reply.body, 'factors') !== undefined;

  test('is asked only for the password, for thirty days', async (t) => {
    if (lacks(t, 'recovery-code')) return;
    const ada = await owner();
    await ada.laptop.send({ method: 'DELETE', path: '/sessions' });
    assert.equal(isAsked(await logIn(ada.laptop, ada)), false);
    assert.equal((await ada.laptop.get('/profile')).status, 200);
    assert.equal(isAsked(await logIn(new Browser(service), ada)), true, 'another device');
    const refused = await ada.laptop.post('/profile/recovery_codes', {});
    assert.deepEqual(
      [refused.status, memberOf(refused.body, 'factors')],
      [401, ['totp']],
      'it is not a factor',
    );
    service.service.clock.advance(30 * dayMs);
    assert.equal(isAsked(await logIn(ada.laptop, ada)), true);
  });

  test('is remembered only if its owner chose so, and for one user only', async () => {
    const [ada, eve] = [await owner(), await owner()];
    assert.equal(isAsked(await logIn(ada.laptop, eve)), true);
    const phone = new Browser(service);
    await logIn(phone, ada);
    await phone.post('/sessions/factor', { factor: 'totp', proof: ada.code() });
    assert.equal(isAsked(await logIn(phone, ada)), true);
  });

  test('is listed, and can be forgotten', async () => {
    const ada = await owner();
    const until = new Date(service.service.clock.now() + 30 * dayMs).toISOString();
    const eve = await owner();
    const { devices } = (await ada.laptop.get('/profile/devices')).body as {
      devices: { id: string; device?: string; remembered_until: string }[];
    };
    assert.deepEqual(
      devices.map(({ device, remembered_until }) => [device, remembered_until]),
      [['Firefox, Linux', until]],
    );
    const path = `/profile/devices/${devices[0]?.id}`;
    assert.equal((await eve.laptop.send({ method: 'DELETE', path })).status, 404, 'A64');
    const forgotten = await ada.laptop.send({ method: 'DELETE', path });
    assert.deepEqual([forgotten.status, forgotten.body], [200, { message: 'device forgotten' }]);
    assert.equal(isAsked(await logIn(ada.laptop, ada)), true);
    assert.deepEqual((await eve.laptop.get('/profile/devices')).status, 200);
  });

  test('is forgotten when the factors or the password change', async (t) => {
    if (lacks(t, 'recovery-code')) return;
    const ada = await owner();
    await ada.laptop.post('/profile/recovery_codes', {});
    assert.equal(isAsked(await logIn(ada.laptop, ada)), true, 'another factor');
    const eve = await owner();
    await service.service.core.auth.setPassword(eve.email, newPassword);
    assert.equal(isAsked(await logIn(eve.laptop, { email: eve.email, password: newPassword })), true);
  });
});

onEachEngine(needs('a second factor that is required for all users', 'totp'), (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { SECOND_FACTOR: 'required' });
  });
  after(() => service.close());

  test('only its enrollment is open until it is enrolled, and the last one cannot be removed', async (t) => {
    if (lacks(t, 'recovery-code') || lacks(t, 'passkey')) return;
    const { email, password } = await service.newcomer();
    await service.confirm({ email, password });
    const browser = new Browser(service);
    const login = await browser.post('/sessions', { email, password });
    const { factors, ...body } = login.body as { factors: string[] }; // the schema of the route
    assert.deepEqual(body, { email, message: 'second factor must be set up' });
    const enrollable = factorKits.filter(({ isBackup }) => !isBackup).map(({ name }) => name);
    assert.deepEqual(factors.toSorted(), enrollable.toSorted());
    assert.equal(browser.sessionId, undefined);
    for (const path of ['/profile', '/sessions', '/profile/recovery_codes'])
      assert.equal((await browser.get(path)).status, 403, path);
    assert.equal((await browser.post('/sessions/factor', { factor: 'totp', proof: '000000' })).status, 403);
    const { id, secret } = (await browser.post('/profile/totp', {})).body as { id: string; secret: string };
    const code = codeAt(decodeBase32(secret), service.service.clock.now());
    assert.equal((await browser.put('/profile/totp', { id, code: '000000' })).status, 401);
    assert.equal((await browser.get('/profile')).status, 403);
    assert.equal((await browser.put('/profile/totp', { id, code })).status, 200);
    assert.deepEqual((await browser.get('/profile')).body, { email });
    const removed = await browser.send({ method: 'DELETE', path: `/profile/totp/${id}` });
    assert.deepEqual([removed.status, memberOf(removed.body, 'code')], [409, 'last_factor']);
    assert.equal(browser.sessionId !== undefined && (await service.profile(browser.sessionId)), 200);
  });

  test('F11: one of two concurrent removals of the last two is rejected', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { email, password } = await service.newcomer();
      await service.confirm({ email, password });
      const browser = new Browser(service);
      await browser.post('/sessions', { email, password });
      const seeds: Buffer[] = [];
      const ids: string[] = [];
      for (let i = 0; i < 2; i += 1) {
        const { id, secret } = (await browser.post('/profile/totp', {})).body as {
          id: string;
          secret: string;
        };
        const code = codeAt(decodeBase32(secret), service.service.clock.now());
        assert.equal((await browser.put('/profile/totp', { id, code })).status, 200);
        ids.push(id);
        seeds.push(decodeBase32(secret));
      }
      // In two sessions: a removal renews its session, which ends other requests in it.
      const other = new Browser(service);
      service.service.clock.advance(minuteMs); // the code of this step was used
      await other.post('/sessions', { email, password });
      const proof = codeAt(seeds[0] ?? assert.fail(), service.service.clock.now());
      assert.equal((await other.post('/sessions/factor', { factor: 'totp', proof })).status, 200);
      const replies = await Promise.all(
        [browser, other].map((at, i) => at.send({ method: 'DELETE', path: `/profile/totp/${ids[i]}` })),
      );
      assert.deepEqual(
        replies.map(({ status }) => status).toSorted((a, b) => a - b),
        [200, 409],
      );
    }
  });

  test('passwords need eight characters', async () => {
    const register = async (password: string): Promise<number> =>
      (await service.post('/users', { email: `${crypto.randomUUID()}@example.org`, password })).status;
    assert.equal(await register('kq7!vZ2'), 400);
    assert.equal(await register('kq7!vZ2m'), 200);
  });

  test('a known device is asked for it too', async () => {
    service.service.clock.advance(dayMs);
    const { email, password } = await service.newcomer();
    await service.confirm({ email, password });
    const login = await service.logIn(email, password);
    assert.equal(memberOf(login.body, 'message'), 'second factor must be set up');
  });
});

onEachEngine(needs('second factors that are turned off', 'totp'), (engine) => {
  test('have no routes and are not requested', async () => {
    const service = await PublicService.start(engine, { SECOND_FACTOR: 'off' });
    try {
      const { sessionId } = await service.member();
      const headers = { cookie: `${sessionCookie}=${sessionId}` };
      for (const path of ['/profile/totp', '/profile/recovery_codes', '/sessions/factor'])
        assert.ok([404, 405].includes((await service.send({ method: 'POST', path, headers })).status), path);
    } finally {
      await service.close();
    }
  });
});
