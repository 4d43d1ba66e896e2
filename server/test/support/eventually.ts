// Waits for what another program, a thread or a job does.
import { setTimeout as pause } from 'node:timers/promises';
import { minuteMs } from '../../src/kit/clock.ts';

/** So long that only what hangs takes it, whatever else the machine does. */
export const patienceMs = 2 * minuteMs;
const intervalMs = 20;

/**
 * Repeats the search until it finds something, and returns that. `undefined` and `false` mean that it is not there yet.
 * @param awaited what is waited for, for the message of the error; a function if it says how far things are.
 * @throws {Error} after two minutes.
 */
export async function eventually<T>(
  awaited: string | (() => string),
  find: () => T | Promise<T>,
): Promise<Exclude<T, undefined | false>> {
  for (const latest = performance.now() + patienceMs; ; await pause(intervalMs)) {
    const found = await find();
    if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>; // TypeScript narrows no type parameter
    if (performance.now() > latest)
      throw new Error(`Waited for two minutes: ${typeof awaited === 'string' ? awaited : awaited()}`);
  }
}
