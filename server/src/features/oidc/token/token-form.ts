// The form of codes and tokens: a prefix per kind, by which secret scanners recognize them, and by which a token of one
// kind is never looked up as another.
import { createHash } from 'node:crypto';

/** Prefix of each kind of code or token; its name is that of the engine's model. */
export const tokenPrefixes: Readonly<Record<string, string>> = {
  AccessToken: 'bva_',
  AuthorizationCode: 'bvo_',
  ClientCredentials: 'bvc_',
  DeviceCode: 'bvd_',
  PushedAuthorizationRequest: 'bvp_',
  RefreshToken: 'bvr_',
};

/** Returns whether a text has the prefix of a kind. */
export function hasPrefix(kind: string, text: string): boolean {
  const prefix = tokenPrefixes[kind];
  return prefix !== undefined && text.startsWith(prefix);
}

/** Returns the key under which a secret text is stored: its SHA-256, which differs for each kind. */
export function storedId(kind: string, text: string): string {
  return createHash('sha256').update(`${kind}:${text}`).digest('base64url');
}
