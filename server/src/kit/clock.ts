/** Returns the current time in Unix milliseconds. Code takes the clock as a parameter, so that tests can control time. */
export type Clock = () => number;

export const systemClock: Clock = Date.now;

/**
 * A monotonic clock, which an adjustment of the system time does not move. Use it for durations, not for stored
 * instants.
 */
export const steadyClock: Clock = () => performance.timeOrigin + performance.now();

/** Formats Unix milliseconds for the wire (RFC 3339, UTC). */
export function formatInstant(ms: number): string {
  return new Date(ms).toISOString();
}

export const secondMs = 1000;
export const minuteMs = 60 * secondMs;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;
