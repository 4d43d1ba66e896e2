// Runs hashing jobs on a pool of threads with a queue. A job is admitted only if it will probably finish in time; other
// jobs are rejected immediately, so that memory and waiting time stay bounded under any number of logins. If the threads
// are slower than expected, a job that has waited twice the maximum is rejected as well, and so is one whose result
// would come too late for a reply.
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { secondMs } from '../kit/clock.ts';
import { Problem } from '../kit/problem.ts';
import type { HashJob, HashReply, Match } from './hash-worker.ts';

interface Waiting {
  readonly job: HashJob;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  timer?: NodeJS.Timeout;
}

/** A thread with its current job. */
interface Thread {
  readonly worker: Worker;
  current: Waiting | undefined;
  begunAt: number;
}

/** Assumed duration of a job until the first one is measured. */
const initialJobMs = 10;
/** Weight of the newest duration in the moving average. */
const newestWeight = 0.1;

const source = new URL(`./hash-worker${extname(import.meta.url)}`, import.meta.url);

export interface HashPoolOptions {
  /** Number of threads. */
  readonly threads: number;
  /** A job that would wait longer for a thread is not admitted. */
  readonly maxWaitMs: number;
  /** A job without a result is rejected after this time, from its admission. */
  readonly maxTotalMs: number;
  /** Niceness of the threads on Linux. */
  readonly niceness: number;
}

export class HashPool {
  readonly #size: number;
  readonly #maxWaitMs: number;
  readonly #maxTotalMs: number;
  readonly #niceness: number;
  readonly #threads = new Set<Thread>();
  readonly #idle: Thread[] = [];
  readonly #queue: Waiting[] = [];
  #meanJobMs = initialJobMs;
  #closed = false;

  constructor({ threads, maxWaitMs, maxTotalMs, niceness }: HashPoolOptions) {
    this.#size = threads;
    this.#maxWaitMs = maxWaitMs;
    this.#maxTotalMs = maxTotalMs;
    this.#niceness = niceness;
  }

  /** @throws {Problem} too_busy if a job would wait longer than the maximum. */
  requireCapacity(): void {
    const waitMs = (this.#queue.length * this.#meanJobMs) / this.#size;
    if (waitMs > this.#maxWaitMs)
      throw new Problem('too_busy', { retryAfterSeconds: Math.ceil(waitMs / secondMs) });
  }

  /**
   * Runs an admitted job and returns its result. Call `requireCapacity` first.
   * @throws {Problem} too_busy if no thread takes the job within twice the maximum wait, or if it takes too long.
   * @throws {Problem} unavailable if its thread dies or the pool is closed.
   */
  run<T extends string | Match>(job: HashJob): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) return reject(new Problem('unavailable', { message: 'The hasher is closed' }));
      const waiting: Waiting = { job, resolve, reject };
      this.#queue.push(waiting);
      this.#limitTime(waiting);
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject, timer } of this.#queue.splice(0)) {
      clearTimeout(timer);
      reject(new Problem('unavailable', { message: 'The hasher is closed' }));
    }
    await Promise.all([...this.#threads].map((thread) => thread.worker.terminate()));
  }

  #next(): void {
    const waiting = this.#queue[0];
    if (waiting === undefined) return;
    const thread = this.#idle.pop() ?? this.#start();
    if (thread === undefined) return;
    this.#queue.shift();
    thread.current = waiting;
    thread.begunAt = performance.now();
    // The process must not end while a caller waits for a hash; idle threads must not keep it alive.
    thread.worker.ref();
    thread.worker.postMessage(waiting.job);
  }

  /** Rejects a job that no thread takes in time, and one that takes too long; its thread works on, and is free later. */
  #limitTime(waiting: Waiting): void {
    const tooLate = (): void =>
      waiting.reject(new Problem('too_busy', { retryAfterSeconds: Math.ceil(this.#maxWaitMs / secondMs) }));
    const maxQueuedMs = Math.min(2 * this.#maxWaitMs, this.#maxTotalMs);
    const endWait = (): void => {
      const index = this.#queue.indexOf(waiting);
      if (index < 0) {
        waiting.timer = setTimeout(tooLate, this.#maxTotalMs - maxQueuedMs).unref();
      } else {
        this.#queue.splice(index, 1);
        tooLate();
      }
    };
    waiting.timer = setTimeout(endWait, maxQueuedMs).unref();
  }

  #start(): Thread | undefined {
    if (this.#threads.size >= this.#size) return undefined;
    const worker = new Worker(source, { workerData: this.#niceness, execArgv: [] });
    const thread: Thread = { worker, current: undefined, begunAt: 0 };
    this.#threads.add(thread);
    thread.worker.on('message', (reply: HashReply) => this.#settle(thread, reply));
    thread.worker.on('error', (error) => this.#removeThread(thread, error as Error)); // the event has the thrown error
    thread.worker.on('exit', () => this.#removeThread(thread, new Error('A hashing thread has ended')));
    return thread;
  }

  #settle(thread: Thread, reply: HashReply): void {
    const { current } = thread;
    thread.current = undefined;
    clearTimeout(current?.timer);
    thread.worker.unref();
    this.#meanJobMs += newestWeight * (performance.now() - thread.begunAt - this.#meanJobMs);
    this.#idle.push(thread);
    if ('value' in reply) current?.resolve(reply.value as never); // run() is typed by the kind of job
    else current?.reject(new Error(reply.fault));
    this.#next();
  }

  /** Removes a dead thread. Only its current job fails; the next job starts another thread. */
  #removeThread(thread: Thread, cause: Error): void {
    if (!this.#threads.delete(thread)) return;
    const index = this.#idle.indexOf(thread);
    if (index >= 0) this.#idle.splice(index, 1);
    clearTimeout(thread.current?.timer);
    thread.current?.reject(
      new Problem('unavailable', {
        message: 'A hashing thread stopped unexpectedly',
        cause,
        retryAfterSeconds: 1,
      }),
    );
    if (!this.#closed) this.#next();
  }
}
