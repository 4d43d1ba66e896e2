// The tables of the audit record and of the ends of its chain.
import type { Instant } from '../db/schema.ts';

export interface AuditEventTable {
  /** UUID version 7, so that ids ascend with time. */
  id: string;
  at: Instant;
  event: string;
  outcome: string;
  /** Name of the event in the module that declares it; null in rows of form 1 only. */
  reason: string | null;
  /** What else is recorded, as a JSON object; null if there is nothing else. */
  facts: string | null;
  /** Kind of the actor. */
  actor: string;
  /** Which one of its kind: id of a user or a client. */
  actor_id: string | null;
  /** The account concerned; no foreign key, since the record outlives it. */
  user_id: number | null;
  address: string | null;
  device: string | null;
  request_id: string | null;
  /** What was changed besides the account: `session` or `device`, and its public handle. */
  target_kind: string | null;
  target_id: string | null;
  /** Which canonical form the digest is made of. */
  form: number;
  /** Keyed digest of the columns above: a forged row has none that verifies. */
  mac: string;
  /** Place in the chain; null until the row is sealed, shortly after it was written. */
  seal_number: number | null;
  /** Keyed digest of the seal before and of this row's mac. */
  seal: string | null;
}

/** Every column of audit_events, for statements that read whole rows: columns are named, never `*`. */
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

/** One row: both ends of the audit chain. */
export interface AuditChainTable {
  id: number;
  /** What the first kept row is chained to. */
  first_number: number;
  first_seal: string;
  last_number: number;
  last_seal: string;
}

/** Every column of audit_chain, for statements that read whole rows: columns are named, never `*`. */
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
