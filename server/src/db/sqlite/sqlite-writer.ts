// Runs in the writer thread, whose connection is the only one that changes the SQLite file. A commit blocks its thread
// until the disk has the data, so it must not run on the thread that answers requests.
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { parentPort } from 'node:worker_threads';

/** A request to execute a statement. */
export interface WriterRequest {
  readonly text: string;
  readonly values: readonly SQLInputValue[];
  /** False for DDL and transaction control, which gain nothing from a prepared statement. */
  readonly prepared: boolean;
  /** Its place in a transaction, if it is in one: the first request also begins it. */
  readonly place?: 'first' | 'later';
  /** True if a power failure may undo it: its commit is not flushed. */
  readonly mayBeLost?: boolean;
}

/** The reply to a request. Replies have the order of the requests. */
export type WriterReply =
  | { readonly rows: Record<string, unknown>[] }
  | { readonly fault: { readonly message: string; readonly errcode: number } };

export interface WriterData {
  readonly path: string;
  readonly busyTimeoutMs: number;
  /** Marks the file as a database of this service. */
  readonly applicationId: number;
}

/** A message to the thread: it opens a file, executes statements, and closes it, after which it can open another one. */
export type WriterMessage = { readonly open: WriterData } | WriterRequest | 'close';

/** Maximum number of cached prepared statements: more than the service uses frequently, and limits the memory. */
const maxStatements = 200;

if (parentPort === null) throw new Error('sqlite-writer.ts runs in a worker thread only');
const port = parentPort;

const busy = 5; // SQLITE_BUSY
const retryMs = 20;

/** Marks a new file and switches to WAL. If two connections do so at the same time, SQLite refuses one without waiting. */
function prepareFile(database: DatabaseSync, { applicationId, busyTimeoutMs }: WriterData): void {
  const latest = Date.now() + busyTimeoutMs;
  for (;;) {
    try {
      // A new file gets its application id before WAL mode: the id is then in the file itself, where the next start
      // reads it.
      if (database.prepare('pragma application_id').get()?.['application_id'] !== applicationId) {
        database.exec(`pragma application_id = ${applicationId}`);
      }
      database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma temp_store = memory');
      return;
    } catch (error) {
      if ((error as { errcode?: number }).errcode !== busy || Date.now() >= latest) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs);
    }
  }
}

/** The connection that writes to an open file. */
class OpenFile {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** FULL: each commit is flushed before its reply is sent, so that a power failure loses no acknowledged write. */
  #isFlushing = true;

  constructor(data: WriterData) {
    const { path, busyTimeoutMs: timeout } = data;
    this.#database = new DatabaseSync(path, { timeout, enableForeignKeyConstraints: true });
    try {
      prepareFile(this.#database, data);
    } catch (error) {
      this.close(); // leaves no WAL file next to a file that is rejected
      throw error;
    }
  }

  execute({ text, values, prepared, place, mayBeLost }: WriterRequest): Record<string, unknown>[] {
    this.#setFlushing(mayBeLost !== true);
    if (place === 'first') this.#database.exec('begin immediate');
    // After some faults SQLite has rolled back by itself: what follows must not be committed on its own.
    if (place === 'later' && !this.#database.isTransaction)
      throw new Error('The transaction was rolled back');
    if (prepared) return this.#prepare(text).all(...values);
    this.#database.exec(text);
    return [];
  }

  close(): void {
    this.#database.close();
  }

  #prepare(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#database.prepare(text);
      if (this.#statements.size >= maxStatements) this.#statements.clear();
      this.#statements.set(text, statement);
    }
    return statement;
  }

  #setFlushing(isWanted: boolean): void {
    if (isWanted === this.#isFlushing) return;
    this.#database.exec(`pragma synchronous = ${isWanted ? 'full' : 'normal'}`);
    this.#isFlushing = isWanted;
  }
}

let file: OpenFile | undefined;

function perform(message: WriterMessage): Record<string, unknown>[] {
  if (message === 'close') {
    file?.close();
    file = undefined;
    return [];
  }
  if ('open' in message) {
    file = new OpenFile(message.open);
    return [];
  }
  if (file === undefined) throw new Error('No file is open');
  return file.execute(message);
}

function answer(message: WriterMessage): WriterReply {
  try {
    return { rows: perform(message) };
  } catch (error) {
    const { message: text, errcode } = error as { message: string; errcode?: number }; // node:sqlite throws such errors
    return { fault: { message: text, errcode: errcode ?? 0 } };
  }
}

port.on('message', (message: WriterMessage) => port.postMessage(answer(message)));
