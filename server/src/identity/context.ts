// Declares the context that all rules share, and the source of a request.
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import type { Database } from '../db/database.ts';
import type { PasswordMatch } from '../hash/stored-hash.ts';
import type { AuditSource } from '../audit/event.ts';
import type { AddressRule } from '../user/email-address.ts';
import type { PasswordRule } from '../user/password-rule.ts';
import type { Events } from './event.ts';

/** Client of a request, and what its browser sends in addition to the body. */
export interface ClientSource extends AuditSource {
  /** Language tag that the client prefers, if known. */
  readonly language?: string | undefined;
  /** Token of a known device. */
  readonly deviceToken?: string | undefined;
  /**
   * Token of the browser's current session. Sign-in ends it, also if it belongs to another user (OWASP ASVS 5.0
   * §7.2.4).
   */
  readonly sessionToken?: string | undefined;
  /** The user does not stay signed in: the session ends with the browser. */
  readonly endsWithBrowser?: boolean | undefined;
  /** The request comes from a page that tells the user of a closed account how to keep it. */
  readonly opensClosed?: boolean | undefined;
  /** Token of the initiating browser of a mail. The code in the mail works only in this browser. */
  readonly requestToken?: string | undefined;
  /** Address to return to afterwards; links in mails carry it. Already validated. */
  readonly returnTo?: string | undefined;
}

/** Computes and checks the MACs of short codes. */
export interface CodeSigner {
  readonly sign: (text: string) => string;
  readonly check: (text: string, mac: string) => boolean;
}

/** Hashes and verifies passwords. The class Hasher implements it. */
export interface PasswordHasher {
  /**
   * Returns a salted hash as a PHC string. With a salt of 16 bytes, the hash of a password is always the same.
   * @throws {Problem} too_busy.
   */
  hash(password: string, options?: { readonly salt?: Uint8Array }): Promise<string>;
  /**
   * Compares a password with a stored hash. Constant work: without a hash it verifies another one of the same cost.
   * `isAdmitted`: the caller has called `requireCapacity()`.
   * @throws {Problem} too_busy.
   */
  verify(
    hashed: string | null | undefined,
    password: string,
    options?: { readonly isAdmitted?: boolean },
  ): Promise<PasswordMatch>;
  /** Returns whether a hash has another algorithm or a lower cost than the current one. */
  isOutdated(hashed: string | null | undefined): boolean;
  /** Requires that a verification would be done in time. @throws {Problem} too_busy. */
  requireCapacity(): void;
  /** Ends the hashing threads. */
  close(): Promise<void>;
}

/** Dependencies and options that all rules share. */
export interface AuthContext {
  readonly db: Database;
  readonly hasher: PasswordHasher;
  readonly clock: Clock;
  readonly log: Log;
  /** Records what happens and mails it to the owner of the account. */
  readonly events: Events;
  readonly passwordRule: PasswordRule;
  readonly addressRule: AddressRule;
  /** Public URL of the service, the base of links in mails; empty if no mail is sent. */
  readonly publicUrl: string;
  /** Users get no session before their address is confirmed. */
  readonly emailConfirmation: boolean;
  /** False if only the operator and programs add accounts. */
  readonly isSignUpOpen: boolean;
  readonly codes: CodeSigner;
}
