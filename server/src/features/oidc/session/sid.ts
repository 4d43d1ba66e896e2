// The name of a session for a client (OpenID Connect Back-Channel Logout 1.0 §2.1).
import { createHash } from 'node:crypto';

/** Returns the `sid` by which a client knows a session: another one for each client, and not its handle. */
export function sidOf(uid: string, clientId: string): string {
  return createHash('sha256').update(`sid:${uid}:${clientId}`).digest('base64url');
}
