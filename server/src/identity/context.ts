// What the rules share: the context of all rules, and the source of a request.
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import type { Database } from '../db/database.ts';
import type { Hasher } from '../hash/hasher.ts';
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
  /** Token of the browser's current session. Sign-in ends it, also if it belongs to another user (OWASP ASVS 5.0 §7.2.4). */
  readonly sessionToken?: string | undefined;
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

/** Dependencies and options that all rules share. */
export interface AuthContext {
  readonly db: Database;
  readonly hasher: Hasher;
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
  readonly codes: CodeSigner;
}
