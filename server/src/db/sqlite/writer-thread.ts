// Starts the thread that writes to SQLite, and hands statements to it.
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Problem } from '../../kit/problem.ts';
import { toSqliteError } from './sqlite-file.ts';
import type { WriterData, WriterMessage, WriterReply, WriterRequest } from './sqlite-writer.ts';

type Row = Record<string, unknown>;

/**
 * Threads whose file was closed, for the next one: a thread takes longer to start than a file to open, and the tests of an
 * application may open hundreds of files in turn.
 */
const idle: Worker[] = [];
/** Maximum number of idle threads. Each takes some megabytes of memory. */
const maxIdle = 2;

function startThread(): Worker {
  const source = new URL(`./sqlite-writer${extname(import.meta.url)}`, import.meta.url);
  // Flags of the process are not passed on: `--input-type`, for example, prevents a thread from running a file.
  const worker = new Worker(source, { execArgv: [] });
  worker.unref();
  return worker;
}

/** Removes what the last user of a thread listens to. Node.js itself listens to other events of a thread. */
function withoutListeners(worker: Worker): Worker {
  for (const event of ['message', 'error', 'exit']) worker.removeAllListeners(event);
  return worker;
}

/** Keeps a thread without a file for the next one, or ends it. */
function release(worker: Worker): void {
  withoutListeners(worker);
  if (idle.length >= maxIdle) return void worker.terminate();
  const forget = (): void => {
    if (idle.includes(worker)) idle.splice(idle.indexOf(worker), 1);
  };
  worker.on('error', forget).on('exit', forget);
  idle.push(worker);
}

function takeThread(): Worker {
  const [worker] = idle.splice(-1);
  return worker === undefined ? startThread() : withoutListeners(worker);
}

/** Ends the threads that wait for a file. */
export async function endIdleThreads(): Promise<void> {
  await Promise.all(idle.splice(0).map((worker) => worker.terminate()));
}

/** Sends requests to the writer thread of a file, which answers them in order. */
export class Writer {
  readonly #worker = takeThread();
  readonly #waiting: { settle: (reply: WriterReply) => void; reject: (error: Error) => void }[] = [];
  #fatal: Error | undefined;

  constructor(data: WriterData) {
    this.#worker.on('message', (reply: WriterReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#fail(error as Error)); // the event has the thrown error
    this.#worker.on('exit', () => this.#fail(new Error('The writing thread has ended')));
    this.#post({ open: data }, (reply) => {
      if ('rows' in reply) return;
      const { message, errcode } = reply.fault;
      this.#fail(Object.assign(new Error(message), { errcode }));
      void this.#worker.terminate(); // not released: it still answers what was sent since
    });
  }

  get isDead(): boolean {
    return this.#fatal !== undefined;
  }

  send(request: WriterRequest): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      if (this.#fatal !== undefined) return reject(this.#fatal);
      const settle = (reply: WriterReply): void => {
        if ('rows' in reply) resolve(reply.rows);
        else reject(toSqliteError(reply.fault.message, reply.fault.errcode));
      };
      this.#post(request, settle, reject);
    });
  }

  /** Closes the file. */
  async close(): Promise<void> {
    if (this.isDead) return;
    await new Promise<void>((resolve) => {
      const settle = (reply: WriterReply): void => {
        this.#fail(new Error('The file is closed'));
        if ('rows' in reply) release(this.#worker);
        else void this.#worker.terminate();
        resolve();
      };
      this.#post('close', settle, () => resolve());
    });
  }

  /** @throws {DOMException} if the message has a value that cannot be sent. */
  #post(
    message: WriterMessage,
    settle: (reply: WriterReply) => void,
    reject: (error: Error) => void = () => {},
  ): void {
    // Sent before the caller is queued: a value that cannot be sent throws here, and must not get the next answer.
    this.#worker.postMessage(message);
    // The process must not end while a caller waits for an answer; an idle thread must not keep it alive.
    if (this.#waiting.push({ settle, reject }) === 1) this.#worker.ref();
  }

  #settle(reply: WriterReply): void {
    const caller = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#worker.unref();
    caller?.settle(reply);
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
