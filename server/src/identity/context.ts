import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import type { Database } from '../db/database.ts';
import type { Hasher } from '../hash/hasher.ts';
import type { AuditSource } from '../audit/event.ts';
import type { AddressRule } from '../user/email-address.ts';
import type { PasswordRule } from '../user/password-rule.ts';
import type { Events } from './event.ts';

/** Where a request comes from, and what its browser sends in addition to the body. */
export interface ClientSource extends AuditSource {
  /** Language tag of what the user reads, if the client says. */
  readonly language?: string | undefined;
  /** Token of a known device. */
  readonly deviceToken?: string | undefined;
  /** Token of the session that the browser has already. Sign-in ends it, whichever user it belongs to (OWASP ASVS 5.0 §7.2.4). */
  readonly sessionToken?: string | undefined;
  /** Token of the browser that asks for a mail: the code in the mail works only in this browser. */
  readonly requestToken?: string | undefined;
  /** Where the user wants to go afterwards; links in mails carry it. Validated where the request was read. */
  readonly returnTo?: string | undefined;
}

/** MACs of short codes. */
export interface CodeSigner {
  readonly sign: (text: string) => string;
  readonly check: (text: string, mac: string) => boolean;
}

/** What all rules share. */
export interface AuthContext {
  readonly db: Database;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly log: Log;
  /** Records what happens and mails it to the owner of the account. */
  readonly events: Events;
  readonly passwordRule: PasswordRule;
  readonly addressRule: AddressRule;
  /** Address of the service, from which links in mails begin; empty where no mail is sent. */
  readonly publicUrl: string;
  /** No session before the address is confirmed. */
  readonly emailConfirmation: boolean;
  readonly codes: CodeSigner;
}
