// Identifiers of proofs and assertions are used once. A patch of the engine (engine/patches.ts).
import type Provider from 'oidc-provider';
import type { errors as Errors } from 'oidc-provider';
import { minuteMs, secondMs } from '../../../kit/clock.ts';
import type { Database } from '../../../db/database.ts';
import { useOnce } from '../grant/token-store.ts';
import { storedId } from './token-form.ts';

/** A proof may come from a clock that is ahead by so much (`CHALLENGE_OK_WINDOW` of the engine), and is valid longer. */
const skewMs = 5 * minuteMs;

export interface UsedOnceParts {
  readonly db: Database;
  readonly errors: Pick<typeof Errors, 'InvalidDpopProof'>;
  /** Returns the proof of possession of the running request (RFC 9449); empty without one. */
  readonly proofOf: () => string;
}

/** The engine's model, which its types do not declare. */
interface UsedIdentifiers {
  unique: (issuer: string, identifier: string, exp: number) => Promise<boolean>;
}

/**
 * An identifier is used in one statement. The engine would look it up and then store it: two requests would both pass. It
 * would answer a repeated proof like a wrong grant or token (RFC 9449 §5, §7.1).
 */
export function useIdentifiersOnce(provider: Provider, { db, errors, proofOf }: UsedOnceParts): void {
  const model = (provider as unknown as { readonly ReplayDetection: UsedIdentifiers }).ReplayDetection;
  model.unique = async (issuer: string, identifier: string, exp: number): Promise<boolean> => {
    const until = Math.ceil(exp * secondMs) + skewMs; // of a JWT, with a fraction
    if (await useOnce(db, storedId('used', `${issuer} ${identifier}`), until)) return true;
    if (identifierOf(proofOf()) === identifier)
      throw new errors.InvalidDpopProof('the DPoP proof was used before: make one for each request');
    return false;
  };
}

/** Returns the identifier of a JWT, which is not verified here. */
function identifierOf(jwt: string): unknown {
  try {
    const [, payload = ''] = jwt.split('.');
    return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { readonly jti?: unknown } | null)
      ?.jti;
  } catch {
    return undefined;
  }
}
