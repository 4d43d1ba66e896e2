// The challenges of WebAuthn. One is random, says itself until when it may be answered, and carries a keyed digest of
// that, of its purpose and of whom it was made for, so that asking for one writes nothing: sign-in pages ask at every
// view. What is kept is which were answered, until they expire: each is answered once.
import { randomBytes } from 'node:crypto';
import { minuteMs, type Clock } from '../../kit/clock.ts';
import type { Database } from '../../db/database.ts';
import type { CodeSigner } from '../../identity/context.ts';
import { removeExpiredChallenges, consumeChallenge } from './store.ts';

/** What an answer may be used for. */
type ChallengePurpose = 'sign_in' | 'registration' | 'enrollment' | 'second_factor' | 'step_up';

/** What a challenge is made for. */
export interface ChallengeUse {
  readonly purpose: ChallengePurpose;
  /** The login, session or address that may answer; empty for anybody. */
  readonly subject: string;
}

/** A challenge that was answered in time, by whom it was made for. */
export interface LiveChallenge {
  readonly id: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
  /** What whoever made it wanted to know again. */
  readonly note: string;
}

/** WebAuthn Level 3 §13.4.3 asks for 16 bytes. */
const challengeBytes = 32;
/** Time of a person to find the key (SECURITY.md: WebAuthn challenge). */
export const challengeMs = 5 * minuteMs;
const form = /^(?<said>(?<id>[\w-]{43})\.(?<expires>\d{1,16})\.(?<note>[\w:-]*))\.(?<mac>[\w-]+\.[\w-]{43})$/;

export class Challenges {
  readonly #clock: Clock;
  readonly #signer: CodeSigner;

  constructor(clock: Clock, signer: CodeSigner) {
    this.#clock = clock;
    this.#signer = signer;
  }

  /** The text of a new challenge; the note is of word characters, dashes and colons. */
  create(use: ChallengeUse, note = ''): string {
    const id = randomBytes(challengeBytes).toString('base64url');
    const said = `${id}.${this.#clock() + challengeMs}.${note}`;
    return `${said}.${this.#signer.sign(signedText(use, said))}`;
  }

  /** The challenge that an answer holds, in base64url; `undefined` for one of another use, and for one that expired. */
  read(use: ChallengeUse, encoded: string): LiveChallenge | undefined {
    const text = Buffer.from(encoded, 'base64url').toString();
    const { said = '', id = '', expires = '', note = '', mac = '' } = form.exec(text)?.groups ?? {};
    const expiresAt = Number(expires);
    if (!this.#signer.check(signedText(use, said), mac) || expiresAt <= this.#clock()) return undefined;
    return { id, expiresAt, note };
  }

  /** Spends a challenge, once and atomically; false when it was answered before. Inside a transaction. */
  consume(tx: Database, { id, expiresAt }: LiveChallenge): Promise<boolean> {
    return consumeChallenge(tx, id, expiresAt);
  }

  /** Removes up to `limit` answered challenges that have expired, and says how many. */
  purge(db: Database, limit: number): Promise<number> {
    return removeExpiredChallenges(db, this.#clock(), limit);
  }
}

function signedText({ purpose, subject }: ChallengeUse, said: string): string {
  return JSON.stringify([purpose, subject, said]);
}

/** Making a passkey in a session, or in a login that must. */
export function enrollmentOf(subject: string): ChallengeUse {
  return { purpose: 'enrollment', subject };
}

/** Making the passkey of a new account. */
export function registrationOf(emailKey: string): ChallengeUse {
  return { purpose: 'registration', subject: emailKey };
}
