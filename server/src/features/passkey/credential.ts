// What a browser answers to a request for a passkey, as JSON text (WebAuthn Level 3 §5.1.8).
import { createRequire } from 'node:module';
import type * as WebauthnLibrary from '@simplewebauthn/server';
import type * as WebauthnHelpers from '@simplewebauthn/server/helpers';

type Registration = WebauthnLibrary.RegistrationResponseJSON;
type Assertion = WebauthnLibrary.AuthenticationResponseJSON;

const load = createRequire(import.meta.url);

/** base64url of the longest credential id (WebAuthn Level 3 §4: 1023 bytes). */
const credentialIdForm = /^[\w-]{1,1364}$/;
const maxTransports = 10;
const transportForm = /^[a-z-]{1,20}$/;

/** The credential in a text that says it made one; `undefined` for any other text. */
export function parseRegistration(text: string): Registration | undefined {
  return parse(text, ['clientDataJSON', 'attestationObject']) as Registration | undefined; // its checker judges the rest
}

/** The answer of a credential in a text; `undefined` for any other text. */
export function parseAssertion(text: string): Assertion | undefined {
  return parse(text, ['clientDataJSON', 'authenticatorData', 'signature']) as Assertion | undefined; // as above
}

/** The ways to reach an authenticator, as far as they look like some. They are hints, and nothing is decided by them. */
export function transportsOf({ response: { transports } }: Registration): string[] {
  if (!Array.isArray(transports)) return [];
  return transports
    .filter((one) => typeof one === 'string' && transportForm.test(one))
    .slice(0, maxTransports);
}

/**
 * True if an authenticator says of its make what nobody asked for. Certificates are not read: one names addresses, and
 * whoever checks it asks there (WebAuthn Level 3 §5.4.7: `none` leaves at most the credential's own signature).
 */
export function attestsMore({ response: { attestationObject } }: Registration): boolean {
  const { decodeAttestationObject } = load('@simplewebauthn/server/helpers') as typeof WebauthnHelpers; // its own types
  const attestation = decodeAttestationObject(new Uint8Array(Buffer.from(attestationObject, 'base64url')));
  const format = attestation.get('fmt');
  if (format === 'none') return false;
  return format !== 'packed' || attestation.get('attStmt').get('x5c') !== undefined;
}

function parse(text: string, members: readonly string[]): object | undefined {
  const credential = membersOf(jsonOf(text));
  const response = membersOf(credential['response']);
  const { id, type } = credential;
  if (typeof id !== 'string' || !credentialIdForm.test(id) || type !== 'public-key') return undefined;
  return members.every((member) => typeof response[member] === 'string') ? credential : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function membersOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}; // any object has members
}

/** Loaded with the first use: it is large, and a service whose people have no passkeys never needs it. */
export function webauthn(): typeof WebauthnLibrary {
  return load('@simplewebauthn/server') as typeof WebauthnLibrary; // its own types
}
