// Runs in a hashing thread. By default it has the lowest priority, so that the thread that answers requests runs first.
import { getPriority, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { hashSync } from '@node-rs/argon2';
import { argon2 } from './argon2-format.ts';
import { readIn, UnreadableHash, type Check } from './stored-hash.ts';

/** A request to the thread. */
export type HashJob =
  | {
      readonly kind: 'hash';
      readonly password: string;
      readonly memoryKib: number;
      readonly passes: number;
      /** Random if absent. */
      readonly salt: Uint8Array | undefined;
    }
  | {
      readonly kind: 'verify';
      /** Spellings of the password, tried in order. */
      readonly spellings: readonly string[];
      readonly hashed: string;
    };

/** Result of a verification. */
export interface Match {
  readonly matches: boolean;
  /** The hash matches another spelling than the first one, which is the normal form. */
  readonly isAsTyped?: boolean;
  /** Why the stored hash cannot be verified. */
  readonly unreadable?: string;
}

/** The reply to a request. */
export type HashReply = { readonly value: string | Match } | { readonly fault: string };

if (parentPort === null) throw new Error('hash-worker.ts runs in a worker thread only');
const port = parentPort;

if (process.platform === 'linux') {
  // On Linux each thread has its own priority; elsewhere this would lower that of the whole process.
  setPriority(Math.max(getPriority(), workerData as number)); // its niceness, set by hash-pool.ts
}

/** Returns the check of a stored hash. Code for formats other than argon2 is loaded at its first use. */
async function checkOf(hashed: string): Promise<Check> {
  if (argon2.begins.test(hashed)) return readIn([argon2], hashed);
  const { readHash } = await import('./format.ts');
  return readHash(hashed);
}

async function verify(hashed: string, spellings: readonly string[]): Promise<Match> {
  try {
    const check = await checkOf(hashed);
    for (const [index, spelling] of spellings.entries()) {
      if (await check(spelling)) return { matches: true, ...(index > 0 && { isAsTyped: true }) };
    }
    return { matches: false };
  } catch (error) {
    if (error instanceof UnreadableHash) return { matches: false, unreadable: error.message };
    throw error;
  }
}

async function answer(job: HashJob): Promise<HashReply> {
  try {
    if (job.kind === 'verify') return { value: await verify(job.hashed, job.spellings) };
    const { memoryKib: memoryCost, passes: timeCost, salt } = job;
    const options = { memoryCost, timeCost, parallelism: 1, ...(salt !== undefined && { salt }) };
    return { value: hashSync(job.password, options) }; // the default algorithm is argon2id
  } catch (error) {
    return { fault: String(error) };
  }
}

port.on('message', (job: HashJob) => {
  void answer(job).then((reply) => port.postMessage(reply));
});
