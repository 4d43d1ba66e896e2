/** The one source of time: Unix milliseconds. A parameter everywhere, so that tests move it. */
export type Clock = () => number;

export const systemClock: Clock = Date.now;

/** A clock that nobody sets: for spans of time, not for instants that are stored. */
export const steadyClock: Clock = () => performance.timeOrigin + performance.now();

/** An instant as it goes over the wire (RFC 3339, UTC). */
export function formatInstant(ms: number): string {
  return new Date(ms).toISOString();
}

export const secondMs = 1000;
export const minuteMs = 60 * secondMs;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;
