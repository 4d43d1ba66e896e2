// Offers a user who signs in to a closed account to keep it, with a token like that of the mail.
import { parseToken } from '../../kit/secret.ts';
import type { Database } from '../../db/database.ts';
import type { User } from '../../user/user.ts';
import type { AuthContext, ClientSource } from '../../identity/context.ts';
import type { ClosedAccounts } from '../../identity/contribution.ts';
import type { OneTimeTokens } from '../../identity/token/one-time-token.ts';
import { deletionUndoKind, type ClosedAccount } from './deletion.ts';
import { deletionEvents } from './event.ts';

/** Life of the token of the page: long enough to read it. */
const offerMinutes = 10;

/** Path of the page of a closed account. */
export const closedPath = '/account-closed';

export class ClosedAccountReopening implements ClosedAccounts {
  readonly path = closedPath;
  readonly #context: AuthContext;
  readonly #tokens: OneTimeTokens;

  constructor(context: AuthContext, tokens: OneTimeTokens) {
    this.#context = context;
    this.#tokens = tokens;
  }

  /** Returns true while the mailed link can reopen the account: not if the operator has disabled it since. */
  isReopenable(db: Database, user: User): Promise<boolean> {
    return this.#tokens.hasLive(db, user, deletionUndoKind);
  }

  /** See ClosedAccounts. */
  async offer(tx: Database, user: User, source: ClientSource): Promise<string> {
    const { token } = await this.#tokens.issue(tx, user, { kind: deletionUndoKind, minutes: offerMinutes });
    await this.#context.events.emit(tx, deletionEvents.reopening_offered, { user, source });
    return token;
  }

  /** Returns the closed account that a token reopens; `undefined` if it cannot be used. Changes nothing. */
  async find(presented: string, source: ClientSource): Promise<ClosedAccount | undefined> {
    const parts = parseToken(deletionUndoKind, presented);
    if (parts === undefined || !(await this.#tokens.isLive(parts.id))) return undefined;
    const { user } = await this.#tokens.find(deletionUndoKind, presented, {}, source);
    return user.deleteAt === null ? undefined : { email: user.email, deleteAt: user.deleteAt };
  }
}
