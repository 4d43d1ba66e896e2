/** The one source of time: Unix milliseconds. A parameter everywhere, so that tests move it. */
export type Clock = () => number;

export const systemClock: Clock = Date.now;

/** A clock that nobody sets: for spans of time, not for instants that are stored. */
export const steadyClock: Clock = () => performance.timeOrigin + performance.now();

export const secondMs = 1000;
export const minuteMs = 60 * secondMs;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;
