// Ends what clients have of a user, with a session or with the grants, and finds the clients that are notified of it.
import type { Database } from '../../../db/database.ts';
import type { EndedSession } from '../../../identity/contribution.ts';
import { findUserById } from '../../../user/store.ts';
import { findClient } from '../client/store.ts';
import { removeAccess, removeConsentsSince } from './consent-store.ts';
import { listGrantIds, removeGrantsOf, removeSessionGrants } from './grant-store.ts';
import { clientsOfSessions, endUses } from './session-store.ts';

/** A session at a client, which is notified of its end. */
export interface ClientSession {
  readonly clientId: string;
  /** The `sub` of the user. */
  readonly subject: string;
  /** The `sid` of the session at the client; null if all sessions of the user there end. */
  readonly sid: string | null;
  /** The client's `backchannel_logout_uri`. */
  readonly uri: string;
  /** The client's `id_token_signed_response_alg`. */
  readonly alg: string;
}

/**
 * Ends the grants of sessions, except those that outlive them, and returns the sessions at clients with a
 * `backchannel_logout_uri`. Inside the transaction that ends the sessions.
 */
export async function endAtClients(
  tx: Database,
  sessions: readonly EndedSession[],
): Promise<readonly ClientSession[]> {
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
 * Ends all grants of a user, and returns the sessions at clients that end with them. Inside a transaction.
 * @param since Consents that were given or used since then end as well: the user has undone a takeover.
 */
export async function endGrantsOf(
  tx: Database,
  userId: number,
  since?: number,
): Promise<readonly ClientSession[]> {
  const used = await endUses(tx, await listGrantIds(tx, userId));
  if (since !== undefined) await removeConsentsSince(tx, userId, since);
  await removeGrantsOf(tx, userId);
  return targetsOf(
    tx,
    used.map((use) => ({ ...use, userId })),
  );
}

/**
 * Removes the grants and the consent that a user gave to a client, and returns the sessions there that end with them;
 * `undefined` if there were none. Inside a transaction.
 */
export async function endAccess(
  tx: Database,
  userId: number,
  clientId: string,
): Promise<readonly ClientSession[] | undefined> {
  const used = await endUses(tx, await listGrantIds(tx, userId, clientId));
  if (!(await removeAccess(tx, userId, clientId))) return undefined;
  return targetsOf(
    tx,
    used.map((use) => ({ ...use, userId })),
  );
}

/** A client in which a session of a user is signed in. */
interface Use {
  readonly userId: number;
  readonly clientId: string;
  readonly sid: string;
}

/** Returns those of the uses whose client is to be notified. */
async function targetsOf(tx: Database, uses: readonly Use[]): Promise<readonly ClientSession[]> {
  const targets: ClientSession[] = [];
  for (const { userId, clientId, sid } of uses) {
    const client = await findClient(tx, clientId);
    const subject = (await findUserById(tx, userId))?.subject;
    if (client?.backchannelLogoutUri === undefined || typeof subject !== 'string') continue;
    const { backchannelLogoutUri: uri, backchannelLogoutSessionRequired: hasSid, idTokenAlg: alg } = client;
    targets.push({ clientId, subject, sid: hasSid ? sid : null, uri, alg });
  }
  return targets;
}
