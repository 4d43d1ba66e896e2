// The thread that writes: the only connection that ever changes a SQLite file. A commit waits for the disk on the
// thread that calls it, so that thread is not the one that answers requests.
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

/** What the thread is asked. */
export interface WriterRequest {
  readonly text: string;
  readonly values: readonly SQLInputValue[];
  /** False for DDL and transaction control, which are not worth a prepared statement. */
  readonly prepared: boolean;
}

/** What it answers, in the order of the requests. */
export type WriterReply =
  | { readonly rows: Record<string, unknown>[] }
  | { readonly fault: { readonly message: string; readonly errcode: number } };

export interface WriterData {
  readonly path: string;
  readonly busyTimeoutMs: number;
  /** Marks the file as ours. */
  readonly applicationId: number;
}

/** Prepared statements kept; the service has far fewer hot ones, and the rest must not pile up. */
const keptStatements = 200;

if (parentPort === null) throw new Error('sqlite-writer.ts runs in a worker thread only');
const port = parentPort;
const { path, busyTimeoutMs, applicationId } = workerData as WriterData; // set by sqlite.ts, which starts us

const database = new DatabaseSync(path, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
try {
  // A new file is marked before it enters WAL mode: the mark then stands in the file itself, where the next start looks.
  if (database.prepare('pragma application_id').get()?.['application_id'] !== applicationId) {
    database.exec(`pragma application_id = ${applicationId}`);
  }
  // FULL: a reply follows its commit, and the commit its fsync, so that a power cut loses nothing that was acknowledged.
  database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma temp_store = memory');
} catch (error) {
  database.close(); // leaves no log beside a file that is refused
  throw error;
}

const statements = new Map<string, StatementSync>();

function prepare(text: string): StatementSync {
  let statement = statements.get(text);
  if (statement === undefined) {
    statement = database.prepare(text);
    if (statements.size >= keptStatements) statements.clear();
    statements.set(text, statement);
  }
  return statement;
}

function answer(request: WriterRequest): WriterReply {
  try {
    if (request.prepared) return { rows: prepare(request.text).all(...request.values) };
    database.exec(request.text);
    return { rows: [] };
  } catch (error) {
    const { message, errcode } = error as { message: string; errcode?: number }; // node:sqlite's error
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
