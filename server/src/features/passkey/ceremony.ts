// The registration and authentication ceremonies of WebAuthn Level 3 (§7.1, §7.2): makes the options for the browser and
// verifies its answers. @simplewebauthn/server checks signatures and flags; the challenge decides the purpose. Nothing in
// here reads or writes passkeys: callers store what was verified and consume the challenge.
import type {
  AuthenticationResponseJSON,
  CredentialDeviceType,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server';
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import type { CodeSigner } from '../../identity/context.ts';
import { challengeMs, Challenges, type ChallengeUse, type LiveChallenge } from './challenge.ts';
import { attestsMore, parseRegistration, transportsOf, webauthn } from './credential.ts';
import type { PasskeyRow } from './store.ts';
import '../../identity/factor/problem.ts';

/** `passkey`: verifies its user and signs in alone; `security_key`: a second factor only. */
type PasskeyKind = 'passkey' | 'security_key';

/**
 * How a credential is created. `automatic`: a passkey that the password manager creates without a prompt (conditional
 * create), so that neither presence nor verification of the user is proven (WebAuthn Level 3 §5.1.3).
 */
export type CreationKind = PasskeyKind | 'automatic';

/** The WebAuthn relying party: this service. */
export interface RelyingParty {
  /** Host name; passkeys work on it and on its subdomains. */
  readonly id: string;
  readonly name: string;
  /** Origins on which passkeys may be used: the service's own and the related ones. */
  readonly origins: readonly string[];
}

export interface CeremonyOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Signs the challenges with a key. */
  readonly signer: CodeSigner;
  readonly relyingParty: RelyingParty;
}

/** The account for which a passkey is created. */
export interface NewCredential {
  readonly email: string;
  /** Passkeys that the account has. */
  readonly rows: readonly PasskeyRow[];
  readonly use: ChallengeUse;
}

/** A new credential whose registration was verified, ready to be stored. */
export interface VerifiedCredential {
  readonly challenge: LiveChallenge;
  readonly row: Omit<PasskeyRow, 'id' | 'user_id' | 'name' | 'created_at' | 'last_used_at'>;
}

/** An answer of a passkey whose signature was verified. */
export interface VerifiedAnswer {
  readonly challenge: LiveChallenge;
  /** Signature counter; 0 if the authenticator keeps none. */
  readonly counter: number;
  readonly storage: string;
  /** The authenticator asked for a PIN or biometric (WebAuthn Level 3 §6.1, flag UV). */
  readonly isUserVerified: boolean;
}

/** Argument of `PublicKeyCredential.signalAllAcceptedCredentials()` (WebAuthn Level 3 §5.1.10). */
export interface PasskeySignal {
  readonly rpId: string;
  readonly userId: string;
  readonly allAcceptedCredentialIds: string[];
}

/** COSE algorithms: Ed25519, ES256 and RS256 (WebAuthn Level 3 §5.4.3 recommends them). */
const algorithms = [-8, -7, -257];
/** WebAuthn Level 3 §14.6.1: random, and at most 64 bytes. */
const handleBytes = 32;
/** Characters of a rejection's reason that are logged. */
const reasonCharacters = 300;

export class Ceremonies {
  readonly #log: Log;
  readonly #challenges: Challenges;
  readonly #relyingParty: RelyingParty;

  constructor({ clock, log, signer, relyingParty }: CeremonyOptions) {
    this.#log = log;
    this.#challenges = new Challenges(clock, signer);
    this.#relyingParty = relyingParty;
  }

  /** Returns the options to create a passkey. Existing passkeys are excluded, so a device creates no second one. */
  createOptions(
    { email, rows, use }: NewCredential,
    kind: CreationKind,
  ): Promise<PublicKeyCredentialCreationOptionsJSON> {
    const handle = rows[0]?.user_handle ?? randomBytes(handleBytes).toString('base64url');
    const isPasskey = kind !== 'security_key';
    return webauthn().generateRegistrationOptions({
      rpName: this.#relyingParty.name,
      rpID: this.#relyingParty.id,
      userName: email,
      userDisplayName: email,
      userID: Buffer.from(handle, 'base64url'),
      challenge: this.#challenges.create(use, `${kind}:${handle}`),
      timeout: challengeMs,
      attestationType: 'none',
      excludeCredentials: rows.map(descriptorOf),
      authenticatorSelection: isPasskey
        ? { residentKey: 'required', userVerification: kind === 'automatic' ? 'preferred' : 'required' }
        : { residentKey: 'discouraged', userVerification: 'discouraged' },
      ...(!isPasskey && { preferredAuthenticatorType: 'securityKey' }),
      supportedAlgorithmIDs: algorithms,
    });
  }

