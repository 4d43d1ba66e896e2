// SQLite: reads on the calling thread, writes on a connection in a thread of its own. WAL lets the two go on side by
// side, so a slow disk slows logins and never session checks.
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Problem } from '../kit/problem.ts';
import { UniqueViolation, type Database, type QueryBuilder } from './database.ts';
import { sqliteEngine, type DefaultTables } from './engine.ts';
import { damagedFile, isDamage } from './sqlite-damage.ts';
import { applicationId, checkSqliteFile } from './sqlite-file.ts';
import { CompiledStatements, compileOnce, type Compiled, type Lookup, type Statement } from './statement.ts';
import type { WriterData, WriterReply, WriterRequest } from './sqlite-writer.ts';

/** How long a write waits for another process (the operator's commands) that holds the file. */
const writeBusyTimeoutMs = 5000;
/** A read waits for nobody in WAL mode but the recovery after a crash; it must not stop the thread for long. */
const readBusyTimeoutMs = 250;

type Row = Record<string, unknown>;
const noParameters = {};
const compiledStatements = new CompiledStatements(sqliteEngine);

/** SQLite's result codes for faults of the moment: busy, read-only, I/O, full, cannot open. */
const passingFaults = new Set([5, 8, 10, 13, 14]);
/** SQLITE_CONSTRAINT_UNIQUE and SQLITE_CONSTRAINT_PRIMARYKEY. */
const uniqueFaults = new Set([2067, 1555]);
const primaryCodeMask = 0xff;

function toError(message: string, errcode: number): Error {
  const cause = new Error(`SQLite: ${message} (code ${errcode})`);
  if (uniqueFaults.has(errcode)) return new UniqueViolation(message, { cause });
  if (passingFaults.has(errcode & primaryCodeMask))
    return new Problem('unavailable', { message: cause.message, cause, retryAfterSeconds: 2 });
  return cause;
}

/** The writing thread seen from this side: one request after the other, answers in order. */
class Writer {
  readonly #worker: Worker;
  readonly #waiting: { resolve: (rows: Row[]) => void; reject: (error: Error) => void }[] = [];
  #dead: Error | undefined;

  constructor(data: WriterData) {
    const source = new URL(`./sqlite-writer${extname(import.meta.url)}`, import.meta.url);
    // None of the caller's own flags: `--input-type`, for one, keeps a thread from running a file.
    this.#worker = new Worker(source, { workerData: data, execArgv: [] });
    this.#worker.unref();
    this.#worker.on('message', (reply: WriterReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#die(error as Error)); // a worker's error event carries what was thrown
    this.#worker.on('exit', () => this.#die(new Error('The writing thread has ended')));
  }

  get dead(): boolean {
    return this.#dead !== undefined;
  }

  send(request: WriterRequest): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      if (this.#dead !== undefined) return reject(this.#dead);
      // Before the caller is queued: a value that cannot be sent throws here, and the next answer is not its.
      this.#worker.postMessage(request);
      // A program that awaits a write must not end before the answer; an idle thread must not keep it alive.
      if (this.#waiting.push({ resolve, reject }) === 1) this.#worker.ref();
    });
  }

  async close(): Promise<void> {
    if (this.dead) return;
    this.#worker.ref();
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#worker.postMessage('close');
    await ended;
  }

  #settle(reply: WriterReply): void {
    const caller = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#worker.unref();
    if ('rows' in reply) caller?.resolve(reply.rows);
    else caller?.reject(toError(reply.fault.message, reply.fault.errcode));
  }

  #die(error: Error): void {
    this.#dead ??= new Problem('unavailable', { message: error.message, cause: error, retryAfterSeconds: 2 });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#dead);
  }
}

/** A transaction on the writing connection. */
class SqliteTransaction implements Database {
  readonly engine = sqliteEngine;
  readonly #database: SqliteDatabase;
  #fault: unknown;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** @throws {Error} when a statement has failed, as PostgreSQL has it: what is left of the work is no whole. */
  requireSound(): void {
    if (this.#fault !== undefined)
      throw new Error('The transaction was rolled back because a statement failed', { cause: this.#fault });
  }

  async run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    return this.#noting(this.#database.send(compiledStatements.of(statement), parameters));
  }

  async first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return (await this.run(statement, parameters))[0];
  }

  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.first(statement, parameters);
  }

