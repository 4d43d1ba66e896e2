// Implements `Database` for SQLite. Reads run on the calling thread, writes on a connection in a separate thread. WAL
// mode allows both concurrently, so a slow disk delays logins but never session checks.
import type { DatabaseSync as Connection, SQLInputValue, StatementSync } from 'node:sqlite';
import { Problem } from '../../kit/problem.ts';
import type { Database, Lookup, QueryBuilder, Statement } from '../database.ts';
import { serviceTimes } from '../database-times.ts';
import { sqliteEngine } from '../engine.ts';
import { applicationId, checkSqliteFile, openingFault, toSqliteError } from './sqlite-file.ts';
import { CompiledStatements, compileOnce, type Compiled } from '../statement.ts';
import type { WriterData, WriterRequest } from './sqlite-writer.ts';
import { Writer } from './writer-thread.ts';
const { DatabaseSync } = process.getBuiltinModule('node:sqlite'); // as in sqlite-file.ts

/**
 * How long a read waits. In WAL mode it only waits for the recovery after a crash, and must not block the thread for
 * long.
 */
const readBusyTimeoutMs = 250;

const noParameters = {};
const compiledStatements = new CompiledStatements(sqliteEngine);

/** A transaction on the connection of the writer. */
class SqliteTransaction implements Database {
  readonly engine = sqliteEngine;
  readonly #database: SqliteDatabase;
  /** True once the first statement was sent, which begins the transaction: without one there is nothing to end. */
  hasBegun = false;
  #fault: unknown;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** @throws {Error} if a statement failed: as in PostgreSQL, such a transaction cannot be committed. */
  requireNoFault(): void {
    if (this.#fault !== undefined)
      throw new Error('The transaction was rolled back because a statement failed', { cause: this.#fault });
  }

  async run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    return this.#send(compiledStatements.of(statement), parameters);
  }

  async first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return (await this.run(statement, parameters))[0];
  }

  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.first(statement, parameters);
  }

  async find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    return (await this.findAll(lookup, key))[0];
  }

  findAll<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R[]> {
    return this.#send(compiledStatements.ofLookup(lookup), { key });
  }

  async query<R, Tables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
    return this.#send(compileOnce(sqliteEngine, build), noParameters);
  }

  async now(): Promise<number> {
    return Date.now(); // SQLite uses the clock of this process
  }

  async execute(text: string): Promise<void> {
    await this.#record(this.#database.control(text, this.#nextPlace()));
  }

  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    return work(this);
  }

  async close(): Promise<void> {
    throw new Error('A transaction cannot be closed; it ends when its function returns');
  }

  #send<R>(compiled: Compiled, parameters: object): Promise<R[]> {
    return this.#record(this.#database.send<R>(compiled, parameters, { place: this.#nextPlace() }));
  }

  #nextPlace(): 'first' | 'later' {
    const place = this.hasBegun ? 'later' : 'first';
    this.hasBegun = true;
    return place;
  }

  async #record<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      this.#fault ??= error;
      throw error;
    }
  }
}

class SqliteDatabase implements Database {
  readonly engine = sqliteEngine;
  readonly #data: WriterData;
  readonly #reader: Connection;
  #writer: Writer;
  readonly #prepared = new Map<string, StatementSync>();
  /** Settles when the last queued write has settled: only one caller at a time may use the writer. */
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(data: WriterData, writer: Writer) {
    this.#data = data;
    this.#writer = writer;
    this.#reader = new DatabaseSync(data.path, { readOnly: true, timeout: readBusyTimeoutMs });
  }

