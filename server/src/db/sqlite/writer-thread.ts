// Starts the thread that writes to SQLite, and hands statements to it.
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Problem } from '../../kit/problem.ts';
import { toSqliteError } from './sqlite-file.ts';
import type { WriterData, WriterReply, WriterRequest } from './sqlite-writer.ts';

type Row = Record<string, unknown>;

/** Sends requests to the writer thread, which answers them in order. */
export class Writer {
  readonly #worker: Worker;
  readonly #waiting: { resolve: (rows: Row[]) => void; reject: (error: Error) => void }[] = [];
  #fatal: Error | undefined;

  constructor(data: WriterData) {
    const source = new URL(`./sqlite-writer${extname(import.meta.url)}`, import.meta.url);
    // Flags of the process are not passed on: `--input-type`, for example, prevents a thread from running a file.
    this.#worker = new Worker(source, { workerData: data, execArgv: [] });
    this.#worker.unref();
    this.#worker.on('message', (reply: WriterReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#fail(error as Error)); // the event has the thrown error
    this.#worker.on('exit', () => this.#fail(new Error('The writing thread has ended')));
  }

  get isDead(): boolean {
    return this.#fatal !== undefined;
  }

  send(request: WriterRequest): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      if (this.#fatal !== undefined) return reject(this.#fatal);
      // Sent before the caller is queued: a value that cannot be sent throws here, and must not get the next answer.
      this.#worker.postMessage(request);
      // The process must not end while a caller waits for an answer; an idle thread must not keep it alive.
      if (this.#waiting.push({ resolve, reject }) === 1) this.#worker.ref();
    });
  }

  async close(): Promise<void> {
    if (this.isDead) return;
    this.#worker.ref();
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#worker.postMessage('close');
    await ended;
  }

  #settle(reply: WriterReply): void {
    const caller = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#worker.unref();
    if ('rows' in reply) caller?.resolve(reply.rows);
    else caller?.reject(toSqliteError(reply.fault.message, reply.fault.errcode));
  }

  #fail(error: Error): void {
    this.#fatal ??= new Problem('unavailable', {
      message: error.message,
      cause: error,
      retryAfterSeconds: 2,
    });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#fatal);
  }
}
