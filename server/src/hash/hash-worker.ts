// A thread that hashes. It runs at the lowest priority, so that the thread that answers requests always goes first.
import { setPriority, constants } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { hashSync, verifySync } from '@node-rs/argon2';

/** What the thread is asked. */
export type HashJob =
  | { readonly kind: 'hash'; readonly password: string; readonly memoryKib: number; readonly passes: number }
  | { readonly kind: 'verify'; readonly password: string; readonly hashed: string };

/** What it answers. */
export type HashReply = { readonly value: string | boolean } | { readonly fault: string };

/** bcrypt reads 72 bytes and stops at a NUL; what lies behind them would be accepted unread. */
const bcryptBytes = 72;

if (parentPort === null) throw new Error('hash-worker.ts runs in a worker thread only');
const port = parentPort;

if (process.platform === 'linux') {
  // On Linux a thread has a priority of its own; elsewhere this would lower the whole process.
  setPriority(constants.priority.PRIORITY_LOW);
}

async function verify(hashed: string, password: string): Promise<boolean> {
  if (hashed.startsWith('$argon2')) return verifySync(hashed, password);
  if (/^\$2[aby]\$/.test(hashed)) {
    if (Buffer.byteLength(password) > bcryptBytes || password.includes('\0')) return false;
    const bcrypt = await import('@node-rs/bcrypt'); // only where accounts came from elsewhere
    return bcrypt.verifySync(password, hashed);
  }
  throw new Error('The stored hash has an unknown format');
}

async function answer(job: HashJob): Promise<HashReply> {
  try {
    if (job.kind === 'verify') return { value: await verify(job.hashed, job.password) };
    const { memoryKib: memoryCost, passes: timeCost } = job;
    return { value: hashSync(job.password, { memoryCost, timeCost, parallelism: 1 }) }; // argon2id is its default
  } catch (error) {
    return { fault: String(error) };
  }
}

port.on('message', (job: HashJob) => {
  void answer(job).then((reply) => port.postMessage(reply));
});
