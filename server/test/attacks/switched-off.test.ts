// Data of a feature that an option switched off. The option decides what is offered; what is stored is still removed,
// exported, counted and purged. Otherwise an authenticator of an attacker would survive its removal, and work again once
// the option is on. Every switch of every module is tried; the kits of the features enroll what is stored.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { modules } from '../../src/app/modules.ts';
import { readOptions } from '../../src/app/options.ts';
import type { Environment } from '../../src/config/read-options.ts';
import { factorOptions } from '../../src/identity/factor/options.ts';
import { dayMs, minuteMs } from '../../src/kit/clock.ts';
import { Browser } from '../support/browser.ts';
import { rowsIn, tableNames } from '../support/contents.ts';
import { onEachEngine } from '../support/engines.ts';
import { addPasskey, passkeyOptionsIn, signInWithPasskey } from '../support/factor.ts';
import { needs } from '../support/feature.ts';
import { factorKits, kits } from '../support/kit.ts';
import { PasskeyDevice } from '../support/passkey-device.ts';
import { freshEmail } from '../support/person.ts';
import { publicMode, PublicService, sessionCookie, type Member } from '../support/public-service.ts';
import { memberOf } from '../support/request.ts';

const origin = 'https://accounts.test';
const newPassword = 'nine newts under a green umbrella';
/** Every module that stores something about users is on. */
const everythingOn: Environment = { EMAIL_SIGN_IN: 'true', REMEMBERED_DEVICE_DAYS: '30' };

/** The settings that switch a module off, by name. Found by trying each of its options. */
function findSwitches(): Map<string, Environment> {
  const found = new Map<string, Environment>();
  const isOn = (module: (typeof modules)[number], more: Environment): boolean => {
    const read = readOptions({ ...publicMode, ...everythingOn, ...more });
    return module.isOn(read.options);
  };
  for (const module of modules.filter((each) => isOn(each, {}))) {
    for (const { env } of Object.values({ ...module.options, ...factorOptions })) {
      for (const value of ['false', 'off', '0']) {
        const setting = { [env]: value };
        try {
          if (!isOn(module, setting)) found.set(`${env}=${value}`, setting);
        } catch {
          // The option has no such value.
        }
      }
    }
  }
  return found;
}

const switches = findSwitches();
/** Tables of second factors that have rows of users. */
const factorTables = kits.flatMap(({ factor, columns = {} }) =>
  factor === undefined ? [] : Object.keys(columns),
);

/** A user who has enrolled everything, and the tokens by which the mailbox can undo it. */
interface Equipped extends Member {
  readonly browser: Browser;
  readonly undoFactors: string;
}

test('every module that can be switched off is known by its switch', () => {
  assert.ok(switches.size > 0);
});

