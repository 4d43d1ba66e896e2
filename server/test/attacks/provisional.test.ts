// Accounts of a public sign-up that were never confirmed or used give way and expire. No other account is ever removed or
// changed by a stranger: every origin of an account x every state x everything that removes a provisional one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { programSource } from '../../src/audit/event.ts';
import { dayMs, hourMs, minuteMs } from '../../src/kit/clock.ts';
import { Auth } from '../../src/library/auth.ts';
import { DB } from '../../src/library/db.ts';
import { requireEmailAddress } from '../../src/user/email-address.ts';
import { addUser } from '../../src/user/new-user-store.ts';
import { findUserByEmail } from '../../src/user/store.ts';
import type { User } from '../../src/user/user.ts';
import { signIn, type Browser } from '../support/browser.ts';
import { onEachEngine } from '../support/engines.ts';
import { lacks } from '../support/feature.ts';
import { anyHash } from '../support/hashing.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService } from '../support/public-service.ts';
import { assertProblem, type Reply } from '../support/request.ts';

const first = 'nine newts under a green umbrella';
const second = 'eight herons on a yellow bicycle';
const operator = { actor: 'operator' } as const;

onEachEngine('an unconfirmed account', (engine) => {
  let service: PublicService;
  let db: DB;
  /** The same database without confirmation, as in local mode. */
  let local: Auth;
  before(async () => {
    service = await PublicService.start(engine);
    const { core, clock } = service.service;
    db = new DB(core.database, clock.now);
    local = new Auth({ db, hasher: core.hasher, clock: clock.now });
  });
  after(() => service.close());

  const wait = (ms: number): void => service.service.clock.advance(ms);
  const auth = (): Auth => service.service.core.auth;
  const find = (email: string): Promise<User | undefined> =>
    findUserByEmail(service.service.core.database, requireEmailAddress(email));
  const purge = async (): Promise<void> => void (await auth().purge());
  const signUp = async (email: string, password = first): Promise<void> => {
    assert.equal((await service.post('/users', { email, password })).status, 200);
  };

  /** How an account is made. */
  const origins: Readonly<Record<string, (email: string) => Promise<unknown>>> = {
    'a public sign-up': signUp,
    'the operator': (email) => auth().registerUser(email, first, operator),
    'a program': (email) => auth().registerUser(email, first),
    'an import': (email) => db.addUser(email, anyHash),
    'local mode': (email) =>
      local.identity.accounts.signUp(requireEmailAddress(email), { password: first }, programSource),
    'an older release': async (email) => {
      await signUp(email);
      const { database } = service.service.core;
      await database.query((sql) =>
        sql
          .updateTable('users')
          .set({ provisional_until: null, hashed_password: 'x' })
          .where('email', '=', email),
      );
    },
  };

  /** What happens to the account before. */
  const states: Readonly<Record<string, (email: string) => Promise<unknown>>> = {
    'never used': async () => {},
    confirmed: async (email) => {
      wait(2 * minuteMs);
      await service.post('/email_verification', { email });
      const fields = { email, token: await service.tokenFor(email), new_password: first };
      assert.equal((await service.put('/email_verification', fields)).status, 200);
    },
    'signed in': async (email) => assert.ok((await local.createSession(email)) !== undefined),
    'with a password of the operator': (email) => auth().setPassword(email, first, operator),
    'changed by a program': async (email) =>
      db.updateUser((await find(email))?.id ?? 0, {
        sessionId: `a session for ${email}`,
      }),
    disabled: async (email) => auth().setDisabled((await find(email))?.id ?? 0, true, operator),
  };

  /** What removes a provisional account with this address. */
  const removals: Readonly<Record<string, (email: string) => Promise<unknown>>> = {
    'a purge': async () => {
      wait(400 * dayMs);
      await purge();
    },
    'the operator': (email) =>
      auth()
        .registerUser(email, second, operator)
        .catch(() => {}),
    'a program': (email) => db.addUser(email, anyHash).catch(() => {}),
    'another email of a program': async (email) => {
      const { id } = await db.addUser(freshEmail(), anyHash);
      await db.updateUser(id, { email }).catch(() => {});
    },
    'a sign-up in local mode': (email) =>
      local.identity.accounts
        .signUp(requireEmailAddress(email), { password: second }, programSource)
        .catch(() => {}),
  };

  for (const [origin, make] of Object.entries(origins))
    for (const [state, prepare] of Object.entries(states)) {
      const givesWay = origin === 'a public sign-up' && state === 'never used';
      test(`of ${origin}, ${state}, ${givesWay ? 'gives way' : 'stays as it is'}`, async () => {
        let known: User | undefined;
        for (const [removal, remove] of Object.entries(removals)) {
          // An account that stays is used for all of them.
          const email = givesWay ? freshEmail() : (known?.email ?? freshEmail());
          if (givesWay || known === undefined) {
            await make(email);
            await prepare(email);
            known = await find(email);
          }
          assert.ok(known !== undefined);
          await signUp(email.replace('person', 'PERSON'), second);
          await remove(email);
          const later = await find(email);
          if (givesWay) assert.notEqual(later?.id, known.id, removal);
          else assert.deepEqual(later, known, removal);
        }
      });
    }

  test('expires seven days after its last token, and takes nothing with it', async () => {
    const [email, other] = [freshEmail(), freshEmail()];
    await signUp(email);
    const { id } = (await find(email)) ?? assert.fail();
    const { id: kept } = await auth().registerUser(other, first, operator);
    wait(6 * dayMs);
    await service.post('/email_verification', { email });
    wait(7 * dayMs - 1);
    await purge();
    assert.equal((await find(email))?.id, id);
    await service.resetToken(email);
    wait(7 * dayMs - 1);
    await purge();
    assert.equal((await find(email))?.id, id);
    wait(1);
    await purge();
    assert.equal(await find(email), undefined);
    assert.equal((await find(other))?.id, kept);
    const rows = await service.service.core.database.query((sql) =>
      sql.selectFrom('pending_registrations').select('id').where('user_id', '=', id),
    );
    assert.deepEqual(rows, []);
    const events = await service.service.core.audit.list({ limit: 1000 });
    const removal = events.find(({ userId, event }) => userId === id && event === 'user_deleted');
    assert.deepEqual([removal?.event, removal?.reason], ['user_deleted', 'registration_expired']);
  });

  test('can be confirmed with the password for as long as it is kept', async () => {
    const email = freshEmail();
    await signUp(email);
    wait(6 * dayMs);
    await service.post('/email_verification', { email });
    await purge();
    wait(23 * hourMs);
    assert.equal((await service.confirm({ email, password: first })).status, 200);
    wait(400 * dayMs);
    await purge();
    assert.equal((await service.logIn(email, first)).status, 200);
  });

  test('is removed in batches, as many as were asked for', async () => {
    await purge();
    const { database } = service.service.core;
    const now = service.service.clock.now();
    for (let i = 0; i < 230; i += 1)
      await addUser(database, requireEmailAddress(freshEmail()), null, now, { provisionalUntil: now });
    const { registrations } = auth().identity;
    assert.deepEqual([await registrations.purge(120), await registrations.purge(1000)], [120, 110]);
  });

  describe('and a change of address', () => {
    const change = async (at: Browser, email: string, password: string): Promise<Reply> => {
      assert.equal((await at.post('/profile/email', { email, password })).status, 200);
      await service.deliver();
      if (service.mails.at(-1)?.to !== email || !/token=/.test(service.mails.at(-1)?.text ?? ''))
        return at.get('/no-token');
      return at.put('/profile/email', { token: await service.tokenFor(email) });
    };

    for (const [origin, make] of Object.entries(origins)) {
      const givesWay = origin === 'a public sign-up';
      test(`one of ${origin} ${givesWay ? 'gives its address to' : 'keeps its address from'} the owner of the mailbox`, async (t) => {
        if (lacks(t, 'email-change')) return;
        const ada = await service.member();
        const at = await signIn(service, ada);
        const email = freshEmail();
        await make(email);
        const earlier = await find(email);
        wait(2 * minuteMs);
        const reply = await change(at, email, ada.password);
        assert.equal(reply.status, givesWay ? 200 : 404);
        assert.equal((await find(email))?.id, givesWay ? ada.id : earlier?.id);
      });

      test(`one of ${origin} at the former address ${givesWay ? 'gives way to' : 'is kept by'} the undo of a change`, async (t) => {
        if (lacks(t, 'email-change')) return;
        const ada = await service.member();
        const at = await signIn(service, ada);
        wait(2 * minuteMs);
        assert.equal((await change(at, freshEmail(), ada.password)).status, 200);
        const undo = await service.tokenFor(ada.email);
        await make(ada.email);
        const earlier = await find(ada.email);
        const reply = await service.put('/profile/email/undo', { token: undo });
        if (givesWay) assert.equal(reply.status, 200);
        else assertProblem(reply, 400, 'email_taken');
        assert.equal((await find(ada.email))?.id, givesWay ? ada.id : earlier?.id);
      });
    }
  });
});
