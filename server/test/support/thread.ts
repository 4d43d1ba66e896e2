import { readdirSync, readFileSync } from 'node:fs';
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

/** Returns the number of threads of this process with a niceness (Linux). */
export function threadsAt(niceness: number): number {
  return readdirSync('/proc/self/task').filter((id) => niceOf(id) === niceness).length;
}

/**
 * Returns the niceness of a thread, the 19th field of proc_pid_stat(5), or `undefined` if it has just ended. The second
 * field, a name, may contain spaces.
 */
function niceOf(id: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/self/task/${id}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  } catch {
    return undefined;
  }
}
