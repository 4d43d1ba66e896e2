// The setup for pairs of concurrent actions (orders.ts), also used by the kits of features.
import assert from 'node:assert/strict';
import type { Database } from '../../src/db/database.ts';
import type { Session } from '../../src/identity/session/session-entry.ts';
import type { Auth, AuthOptions } from '../../src/library/auth.ts';
import type { User } from '../../src/user/user.ts';
import type { Action, Ending } from './interleaving.ts';

/** Two concurrent actions, and the check that must hold afterwards. */
export interface Pair {
  readonly first: Action<unknown>;
  readonly second: Action<unknown>;
  readonly check: (endings: {
    readonly first: Ending<unknown>;
    readonly second: Ending<unknown>;
  }) => Promise<void>;
}

/** The setup of a pair. */
export interface Stage {
  readonly database: Database;
  /** The service's rules, on the database of an action. */
  readonly authOn: (db: Database, options?: Partial<AuthOptions>) => Auth;
  /** A user with the password `old`. */
  readonly newcomer: () => Promise<User>;
  /** Text of the token in the user's newest mail. */
  readonly mailedToken: (userId: number) => Promise<string>;
}

/** The password of new users. */
export const old = 'the old password';

/** Creates a user with a session, whose address requires no confirmation. */
export async function signedIn({
  authOn,
  database,
  newcomer,
}: Stage): Promise<{ user: User; auth: Auth; session: Session }> {
  const user = await newcomer();
  const auth = authOn(database, { emailConfirmation: false });
  const session = await auth.getSession((await auth.logIn(user.email, old))?.token);
  assert.ok(session !== undefined);
  return { user, auth, session };
}

export async function countSessions(database: Database, userId: number): Promise<number> {
  return (
    await database.query((sql) => sql.selectFrom('sessions').select('id').where('user_id', '=', userId))
  ).length;
}
