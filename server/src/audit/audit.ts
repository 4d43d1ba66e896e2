// Writes and verifies the audit log. Each event is written in the transaction of its action, and a chain of keyed digests
// proves that no row was changed, removed or inserted.
//
// Each row has a keyed digest of its content, so that no row can be changed or added without the key. Within a second a
// job seals new rows: it numbers them and gives each a seal, the keyed digest of the previous seal and its own digest, so
// that a removed row leaves a gap. Only the sealing job locks the chain, so that actions never wait for each other; this
// is why rows are not chained when they are written. Two attacks are not detected: removing rows before they are sealed,
// and removing the last rows while restoring an older copy of audit_chain. Against the second, `bienvenue audit verify`
// prints the end of the chain, to be stored elsewhere.
import type { Clock } from '../kit/clock.ts';
import { dayMs } from '../kit/clock.ts';
import { generateUuid } from '../kit/id.ts';
import type { Database } from '../db/database.ts';
import type { AuditEvent, AuditSource, NewAuditEvent, Recorder } from './event.ts';
import { canonicalText, contentText, currentForm } from './form.ts';
import { RefusalCollector } from './refusals.ts';
import {
  addEvent,
  findChain,
  listEvents,
  listEventsBefore,
  listEventsOf,
  listSealed,
  listUnsealed,
  lockChain,
  removeUpTo,
  writeSeals,
  type AuditQuery,
  type EventCursor,
  type EventPage,
  type AuditContent,
  type AuditRow,
  type Seal,
} from './store.ts';

/** Creates and checks keyed digests with the keys of the service. */
export interface Mac {
  /** Returns the keyed digest of a text; it names its key. */
  readonly sign: (text: string) => string;
  /** Returns whether a digest matches the text under the current key or an older one. */
  readonly check: (text: string, mac: string) => boolean;
}

export interface AuditOptions {
  readonly database: Database;
  readonly mac: Mac;
  readonly clock: Clock;
  /** Days for which events are kept. */
  readonly keptDays: number;
  /** Number of sealed events that are kept. */
  readonly maxEvents?: number;
}

/** Result of a verification. */
export interface AuditVerdict {
  readonly sealed: number;
  readonly unsealed: number;
  /** End of the chain, to be compared with a copy that is stored elsewhere. */
  readonly lastNumber: number;
  readonly lastSeal: string;
  /** One sentence for each row that was changed, removed or inserted. */
  readonly faults: readonly string[];
}

/** Rows that are sealed, read or removed in one batch: a transaction of a few milliseconds. */
const batchSize = 200;
/** Maximum stored length of a user agent. */
const deviceCharacters = 200;
/** Number of faults after which a verification stops. */
const maxFaults = 100;

export class Audit implements Recorder {
  readonly #database: Database;
  readonly #mac: Mac;
  readonly #clock: Clock;
  readonly #keptMs: number;
  readonly #maxEvents: number;
  readonly #refusals: RefusalCollector;

  constructor({ database, mac, clock, keptDays, maxEvents = Number.MAX_SAFE_INTEGER }: AuditOptions) {
    this.#database = database;
    this.#mac = mac;
    this.#clock = clock;
    this.#keptMs = keptDays * dayMs;
    this.#maxEvents = maxEvents;
    this.#refusals = new RefusalCollector(clock);
  }