  /**
   * Verifies a new credential. Changes nothing.
   * @param isAutomatic It was created without a prompt, by options of the kind `automatic`.
   * @throws {Problem} factor_invalid if the credential is malformed, or was made for another origin, purpose or subject,
   *   or too long ago.
   */
  async verifyCreation(text: string, use: ChallengeUse, isAutomatic = false): Promise<VerifiedCredential> {
    const response = parseRegistration(text);
    if (response === undefined) throw new Problem('factor_invalid');
    let challenge: LiveChallenge | undefined;
    const created = await this.#verify(async () => {
      if (attestsMore(response)) throw new Error('Attestation by a certificate was not requested');
      const { registrationInfo } = await webauthn().verifyRegistrationResponse({
        response,
        expectedChallenge: (encoded) => (challenge = this.#challenges.read(use, encoded)) !== undefined,
        expectedOrigin: [...this.#relyingParty.origins],
        expectedRPID: this.#relyingParty.id,
        requireUserPresence: !isAutomatic,
        requireUserVerification: false, // checked below: only the challenge knows the kind
        supportedAlgorithmIDs: algorithms,
      });
      return registrationInfo;
    });
    if (created === undefined || challenge === undefined) throw new Problem('factor_invalid');
    const [creation = '', handle = ''] = challenge.note.split(':');
    const isProven = creation !== 'passkey' || created.userVerified;
    if (!isProven || isAutomatic !== (creation === 'automatic')) throw new Problem('factor_invalid');
    const kind: PasskeyKind = creation === 'security_key' ? 'security_key' : 'passkey';
    return {
      challenge,
      row: {
        user_handle: handle,
        credential_id: created.credential.id,
        public_key: created.credential.publicKey,
        counter: created.credential.counter,
        kind,
        storage: storageOf(created),
        transports: JSON.stringify(transportsOf(response)),
        aaguid: created.aaguid,
      },
    };
  }

  /** Returns the options to use one of these passkeys; without rows, any passkey on the device. */
  requestOptions(
    use: ChallengeUse,
    rows: readonly PasskeyRow[],
    userVerification: 'required' | 'discouraged',
  ): Promise<PublicKeyCredentialRequestOptionsJSON> {
    return webauthn().generateAuthenticationOptions({
      rpID: this.#relyingParty.id,
      challenge: this.#challenges.create(use),
      timeout: challengeMs,
      allowCredentials: rows.map(descriptorOf),
      userVerification,
    });
  }

  /** Verifies an answer of the passkey; `undefined` if it is wrong. Changes nothing. */
  async verifyAnswer(
    row: PasskeyRow,
    response: AuthenticationResponseJSON,
    use: ChallengeUse,
    requireUserVerification: boolean,
  ): Promise<VerifiedAnswer | undefined> {
    let challenge: LiveChallenge | undefined;
    const answer = await this.#verify(async () => {
      const { verified, authenticationInfo } = await webauthn().verifyAuthenticationResponse({
        response,
        expectedChallenge: (encoded) => (challenge = this.#challenges.read(use, encoded)) !== undefined,
        expectedOrigin: [...this.#relyingParty.origins],
        expectedRPID: this.#relyingParty.id,
        // The SQL statement compares the counters, so that it rejects one of two concurrent answers.
        credential: { id: row.credential_id, publicKey: new Uint8Array(row.public_key), counter: 0 },
        requireUserVerification,
      });
      return verified ? authenticationInfo : undefined;
    });
    if (answer === undefined || challenge === undefined) return undefined;
    const { newCounter: counter, userVerified: isUserVerified } = answer;
    return { challenge, counter, storage: storageOf(answer), isUserVerified };
  }

  /** Consumes a challenge, once and atomically; false if it was answered before. Call inside a transaction. */
  consume(tx: Database, challenge: LiveChallenge): Promise<boolean> {
    return this.#challenges.consume(tx, challenge);
  }

  /** Runs the library; `undefined` if it throws, which it does for a wrong and for a malformed answer. */
  async #verify<T>(work: () => Promise<T | undefined>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      const reason = error instanceof Error ? error.message.slice(0, reasonCharacters) : String(error);
      this.#log.info({ reason }, 'A passkey was rejected');
      return undefined;
    }
  }
}

function descriptorOf({ credential_id: id, transports }: PasskeyRow): { id: string; transports: string[] } {
  return { id, transports: JSON.parse(transports) as string[] }; // written by verifyCreation
}

/** Where the key is kept (WebAuthn Level 3 §6.1.3): `device`, `syncable` or `synced`. */
function storageOf({
  credentialDeviceType,
  credentialBackedUp,
}: {
  credentialDeviceType: CredentialDeviceType;
  credentialBackedUp: boolean;
}): string {
  if (credentialDeviceType === 'singleDevice') return 'device';
  return credentialBackedUp ? 'synced' : 'syncable';
}
