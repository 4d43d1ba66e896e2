// Closes an account concurrently with other actions, for the tests that run for every feature.
import assert from 'node:assert/strict';
import type { Database } from '../../../db/database.ts';
import type { Auth } from '../../../library/auth.ts';
import type { User } from '../../../user/user.ts';
import { countSessions, old, signedIn, type Stage } from '../../../../test/races/order-stage.ts';
import type { FeatureKit, KitOrder } from '../../../../test/support/kit.ts';
import { AccountDeletion } from '../deletion.ts';

/** Builds the account deletion of an `Auth`, as the module does. */
function deletionOn({ identity }: Auth): AccountDeletion {
  return new AccountDeletion(identity.context, identity);
}

/** Purges expired rows and closed accounts. */
async function purgeOn(auth: Auth): Promise<number> {
  auth.identity.plugged.purges.push(deletionOn(auth));
  return auth.purge();
}

/** Creates a user and closes the account; returns the token that undoes it and the instant of the removal. */
async function closeAccount(stage: Stage): Promise<{ user: User; token: string; deleteAt: number }> {
  const { user, auth, session } = await signedIn(stage);
  const { deleteAt } = await deletionOn(auth).request(session, { actor: 'user' });
  return { user, token: await stage.mailedToken(user.id), deleteAt };
}

/** Returns what is left of an account: its row, and how many rows refer to it. */
async function remainsOf(
  database: Database,
  id: number,
): Promise<{ user: { disabled_at: number | null; delete_at: number | null } | undefined; rows: number }> {
  const [user] = await database.query((sql) =>
    sql.selectFrom('users').select(['disabled_at', 'delete_at']).where('id', '=', id),
  );
  let rows = 0;
  for (const table of ['sessions', 'one_time_tokens', 'mails'] as const)
    rows += (
      await database.query((sql) =>
        sql
          .selectFrom(table as 'sessions')
          .select('id')
          .where('user_id', '=', id),
      )
    ).length;
  return { user, rows };
}

const orders: readonly KitOrder[] = [
  {
    title: 'a closed account is either reopened or removed if the clocks of two instances differ',
    set: async (stage) => {
      const { authOn: on } = stage;
      const { user, token, deleteAt } = await closeAccount(stage);
      return {
        first: (db) => deletionOn(on(db, { clock: () => deleteAt - 1 })).undo(token, { actor: 'anonymous' }),
        second: (db) => purgeOn(on(db, { clock: () => deleteAt })),
        check: async ({ first, second }) => {
          const remains = await remainsOf(stage.database, user.id);
          if ('value' in first) {
            assert.deepEqual({ ...remains.user }, { disabled_at: null, delete_at: null });
            await deletionOn(on(stage.database)).purge(1000);
            assert.notEqual((await remainsOf(stage.database, user.id)).user, undefined);
          } else assert.deepEqual(remains, { user: undefined, rows: 0 });
          assert.ok('value' in second, 'the purge continues');
        },
      };
    },
    isPublic: true,
  },

  {
    title: 'a closed account is reopened while the operator disables it',
    set: async (stage) => {
      const { authOn: on } = stage;
      const { user, token } = await closeAccount(stage);
      return {
        first: (db) => deletionOn(on(db)).undo(token, { actor: 'anonymous' }),
        second: (db) => on(db).setDisabled(user.id, true),
        check: async () => {
          const remains = await remainsOf(stage.database, user.id);
          assert.notEqual(remains.user?.disabled_at ?? null, null);
        },
      };
    },
    isPublic: true,
  },

  {
    title: 'closing an account leaves no session that is created concurrently',
    set: async (stage) => {
      const { authOn: on } = stage;
      const { user, session } = await signedIn(stage);
      return {
        first: (db) => on(db, { emailConfirmation: false }).logIn(user.email, old),
        second: (db) => deletionOn(on(db)).request(session, { actor: 'user' }),
        check: async () => assert.equal(await countSessions(stage.database, user.id), 0),
      };
    },
    isPublic: true,
  },
];

export const kit: FeatureKit = {
  feature: 'account-deletion',
  orders,
  plans: [
    {
      title: 'a purge that removes an account',
      work: async ({ auth, database, now }) => {
        await database().query((sql) =>
          sql.updateTable('users').set({ disabled_at: now(), delete_at: now() }).where('id', '=', 11),
        );
        assert.ok((await purgeOn(auth())) > 0);
      },
      indices: [/users_by_deletion/],
    },
  ],
  forms: {
    '/account/delete/undo': { token: 'x' },
    '/account/data/close': { sure: 'yes' },
  },
  keepsSession: ['DELETE /profile', 'POST /account/data/close', 'POST /account/delete/undo'],
  publicRoutes: { 'PUT /profile/undo': 403, 'POST /account/delete/undo': 403 },
};
