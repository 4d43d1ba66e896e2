import { setTimeout as pause } from 'node:timers/promises';
import { isProblem } from '../../src/kit/problem.ts';
import { patientHashing } from '../../src/hash/options.ts';
import { Hasher, type HasherOptions } from '../../src/hash/hasher.ts';

/** No job is rejected because of time, and the threads get as much of a core as busy programs next to the tests. */
export const patient: HasherOptions = patientHashing;

/** The minimum of argon2: a thousandth of the real cost. */
export const cheapHashing: HasherOptions = {
  ...patient,
  cost: { memoryKib: 8, passes: 1 },
  threads: 1,
};

/** The real cost of a hash, for tests that measure its time. */
export const realHashing: HasherOptions = { ...patient, threads: 2 };

/**
 * Repeats work that a hasher with the default limits rejects, as a user would try again: its threads have the lowest
 * priority, so next to busy programs they get a hundredth of a core.
 */
export async function whenNotBusy<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isProblem(error, 'too_busy')) throw error;
      await pause(20); // so that the replies of the threads are read
    }
  }
}

/** A hash for accounts whose password no test enters: the salted SHA-1 of a directory. */
export const anyHash = '{SSHA}zLPxfZ3RSNkIwVdHWEyB4Tpr6fT9LiVX';

/** Hashes for all services of a process: a thread of each service would take longer to start than its hashes. */
class SharedHasher extends Hasher {
  override async close(): Promise<void> {
    // Its thread ends with the process.
  }
}

/** Cheap hashes for all services of this process. */
export const sharedHasher: Hasher = new SharedHasher(cheapHashing);
