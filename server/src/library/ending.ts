// Ends sessions for the class DB, which has no rules: the contributions of modules run as for sessions that the rules end.
import type { Database } from '../db/database.ts';
import { lockProvisionalUser } from '../user/provisional-store.ts';
import { removeUser } from '../user/store.ts';
import type { EmailAddress } from '../user/email-address.ts';
import type { SessionEnding } from '../identity/contribution.ts';
import { endSessions, type EndingCause } from '../identity/session/ending.ts';
import { sessionsOfUser } from '../identity/session/ending-store.ts';

interface Ending extends EndingCause {
  readonly endings: readonly SessionEnding[];
}

/** Ends the sessions of a user. Inside a transaction. */
export async function endSessionsOf(
  tx: Database,
  userId: number,
  { endings, ...cause }: Ending,
): Promise<void> {
  await endSessions(tx, sessionsOfUser(userId), cause, endings);
}

/** Removes the provisional account of an address, so that another account can get the address. Inside a transaction. */
export async function releaseAddress(
  tx: Database,
  address: EmailAddress,
  ending: Omit<Ending, 'reason'>,
): Promise<void> {
  const id = await lockProvisionalUser(tx, address);
  if (id === undefined) return;
  await endSessionsOf(tx, id, { ...ending, reason: 'revoked' });
  await removeUser(tx, id);
}