  async find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    const rows = await this.#noting(this.#database.send<R>(compiledStatements.ofLookup(lookup), { key }));
    return rows[0];
  }

  async query<R, Tables = DefaultTables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
    return this.#noting(this.#database.send<R>(compileOnce(sqliteEngine, build), noParameters));
  }

  async now(): Promise<number> {
    return Date.now(); // SQLite reads the clock of this process
  }

  async execute(text: string): Promise<void> {
    await this.#noting(this.#database.control(text));
  }

  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    return work(this);
  }

  async close(): Promise<void> {
    throw new Error('A transaction cannot be closed; it ends when its function returns');
  }

  async #noting<T>(answer: Promise<T>): Promise<T> {
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
  readonly #reader: DatabaseSync;
  #writer: Writer;
  readonly #prepared = new Map<string, StatementSync>();
  /** Settles when the last queued write has: the one writer is held by one caller at a time. */
  #turn: Promise<unknown> = Promise.resolve();
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
    return this.#alone(() => this.send(compiled, parameters));
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
    return this.#alone(async () => {
      // The thread answers in order, so there is no need to wait for these two. A new thread begins with FULL.
      this.control('pragma synchronous = normal').catch(() => {});
      const rows = this.send<R>(compiledStatements.of(statement), parameters);
      this.control('pragma synchronous = full').catch(() => {});
      return (await rows)[0];
    });
  }

  async find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    const compiled = compiledStatements.ofLookup(lookup);
    return this.#read(() => this.#prepare(compiled).get(key) as R | undefined);
  }

  async query<R, Tables = DefaultTables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
    const compiled = compileOnce(sqliteEngine, build);
    if (compiled.isRead) {
      return this.#read(
        () => this.#reader.prepare(compiled.text).all(...this.#bind(compiled, noParameters)) as R[],
      );
    }
    return this.#alone(() => this.send<R>(compiled, noParameters));
  }

  async now(): Promise<number> {
    return Date.now(); // SQLite reads the clock of this process
  }

  execute(text: string): Promise<void> {
    return this.#alone(() => this.control(text));
  }

  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      await this.control('begin immediate');
      try {
        const transaction = new SqliteTransaction(this);
        const result = await work(transaction);
        transaction.requireSound();
        await this.control('commit');
        return result;
      } catch (error) {
        // SQLite has rolled back by itself after some faults; a second rollback then fails, which changes nothing.
        await this.control('rollback').catch(() => {});
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn;
    this.#reader.close();
    await this.#writer.close();
  }

  /** Sends one statement to the writing thread. The caller holds the turn. */
  async send<R>(compiled: Compiled, parameters: object): Promise<R[]> {
    const rows = await this.#writer.send({
      text: compiled.text,
      values: this.#bind(compiled, parameters),
      prepared: true,
    });
    return rows as R[]; // the row type was inferred from the statement that wrote the SQL
  }

  /** Sends transaction control or DDL. The caller holds the turn. */
  async control(text: string): Promise<void> {
    await this.#writer.send({ text, values: [], prepared: false });
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    this.#requireOpen();
    const mine = this.#turn.then(() => {
      // Here and nowhere else: a transaction that was lost with its thread must not go on in the next one.
      if (this.#writer.dead) this.#writer = new Writer(this.#data);
      return work();
    });
    this.#turn = mine.catch(() => {});
    return mine;
  }

  #requireOpen(): void {
    if (this.#closed) throw new Problem('unavailable', { message: 'The database is closed' });
  }

  #read<T>(work: () => T): T {
    this.#requireOpen();
    try {
      return work();
    } catch (error) {
      const { message, errcode } = error as { message: string; errcode?: number }; // node:sqlite's error
      throw errcode === undefined ? error : toError(message, errcode);
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
    return compiled.bind(parameters) as SQLInputValue[]; // the schema holds numbers, text, bytes and null only
  }
}

/**
 * Opens a SQLite file of ours, or makes one where there is none.
 * @throws {DatabaseRefused} for a file that is not ours, or one on a network file system.
 */
export async function openSqlite(path: string): Promise<Database> {
  checkSqliteFile(path);
  const data: WriterData = { path, busyTimeoutMs: writeBusyTimeoutMs, applicationId };
  const writer = new Writer(data);
  try {
    // The first answer of the thread says that the file is open, and in WAL mode, before a reader opens it.
    await writer.send({ text: 'select 1', values: [], prepared: false });
    return new SqliteDatabase(data, writer);
  } catch (error) {
    await writer.close();
    throw isDamage((error as Error).cause) ? damagedFile(path, error) : error; // the cause is what the thread died of
  }
}
