// What ends with a session at its clients: the grants under which it used them, and the clients to notify.
import type { Database } from '../../../db/database.ts';
import type { EndedSession } from '../../../identity/contribution.ts';
import { findUserById } from '../../../user/store.ts';
import { findClient } from '../client/store.ts';
import { removeSessionGrants } from './grant-store.ts';
import { clientsOfSessions } from './session-store.ts';

/** A session at a client that wants to hear of its end. */
export interface LogoutTarget {
  readonly clientId: string;
  readonly subject: string;
  readonly sid: string;
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
  const targets: LogoutTarget[] = [];
  for (const { sessionId, clientId, sid } of used) {
    const client = await findClient(tx, clientId);
    const { userId } = sessions.find(({ id }) => id === sessionId) ?? {};
    const subject = userId === undefined ? undefined : (await findUserById(tx, userId))?.subject;
    if (client?.backchannelLogoutUri === undefined || typeof subject !== 'string') continue;
    const { backchannelLogoutUri: uri, idTokenAlg: alg } = client;
    targets.push({ clientId, subject, sid, uri, alg });
  }
  return targets;
}
