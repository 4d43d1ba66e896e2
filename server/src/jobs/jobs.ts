// Runs background jobs at fixed intervals; a job never overlaps itself. A run that fails is logged and retried at the
// next interval; repeated failures are logged once a minute.
import type { Log } from '../kit/log.ts';
import { LogThrottle } from '../kit/log-throttle.ts';

export interface Job {
  readonly name: string;
  readonly everyMs: number;
  readonly run: () => Promise<void>;
}

export class Jobs {
  readonly #log: Log;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #running = new Map<string, Promise<void>>();
  readonly #failing = new LogThrottle();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Starts to run a job at its interval. The timer does not keep the process alive. */
  start(job: Job): void {
    this.#timers.push(setInterval(() => this.#run(job), job.everyMs).unref());
  }

  /** Stops the timers and waits for the jobs that are running. */
  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await Promise.all(this.#running.values());
  }

  #run({ name, run }: Job): void {
    if (this.#running.has(name)) return;
    const done = run()
      .then(
        () => this.#noteSuccess(name),
        (error: unknown) => this.#noteFailure(name, error),
      )
      .finally(() => this.#running.delete(name));
    this.#running.set(name, done);
  }

  #noteSuccess(job: string): void {
    if (this.#failing.forget(job)) this.#log.info({ job }, 'A job recovered after failing');
  }

  #noteFailure(job: string, error: unknown): void {
    const count = this.#failing.take(job);
    if (count > 0)
      this.#log.error({ err: error, job, count }, 'A job failed; it is retried at its next interval');
  }
}
