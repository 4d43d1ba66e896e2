// Finds out whether a user who proves to own a closed account may still reopen it.
import type { Clock } from '../../kit/clock.ts';
import type { Database } from '../../db/database.ts';
import type { User } from '../../user/user.ts';
import type { ClientSource } from '../context.ts';
import type { ClosedAccounts } from '../contribution.ts';

/** What a user who has signed in to a closed account gets instead of a session. */
export interface Reopening {
  /** Path of the page that reopens the account. */
  readonly path: string;
  /** Token for that page. */
  readonly token: string;
}

export class ClosedAccountSignIn {
  readonly #clock: Clock;
  readonly #contributed: readonly ClosedAccounts[];

  /** The array is complete before the first request. */
  constructor(clock: Clock, contributed: readonly ClosedAccounts[]) {
    this.#clock = clock;
    this.#contributed = contributed;
  }

  /** Returns true if the user is not disabled, or has closed the account, may reopen it, and the request is from a page. */
  async admits(db: Database, user: User, { opensClosed = false }: ClientSource): Promise<boolean> {
    if (user.disabledAt === null) return true;
    const [closedAccounts] = this.#contributed;
    if (closedAccounts === undefined || !opensClosed || (user.deleteAt ?? 0) <= this.#clock()) return false;
    return closedAccounts.isReopenable(db, user);
  }

  /** Offers a user who `admits` has admitted to reopen the account. Inside a transaction that has locked the user. */
  async offer(tx: Database, user: User, source: ClientSource): Promise<Reopening | undefined> {
    const [closedAccounts] = this.#contributed;
    return (
      closedAccounts && { path: closedAccounts.path, token: await closedAccounts.offer(tx, user, source) }
    );
  }
}
