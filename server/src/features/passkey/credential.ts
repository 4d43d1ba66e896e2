// Parses the credentials that browsers send as JSON text (WebAuthn Level 3 §5.1.8).
import { createRequire } from 'node:module';
import type * as WebauthnLibrary from '@simplewebauthn/server';
import type * as WebauthnHelpers from '@simplewebauthn/server/helpers';
import { findRepeatedMember } from '../../kit/text/json.ts';

type Registration = WebauthnLibrary.RegistrationResponseJSON;
type Assertion = WebauthnLibrary.AuthenticationResponseJSON;

const load = createRequire(import.meta.url);

/** base64url of the longest credential id (WebAuthn Level 3 §4: 1023 bytes). */
const credentialIdForm = /^[\w-]{1,1364}$/;
const maxTransports = 10;
const transportForm = /^[a-z-]{1,20}$/;

/** Parses a new credential; returns `undefined` if the text is malformed. */
export function parseRegistration(text: string): Registration | undefined {
  return parse(text, ['clientDataJSON', 'attestationObject']) as Registration | undefined; // the library checks the rest
}

/** Parses the response of a credential; returns `undefined` if the text is malformed. */
export function parseAssertion(text: string): Assertion | undefined {
  return parse(text, ['clientDataJSON', 'authenticatorData', 'signature']) as Assertion | undefined; // as above
}

/** Returns the well-formed transports of a credential. They are hints for the browser; nothing is decided by them. */
export function transportsOf({ response: { transports } }: Registration): string[] {
  if (!Array.isArray(transports)) return [];
  return transports
    .filter((one) => typeof one === 'string' && transportForm.test(one))
    .slice(0, maxTransports);
}

/**
 * Whether a credential carries more attestation than was requested. With `none` an answer holds at most a self-signature
 * (WebAuthn Level 3 §5.4.7). A certificate is rejected unread: to verify it, the library would fetch the addresses that
 * it names, and an attacker could choose them.
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

/** Parses the JSON text; `undefined` if it is malformed or repeats a member, as in the body of a request. */
function jsonOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return findRepeatedMember(text) === undefined ? value : undefined;
  } catch {
    return undefined;
  }
}

function membersOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}; // any object has members
}

/** Loads the library at the first use: it is large, and a service without passkeys never needs it. */
export function webauthn(): typeof WebauthnLibrary {
  return load('@simplewebauthn/server') as typeof WebauthnLibrary; // its own types
}
