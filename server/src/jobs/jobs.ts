// Work beside the requests: each job runs by itself at its interval, never twice at once, and a failure of one run is
// logged and tried again at the next.
import type { Log } from '../kit/log.ts';

export interface Job {
  readonly name: string;
  readonly everyMs: number;
  readonly run: () => Promise<void>;
}

export class Jobs {
  readonly #log: Log;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #running = new Map<string, Promise<void>>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Begins to run a job at its interval; the timer does not keep the process alive. */
  start(job: Job): void {
    this.#timers.push(setInterval(() => this.#run(job), job.everyMs).unref());
  }

  /** Ends the timers and waits for the runs under way. */
  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await Promise.all(this.#running.values());
  }

  #run({ name, run }: Job): void {
    if (this.#running.has(name)) return;
    const done = run()
      .catch((error: unknown) => this.#log.error({ err: error, job: name }, 'A job failed; it runs again at its interval'))
      .finally(() => this.#running.delete(name));
    this.#running.set(name, done);
  }
}
