// Ends what a password or an address opened, whichever module opened it.
import type { Database } from '../../db/database.ts';
import type { AccessKind, Revocable } from '../contribution.ts';

export interface Revocation {
  /** All kinds if absent. */
  readonly kinds?: readonly AccessKind[];
  /** Handle of the session or pending authentication that stays. */
  readonly except?: string | undefined;
}

export class AccountAccess {
  readonly #revocables: readonly Revocable[];

  /** `revocables` is read at each call: modules add to it before the first request. */
  constructor(revocables: readonly Revocable[]) {
    this.#revocables = revocables;
  }

  /** Ends the user's access of these kinds, in the order of registration. Inside a transaction. */
  async revoke(tx: Database, userId: number, { kinds, except }: Revocation = {}): Promise<void> {
    for (const revocable of this.#revocables)
      if (kinds === undefined || kinds.includes(revocable.kind))
        await revocable.revokeAll(tx, userId, { except });
  }
}
