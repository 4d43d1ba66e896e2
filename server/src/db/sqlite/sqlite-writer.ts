// Runs in the writer thread, whose connection is the only one that changes the SQLite file. A commit blocks its thread
// until the disk has the data, so it must not run on the thread that answers requests.
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

/** A request to the thread. */
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

/** Maximum number of cached prepared statements: more than the service uses frequently, and limits the memory. */
const maxStatements = 200;

if (parentPort === null) throw new Error('sqlite-writer.ts runs in a worker thread only');
const port = parentPort;
const { path, busyTimeoutMs, applicationId } = workerData as WriterData; // set by sqlite.ts, which starts this thread

const busy = 5; // SQLITE_BUSY
const retryMs = 20;

const database = new DatabaseSync(path, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
try {
  prepareFile();
} catch (error) {
  database.close(); // leaves no WAL file next to a file that is rejected
  throw error;
}

/** Marks a new file and switches to WAL. If two connections do so at the same time, SQLite refuses one without waiting. */
function prepareFile(): void {
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

const statements = new Map<string, StatementSync>();

function prepare(text: string): StatementSync {
  let statement = statements.get(text);
  if (statement === undefined) {
    statement = database.prepare(text);
    if (statements.size >= maxStatements) statements.clear();
    statements.set(text, statement);
  }
  return statement;
}

/** FULL: each commit is flushed before its reply is sent, so that a power failure loses no acknowledged write. */
let isFlushing = true;

function setFlushing(isWanted: boolean): void {
  if (isWanted === isFlushing) return;
  database.exec(`pragma synchronous = ${isWanted ? 'full' : 'normal'}`);
  isFlushing = isWanted;
}

function execute({ text, values, prepared, place, mayBeLost }: WriterRequest): Record<string, unknown>[] {
  setFlushing(mayBeLost !== true);
  if (place === 'first') database.exec('begin immediate');
  // After some faults SQLite has rolled back by itself: what follows must not be committed on its own.
  if (place === 'later' && !database.isTransaction) throw new Error('The transaction was rolled back');
  if (prepared) return prepare(text).all(...values);
  database.exec(text);
  return [];
}

function answer(request: WriterRequest): WriterReply {
  try {
    return { rows: execute(request) };
  } catch (error) {
    const { message, errcode } = error as { message: string; errcode?: number }; // node:sqlite throws such errors
    return { fault: { message, errcode: errcode ?? 0 } };
  }
}

port.on('message', (request: WriterRequest | 'close') => {
  if (request === 'close') {
    database.close();
    port.close();
    return;
  }
  port.postMessage(answer(request));
});
