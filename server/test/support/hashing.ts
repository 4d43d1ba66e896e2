import type { HasherOptions } from '../../src/hash/hasher.ts';

/** The least that argon2 takes: a thousandth of the real cost. No job is refused for want of time. */
export const cheapHashing: HasherOptions = {
  cost: { memoryKib: 8, passes: 1 },
  threads: 1,
  longestWaitMs: 60_000,
};

/** What a hash costs in truth, for tests that take the time of it. No job is refused for want of time here either. */
export const realHashing: HasherOptions = { threads: 2, longestWaitMs: 60_000 };
