// Declares the tables of the audit log and of the ends of its chain.
import type { Instant } from '../db/schema.ts';

export interface AuditEventTable {
  /** UUID version 7, so that ids ascend with time. */
  id: string;
  at: Instant;
  event: string;
  outcome: string;
  /** Name of the event in the module that declares it; null in rows of form 1 only. */
  reason: string | null;
  /** Additional facts as a JSON object; null without facts. */
  facts: string | null;
  /** Kind of the actor. */
  actor: string;
  /** Id of the actor: a user or a client application. */
  actor_id: string | null;
  /** Id of the affected account. It is not a foreign key, because events outlive the account. */
  user_id: number | null;
  address: string | null;
  device: string | null;
  request_id: string | null;
  /** Kind and public handle of what was changed in addition to the account: `session` or `device`. */
  target_kind: string | null;
  target_id: string | null;
  /** Number of the canonical form from which the digest is computed. */
  form: number;
  /** Keyed digest of the columns above; a forged row cannot have a valid one. */
  mac: string;
  /** Position in the chain; null until the row is sealed, shortly after it was written. */
  seal_number: number | null;
  /** Keyed digest of the previous seal and of the mac of this row. */
  seal: string | null;
}

/** All columns of audit_events, for statements that read whole rows: columns are named, never `*`. */
export const auditEventColumns = [
  'id',
  'at',
  'event',
  'outcome',
  'reason',
  'facts',
  'actor',
  'actor_id',
  'user_id',
  'target_kind',
  'target_id',
  'address',
  'device',
  'request_id',
  'form',
  'mac',
  'seal_number',
  'seal',
] as const satisfies readonly (keyof AuditEventTable)[];

/** The single row with both ends of the audit chain. */
export interface AuditChainTable {
  id: number;
  /** Number of the row before the first stored one; `first_seal` is its seal. */
  first_number: number;
  first_seal: string;
  last_number: number;
  last_seal: string;
}

/** All columns of audit_chain, for statements that read whole rows: columns are named, never `*`. */
export const auditChainColumns = [
  'id',
  'first_number',
  'first_seal',
  'last_number',
  'last_seal',
] as const satisfies readonly (keyof AuditChainTable)[];

export interface AuditTables {
  audit_events: AuditEventTable;
  audit_chain: AuditChainTable;
}
