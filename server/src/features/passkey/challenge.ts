// Creates and checks WebAuthn challenges without storing them: sign-in pages ask for one at every view. A challenge holds
// random bytes, its expiry and a MAC of these, its purpose and its subject. The ids of answered challenges are stored until
// they expire, so that each is answered once.
import { randomBytes } from 'node:crypto';
import { minuteMs, type Clock } from '../../kit/clock.ts';
import type { Database } from '../../db/database.ts';
import type { CodeSigner } from '../../identity/context.ts';
import type { FactorPurpose } from '../../identity/factor/factor.ts';
import { consumeChallenge } from './store.ts';

/** The ceremony for which a challenge may be answered. */
type ChallengePurpose = 'sign_in' | 'registration' | 'enrollment' | 'second_factor' | 'step_up';

/** Purpose and subject to which a challenge is bound. */
export interface ChallengeUse {
  readonly purpose: ChallengePurpose;
  /** Id of the pending authentication or session, or key of the address, that may answer; empty if unbound. */
  readonly subject: string;
}

/** A challenge whose MAC, purpose, subject and expiry were verified. */
export interface LiveChallenge {
  readonly id: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
  /** Text that was passed to `create`. */
  readonly note: string;
}

/** WebAuthn Level 3 §13.4.3 asks for 16 bytes. */
const challengeBytes = 32;
/** Long enough to fetch a security key (SECURITY.md: WebAuthn challenge). */
export const challengeMs = 5 * minuteMs;
const form =
  /^(?<claims>(?<id>[\w-]{43})\.(?<expires>\d{1,16})\.(?<note>[\w:-]*))\.(?<mac>[\w-]+\.[\w-]{43})$/;

export class Challenges {
  readonly #clock: Clock;
  readonly #signer: CodeSigner;

  constructor(clock: Clock, signer: CodeSigner) {
    this.#clock = clock;
    this.#signer = signer;
  }

  /** Returns the text of a new challenge. The note consists of word characters, dashes and colons. */
  create(use: ChallengeUse, note = ''): string {
    const id = randomBytes(challengeBytes).toString('base64url');
    const claims = `${id}.${this.#clock() + challengeMs}.${note}`;
    return `${claims}.${this.#signer.sign(signedText(use, claims))}`;
  }

  /** Parses and verifies a challenge in base64url; `undefined` if it is forged, expired or of another use. */
  read(use: ChallengeUse, encoded: string): LiveChallenge | undefined {
    const text = Buffer.from(encoded, 'base64url').toString();
    const { claims = '', id = '', expires = '', note = '', mac = '' } = form.exec(text)?.groups ?? {};
    const expiresAt = Number(expires);
    if (!this.#signer.check(signedText(use, claims), mac) || expiresAt <= this.#clock()) return undefined;
    return { id, expiresAt, note };
  }

  /** Consumes a challenge, once and atomically; false if it was answered before. Call inside a transaction. */
  consume(tx: Database, { id, expiresAt }: LiveChallenge): Promise<boolean> {
    return consumeChallenge(tx, id, expiresAt);
  }
}

function signedText({ purpose, subject }: ChallengeUse, claims: string): string {
  return JSON.stringify([purpose, subject, claims]);
}

/** Returns the use of a challenge that adds a passkey in a session, or in a pending authentication. */
export function enrollmentOf(subject: string): ChallengeUse {
  return { purpose: 'enrollment', subject };
}

/** Returns the use of a challenge that creates the passkey of a new account. */
export function registrationOf(emailKey: string): ChallengeUse {
  return { purpose: 'registration', subject: emailKey };
}

/** Returns the use of a challenge that is answered as second factor or for a step-up. */
export function factorUseOf({ purpose, subjectId }: FactorPurpose): ChallengeUse {
  return { purpose, subject: subjectId };
}