  async run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    const compiled = compiledStatements.of(statement);
    if (compiled.isRead)
      return this.#read(() => this.#prepare(compiled).all(...this.#bind(compiled, parameters)) as R[]);
    return this.#enqueue(() => this.send(compiled, parameters));
  }

  async first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    const compiled = compiledStatements.of(statement);
    if (compiled.isRead)
      return this.#read(
        () => this.#prepare(compiled).get(...this.#bind(compiled, parameters)) as R | undefined,
      );
    return (await this.run(statement, parameters))[0];
  }

  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.#enqueue(async () => {
      const rows = await this.send<R>(compiledStatements.of(statement), parameters, { mayBeLost: true });
      return rows[0];
    });
  }

  async find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    const compiled = compiledStatements.ofLookup(lookup);
    return this.#read(() => this.#prepare(compiled).get(key) as R | undefined);
  }

  async findAll<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R[]> {
    const compiled = compiledStatements.ofLookup(lookup);
    return this.#read(() => this.#prepare(compiled).all(key) as R[]);
  }

  async query<R, Tables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
    const compiled = compileOnce(sqliteEngine, build);
    if (compiled.isRead) {
      return this.#read(
        () => this.#reader.prepare(compiled.text).all(...this.#bind(compiled, noParameters)) as R[],
      );
    }
    return this.#enqueue(() => this.send<R>(compiled, noParameters));
  }

  async now(): Promise<number> {
    return Date.now(); // SQLite uses the clock of this process
  }

  execute(text: string): Promise<void> {
    return this.#enqueue(() => this.control(text));
  }

  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    return this.#enqueue(async () => {
      const transaction = new SqliteTransaction(this);
      try {
        const result = await work(transaction);
        transaction.requireNoFault();
        if (transaction.hasBegun) await this.control('commit');
        return result;
      } catch (error) {
        // After some faults SQLite has already rolled back; the second rollback then fails, which has no effect.
        if (transaction.hasBegun) await this.control('rollback').catch(() => {});
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue;
    this.#reader.close();
    await this.#writer.close();
  }

  /** Sends one statement to the writer thread. Call it only from queued work. */
  async send<R>(
    compiled: Compiled,
    parameters: object,
    options: Pick<WriterRequest, 'place' | 'mayBeLost'> = {},
  ): Promise<R[]> {
    const values = this.#bind(compiled, parameters);
    const rows = await this.#writer.send({ text: compiled.text, values, prepared: true, ...options });
    return rows as R[]; // the row type is inferred from the statement
  }

  /** Sends transaction control or DDL. Call it only from queued work. */
  async control(text: string, place?: 'first' | 'later'): Promise<void> {
    await this.#writer.send({ text, values: [], prepared: false, ...(place !== undefined && { place }) });
  }

  async #enqueue<T>(work: () => Promise<T>): Promise<T> {
    this.#requireOpen();
    const done = this.#queue.then(() => {
      // A thread is replaced only here: a transaction that was lost with its thread must not continue in the next one.
      if (this.#writer.isDead) this.#writer = new Writer(this.#data);
      return work();
    });
    this.#queue = done.catch(() => {});
    return done;
  }

  #requireOpen(): void {
    if (this.#closed) throw new Problem('unavailable', { message: 'The database is closed' });
  }

  #read<T>(work: () => T): T {
    this.#requireOpen();
    try {
      return work();
    } catch (error) {
      const { message, errcode } = error as { message: string; errcode?: number }; // node:sqlite throws such errors
      throw errcode === undefined ? error : toSqliteError(message, errcode);
    }
  }

  #prepare(compiled: Compiled): StatementSync {
    let prepared = this.#prepared.get(compiled.name);
    if (prepared === undefined) {
      prepared = this.#reader.prepare(compiled.text);
      this.#prepared.set(compiled.name, prepared);
    }
    return prepared;
  }

  #bind(compiled: Compiled, parameters: object): SQLInputValue[] {
    return compiled.bind(parameters) as SQLInputValue[]; // the schema has only numbers, text, bytes and null
  }
}

/**
 * Opens a SQLite file of the service, or creates one.
 * @throws {DatabaseRefused} if the file is of another program, is damaged, is locked, or is on a network file system or a
 *   full disk.
 */
export async function openSqlite(path: string, { lockMs } = serviceTimes): Promise<Database> {
  checkSqliteFile(path);
  const data: WriterData = { path, busyTimeoutMs: lockMs, applicationId };
  const writer = new Writer(data);
  try {
    // After the first answer of the thread the file is open and in WAL mode, as the reader requires.
    await writer.send({ text: 'select 1', values: [], prepared: false });
    return new SqliteDatabase(data, writer);
  } catch (error) {
    await writer.close();
    const ended = (error as Error).cause; // the error that ended the thread
    const fault = openingFault(path, ended ?? error);
    throw fault === ended ? error : fault;
  }
}
