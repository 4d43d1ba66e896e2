// Pending authentications, the owners of factors, and limits on guessing, at every route.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dayMs, minuteMs } from '../../src/kit/clock.ts';
import { createToken } from '../../src/kit/secret.ts';
import type { Database } from '../../src/db/database.ts';
import { sessionKind } from '../../src/identity/cookie-kinds.ts';
import type { RouteEntry } from '../../src/app/access.ts';
import { codeAt, decodeBase32 } from '../support/authenticator-app.ts';
import { Browser } from '../support/browser.ts';
import { everyRowOf, rowsIn } from '../support/contents.ts';
import { onEachEngine } from '../support/engines.ts';
import {
  addApp,
  addPasskey,
  addRecoveryCodes,
  codesOf,
  passkeyOptionsIn,
  passkeyProof,
  signInWithPasskey,
  type App,
} from '../support/factor.ts';
import { PasskeyDevice } from '../support/passkey-device.ts';
import { pendingCookie, PublicService, sessionCookie } from '../support/public-service.ts';
import { memberOf, type ContractRequest, type Reply } from '../support/request.ts';
import { entriesOf, hasFeature, lacks, needs } from '../support/feature.ts';
import { factorKits, type EnrolledFactor } from '../support/kit.ts';

const newPassword = 'nine newts under a green umbrella';
const origin = 'https://accounts.test';

interface Person {
  readonly browser: Browser;
  readonly email: string;
  readonly password: string;
  readonly id: number;
}

/** A user with a factor of each kind. */
interface FactorUser extends Person {
  readonly app: App;
  readonly recoveryCodes: readonly string[];
  readonly device: PasskeyDevice;
  readonly passkeyId: string;
}

/** Routes that need a credential. */
function guarded({ service }: PublicService): RouteEntry[] {
  const routes = service.routes.filter(
    ({ access, isRefusal }) => !['open', 'optional'].includes(access) && !isRefusal,
  );
  assert.ok(routes.length > 20, 'the routes were read at all');
  return routes;
}

const rowsOf = (table: string) => async (database: Database, userId: number) =>
  (await rowsIn(database, table)).filter((row) => row['user_id'] === userId);
const passkeysOf = rowsOf('passkeys');
const appsOf = rowsOf('totp_authenticators');

