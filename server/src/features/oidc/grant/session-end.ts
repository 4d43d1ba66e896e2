// What ends at the clients of a user, with a session or with the grants: and which clients are notified of it.
import type { Database } from '../../../db/database.ts';
import type { EndedSession } from '../../../identity/contribution.ts';
import { findUserById } from '../../../user/store.ts';
import { findClient } from '../client/store.ts';
import { removeAccess, removeConsentsSince } from './consent-store.ts';
import { listGrantIds, removeGrantsOf, removeSessionGrants } from './grant-store.ts';
import { clientsOfSessions, endUses } from './session-store.ts';

/** A session at a client that wants to hear of its end. */
export interface LogoutTarget {
  readonly clientId: string;
  readonly subject: string;
  /** Null for a client whose ID tokens have no `sid`. */
  readonly sid: string | null;
  readonly uri: string;
  readonly alg: string;
}

/**
 * Ends the grants of sessions, except those that outlive them, and returns the sessions at clients with a
 * `backchannel_logout_uri`. Inside the transaction that ends the sessions.
 */
export async function endAtClients(
  tx: Database,
  sessions: readonly EndedSession[],
): Promise<readonly LogoutTarget[]> {
  const used = await clientsOfSessions(
    tx,
    sessions.map(({ id }) => id),
  );
  await removeSessionGrants(
    tx,
    used.flatMap(({ grantId }) => grantId ?? []),
  );
  return targetsOf(
    tx,
    used.flatMap(({ sessionId, ...use }) => {
      const userId = sessions.find(({ id }) => id === sessionId)?.userId;
      return userId === undefined ? [] : [{ ...use, userId }];
    }),
  );
}

/**
 * Ends all grants of a user, and returns the sessions at clients that end so. Inside a transaction.
 * @param since The consents that were given or used since then end too: the user has undone a takeover.
 */
export async function endGrantsOf(
  tx: Database,
  userId: number,
  since?: number,
): Promise<readonly LogoutTarget[]> {
  const used = await endUses(tx, await listGrantIds(tx, userId));
  if (since !== undefined) await removeConsentsSince(tx, userId, since);
  await removeGrantsOf(tx, userId);
  return targetsOf(
    tx,
    used.map((use) => ({ ...use, userId })),
  );
}

/**
 * Takes a user's grants and consent away from a client, and returns the sessions there that end so; `undefined` if the
 * client had neither. Inside a transaction.
 */
export async function endAccess(
  tx: Database,
  userId: number,
  clientId: string,
): Promise<readonly LogoutTarget[] | undefined> {
  const used = await endUses(tx, await listGrantIds(tx, userId, clientId));
  if (!(await removeAccess(tx, userId, clientId))) return undefined;
  return targetsOf(
    tx,
    used.map((use) => ({ ...use, userId })),
  );
}

/** A use of a client by a session of a user. */
interface Use {
  readonly userId: number;
  readonly clientId: string;
  readonly sid: string;
}

/** Returns those of the uses whose client is to be notified. */
async function targetsOf(tx: Database, uses: readonly Use[]): Promise<readonly LogoutTarget[]> {
  const targets: LogoutTarget[] = [];
  for (const { userId, clientId, sid } of uses) {
    const client = await findClient(tx, clientId);
    const subject = (await findUserById(tx, userId))?.subject;
    if (client?.backchannelLogoutUri === undefined || typeof subject !== 'string') continue;
    const { backchannelLogoutUri: uri, backchannelLogoutSessionRequired: hasSid, idTokenAlg: alg } = client;
    targets.push({ clientId, subject, sid: hasSid ? sid : null, uri, alg });
  }
  return targets;
}
