// Pairs of actions on one account, in every order of their steps, on PostgreSQL, where transactions run in parallel.
// SQLite has one writer; its races are in races.ts. The clock stands still, so that two actions of the same instant are
// covered too. `orders.process.test.ts` takes some of the orders, `orders.system.ts` more, `orders.long.ts` all.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { silentLog } from '../../src/kit/log.ts';
import { Problem } from '../../src/kit/problem.ts';
import type { Database } from '../../src/db/database.ts';
import { createToken } from '../../src/kit/secret.ts';
import { requestKind } from '../../src/identity/cookie-kinds.ts';
import { Outbox } from '../../src/mail/outbox.ts';
import { Auth, type AuthOptions } from '../../src/library/auth.ts';
import { DB } from '../../src/library/db.ts';
import { requireEmailAddress } from '../../src/user/email-address.ts';
import { ValueError, type User } from '../../src/user/user.ts';
import { programSource } from '../../src/audit/event.ts';
import { testClock } from '../support/clock.ts';
import { freshDatabase, openPatiently, type FreshDatabase } from '../support/engines.ts';
import { tokenIn } from '../support/mail-box.ts';
import { sharedHasher } from '../support/hashing.ts';
import { kits } from '../support/kit.ts';
import { freshAddress } from './arena.ts';
import { inOrder, ordersOf, spread, type Ending } from './interleaving.ts';
import { countSessions, old, type Pair, type Stage } from './order-stage.ts';

/** Rejections that an action may get when the other was faster. Anything else is a fault, such as a deadlock. */
const properRefusals = new Set([
  'token_invalid',
  'unknown_email',
  'password_required',
  'same_browser_required',
  'session_required', // the other action ended the session
]);

