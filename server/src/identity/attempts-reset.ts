// Unlocks an account for the operator: resets its failed attempts. The audit log says who did it.
import { keyOfAddress } from '../user/email-address.ts';
import { lockUser } from '../user/store.ts';
import { accountEvents } from './account/event.ts';
import type { Attempts } from './attempt/attempts.ts';
import type { AuthContext, ClientSource } from './context.ts';
import { listDevices } from './sign-in/device-store.ts';

/**
 * Resets the failed attempts of a user with all factors, also on known devices, which ends waits and locks. Returns how
 * many counters there were; `undefined` if no user has the id.
 */
export function resetAttempts(
  { context, attempts }: { readonly context: AuthContext; readonly attempts: Attempts },
  userId: number,
  source: ClientSource,
): Promise<number | undefined> {
  const { db, clock, events } = context;
  return db.transaction(async (tx) => {
    const user = await lockUser(tx, userId);
    if (user === undefined) return undefined;
    const devices = await listDevices(tx, userId, clock());
    const ids = devices.map(({ id }) => id);
    const count = await attempts.resetAll(tx, userId, keyOfAddress(user.email), ids);
    if (count > 0) await events.emit(tx, accountEvents.attempts_reset, { user, facts: { count }, source });
    return count;
  });
}
