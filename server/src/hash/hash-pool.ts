// Runs hashing jobs on a pool of threads with a queue. A job is admitted only if it will probably finish in time; other
// jobs are rejected immediately, so that memory and waiting time stay bounded under any number of logins. If the threads
// are slower than expected, a job that has waited twice the maximum is rejected as well.
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Problem } from '../kit/problem.ts';
import type { HashJob, HashReply, Match } from './hash-worker.ts';

interface Waiting {
  readonly job: HashJob;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  /** Time of `performance.now()` at which the job is rejected if no thread has taken it. */
  readonly until: number;
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

export class HashPool {
  readonly #size: number;
  readonly #maxWaitMs: number;
  readonly #threads = new Set<Thread>();
  readonly #idle: Thread[] = [];
  readonly #queue: Waiting[] = [];
  #meanJobMs = initialJobMs;
  #deadline: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(size: number, maxWaitMs: number) {
    this.#size = size;
    this.#maxWaitMs = maxWaitMs;
  }

  /** @throws {Problem} too_busy if a job would wait longer than the maximum. */
  requireCapacity(): void {
    const waitMs = (this.#queue.length * this.#meanJobMs) / this.#size;
    if (waitMs > this.#maxWaitMs)
      throw new Problem('too_busy', { retryAfterSeconds: Math.ceil(waitMs / 1000) });
  }

  /**
   * Runs an admitted job and returns its result. Call `requireCapacity` first.
   * @throws {Problem} too_busy if no thread takes the job within twice the maximum wait.
   * @throws {Problem} unavailable if its thread dies or the pool is closed.
   */
  run<T extends string | Match>(job: HashJob): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) return reject(new Problem('unavailable', { message: 'The hasher is closed' }));
      this.#queue.push({ job, resolve, reject, until: performance.now() + 2 * this.#maxWaitMs });
      this.#next();
      this.#watchDeadline();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#deadline);
    for (const { reject } of this.#queue.splice(0))
      reject(new Problem('unavailable', { message: 'The hasher is closed' }));
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

  /** Sets a timer for the deadline of the first job in the queue. */
  #watchDeadline(): void {
    const [first] = this.#queue;
    if (first === undefined || this.#deadline !== undefined) return;
    this.#deadline = setTimeout(
      () => {
        this.#deadline = undefined;
        this.#rejectLate();
        this.#watchDeadline();
      },
      Math.max(0, first.until - performance.now()),
    ).unref();
  }

  #rejectLate(): void {
    const now = performance.now();
    const inTime = this.#queue.findIndex(({ until }) => until > now);
    for (const { reject } of this.#queue.splice(0, inTime < 0 ? this.#queue.length : inTime))
      reject(new Problem('too_busy', { retryAfterSeconds: Math.ceil(this.#maxWaitMs / 1000) }));
  }

  #start(): Thread | undefined {
    if (this.#threads.size >= this.#size) return undefined;
    const thread: Thread = { worker: new Worker(source, { execArgv: [] }), current: undefined, begunAt: 0 };
    this.#threads.add(thread);
    thread.worker.on('message', (reply: HashReply) => this.#settle(thread, reply));
    thread.worker.on('error', (error) => this.#removeThread(thread, error as Error)); // the event has the thrown error
    thread.worker.on('exit', () => this.#removeThread(thread, new Error('A hashing thread has ended')));
    return thread;
  }

  #settle(thread: Thread, reply: HashReply): void {
    const { current } = thread;
    thread.current = undefined;
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
