// Names of what a session has at a client. They are computed, so that two tabs that sign in at the same time agree on them.
import { createHash } from 'node:crypto';

/**
 * Returns the `sid` by which a client knows a session (OpenID Connect Back-Channel Logout 1.0 §2.1): another one for each
 * client, and not its handle.
 */
export function sidOf(uid: string, clientId: string): string {
  return createHash('sha256').update(`sid:${uid}:${clientId}`).digest('base64url');
}

/**
 * Returns the id of the grant under which a session uses a client. A session has one grant for each client: the engine
 * refuses tokens of another one, so that a random id would sign out the tab that was first.
 */
export function grantIdOf(uid: string, clientId: string): string {
  return createHash('sha256').update(`grant:${uid}:${clientId}`).digest('base64url');
}
