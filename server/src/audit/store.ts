// Reads and writes the audit_events table and the ends of its chain. Rows are only added, sealed once, and removed from
// the start of the chain.
import type { Selectable } from 'kysely';
import type { Database, Sql } from '../db/database.ts';
import { statementsFor } from '../db/statement.ts';
import type { AuditEvent, AuditFacts } from './event.ts';
import {
  auditChainColumns,
  auditEventColumns,
  type AuditChainTable,
  type AuditEventTable,
  type AuditTables,
} from './schema.ts';

const { statement } = statementsFor<AuditTables>();

export type AuditRow = Selectable<AuditEventTable>;
export type AuditChain = Selectable<AuditChainTable>;
/** Content of a row, without its digests. */
export type AuditContent = Omit<AuditRow, 'mac' | 'seal_number' | 'seal'>;

/** Converts a row to an event. */
function toEvent(row: AuditRow): AuditEvent {
  const { id, at, event, outcome, reason, actor, address, device } = row;
  const { target_kind: kind, target_id: targetId } = row;
  return {
    id,
    at,
    event,
    outcome,
    reason,
    facts: toFacts(row.facts),
    actor,
    actorId: row.actor_id,
    userId: row.user_id,
    target: kind === null || targetId === null ? null : { kind, id: targetId },
    address,
    device,
    requestId: row.request_id,
  };
}

/**
 * Parses stored facts; `null` if the text is not JSON. The service never writes such text, and a verification reports
 * the row.
 */
function toFacts(text: string | null): AuditFacts | null {
  if (text === null) return null;
  try {
    return JSON.parse(text) as AuditFacts; // written by Audit.record()
  } catch {
    return null;
  }
}

const insertEvent = statement((sql, p: AuditContent & { mac: string }) =>
  sql.insertInto('audit_events').values({
    id: p.id,
    at: p.at,
    event: p.event,
    outcome: p.outcome,
    reason: p.reason,
    facts: p.facts,
    actor: p.actor,
    actor_id: p.actor_id,
    user_id: p.user_id,
    target_kind: p.target_kind,
    target_id: p.target_id,
    address: p.address,
    device: p.device,
    request_id: p.request_id,
    form: p.form,
    mac: p.mac,
    seal_number: null,
    seal: null,
  }),
);

/** Adds an event, inside the transaction of its action. */
export async function addEvent(tx: Database, content: AuditContent, mac: string): Promise<void> {
  await tx.run(insertEvent, { ...content, mac });
}

/** Locks the chain without changing it, so that only one instance seals at a time. */
const lockChainRow = statement((sql) =>
  sql
    .updateTable('audit_chain')
    .set((row) => ({ last_number: row.ref('last_number') }))
    .where('id', '=', 1)
    .returning(auditChainColumns),
);

/** Returns the ends of the chain and locks them until the transaction ends. */
export async function lockChain(tx: Database): Promise<AuditChain> {
  const chain = await tx.first(lockChainRow, {});
  if (chain === undefined) throw new Error('The row of the table audit_chain is missing');
  return chain;
}

const selectChain = statement((sql) =>
  sql.selectFrom('audit_chain').select(auditChainColumns).where('id', '=', 1),
);

/** Returns the ends of the chain; `undefined` if the row was removed. */
export function findChain(db: Database): Promise<AuditChain | undefined> {
  return db.first(selectChain, {});
}

const selectUnsealed = statement((sql, p: { limit: number }) =>
  sql
    .selectFrom('audit_events')
    .select(auditEventColumns)
    .where('seal_number', 'is', null)
    .orderBy('id')
    .limit(p.limit),
);

/** Returns the oldest unsealed rows. */
export function listUnsealed(db: Database, limit: number): Promise<AuditRow[]> {
  return db.run(selectUnsealed, { limit });
}

const sealRow = statement((sql, p: { id: string; sealNumber: number; seal: string }) =>
  sql.updateTable('audit_events').set({ seal_number: p.sealNumber, seal: p.seal }).where('id', '=', p.id),
);
const moveEnd = statement((sql, p: { sealNumber: number; seal: string }) =>
  sql.updateTable('audit_chain').set({ last_number: p.sealNumber, last_seal: p.seal }).where('id', '=', 1),
);