/** Declares the pairs. Of each, at most this number of orders is taken, spread over all of them. */
export function declareOrders(most: number): void {
  describe('parallel actions', () => {
    let fresh: FreshDatabase;
    let database: Database;
    const clock = testClock();
    let oldHash: string;

    const authOn = (db: Database, options: Partial<AuthOptions> = {}): Auth =>
      new Auth({ db: new DB(db, clock.now), hasher: sharedHasher, clock: clock.now, ...options });

    /** The service in public mode, which sends mails and requires confirmation. */
    const publicAuthOn = (db: Database, options: Partial<AuthOptions> = {}): Auth => {
      const outbox = new Outbox({
        database: db,
        clock: clock.now,
        cipher: { encrypt: (text) => text, decrypt: (text) => text },
        transport: { send: async () => {}, close: () => {} },
        log: silentLog,
        domain: 'accounts.test',
        sender: { productName: 'Bienvenue', publicUrl: 'https://accounts.test', color: '#1a56c4' },
      });
      return authOn(db, { post: outbox, emailConfirmation: true, ...options });
    };

    before(async () => {
      fresh = await freshDatabase('postgres');
      database = await openPatiently(fresh.url);
      oldHash = await sharedHasher.hash(old);
    });
    after(async () => {
      await database.close();
      await fresh.drop();
    });

    const inEveryOrder = (title: string, set: (stage: Stage) => Promise<Pair>, isPublic = false): void => {
      test(title, async () => {
        const stage: Stage = {
          database,
          authOn: isPublic ? publicAuthOn : authOn,
          newcomer: () => new DB(database, clock.now).addUser(freshAddress(), oldHash),
          mailedToken: (userId) => newestToken(database, userId),
        };
        const run = async (order: { first: number; second: number }, isSwapped: boolean) => {
          const { first, second, check } = await set(stage);
          const outcome = isSwapped
            ? await inOrder(database, second, first, order)
            : await inOrder(database, first, second, order);
          const endings = isSwapped ? { first: outcome.second, second: outcome.first } : outcome;
          const place = `${isSwapped ? 'swapped, ' : ''}${order.first} steps, then ${order.second} of the other`;
          try {
            for (const ending of [endings.first, endings.second]) assertProper(ending);
            await check(endings);
          } catch (error) {
            throw new Error(`${place}: ${String(error)}`, { cause: error });
          }
          return outcome;
        };
        // Each runs to its end when it is the first.
        const steps = [];
        for (const isSwapped of [false, true])
          steps.push((await run({ first: Infinity, second: Infinity }, isSwapped)).firstSteps);
        const [firstSteps = 0, secondSteps = 0] = steps;
        for (const { first, second } of spread(ordersOf({ firstSteps, secondSteps }), most)) {
          await run({ first, second }, false);
          await run({ first: second, second: first }, true);
        }
      });
    };

    inEveryOrder(
      'a reset leaves no session of the old password that is created concurrently',
      async ({ authOn: on, newcomer }) => {
        const { id, email } = await newcomer();
        const token = await on(database).getResetPasswordToken(email);
        return {
          first: (db) => on(db).logIn(email, old),
          second: (db) => on(db).updatePassword(token, 'the new password'),
          check: async () => assert.equal(await countSessions(database, id), 0),
        };
      },
    );

    inEveryOrder(
      'disabling an account leaves no session that is created concurrently',
      async ({ authOn: on, newcomer }) => {
        const { id, email } = await newcomer();
        return {
          first: (db) => on(db).logIn(email, old),
          second: (db) => on(db).setDisabled(id, true),
          check: async () => assert.equal(await countSessions(database, id), 0),
        };
      },
    );

    for (const { feature, enrollment } of kits) {
      if (enrollment === undefined) continue;
      inEveryOrder(
        `adding a second factor (${feature}) leaves no session without it that is created concurrently`,
        async ({ database: base, newcomer }) => {
          const { id, email } = await newcomer();
          const on = (db: Database): Auth => authOn(db, { secondFactors: [enrollment.factorOn(db)] });
          const login = await on(base).logIn(email, old);
          const session = (await on(base).getSession(login?.token)) ?? assert.fail();
          const app = { factor: enrollment.factorOn(base).name, work: enrollment.work };
          return {
            first: (db) => on(db).logIn(email, old),
            second: (db) => on(db).identity.enrollment.add({ session }, app, { actor: 'user' }),
            check: async ({ second }) => {
              assert.ok('value' in second, 'it is added');
              assert.equal(await countSessions(base, id), 1, 'the session in which it was added');
            },
          };
        },
      );
    }

    inEveryOrder(
      'removing an account leaves no row that is created concurrently',
      async ({ authOn: on, newcomer }) => {
        const { id, email } = await newcomer();
        return {
          first: (db) => on(db).logIn(email, old),
          second: (db) => on(db).removeUser(id),
          check: async () => assert.equal(await countSessions(database, id), 0),
        };
      },
    );

    inEveryOrder(
      'a removal leaves no reset token that is requested concurrently',
      async ({ authOn: on, newcomer }) => {
        const { id, email } = await newcomer();
        return {
          first: (db) => on(db).getResetPasswordToken(email),
          second: (db) => on(db).removeUser(id),
          check: async () => {},
        };
      },
    );

    inEveryOrder('one of two concurrent uses of one token succeeds', async ({ authOn: on, newcomer }) => {
      const { id, email } = await newcomer();
      const token = await on(database).getResetPasswordToken(email);
      return {
        first: (db) => on(db).updatePassword(token, 'the new password of one'),
        second: (db) => on(db).updatePassword(token, 'the new password of the other'),
        check: async ({ first, second }) => {
          const winners = [first, second].flatMap((ending) =>
            'value' in ending ? [ending.value as User] : [],
          );
          assert.equal(winners.length, 1);
          assert.equal(await passwordHash(database, id), winners[0]?.hashedPassword);
        },
      };
    });

    inEveryOrder('a token is used while a newer one is requested', async ({ authOn: on, newcomer }) => {
      const { id, email } = await newcomer();
      const token = await on(database).getResetPasswordToken(email);
      return {
        first: (db) => on(db).updatePassword(token, 'the new password'),
        second: (db) => on(db).getResetPasswordToken(email),
        check: async ({ first }) => {
          const isChanged = (await passwordHash(database, id)) !== oldHash;
          assert.equal(isChanged, 'value' in first);
        },
      };
    });

    inEveryOrder(
      'no reset token is left when it is used while the operator sets a password',
      async ({ authOn: on, newcomer }) => {
        const { id, email } = await newcomer();
        const token = await on(database).getResetPasswordToken(email);
        return {
          first: (db) => on(db).updatePassword(token, 'the new password'),
          second: (db) => on(db).setPassword(email, "the operator's password"),
          check: async () => {
            assert.notEqual(await passwordHash(database, id), oldHash);
            const pending = await database.query((sql) =>
              sql
                .selectFrom('one_time_tokens')
                .select('id')
                .where('user_id', '=', id)
                .where('spent_at', 'is', null),
            );
            assert.deepEqual(pending, []);
          },
        };
      },
    );

    inEveryOrder(
      'a confirmation opens the registration of its own browser, not that of a later registration',
      async ({ authOn: on, mailedToken }) => {
        const address = requireEmailAddress(freshAddress());
        const own = { ...programSource, requestToken: createToken(requestKind).token };
        const { accounts, registrations } = on(database).identity;
        const { id } = await accounts.signUp(address, { password: "the owner's password" }, own);
        const [registered] = await registrations.list(id);
        const token = await mailedToken(id);
        return {
          first: (db) => on(db).identity.emailVerification.redeem(address, token, own),
          second: (db) =>
            on(db).identity.accounts.signUp(address, { password: "the stranger's password" }, programSource),
          check: async ({ first }) => {
            if (!('value' in first)) return;
            assert.equal(await passwordHash(database, id), registered?.hashed_password);
            assert.deepEqual(await registrations.list(id), []);
          },
        };
      },
      true,
    );

    inEveryOrder(
      'an expired account is confirmed or removed by a purge, and nothing in between',
      async ({ authOn: on, mailedToken }) => {
        const address = requireEmailAddress(freshAddress());
        const own = { ...programSource, requestToken: createToken(requestKind).token };
        const { id } = await on(database).identity.accounts.signUp(address, { password: old }, own);
        const token = await mailedToken(id);
        await database.execute(`update users set provisional_until = 1 where id = ${id}`);
        return {
          first: (db) => on(db).identity.emailVerification.redeem(address, token, own),
          second: (db) => on(db).identity.registrations.purge(10),
          check: async ({ first }) => {
            const found = await new DB(database).findUserBy({ id }).catch(() => undefined);
            assert.equal(found !== undefined, 'value' in first);
            if (found !== undefined) assert.notEqual(found.emailVerifiedAt, null);
          },
        };
      },
      true,
    );

    inEveryOrder(
      'a registration is not lost with an expired account that a purge removes',
      async ({ authOn: on }) => {
        const address = requireEmailAddress(freshAddress());
        const { id } = await on(database).identity.accounts.signUp(address, { password: old }, programSource);
        await database.execute(`update users set provisional_until = 1 where id = ${id}`);
        return {
          first: (db) =>
            on(db)
              .identity.accounts.signUp(address, { password: 'the new password' }, programSource)
              .catch(() => {}),
          second: (db) => on(db).identity.registrations.purge(10),
          check: async () => {
            const { id: kept } = await new DB(database).findUserBy({ email: address.text });
            const pending = await on(database).identity.registrations.list(kept);
            assert.ok(pending.length > 0, 'the registration is pending');
          },
        };
      },
      true,
    );

    inEveryOrder(
      'one of two concurrent reset requests sends a mail, and its token is the valid one',
      async ({ authOn: on, newcomer, mailedToken }) => {
        const { id, email } = await newcomer();
        return {
          first: (db) => on(db).requestReset(email),
          second: (db) => on(db).requestReset(email),
          check: async () => {
            assert.deepEqual(await mailKinds(database, id), ['reset_password']);
            await on(database).updatePassword(await mailedToken(id), 'the new password');
          },
        };
      },
      true,
    );

    inEveryOrder(
      'one of two concurrent registrations of one address sends a mail, and its token is the valid one',
      async ({ authOn: on, mailedToken }) => {
        const email = freshAddress();
        return {
          first: (db) => on(db).registerUser(email, 'the password of one'),
          second: (db) => on(db).registerUser(email, 'the password of the other'),
          check: async () => {
            const user = await new DB(database).findUserBy({ email });
            assert.deepEqual(await mailKinds(database, user.id), ['email_verification']);
            await on(database).identity.emailVerification.redeem(
              requireEmailAddress(email),
              await mailedToken(user.id),
              programSource,
              { newPassword: 'the password of three' },
            );
          },
        };
      },
      true,
    );

    inEveryOrder(
      'one of two concurrent confirmation requests sends a mail, and its token is the valid one',
      async ({ authOn: on, newcomer, mailedToken }) => {
        const { id, email } = await newcomer();
        return {
          first: (db) => on(db).identity.emailVerification.request(requireEmailAddress(email), programSource),
          second: (db) =>
            on(db).identity.emailVerification.request(requireEmailAddress(email), programSource),
          check: async () => {
            assert.deepEqual(await mailKinds(database, id), ['email_verification']);
            await on(database).identity.emailVerification.redeem(
              requireEmailAddress(email),
              await mailedToken(id),
              programSource,
              { password: old },
            );
          },
        };
      },
      true,
    );

    for (const { orders = [] } of kits)
      for (const { title, set, isPublic } of orders) inEveryOrder(title, set, isPublic);
  });
}

function assertProper(ending: Ending<unknown>): void {
  if ('value' in ending) return;
  const { error } = ending;
  const isProper =
    error instanceof ValueError || (error instanceof Problem && properRefusals.has(error.code));
  assert.ok(isProper, `not a proper rejection: ${String(error)}`);
}

async function passwordHash(database: Database, id: number): Promise<string | null> {
  return (await new DB(database).findUserBy({ id })).hashedPassword;
}

async function newestToken(database: Database, userId: number): Promise<string> {
  const mails = await database.query((sql) =>
    sql
      .selectFrom('mails')
      .select('content')
      .where('user_id', '=', userId)
      .where('content', 'is not', null)
      .orderBy('created_at', 'desc')
      .limit(1),
  );
  const { text } = JSON.parse(mails[0]?.content ?? '{"text":""}') as { text: string }; // the cipher of this stage returns it unchanged
  return tokenIn(text) ?? '';
}

async function mailKinds(database: Database, userId: number): Promise<string[]> {
  const mails = await database.query((sql) =>
    sql.selectFrom('mails').select('kind').where('user_id', '=', userId),
  );
  return mails.map(({ kind }) => kind);
}
