import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import type { Database } from '../db/database.ts';
import type { Hasher } from '../hash/hasher.ts';
import type { Recorder } from '../audit/event.ts';
import type { Outbox } from '../mail/outbox.ts';
import type { Sender } from '../mail/text.ts';
import type { User } from '../user/user.ts';
import type { PasswordRule } from './password-rule.ts';

/** Mails to the owners of accounts. */
export interface Post {
  readonly outbox: Outbox;
  readonly sender: Sender;
}

/** What the parts of this room share. */
export interface AuthContext {
  readonly db: Database;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: Recorder;
  readonly passwordRule: PasswordRule;
  /** Absent where no mail is sent. */
  readonly post: Post | undefined;
  /** No session before the address is confirmed. */
  readonly confirmEmail: boolean;
}

/** The account of a deed, as far as there is one. */
export function idOf(user: User | undefined): { userId?: number } {
  return user === undefined ? {} : { userId: user.id };
}