  /**
   * Records an event inside the transaction of its action, so that both are committed or neither. A repeated refusal is
   * collected instead, and recorded within a minute.
   */
  async record(tx: Database, event: NewAuditEvent, source: AuditSource): Promise<void> {
    if (!this.#refusals.collect(event, source)) await this.#write(tx, event, source, this.#clock());
  }

  /** Records the collected refusals whose minute is over, or all of them.  */
  async recordRefusals(which: 'due' | 'all' | { readonly userId: number } = 'due'): Promise<void> {
    const taken = this.#refusals.take(which);
    if (taken.length === 0) return;
    try {
      await this.#database.transaction(async (tx) => {
        for (const { event, source, at, count } of taken)
          await this.#write(tx, count === 1 ? event : withCount(event, count), source, at);
      });
    } catch (error) {
      this.#refusals.restore(taken);
      throw error;
    }
  }

  /** Records the collected refusals and seals all rows. */
  async close(): Promise<void> {
    await this.recordRefusals('all');
    await this.seal();
  }

  async #write(tx: Database, event: NewAuditEvent, source: AuditSource, at: number): Promise<void> {
    const content: AuditContent = {
      form: currentForm,
      id: generateUuid(),
      at,
      event: event.event,
      outcome: event.outcome,
      reason: event.reason,
      facts: event.facts === undefined ? null : JSON.stringify(event.facts),
      actor: source.actor,
      actor_id: source.actorId ?? null,
      user_id: event.userId ?? null,
      target_kind: event.target?.kind ?? null,
      target_id: event.target?.id ?? null,
      address: source.address ?? null,
      device: toStoredText(source.device),
      request_id: source.requestId ?? null,
    };
    await addEvent(tx, content, this.#mac.sign(contentText(content)));
  }

  /** Returns events, newest first; also those that this process collects. */
  async list(query: AuditQuery): Promise<AuditEvent[]> {
    const { userId } = query;
    await this.recordRefusals(userId === undefined ? 'all' : { userId });
    return listEvents(this.#database, query);
  }

  /** Returns events of an account before the cursor, newest first, without those of the excluded reasons. */
  async listBefore(
    userId: number,
    page: { before: EventCursor | undefined; excluded: readonly string[]; limit: number },
  ): Promise<AuditEvent[]> {
    await this.recordRefusals({ userId });
    return listEventsBefore(this.#database, { userId, ...page });
  }

  /** Returns events of an account after the given one, oldest first; also those that this process collects. */
  async listOf(page: EventPage): Promise<AuditEvent[]> {
    await this.recordRefusals({ userId: page.userId });
    return listEventsOf(this.#database, page);
  }

  /** Seals the rows that were written since the last time and returns their number. Only one instance seals at a time. */
  async seal(): Promise<number> {
    await this.recordRefusals();
    // Checked first, so that an idle service does not occupy the writer each second.
    if ((await listUnsealed(this.#database, 1)).length === 0) return 0;
    let total = 0;
    for (let sealed = batchSize; sealed === batchSize; total += sealed) sealed = await this.#sealBatch();
    return total;
  }

  /**
   * Removes events from the start of the chain that are older than `keptDays` or more than `maxEvents`, and returns their
   * number.
   */
  async purge(): Promise<number> {
    const before = this.#clock() - this.#keptMs;
    let total = 0;
    for (let removed = batchSize; removed === batchSize; total += removed)
      removed = await this.#purgeBatch(before);
    return total;
  }

  /** Verifies every row and the whole chain. A purge may run at the same time. */
  async verify(): Promise<AuditVerdict> {
    const chain = await findChain(this.#database);
    const faults: string[] = [];
    if (chain === undefined)
      return {
        sealed: 0,
        unsealed: 0,
        lastNumber: 0,
        lastSeal: '',
        faults: ['The row of audit_chain is missing'],
      };
    let number = chain.first_number;
    let seal = chain.first_seal;
    let sealed = 0;
    for (;;) {
      const rows = await listSealed(this.#database, number, batchSize);
      if (rows[0]?.seal_number !== number + 1) {
        const start = await findChain(this.#database);
        if (start !== undefined && start.first_number > number) {
          // A purge has moved the start of the chain since the last read.
          ({ first_number: number, first_seal: seal } = start);
          continue;
        }
      }
      if (rows.length === 0) break;
      for (const row of rows) {
        faults.push(...this.#examine(row, number, seal));
        number = row.seal_number ?? number;
        seal = row.seal ?? seal;
        sealed += 1;
      }
      if (faults.length >= maxFaults) break;
    }
    if (
      faults.length < maxFaults &&
      (number < chain.last_number || (number === chain.last_number && seal !== chain.last_seal))
    ) {
      faults.push(
        `The chain ends at ${number}, but rows up to ${chain.last_number} were sealed: the last ones were removed`,
      );
    }
    const unsealed = await listUnsealed(this.#database, batchSize);
    for (const row of unsealed)
      if (!this.#isAuthentic(row)) faults.push(`Row ${row.id} was changed or inserted`);
    return { sealed, unsealed: unsealed.length, lastNumber: number, lastSeal: seal, faults };
  }

  #examine(row: AuditRow, before: number, sealBefore: string): string[] {
    const faults: string[] = [];
    if (row.seal_number !== before + 1)
      faults.push(`Between ${before} and ${row.seal_number} rows were removed`);
    if (!this.#isAuthentic(row)) faults.push(`Row ${row.seal_number} (${row.id}) was changed or inserted`);
    const follows = this.#mac.check(linkOf(sealBefore, row), row.seal ?? '');
    if (row.seal_number === before + 1 && !follows)
      faults.push(`Row ${row.seal_number} (${row.id}) does not follow the row before it`);
    return faults;
  }

  #isAuthentic(row: AuditRow): boolean {
    const text = canonicalText(row);
    return text !== undefined && this.#mac.check(text, row.mac);
  }

  #sealBatch(): Promise<number> {
    return this.#database.transaction(async (tx) => {
      const chain = await lockChain(tx);
      const rows = await listUnsealed(tx, batchSize);
      const seals: Seal[] = [];
      let before = chain.last_seal;
      for (const row of rows) {
        before = this.#mac.sign(linkOf(before, row));
        seals.push({ id: row.id, sealNumber: chain.last_number + seals.length + 1, seal: before });
      }
      await writeSeals(tx, seals);
      return seals.length;
    });
  }

  #purgeBatch(before: number): Promise<number> {
    return this.#database.transaction(async (tx) => {
      const chain = await lockChain(tx);
      const rows = await listSealed(tx, chain.first_number, batchSize);
      // The numbers have no gaps, so that their difference is the number of rows.
      const surplus = chain.last_number - chain.first_number - this.#maxEvents;
      const firstKept = rows.findIndex((row, i) => row.at >= before && i >= surplus);
      const old = firstKept < 0 ? rows : rows.slice(0, firstKept);
      const last = old.at(-1);
      if (last?.seal_number === undefined || last.seal_number === null || last.seal === null) return 0;
      await removeUpTo(tx, last.seal_number, last.seal);
      return old.length;
    });
  }
}

/** Returns the event of several refusals, with their number as a fact. */
function withCount(event: NewAuditEvent, count: number): NewAuditEvent {
  return { ...event, facts: { ...event.facts, count } };
}

/** Returns the text from which the seal of a row is computed. */
function linkOf(sealBefore: string, row: AuditRow): string {
  return JSON.stringify([sealBefore, row.id, row.mac]);
}

/** Truncates a user agent and removes characters that cannot be stored: NUL and lone surrogates. */
function toStoredText(text: string | undefined): string | null {
  return text === undefined ? null : text.slice(0, deviceCharacters).toWellFormed().replaceAll('\0', '');
}
