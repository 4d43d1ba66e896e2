// Ends the access that a password or an address gave, in all modules.
import type { Database } from '../../db/database.ts';
import type { Clock } from '../../kit/clock.ts';
import type { AccessRevoker, Revocable, Revocation } from '../contribution.ts';

/** What ends with every new password. A pending authentication ends by itself: it holds the old one. */
export const endsWithPassword: Revocation = { kinds: ['device', 'token', 'registration'] };

/** Revokes the access to an account. */
export class AccountAccess implements AccessRevoker {
  readonly #revocables: readonly Revocable[];
  readonly #clock: Clock;

  /** `revocables` is read at each call, because modules add to it before the first request. */
  constructor(revocables: readonly Revocable[], clock: Clock) {
    this.#revocables = revocables;
    this.#clock = clock;
  }

  /** Ends the user's access of these kinds, in the order in which modules were added. Inside a transaction. */
  async revoke(tx: Database, userId: number, { kinds, except, since }: Revocation = {}): Promise<void> {
    const at = this.#clock();
    for (const revocable of this.#revocables)
      if (kinds === undefined || kinds.includes(revocable.kind))
        await revocable.revokeAll(tx, userId, { except, since, at });
  }
}
