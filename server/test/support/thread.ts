import { setImmediate } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';

/** The threads that the work starts, in order: tests end one as a fault would. */
export async function threadsStartedBy<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly threads: readonly Worker[] }> {
  const threads: Worker[] = [];
  const note = (worker: Worker): void => void threads.push(worker);
  process.on('worker', note);
  try {
    const value = await work();
    await setImmediate(); // the event follows shortly after the start
    return { value, threads };
  } finally {
    process.off('worker', note);
  }
}
