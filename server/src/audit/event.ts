// What is recorded: the events of the OWASP Logging Vocabulary that exist here, and who, whose, whence.

import type { Database } from '../db/database.ts';

/** Names of events, as the OWASP Logging Vocabulary Cheat Sheet has them. */
type AuditEventName =
  | 'authn_login_success'
  | 'authn_login_fail'
  | 'authn_login_fail_max'
  | 'authn_login_lock'
  | 'authn_password_change'
  | 'authn_password_change_fail'
  | 'authn_token_created'
  | 'authn_token_reuse'
  | 'sensitive_read'
  | 'session_created'
  | 'session_expired'
  | 'session_use_after_expire'
  | 'user_created'
  | 'user_updated'
  | 'user_deleted'
  | 'sys_startup'
  | 'sys_shutdown';

/** Who acts: the person at a door, the operator at the command line, a program of the library, the service itself. */
type Actor = 'anonymous' | 'user' | 'operator' | 'program' | 'service';

/** Where a deed came from: the client at a door, or a program. */
export interface AuditSource {
  readonly actor: Actor;
  /** Network address of the client. */
  readonly address?: string;
  /** User agent, as sent; cut to a bounded length. */
  readonly device?: string | undefined;
  readonly requestId?: string;
}

/** The source of a call through the library that names none. */
export const programSource: AuditSource = { actor: 'program' };

/** One deed, before it is recorded. */
export interface AuditDeed {
  readonly event: AuditEventName;
  readonly outcome: 'success' | 'failure';
  /** Why, as a stable word; never a value that somebody sent. */
  readonly reason?: string;
  /** The account concerned. */
  readonly userId?: number;
}

/** A recorded event. */
export interface AuditEvent {
  readonly id: string;
  /** Unix milliseconds. */
  readonly at: number;
  readonly event: string;
  readonly outcome: string;
  readonly reason: string | null;
  readonly actor: string;
  readonly userId: number | null;
  readonly address: string | null;
  readonly device: string | null;
  readonly requestId: string | null;
}

/** Takes deeds: the class Audit, or nothing where the library is used without keys. */
export interface Recorder {
  /** Records a deed inside its own transaction: both happen or neither. */
  record(tx: Database, deed: AuditDeed, source: AuditSource): Promise<void>;
}

/** The recorder of a program that keeps no record. */
export const noRecorder: Recorder = { record: async () => {} };
