// Signs logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4).
import type { JWK } from 'jose';
import { minuteMs, secondMs } from '../../../kit/clock.ts';
import { generateUuid } from '../../../kit/id.ts';

/** Life of a logout token: §2.4 recommends two minutes at most. */
const tokenMs = 2 * minuteMs;

/** Name of the event in the claim `events`. */
const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout';

export interface LogoutClaims {
  readonly issuer: string;
  readonly clientId: string;
  readonly subject: string;
  /** Null if all sessions of the user at the client end. */
  readonly sid: string | null;
  /** Algorithm of the client's tokens. */
  readonly alg: string;
}

/**
 * Signs a logout token with the first key of the client's algorithm. Each attempt has a token of its own: relying parties
 * may reject a `jti` that they have seen.
 * @throws {Error} if there is no key of the algorithm.
 */
export async function signLogoutToken(
  { issuer, clientId, subject, sid, alg }: LogoutClaims,
  keys: readonly JWK[],
  now: number,
): Promise<string> {
  const key = keys.find((one) => one.alg === alg);
  if (key?.kid === undefined) throw new Error(`There is no signing key for ${alg}`);
  const { SignJWT } = await import('jose'); // 40 ms, which no start should pay
  const issuedAt = Math.floor(now / secondMs);
  return new SignJWT({ sub: subject, ...(sid !== null && { sid }), events: { [logoutEvent]: {} } })
    .setProtectedHeader({ alg, kid: key.kid, typ: 'logout+jwt' })
    .setIssuer(issuer)
    .setAudience(clientId)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + tokenMs / secondMs)
    .setJti(generateUuid())
    .sign(key);
}
