// The threads and the queue before them. A job is admitted only when it will be done in time: what does not fit is
// refused at once, which keeps memory and waiting bounded however many logins arrive. Where the threads then get less of
// the machine than was foreseen, what has waited twice as long as it should is refused as well.
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Problem } from '../kit/problem.ts';
import type { HashJob, HashReply, Match } from './hash-worker.ts';

interface Waiting {
  readonly job: HashJob;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  /** When it is refused if no thread has taken it, by `performance.now()`. */
  readonly until: number;
}

/** One thread, with the job it is at. */
interface Thread {
  readonly worker: Worker;
  current: Waiting | undefined;
  begunAt: number;
}

/** First guess of a job's duration; measured from then on. */
const guessedJobMs = 10;
/** Weight of the newest duration in the running mean. */
const newestWeight = 0.1;

const source = new URL(`./hash-worker${extname(import.meta.url)}`, import.meta.url);

export class HashPool {
  readonly #size: number;
  readonly #longestWaitMs: number;
  readonly #threads = new Set<Thread>();
  readonly #idle: Thread[] = [];
  readonly #queue: Waiting[] = [];
  #meanJobMs = guessedJobMs;
  #deadline: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(size: number, longestWaitMs: number) {
    this.#size = size;
    this.#longestWaitMs = longestWaitMs;
  }

  /** @throws {Problem} too_busy, at once, when a job would have to wait longer than the longest wait. */
  requireCapacity(): void {
    const waitMs = (this.#queue.length * this.#meanJobMs) / this.#size;
    if (waitMs > this.#longestWaitMs)
      throw new Problem('too_busy', { retryAfterSeconds: Math.ceil(waitMs / 1000) });
  }

  /**
   * Runs a job that was admitted: the caller has asked requireCapacity a moment ago.
   * @throws {Problem} too_busy when no thread takes it in twice the longest wait.
   */
  run<T extends string | Match>(job: HashJob): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) return reject(new Problem('unavailable', { message: 'The hasher is closed' }));
      this.#queue.push({ job, resolve, reject, until: performance.now() + 2 * this.#longestWaitMs });
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
    // A program that awaits a hash must not end before it; idle threads must not keep it alive.
    thread.worker.ref();
    thread.worker.postMessage(waiting.job);
  }

  /** Wakes when the first of the queue has waited too long. */
  #watchDeadline(): void {
    const [first] = this.#queue;
    if (first === undefined || this.#deadline !== undefined) return;
    this.#deadline = setTimeout(
      () => {
        this.#deadline = undefined;
        this.#refuseLate();
        this.#watchDeadline();
      },
      Math.max(0, first.until - performance.now()),
    ).unref();
  }

  #refuseLate(): void {
    const now = performance.now();
    const inTime = this.#queue.findIndex(({ until }) => until > now);
    for (const { reject } of this.#queue.splice(0, inTime < 0 ? this.#queue.length : inTime))
      reject(new Problem('too_busy', { retryAfterSeconds: Math.ceil(this.#longestWaitMs / 1000) }));
  }

  #start(): Thread | undefined {
    if (this.#threads.size >= this.#size) return undefined;
    const thread: Thread = { worker: new Worker(source, { execArgv: [] }), current: undefined, begunAt: 0 };
    this.#threads.add(thread);
    thread.worker.on('message', (reply: HashReply) => this.#settle(thread, reply));
    thread.worker.on('error', (error) => this.#bury(thread, error as Error)); // a worker's error event carries what was thrown
    thread.worker.on('exit', () => this.#bury(thread, new Error('A hashing thread has ended')));
    return thread;
  }

  #settle(thread: Thread, reply: HashReply): void {
    const { current } = thread;
    thread.current = undefined;
    thread.worker.unref();
    this.#meanJobMs += newestWeight * (performance.now() - thread.begunAt - this.#meanJobMs);
    this.#idle.push(thread);
    if ('value' in reply) current?.resolve(reply.value as never); // run() promised the type that this kind of job answers
    else current?.reject(new Error(reply.fault));
    this.#next();
  }

  /** A dead thread fails its own job only; the next job starts another. */
  #bury(thread: Thread, cause: Error): void {
    if (!this.#threads.delete(thread)) return;
    const place = this.#idle.indexOf(thread);
    if (place >= 0) this.#idle.splice(place, 1);
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
