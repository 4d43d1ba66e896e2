import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import type { Database } from '../db/database.ts';
import type { Hasher } from '../hash/hasher.ts';
import type { AuditSource, Recorder } from '../audit/event.ts';
import type { Outbox } from '../mail/outbox.ts';
import type { AddressRule } from '../user/email-address.ts';
import type { PasswordRule } from '../user/password-rule.ts';
import type { User } from '../user/user.ts';

/** Where a request comes from, and what it brings along beside its body. */
export interface ClientSource extends AuditSource {
  /** What the person reads, as far as the client says: a language tag. */
  readonly language?: string | undefined;
  /** Token of a device on which the person was signed in before. */
  readonly deviceToken?: string | undefined;
  /** Token of the session that the browser holds already. A login ends it, whosever it is (OWASP ASVS 5.0 §7.2.4). */
  readonly sessionToken?: string | undefined;
  /** Token of the browser that asks for a mail: the code in it is worth nothing elsewhere. */
  readonly requestToken?: string | undefined;
  /** Where the person wishes to go in the end: the link of a mail carries it along. Judged when it came in. */
  readonly returnTo?: string | undefined;
}

/** Keyed digests of short codes. */
export interface CodeSigner {
  readonly sign: (text: string) => string;
  readonly check: (text: string, mac: string) => boolean;
}

/** What the parts of this room share. */
export interface AuthContext {
  readonly db: Database;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: Recorder;
  readonly passwordRule: PasswordRule;
  readonly addressRule: AddressRule;
  /** Absent where no mail is sent. */
  readonly post: Outbox | undefined;
  /** No session before the address is confirmed. */
  readonly confirmEmail: boolean;
  readonly codes: CodeSigner;
}

/** The account of a deed, as far as there is one. */
export function idOf(user: User | undefined): { userId?: number } {
  return user === undefined ? {} : { userId: user.id };
}
