// What an audit row says: an event of the OWASP Logging Vocabulary, who acted, whose account and what thing it concerns,
// why, and from where.

import type { Database } from '../db/database.ts';

/** Names of events, as the OWASP Logging Vocabulary Cheat Sheet has them. */
export type VocabularyName =
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

export type AuditOutcome = 'success' | 'failure';

/**
 * Who acts: a client that is not signed in, a user, the operator at the command line, a program that uses the library,
 * the service itself, or a registered client application.
 */
export type ActorKind = 'anonymous' | 'user' | 'operator' | 'program' | 'service' | 'client';

/** Where an action comes from: a client on the network, or a program. */
export interface AuditSource {
  readonly actor: ActorKind;
  /** Which one of this kind: a user's id as text, or a client's. */
  readonly actorId?: string;
  /** Network address of the client. */
  readonly address?: string;
  /** User agent, as sent; cut to a bounded length. */
  readonly device?: string | undefined;
  readonly requestId?: string;
}

/** The source of a call through the library that names none. */
export const programSource: AuditSource = { actor: 'program' };

/** The thing that an action changed, besides the account: a session, a device. */
export interface AuditTarget {
  readonly kind: string;
  /** Public handle; never a secret. */
  readonly id: string;
}

/** What else is recorded of an event, by name. Never a value that a client typed. */
export type AuditFacts = Readonly<Record<string, string | number | readonly string[]>>;

/** An event before it is recorded. */
export interface NewAuditEvent {
  readonly event: VocabularyName;
  readonly outcome: AuditOutcome;
  /** Name of the event in the module that declares it: stable, one word. */
  readonly reason: string;
  /** The account concerned. */
  readonly userId?: number;
  readonly target?: AuditTarget;
  readonly facts?: AuditFacts;
}

/** A recorded event. */
export interface AuditEvent {
  readonly id: string;
  /** Unix milliseconds. */
  readonly at: number;
  readonly event: string;
  readonly outcome: string;
  /** `null` in rows of form 1 alone. */
  readonly reason: string | null;
  readonly facts: AuditFacts | null;
  readonly actor: string;
  readonly actorId: string | null;
  readonly userId: number | null;
  readonly target: AuditTarget | null;
  readonly address: string | null;
  readonly device: string | null;
  readonly requestId: string | null;
}

/** Records events: the class Audit, or nothing where the library is used without keys. */
export interface Recorder {
  /** Records an event inside the transaction of its action: both happen or neither. */
  record(tx: Database, event: NewAuditEvent, source: AuditSource): Promise<void>;
}

/** The recorder of a program that keeps no record. */
export const noRecorder: Recorder = { record: async () => {} };