onEachEngine(
  needs(
    'what a feature stored before it was switched off',
    'email-change',
    'data-export',
    'account-deletion',
  ),
  (engine) => {
    let on: PublicService;
    before(async () => {
      on = await PublicService.start(engine, everythingOn);
    });
    after(() => on.close());

    /** Enrolls every factor, remembers a device, and requests what mails can do. */
    async function equipped(): Promise<Equipped> {
      const member = await on.member();
      const { email, password } = member;
      const { clock } = on.service;
      const browser = new Browser(on);
      browser.plant(sessionCookie, member.sessionId);
      const device = new Browser(on);
      let undoFactors = '';
      for (const kit of factorKits) {
        const enrolled = await kit.enroll(browser, { clock, origin });
        if (undoFactors !== '') continue;
        undoFactors = await on.tokenFor(email);
        await device.post('/sessions', { email, password });
        const proof = await enrolled.output(device, '/sessions/factor');
        const remember = { factor: kit.name, proof, remember_device: 'true' };
        assert.equal((await device.post('/sessions/factor', remember)).status, 200);
      }
      for (const { factor, addRowsOf } of kits)
        if (factor !== undefined)
          await addRowsOf?.(on.service.core.database, member.id, on.service.core.keyring);
      clock.advance(2 * minuteMs); // longer than the pause between two mails of a kind
      return { ...member, browser, undoFactors };
    }

    const update = (
      id: number,
      values: { email_verified_at: null; hashed_password?: null },
    ): Promise<unknown> =>
      on.service.core.database.query((sql) => sql.updateTable('users').set(values).where('id', '=', id));

    /** What removes the factors of a user while the feature is off. */
    const removals: Record<string, (off: PublicService, user: Equipped) => Promise<unknown>> = {
      'another registration that is confirmed': async (off, { id, email }) => {
        await update(id, { email_verified_at: null });
        off.service.clock.advance(2 * minuteMs); // longer than the pause between two mails of a kind
        assert.equal((await off.post('/users', { email, password: newPassword })).status, 200);
        assert.equal((await off.confirm({ email, password: newPassword })).status, 200);
      },
      'a reset of an account without a password that nobody confirmed': async (off, { id, email }) => {
        const token = await off.resetToken(email);
        await update(id, { email_verified_at: null, hashed_password: null });
        assert.equal((await off.reset(email, token, newPassword)).status, 200);
      },
      'the operator': async (off, { id }) => {
        assert.equal(await off.service.core.enrollment.reset(id, { actor: 'operator' }), true);
      },
      'the undo of the first factor': async (off, { undoFactors }) => {
        assert.equal((await off.put('/profile/factors/undo', { token: undoFactors })).status, 200);
      },
      'the undo of a change of address': async (off, { email, password, browser }) => {
        const moved = freshEmail();
        assert.equal((await browser.post('/profile/email', { email: moved, password })).status, 200);
        const token = await on.tokenFor(moved);
        assert.equal((await browser.put('/profile/email', { token })).status, 200);
        const undo = await on.tokenFor(email);
        assert.equal((await off.put('/profile/email/undo', { token: undo })).status, 200);
      },
    };

    /** Tables that have rows of the user. */
    async function tablesOf(id: number, among: readonly string[]): Promise<string[]> {
      const { database } = on.service.core;
      const names: string[] = [];
      for (const table of among)
        if ((await rowsIn(database, table)).some((row) => row['user_id'] === id)) names.push(table);
      return names.toSorted();
    }

    for (const [name, setting] of switches) {
      describe(name, () => {
        let off: PublicService;
        before(async () => {
          off = await on.reconfigured({ ...everythingOn, ...setting });
        });
        after(() => off.close());

        for (const [removal, remove] of Object.entries(removals)) {
          test(`is removed by ${removal}, and does not work again afterwards`, async () => {
            const user = await equipped();
            const { id, email, password, sessionId } = user;
            const { core } = on.service;
            assert.deepEqual(
              await tablesOf(id, factorTables),
              factorTables.toSorted(),
              'each table has a row before: one that enrolling leaves empty gets it from "addRowsOf" in test/kit.ts',
            );
            await remove(off, user);
            assert.deepEqual(await tablesOf(id, factorTables), []);
            assert.deepEqual(await tablesOf(id, ['sessions', 'pending_logins']), []);
            assert.deepEqual(await core.secondFactors.storedOf(core.database, id), []);
            const remembered = await core.devices.listRemembered(id);
            assert.deepEqual(remembered, []);
            for (const at of [on, off]) {
              assert.equal(await at.profile(sessionId), 403);
              const login = await at.post('/sessions', { email, password });
              if (removal === 'the operator')
                assert.equal(memberOf(login.body, 'message'), 'logged in', 'the password alone suffices');
              else assert.equal(login.status, 401);
            }
          });
        }

        test('is in the export', async () => {
          const { browser } = await equipped();
          const at = new Browser(off);
          at.plant(sessionCookie, browser.sessionId ?? '');
          const [known, exported] = [await browser.get('/profile/export'), await at.get('/profile/export')];
          assert.deepEqual([known.status, exported.status], [200, 200], exported.text);
          for (const member of ['second_factors', 'devices', 'tokens'])
            assert.deepEqual(memberOf(exported.body, member), memberOf(known.body, member), member);
          const factors = memberOf(exported.body, 'second_factors') as object; // the schema of the route
          assert.deepEqual(Object.keys(factors).toSorted(), factorKits.map((kit) => kit.name).toSorted());
        });

        test('is removed with a closed account, and when it expires', async () => {
          const closed = await equipped();
          const { clock, core } = off.service;
          const at = new Browser(off);
          at.plant(sessionCookie, closed.browser.sessionId ?? '');
          assert.equal((await at.send({ method: 'DELETE', path: '/profile' })).status, 200);
          const removed = await equipped();
          assert.equal(await core.auth.removeUser(removed.id), true);
          clock.advance(15 * dayMs);
          await core.purge();
          for (const { id } of [closed, removed]) {
            const kept = ['audit_events'];
            const tables = tableNames(core.database).filter((table) => !kept.includes(table));
            assert.deepEqual(await tablesOf(id, tables), []);
          }
          clock.advance(400 * dayMs);
          await core.purge();
          assert.equal(await on.service.core.purge(), 0, 'nothing that has expired is left');
        });
      });
    }
  },
);

onEachEngine(needs('a passkey of an attacker who registered first', 'passkey'), (engine) => {
  let on: PublicService;
  let off: PublicService;
  before(async () => {
    on = await PublicService.start(engine);
    off = await on.reconfigured({ PASSKEYS: 'false' });
  });
  after(async () => {
    await off.close();
    await on.close();
  });

  test('A58 trojan identifier: is listed for the operator and removed while passkeys are off, as the only factor', async () => {
    const { id, sessionId } = await on.member();
    const browser = new Browser(on);
    browser.plant(sessionCookie, sessionId);
    const device = new PasskeyDevice(origin);
    await addPasskey(browser, device);
    const { secondFactors, enrollment, database } = off.service.core;
    assert.deepEqual(await secondFactors.storedOf(database, id), ['passkey']);
    assert.equal(await enrollment.reset(id, { actor: 'operator' }), true);
    assert.equal((await signInWithPasskey(new Browser(on), device)).status, 401);
  });

  test('A58 trojan identifier: is removed when the owner registers while passkeys are off', async () => {
    const email = freshEmail();
    const device = new PasskeyDevice(origin);
    const options = passkeyOptionsIn(await on.post('/users/passkey', { email }));
    const registered = await on.put('/users/passkey', { email, credential: device.create(options) });
    assert.equal(registered.status, 200, registered.text);
    on.service.clock.advance(2 * minuteMs);
    assert.equal((await off.post('/users', { email, password: newPassword })).status, 200);
    assert.equal((await off.confirm({ email, password: newPassword })).status, 200);
    assert.equal((await off.logIn(email, newPassword)).status, 200);
    assert.equal((await signInWithPasskey(new Browser(on), device)).status, 401);
    assert.equal((await on.logIn(email, newPassword)).status, 200);
  });
});