onEachEngine(needs('a second factor', 'totp', 'passkey', 'recovery-code'), (engine) => {
  let service: PublicService;
  let required: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true', REMEMBERED_DEVICE_DAYS: '30' });
    required = await PublicService.start(engine, { SECOND_FACTOR: 'required' });
  });
  after(async () => {
    await service.close();
    await required.close();
  });

  async function person(): Promise<Person> {
    const { email, password, id } = await service.newcomer();
    await service.confirm({ email, password });
    const browser = new Browser(service);
    assert.equal((await browser.post('/sessions', { email, password })).status, 200);
    return { browser, email, password, id };
  }

  async function createUser(): Promise<FactorUser> {
    const one = await person();
    const { browser } = one;
    const device = new PasskeyDevice(origin);
    const app = await addApp(browser, service.service.clock);
    const passkeyId = await addPasskey(browser, device);
    return { ...one, app, device, passkeyId, recoveryCodes: await addRecoveryCodes(browser) };
  }

  /** A browser that has given the password and must still give the second factor, or enroll one. */
  async function pendingAuthentication(
    { email, password }: Pick<Person, 'email' | 'password'>,
    at: PublicService = service,
  ): Promise<Browser> {
    const browser = new Browser(at);
    assert.equal((await browser.post('/sessions', { email, password })).status, 200);
    assert.equal(browser.sessionId, undefined);
    assert.ok(browser.cookie(pendingCookie) !== undefined);
    return browser;
  }

  /** A user who must have a second factor and has none. */
  async function beginner(): Promise<Pick<Person, 'email' | 'password' | 'id'>> {
    const one = await required.newcomer();
    await required.confirm(one);
    return one;
  }

  /** Changes the address of the account to one that begins with `m.`. */
  async function moveAddress(browser: Browser, email: string, password: string): Promise<void> {
    await browser.post('/profile/email', { email: `m.${email}`, password });
    const token = await service.tokenFor(`m.${email}`);
    assert.equal((await browser.put('/profile/email', { token })).status, 200);
  }

  const submit = (browser: Browser, factor: string, proof: string): Promise<Reply> =>
    browser.post('/sessions/factor', { factor, proof });

  /** Ids of the user's objects, by kind. */
  async function idsOf({ browser, app, passkeyId }: FactorUser): Promise<Record<string, string>> {
    const sessions = memberOf((await browser.get('/sessions')).body, 'sessions') as { id: string }[]; // the schema of the route
    return { session: sessions[0]?.id ?? '', app: app.id, passkey: passkeyId };
  }

  test('A45 pending: a pending authentication is rejected by every route, whether a factor must be given or enrolled', async () => {
    const ada = await createUser();
    const bob = await beginner();
    const ids = Object.values(await idsOf(ada));
    const cases = [
      { at: service, browser: await pendingAuthentication(ada), opens: ['pending'] },
      { at: required, browser: await pendingAuthentication(bob, required), opens: ['pending', 'enrollment'] },
    ] as const;
    for (const { at, browser, opens } of cases) {
      const token = browser.cookie(pendingCookie) ?? '';
      const { database } = at.service.core;
      const earlier = await everyRowOf(database);
      const seen = new Set<string>();
      for (const { method, url, access } of guarded(at)) {
        seen.add(access);
        for (const path of url.includes(':id') ? ids.map((id) => url.replace(':id', id)) : [url]) {
          const request = { method: method as ContractRequest['method'], path }; // the schema of our route
          for (const name of [pendingCookie, sessionCookie]) {
            if (name === pendingCookie && opens.some((one) => one === access)) continue;
            const reply = await at.send({ ...request, headers: { cookie: `${name}=${token}` } });
            assert.deepEqual([reply.status, reply.cookies], [403, []], `${method} ${path} as ${name}`);
          }
        }
      }
      assert.ok(['session', 'pending', 'enrollment'].every((access) => seen.has(access)));
      assert.deepEqual(await everyRowOf(database), earlier, 'nothing changed');
    }
    assert.equal(
      (await submit(cases[1].browser, 'totp', '123456')).status,
      403,
      'there is no pending authentication',
    );
    const proof = passkeyOptionsIn(await cases[1].browser.post('/sessions/factor/passkey', {}));
    assert.deepEqual(proof['allowCredentials'], []);
  });

  test('A45 pending: a pending authentication is revoked once it is completed', async () => {
    const ada = await createUser();
    const browser = await pendingAuthentication(ada);
    const token = browser.cookie(pendingCookie) ?? '';
    assert.equal((await submit(browser, 'totp', ada.app.nextCode())).status, 200);
    assert.equal(browser.cookie(pendingCookie), undefined);
    const again = new Browser(service);
    again.plant(pendingCookie, token);
    assert.equal((await submit(again, 'totp', ada.app.nextCode())).status, 403);
    assert.equal((await again.post('/sessions/factor/passkey', {})).status, 403);
  });

  test('A41 fixation: a login in two steps neither keeps nor continues a session that came with it', async () => {
    const ada = await createUser();
    const eve = await createUser();
    const eves = await pendingAuthentication(eve);
    const browser = new Browser(service);
    const planted = { session: eve.browser.sessionId ?? '', pending: eves.cookie(pendingCookie) ?? '' };
    browser.plant(sessionCookie, planted.session);
    browser.plant(pendingCookie, planted.pending);
    await browser.post('/sessions', { email: ada.email, password: ada.password });
    assert.notEqual(browser.cookie(pendingCookie), planted.pending);
    const full = await submit(browser, 'totp', ada.app.nextCode());
    assert.deepEqual(full.body, { email: ada.email, message: 'logged in' });
    assert.notEqual(browser.sessionId, planted.session);
    assert.equal(await service.profile(planted.session), 403, 'the earlier session has ended');
    // A user who completes a planted pending authentication with their own factor is not signed in.
    browser.plant(pendingCookie, planted.pending);
    assert.equal((await submit(browser, 'totp', ada.app.nextCode())).status, 401);
    assert.equal((await submit(browser, 'recovery_code', ada.recoveryCodes[0] ?? '')).status, 401);
  });

  test('A41 fixation: each elevation of a session changes its id', async () => {
    const ada = await person();
    const ids = [ada.browser.sessionId ?? ''];
    const note = (): void => {
      const { sessionId = '' } = ada.browser;
      assert.ok(!ids.includes(sessionId));
      ids.push(sessionId);
    };
    const app = await addApp(ada.browser, service.service.clock);
    note();
    await addPasskey(ada.browser, new PasskeyDevice(origin));
    note();
    await ada.browser.post('/sessions/step_up', { factor: 'totp', proof: app.nextCode() });
    note();
    const statuses = await Promise.all(ids.map((id) => service.profile(id)));
    assert.deepEqual(statuses, [403, 403, 403, 200]);
  });

  test('A48 enrollment: requires a session with a recent factor at its first and its last step', async () => {
    const ada = await createUser();
    const device = new PasskeyDevice(origin);
    const { clock, core } = service.service;
    const begun = (await ada.browser.post('/profile/totp', {})).body as { id: string; secret: string }; // the schema of the route
    const credential = device.create(passkeyOptionsIn(await ada.browser.post('/profile/passkeys', {})));
    clock.advance(11 * minuteMs);
    const code = codeAt(decodeBase32(begun.secret), clock.now());
    const requests: readonly ContractRequest[] = [
      { method: 'POST', path: '/profile/totp', fields: {} },
      { method: 'PUT', path: '/profile/totp', fields: { id: begun.id, code } },
      { method: 'DELETE', path: `/profile/totp/${ada.app.id}` },
      { method: 'POST', path: '/profile/passkeys', fields: {} },
      { method: 'DELETE', path: `/profile/passkeys/${ada.passkeyId}` },
      { method: 'POST', path: '/profile/recovery_codes', fields: {} },
    ];
    const earlier = await everyRowOf(core.database);
    for (const request of requests) {
      const reply = await ada.browser.send(request);
      const outcome = [reply.status, memberOf(reply.body, 'code')];
      assert.deepEqual(outcome, [401, 'step_up_required'], `${request.method} ${request.path}`);
    }
    // Its challenge has expired by now, which is checked first.
    assert.equal((await ada.browser.put('/profile/passkeys', { credential })).status, 401);
    assert.deepEqual(await everyRowOf(core.database), earlier, 'nothing changed');
  });

  test('A48 enrollment: a user cannot finish what another user began', async () => {
    const [ada, eve] = [await createUser(), await createUser()];
    const { id, secret } = (await ada.browser.post('/profile/totp', {})).body as Record<string, string>;
    const code = codeAt(decodeBase32(secret ?? ''), service.service.clock.now());
    assert.equal((await eve.browser.put('/profile/totp', { id: id ?? '', code })).status, 401);
    const options = passkeyOptionsIn(await ada.browser.post('/profile/passkeys', {}));
    const credential = new PasskeyDevice(origin).create(options);
    assert.equal((await eve.browser.put('/profile/passkeys', { credential })).status, 401);
    assert.equal((await ada.browser.put('/profile/passkeys', { credential })).status, 200);
  });

  test('A48 enrollment: a required factor is enrolled once, which revokes the other pending authentications', async () => {
    const bob = await beginner();
    const [own, strangers] = [
      await pendingAuthentication(bob, required),
      await pendingAuthentication(bob, required),
    ];
    const { auth } = required.service.core;
    const early = await auth.createSession(bob.email); // from before a second factor was required
    const { clock } = required.service;
    const begun = (await strangers.post('/profile/totp', {})).body as { id: string; secret: string };
    const device = new PasskeyDevice(origin);
    const options = passkeyOptionsIn(await strangers.post('/profile/passkeys', {}));
    await addApp(own, clock);
    assert.equal((await own.get('/profile')).status, 200);
    assert.equal(await required.profile(early ?? ''), 403, 'sessions without it end');

    const code = codeAt(decodeBase32(begun.secret), clock.now());
    assert.equal((await strangers.put('/profile/totp', { id: begun.id, code })).status, 403);
    assert.equal((await strangers.post('/profile/totp', {})).status, 403);
    const credential = device.create(options);
    assert.equal((await strangers.put('/profile/passkeys', { credential })).status, 403);
    assert.equal(strangers.sessionId, undefined);
    assert.deepEqual(await passkeysOf(required.service.core.database, bob.id), []);
    assert.equal((await appsOf(required.service.core.database, bob.id)).length, 1);
  });

  test('A48 enrollment: only one of many pending authentications that enroll the first factor concurrently gets a session', async () => {
    for (let round = 0; round < 4; round += 1) {
      const bob = await beginner();
      const credentials: [Browser, string][] = [];
      for (let i = 0; i < 3; i += 1) {
        const browser = await pendingAuthentication(bob, required);
        const options = passkeyOptionsIn(await browser.post('/profile/passkeys', {}));
        credentials.push([browser, new PasskeyDevice(origin).create(options)]);
      }
      const replies = await Promise.all(
        credentials.map(([browser, credential]) => browser.put('/profile/passkeys', { credential })),
      );
      assert.deepEqual(
        replies.map(({ status }) => status).toSorted((one, other) => one - other),
        [200, 403, 403],
      );
      assert.equal((await passkeysOf(required.service.core.database, bob.id)).length, 1);
      const profiles = await Promise.all(credentials.map(([browser]) => browser.get('/profile')));
      assert.equal(profiles.filter(({ status }) => status === 200).length, 1);
    }
  });

  test('A48 enrollment: its notifications go to the stored address, whatever the request contains', async () => {
    const ada = await person();
    const { email } = await person();
    await service.deliver();
    const earlier = service.mails.length;
    const more = { email, to: email, user_id: '1', recipient: email };
    const begun = await ada.browser.post('/profile/totp', { name: email, ...more });
    assert.equal(begun.status, 200, begun.text);
    const { id, secret, uri } = begun.body as { id: string; secret: string; uri: string };
    assert.ok(uri.includes(encodeURIComponent(ada.email)) && !uri.includes(encodeURIComponent(email)));
    const code = codeAt(decodeBase32(secret), service.service.clock.now());
    assert.equal((await ada.browser.put('/profile/totp', { id, code, ...more })).status, 200);
    const device = new PasskeyDevice(origin);
    const options = passkeyOptionsIn(await ada.browser.post('/profile/passkeys', more));
    assert.equal(memberOf(options['user'], 'name'), ada.email);
    const credential = device.create(options);
    assert.equal((await ada.browser.put('/profile/passkeys', { credential, ...more })).status, 200);
    await service.deliver();
    const recipients = service.mails.slice(earlier).map(({ to }) => to);
    assert.deepEqual([...new Set(recipients)], [ada.email]);
    assert.equal(recipients.length, 2);
  });

  /** Undoes a change of address by its mail; returns the reply to a login of the owner after a reset. */
  async function undoAddress(email: string, undo: string): Promise<{ owner: Browser; login: Reply }> {
    assert.equal((await service.put('/profile/email/undo', { token: undo })).status, 200);
    assert.equal((await service.reset(email, await service.tokenFor(email), newPassword)).status, 200);
    const owner = new Browser(service);
    return { owner, login: await owner.post('/sessions', { email, password: newPassword }) };
  }

  test('A58 trojan identifier: undoing a change of address removes the factors that were enrolled since, and keeps older ones', async (t) => {
    if (lacks(t, 'email-change')) return;
    for (const hasFactor of [false, true]) {
      const { email, password, id, browser } = await person();
      const { clock, core } = service.service;
      const app = hasFactor ? await addApp(browser, clock) : undefined;
      if (app !== undefined) {
        clock.advance(3 * dayMs); // the mailbox cannot undo it any more
        await browser.post('/sessions/step_up', { factor: 'totp', proof: app.nextCode() });
      }
      clock.advance(minuteMs);
      const device = new PasskeyDevice(origin);
      await moveAddress(browser, email, password);
      const undo = await service.tokenFor(email);
      await addPasskey(browser, device);
      await addApp(browser, clock);
      await addRecoveryCodes(browser);

      const { owner, login } = await undoAddress(email, undo);
      assert.equal((await signInWithPasskey(new Browser(service), device)).status, 401);
      assert.deepEqual(await passkeysOf(core.database, id), []);
      if (app === undefined) assert.deepEqual(login.body, { email, message: 'logged in' });
      else {
        assert.deepEqual(memberOf(login.body, 'factors'), ['totp']);
        assert.equal((await submit(owner, 'totp', app.nextCode())).status, 200, 'of before the change');
      }
    }
  });

  /** Without a backup, each kit in turn is the first factor of the thief; the others follow. */
  for (const first of factorKits.filter(({ isBackup }) => !isBackup)) {
    test(`A58 trojan identifier: undoing a change of address ends all that a thief added before it, from ${first.name} on`, async (t) => {
      if (lacks(t, 'email-change')) return;
      const { clock, core } = service.service;
      const { email, password, id } = await person();
      const thief = new Browser(service);
      assert.equal((await thief.post('/sessions', { email, password })).status, 200);
      const enrolled = new Map<string, EnrolledFactor>();
      for (const kit of [first, ...factorKits.filter((one) => one !== first)]) {
        enrolled.set(kit.name, await kit.enroll(thief, { clock, origin }));
        clock.advance(minuteMs);
      }
      const output = async (at: Browser): Promise<string> =>
        (await enrolled.get(first.name)?.output(at, '/sessions/factor')) ?? assert.fail();
      const remembered = await pendingAuthentication({ email, password });
      const proof = await output(remembered);
      const remember = { factor: first.name, proof, remember_device: 'true' };
      assert.equal((await remembered.post('/sessions/factor', remember)).status, 200);
      await moveAddress(thief, email, password);

      const { login } = await undoAddress(email, await service.tokenFor(email));
      assert.deepEqual(login.body, { email, message: 'logged in' });
      assert.deepEqual(await core.secondFactors.storedOf(core.database, id), []);
      for (const at of [thief, remembered]) assert.equal((await at.get('/profile')).status, 403);
      const devices = await core.database.query((sql) =>
        sql.selectFrom('known_devices').select('id').where('user_id', '=', id),
      );
      assert.equal(devices.length, 1, "the owner's new one");
    });
  }

  test('A58 trojan identifier: an owner can remove the second factor of an attacker who knew the password', async () => {
    const { clock, core } = service.service;
    const anotherPassword = 'eleven owls in a hollow oak';
    const firstUndo = new Map<string, string>();
    /** What the attacker does to stay, once the first factor is enrolled. */
    type Action = (mallory: Person) => Promise<unknown>;
    const actions: Record<string, Action> = {
      nothing: async () => undefined,
      'another factor': async ({ browser }) => addPasskey(browser, new PasskeyDevice(origin)),
      'recovery codes': async ({ browser }) => addRecoveryCodes(browser),
      'another password': async ({ browser, password }) =>
        browser.put('/profile/password', { password, new_password: newPassword }),
      'a reset of the owner': async ({ email }) =>
        service.reset(email, await service.resetToken(email), 'seven otters under a red roof'),
      ...entriesOf<Action>('email-change', {
        'another address, which is undone first': async ({ browser, email, password }) => {
          await moveAddress(browser, email, password);
          const moved = await service.tokenFor(email);
          assert.equal(
            (await service.put('/profile/factors/undo', { token: firstUndo.get(email) ?? '' })).status,
            403,
          );
          assert.equal((await service.put('/profile/email/undo', { token: moved })).status, 200);
        },
      }),
      ...entriesOf<Action>('account-deletion', {
        'a closed account, which is opened first': async ({ browser, email }) => {
          assert.equal((await browser.send({ method: 'DELETE', path: '/profile' })).status, 200);
          const closed = await service.tokenFor(email);
          assert.equal(
            (await service.put('/profile/factors/undo', { token: firstUndo.get(email) ?? '' })).status,
            403,
          );
          assert.equal((await service.put('/profile/undo', { token: closed })).status, 200);
        },
      }),
    };
    for (const [name, action] of Object.entries(actions)) {
      const { email, password, id } = await person();
      const mallory = new Browser(service);
      assert.equal((await mallory.post('/sessions', { email, password })).status, 200);
      await addApp(mallory, clock);
      const undo = await service.tokenFor(email);
      firstUndo.set(email, undo);
      clock.advance(2 * minuteMs); // longer than the pause between two mails of a kind
      await action({ browser: mallory, email, password, id });

      const undone = await service.put('/profile/factors/undo', { token: undo });
      assert.deepEqual([undone.status, memberOf(undone.body, 'message')], [200, 'factors removed'], name);
      assert.equal((await mallory.get('/profile')).status, 403, name);
      assert.deepEqual(await core.secondFactors.usableOf(id), [], name);
      assert.equal(
        (await service.reset(email, await service.tokenFor(email), anotherPassword)).status,
        200,
        name,
      );
      const login = await new Browser(service).post('/sessions', { email, password: anotherPassword });
      assert.equal(memberOf(login.body, 'message'), 'logged in', name);
    }
  });

  test('A58 trojan identifier: only the owner can undo a factor of an attacker who took the address', async (t) => {
    if (lacks(t, 'email-change')) return;
    const { browser, email, password } = await person();
    await moveAddress(browser, email, password);
    const moved = await service.tokenFor(email);
    await addApp(browser, service.service.clock);
    const strangers = await service.tokenFor(`m.${email}`);
    assert.equal((await service.put('/profile/email/undo', { token: moved })).status, 200);
    assert.equal((await service.reset(email, await service.tokenFor(email), newPassword)).status, 200);
    const owner = new Browser(service);
    assert.equal((await owner.post('/sessions', { email, password: newPassword })).status, 200);
    assert.equal((await service.put('/profile/factors/undo', { token: strangers })).status, 403);
    assert.equal((await owner.get('/profile')).status, 200, 'no session ended');
  });

  test('A58 trojan identifier: only the first factor of an account can be undone by mail', async () => {
    const ada = await person();
    const { clock, core } = service.service;
    await addApp(ada.browser, clock);
    const first = await service.tokenFor(ada.email);
    await addPasskey(ada.browser, new PasskeyDevice(origin));
    assert.equal(await service.tokenFor(ada.email), first, 'no mail about the second factor has a link');
    clock.advance(3 * dayMs);
    assert.equal(
      (await service.put('/profile/factors/undo', { token: first })).status,
      403,
      'after three days',
    );
    assert.deepEqual((await core.secondFactors.usableOf(ada.id)).toSorted(), ['passkey', 'totp']);
  });

  test('A58 trojan identifier: undoing a change of address also removes an app whose enrollment began before it', async (t) => {
    if (lacks(t, 'email-change')) return;
    const { email, password, id, browser } = await person();
    const { clock, core } = service.service;
    const begun = (await browser.post('/profile/totp', {})).body as { id: string; secret: string }; // the schema of the route
    clock.advance(minuteMs);
    const stranger = `mallory.${email}`;
    await browser.post('/profile/email', { email: stranger, password });
    await browser.put('/profile/email', { token: await service.tokenFor(stranger) });
    const undo = await service.tokenFor(email);
    const code = codesOf(begun.secret, clock)();
    assert.equal((await browser.put('/profile/totp', { id: begun.id, code })).status, 200);
    assert.equal((await service.put('/profile/email/undo', { token: undo })).status, 200);
    assert.deepEqual(await core.secondFactors.usableOf(id), []);
  });

  /** Requests without the device cookie, so that all attempts count on the account. */
  const strangersRequest = (browser: Browser): Browser => {
    const stranger = new Browser(service);
    for (const name of [sessionCookie, pendingCookie]) {
      const value = browser.cookie(name);
      if (value !== undefined) stranger.plant(name, value);
    }
    return stranger;
  };

  /** A wrong value for each factor. */
  const wrongProofs = { totp: '000000', recovery_code: '00000-0000-0000', passkey: '{}' };
  for (const [factor, wrong] of Object.entries(wrongProofs)) {
    test(`A18 other entry points: attempts with ${factor} in a pending authentication and in a step-up count together`, async () => {
      const ada = await createUser();
      const proofFor = async (
        at: Browser,
        path: '/sessions/factor' | '/sessions/step_up',
      ): Promise<string> => {
        if (factor === 'passkey') return passkeyProof(at, ada.device, path);
        return factor === 'totp' ? ada.app.nextCode() : (ada.recoveryCodes[0] ?? '');
      };
      const places = [
        { browser: strangersRequest(await pendingAuthentication(ada)), path: '/sessions/factor' },
        { browser: strangersRequest(await pendingAuthentication(ada)), path: '/sessions/factor' },
        { browser: strangersRequest(ada.browser), path: '/sessions/step_up' },
      ] as const;
      const proofs = await Promise.all(places.map(({ browser, path }) => proofFor(browser, path)));
      for (let i = 0; i < 5; i += 1) {
        const { browser, path } = places[i % 3] ?? assert.fail();
        assert.equal((await browser.post(path, { factor, proof: wrong })).status, 401, `${i}`);
      }
      for (const [i, { browser, path }] of places.entries()) {
        const reply = await browser.post(path, { factor, proof: proofs[i] ?? '' });
        assert.equal(reply.status, 429, `the right one at ${path}`);
        assert.ok(Number(reply.headers['retry-after']) > 0);
      }
      service.service.clock.advance(minuteMs);
      const { browser, path } = places[0];
      assert.equal((await browser.post(path, { factor, proof: await proofFor(browser, path) })).status, 200);
    });
  }

  test('A18 other entry points: password attempts count together on all routes', async () => {
    const { browser, email, password } = await person();
    const stranger = strangersRequest(browser);
    const ways: ((proof: string) => Promise<Reply>)[] = [
      (proof) => service.logIn(email, proof),
      (proof) => stranger.post('/sessions/step_up', { factor: 'password', proof }),
      (proof) => stranger.put('/profile/password', { password: proof, new_password: newPassword }),
    ];
    if (hasFeature('email-change'))
      ways.push((proof) => stranger.post('/profile/email', { email: `new.${email}`, password: proof }));
    for (let i = 0; i < 5; i += 1)
      assert.ok(
        [401, 403].includes((await ways[i % ways.length]?.(`wrong ${password}`))?.status ?? 0),
        `${i}`,
      );
    for (const way of ways) assert.equal((await way(password)).status, 429);
  });

  test('A18 other entry points: a factor that is disabled after a hundred failures is disabled everywhere until it is replaced', async () => {
    const ada = await createUser();
    const { database } = service.service.core;
    const switchOff = (factor: string): Promise<unknown> =>
      database.query((sql) =>
        sql
          .insertInto('attempts')
          .values({ subject: `user:${ada.id}`, factor, failures: 100, last_at: 0, next_at: 0 }),
      );
    await switchOff('totp');
    const browser = strangersRequest(await pendingAuthentication(ada));
    const session = strangersRequest(ada.browser);
    for (const [at, path] of [
      [browser, '/sessions/factor'],
      [session, '/sessions/step_up'],
    ] as const) {
      const reply = await at.post(path, { factor: 'totp', proof: ada.app.nextCode() });
      assert.deepEqual([reply.status, reply.headers['retry-after']], [429, undefined], path);
    }
    assert.equal((await submit(browser, 'recovery_code', ada.recoveryCodes[0] ?? '')).status, 200);
    assert.equal((await browser.send({ method: 'DELETE', path: `/profile/totp/${ada.app.id}` })).status, 200);
    const app = await addApp(browser, service.service.clock);
    const afterwards = strangersRequest(await pendingAuthentication(ada));
    assert.equal(
      (await submit(afterwards, 'totp', app.nextCode())).status,
      200,
      'the counter of the new one starts at zero',
    );

    await switchOff('recovery_code');
    const locked = strangersRequest(await pendingAuthentication(ada));
    assert.equal((await submit(locked, 'recovery_code', ada.recoveryCodes[1] ?? '')).status, 429);
    assert.equal((await submit(locked, 'totp', app.nextCode())).status, 200);
    const [code = ''] = await addRecoveryCodes(locked);
    assert.equal(
      (await submit(await pendingAuthentication(ada), 'recovery_code', code)).status,
      200,
      'the counter of new ones starts at zero',
    );
  });

  test('A20 codes: five of many concurrent guesses of an app code in many logins are verified, and a hundred in all', async () => {
    const ada = await createUser();
    const browsers: Browser[] = [];
    for (let i = 0; i < 10; i += 1) browsers.push(await pendingAuthentication(ada));
    const replies = await Promise.all(
      Array.from({ length: 300 }, (_, i) => submit(browsers[i % 10] ?? assert.fail(), 'totp', '000000')),
    );
    const countOf = (status: number): number => replies.filter((reply) => reply.status === status).length;
    assert.deepEqual([countOf(401), countOf(429)], [5, 295]);
    const { database } = service.service.core;
    await database.query((sql) =>
      sql
        .updateTable('attempts')
        .set({ failures: 95 })
        .where('subject', '=', `user:${ada.id}`)
        .where('factor', '=', 'totp'),
    );
    let looked = 0;
    for (let i = 0; i < 8; i += 1) {
      service.service.clock.advance(16 * minuteMs); // longer than the longest wait
      const { status } = await submit(await pendingAuthentication(ada), 'totp', '000000');
      if (status === 401) looked += 1;
    }
    assert.equal(looked, 5);
    assert.equal((await submit(await pendingAuthentication(ada), 'totp', ada.app.nextCode())).status, 429);
  });

  test("A64 other people's objects: an id of one user has no effect for another user", async () => {
    const [ada, eve] = [await createUser(), await createUser()];
    const ids = await idsOf(ada);
    const { database } = service.service.core;
    const withId = guarded(service).filter(({ url }) => url.includes(':'));
    assert.ok(withId.length >= 4);
    const earlier = await everyRowOf(database);
    for (const { method, url } of withId) {
      for (const [kind, id] of Object.entries(ids)) {
        const path = url.replace(/:\w+/, id);
        const fields = method === 'PUT' ? { fields: { name: 'mine' } } : {};
        const reply = await eve.browser.send({
          method: method as ContractRequest['method'],
          path,
          ...fields,
        });
        assert.equal(reply.status, 404, `${method} ${path}, ${kind}`);
      }
    }
    const unconfirmed = (await ada.browser.post('/profile/totp', {})).body as { id: string }; // the schema of the route
    const begun = { method: 'DELETE', path: `/profile/totp/${unconfirmed.id}` } as const;
    assert.equal((await eve.browser.send(begun)).status, 404);
    for (const path of ['/sessions', '/profile/totp', '/profile/passkeys']) {
      const { status, text } = await eve.browser.get(path);
      assert.equal(status, 200);
      for (const id of Object.values(ids)) assert.ok(!text.includes(id), path);
    }
    const now = await everyRowOf(database);
    for (const table of ['sessions', 'passkeys', 'recovery_codes', 'users'])
      assert.deepEqual(now[table], earlier[table], table);
  });

  test('A65 claimed identity: an identity that a request claims opens no route and changes no account', async () => {
    const [ada, eve] = [await createUser(), await createUser()];
    const fields = {
      id: String(ada.id),
      user_id: String(ada.id),
      userId: String(ada.id),
      sub: String(ada.id),
      email: ada.email,
      session_id: ada.browser.sessionId ?? '',
    };
    const headers = {
      'x-user-id': String(ada.id),
      'x-user-email': ada.email,
      'x-forwarded-user': ada.email,
      'remote-user': ada.email,
      'x-session-id': ada.browser.sessionId ?? '',
      authorization: `Bearer ${ada.browser.sessionId}`,
    };
    const query = String(new URLSearchParams(fields));
    for (const { method, url } of guarded(service)) {
      const hasBody = method === 'POST' || method === 'PUT';
      const reply = await service.send({
        method: method as ContractRequest['method'], // the schema of our route
        path: `${url}?${query}`,
        headers,
        ...(hasBody && { fields }),
      });
      assert.deepEqual([reply.status, reply.cookies], [403, []], `${method} ${url}`);
      assert.ok(!reply.text.includes(ada.email));
    }

    const { database } = service.service.core;
    const passkeys = { list: (userId: number) => passkeysOf(database, userId) };
    const totp = { list: (userId: number) => appsOf(database, userId) };
    const had = [await passkeys.list(ada.id), await totp.list(ada.id)];
    const asAda = (path: string): string => `${path}?${query}`;
    const send = (method: 'POST' | 'PUT', path: string, more: Record<string, string> = {}): Promise<Reply> =>
      eve.browser.send({ method, path: asAda(path), fields: { ...fields, ...more }, headers });
    const credential = new PasskeyDevice(origin).create(
      passkeyOptionsIn(await send('POST', '/profile/passkeys')),
    );
    assert.equal((await send('PUT', '/profile/passkeys', { credential })).status, 200);
    const { id = '', secret = '' } = (await send('POST', '/profile/totp')).body as Record<string, string>;
    const code = codeAt(decodeBase32(secret), service.service.clock.now());
    assert.equal((await send('PUT', '/profile/totp', { id, code })).status, 200);
    assert.equal((await send('POST', '/profile/recovery_codes')).status, 200);
    assert.deepEqual([await passkeys.list(ada.id), await totp.list(ada.id)], had);
    assert.deepEqual([(await passkeys.list(eve.id)).length, (await totp.list(eve.id)).length], [2, 2]);

    const half = await pendingAuthentication(eve);
    const attempt = { factor: 'totp', proof: eve.app.nextCode(), ...fields };
    const full = await half.send({
      method: 'POST',
      path: asAda('/sessions/factor'),
      fields: attempt,
      headers,
    });
    assert.deepEqual(full.body, { email: eve.email, message: 'logged in' });
    assert.deepEqual((await half.get(asAda('/profile'), headers)).body, { email: eve.email });
    assert.equal(await service.profile(createToken(sessionKind).token), 403);
  });
});
