// Declares the content of an audit event: its name in the OWASP Logging Vocabulary, actor, account, target, reason and
// source.

import type { Database } from '../db/database.ts';

/** Names of events in the OWASP Logging Vocabulary Cheat Sheet. */
export const vocabularyNames = [
  'authn_login_success',
  'authn_login_fail',
  'authn_login_fail_max',
  'authn_login_lock',
  'authn_password_change',
  'authn_password_change_fail',
  'authn_token_created',
  'authn_token_reuse',
  'sensitive_create',
  'sensitive_read',
  'sensitive_update',
  'sensitive_delete',
  'session_created',
  'session_expired',
  'session_use_after_expire',
  'user_created',
  'user_updated',
  'user_deleted',
  'sys_startup',
  'sys_shutdown',
] as const;

export type VocabularyName = (typeof vocabularyNames)[number];

export type AuditOutcome = 'success' | 'failure';

/**
 * Kind of the actor: a client that is not signed in, a user, the operator at the command line, a program that uses the
 * library, the service itself, or a registered client application.
 */
export type ActorKind = 'anonymous' | 'user' | 'operator' | 'program' | 'service' | 'client';

/** Where an action comes from: a client on the network, or a program. */
export interface AuditSource {
  readonly actor: ActorKind;
  /** Id of the actor: that of a user as text, or that of a client application. */
  readonly actorId?: string;
  /** Network address of the client. */
  readonly address?: string;
  /** Key of the client's network in rate limits: its address, or the /64 around it. Not stored. */
  readonly network?: string;
  /** User agent as sent; it is truncated when it is stored. */
  readonly device?: string | undefined;
  readonly requestId?: string;
}

/** Default source of calls through the library. */
export const programSource: AuditSource = { actor: 'program' };

/** What an action changed in addition to the account, such as a session or a device. */
export interface AuditTarget {
  readonly kind: string;
  /** Public handle; never a secret. */
  readonly id: string;
}

/** Additional facts of an event, by name. They never contain text that a client sent. */
export type AuditFacts = Readonly<Record<string, string | number | readonly string[]>>;

/** An event before it is recorded. */
export interface NewAuditEvent {
  readonly event: VocabularyName;
  readonly outcome: AuditOutcome;
  /** Name of the event in the module that declares it: stable, one word. */
  readonly reason: string;
  /** Id of the affected account. */
  readonly userId?: number;
  readonly target?: AuditTarget;
  readonly facts?: AuditFacts;
  /** A refusal that a stranger can repeat at will: repetitions are recorded together (audit/refusals.ts). */
  readonly isRepeatable?: boolean;
}

/** A recorded event. */
export interface AuditEvent {
  readonly id: string;
  /** Unix milliseconds. */
  readonly at: number;
  readonly event: string;
  readonly outcome: string;
  /** `null` in rows of form 1 only. */
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

/** Records events. Implemented by Audit; without keys the library uses `noRecorder`. */
export interface Recorder {
  /** Records an event inside the transaction of its action, so that both are committed or neither. */
  record(tx: Database, event: NewAuditEvent, source: AuditSource): Promise<void>;
}

/** A recorder that discards events. */
export const noRecorder: Recorder = { record: async () => {} };
