// Concurrent changes of the address, for the tests that run for every feature.
import assert from 'node:assert/strict';
import { programSource } from '../../../audit/event.ts';
import type { Database } from '../../../db/database.ts';
import type { Session } from '../../../identity/session/session-entry.ts';
import type { Auth } from '../../../library/auth.ts';
import { requireEmailAddress } from '../../../user/email-address.ts';
import { freshAddress } from '../../../../test/races/arena.ts';
import { old, signedIn, type Stage } from '../../../../test/races/order-stage.ts';
import type { FeatureKit, KitOrder } from '../../../../test/support/kit.ts';
import { EmailChange } from '../email-change.ts';

/** Builds the change of address of an `Auth`, as the module does. */
function changeOn({ identity }: Auth): EmailChange {
  return new EmailChange(identity.context, identity);
}

/** Requests another address for a user with the password `old`; returns the token of the mail. */
async function requestOf(
  stage: Stage,
  requested: string,
): Promise<{ email: string; session: Session; token: string }> {
  const { user, auth, session } = await signedIn(stage);
  await changeOn(auth).request(
    session,
    { address: requireEmailAddress(requested), password: old },
    programSource,
  );
  return { email: user.email, session, token: await stage.mailedToken(user.id) };
}

async function countUsers(database: Database, email: string): Promise<number> {
  const rows = await database.query((sql) => sql.selectFrom('users').select('id').where('email', '=', email));
  return rows.length;
}

const orders: readonly KitOrder[] = [
  {
    title: 'F10: one of two concurrent changes to one address succeeds',
    set: async (stage) => {
      const requested = freshAddress();
      const [ada, eve] = [await requestOf(stage, requested), await requestOf(stage, requested)];
      return {
        first: (db) => changeOn(stage.authOn(db)).redeem(ada.session, ada.token, programSource),
        second: (db) => changeOn(stage.authOn(db)).redeem(eve.session, eve.token, programSource),
        check: async ({ first, second }) => {
          assert.notEqual('value' in first, 'value' in second);
          assert.equal(await countUsers(stage.database, requested), 1);
        },
      };
    },
    isPublic: true,
  },

  {
    title: 'F10: a change of address and a concurrent reset: one succeeds, and the other token is revoked',
    set: async (stage) => {
      const requested = freshAddress();
      const ada = await requestOf(stage, requested);
      const reset = await stage.authOn(stage.database).getResetPasswordToken(ada.email);
      return {
        first: (db) => changeOn(stage.authOn(db)).redeem(ada.session, ada.token, programSource),
        second: (db) => stage.authOn(db).updatePassword(reset, 'the new password'),
        check: async ({ first, second }) => {
          assert.notEqual('value' in first, 'value' in second);
          assert.equal(await countUsers(stage.database, requested), 'value' in first ? 1 : 0);
        },
      };
    },
    isPublic: true,
  },
];

export const kit: FeatureKit = {
  feature: 'email-change',
  orders,
  forms: {
    '/account/email': { token: 'x' },
    '/account/email/undo': { token: 'x' },
    '/account/address/code': { token: 'x' },
    '/account/address': { email: 'other@example.org', password: 'wrong' },
  },
  keepsSession: [
    'POST /profile/email',
    'POST /account/address',
    'POST /account/address/code',
    'POST /account/email/undo',
  ],
  publicRoutes: {
    'PUT /profile/email/undo': 403,
    'POST /account/email': 303,
    'POST /account/address/code': 303,
    'POST /account/email/undo': 403,
  },
};