/** Position of a row in the chain, with its seal. */
export interface Seal {
  readonly id: string;
  readonly sealNumber: number;
  readonly seal: string;
}

/** Stores seals in order and moves the end of the chain to the last one. */
export async function writeSeals(tx: Database, seals: readonly Seal[]): Promise<void> {
  for (const seal of seals) await tx.run(sealRow, seal);
  const last = seals.at(-1);
  if (last !== undefined) await tx.run(moveEnd, last);
}

const selectSealed = statement((sql, p: { after: number; limit: number }) =>
  sql
    .selectFrom('audit_events')
    .select(auditEventColumns)
    .where('seal_number', '>', p.after)
    .orderBy('seal_number')
    .limit(p.limit),
);

/** Returns sealed rows in the order of the chain, after a position. */
export function listSealed(db: Database, after: number, limit: number): Promise<AuditRow[]> {
  return db.run(selectSealed, { after, limit });
}

const moveStart = statement((sql, p: { sealNumber: number; seal: string }) =>
  sql.updateTable('audit_chain').set({ first_number: p.sealNumber, first_seal: p.seal }).where('id', '=', 1),
);
const deleteUpTo = statement((sql, p: { sealNumber: number }) =>
  sql.deleteFrom('audit_events').where('seal_number', '<=', p.sealNumber),
);

/** Removes rows from the start of the chain up to and including the given one, to whose seal the next row is chained. */
export async function removeUpTo(tx: Database, sealNumber: number, seal: string): Promise<void> {
  await tx.run(moveStart, { sealNumber, seal });
  await tx.run(deleteUpTo, { sealNumber });
}

export type EventPage = { userId: number; at: number; id: string; limit: number };

const selectOfUser = statement((sql, p: EventPage) =>
  sql
    .selectFrom('audit_events')
    .select(auditEventColumns)
    .where('user_id', '=', p.userId)
    .where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'id'), '>', tuple(p.at, p.id)))
    .orderBy('at')
    .orderBy('id')
    .limit(p.limit),
);

/** Returns events of an account after the given one, oldest first. */
export async function listEventsOf(db: Database, page: EventPage): Promise<AuditEvent[]> {
  return (await db.run(selectOfUser, page)).map(toEvent);
}

/** Position in the list of an account's events: those before it are older. */
export interface EventCursor {
  readonly at: number;
  readonly id: string;
}

/** Returns events of an account, newest first: those before the cursor, without those of the excluded reasons. */
export async function listEventsBefore(
  db: Database,
  page: { userId: number; before: EventCursor | undefined; excluded: readonly string[]; limit: number },
): Promise<AuditEvent[]> {
  const rows = await db.query((sql: Sql<AuditTables>) => {
    const { userId, before, excluded, limit } = page;
    const query = sql
      .selectFrom('audit_events')
      .select(auditEventColumns)
      .where('user_id', '=', userId)
      .where(({ eb, or }) => or([eb('reason', 'is', null), eb('reason', 'not in', excluded)]))
      .orderBy('at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit);
    return before === undefined
      ? query
      : query.where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'id'), '<', tuple(before.at, before.id)));
  });
  return rows.map(toEvent);
}

/** Filter of events. */
export interface AuditQuery {
  readonly userId?: number;
  readonly event?: string;
  readonly limit: number;
}

/** Returns events, newest first. */
export async function listEvents(db: Database, { userId, event, limit }: AuditQuery): Promise<AuditEvent[]> {
  const rows = await db.query((sql: Sql<AuditTables>) => {
    let query = sql.selectFrom('audit_events').select(auditEventColumns).limit(limit);
    // Each order is that of an index, which is read no further than to the limit.
    query =
      userId === undefined
        ? query.orderBy('id', 'desc')
        : query.where('user_id', '=', userId).orderBy('at', 'desc').orderBy('id', 'desc');
    if (event !== undefined) query = query.where('event', '=', event);
    return query;
  });
  return rows.map(toEvent);
}
