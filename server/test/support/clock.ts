import type { Clock } from '../../src/kit/clock.ts';

/** A clock that moves only when the test advances it. */
export interface TestClock {
  readonly now: Clock;
  /** Moves it by this many milliseconds; back, if negative. */
  readonly advance: (ms: number) => void;
}

/** Starts at a round instant in the past of every machine. */
export function testClock(start: number = Date.UTC(2026, 0, 1)): TestClock {
  let instant = start;
  return {
    now: () => instant,
    advance: (ms) => {
      instant += ms;
    },
  };
}
