// The maximum rate of logins on this machine if a login were only its hash: threads that verify one password after the
// other, at the priority of the service's own. Prints the number per second.
import { availableParallelism, constants, setPriority } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { verifySync } from '@node-rs/argon2';
import { hashOfPassword, password } from '../support/accounts.ts';

async function main(seconds: number): Promise<void> {
  const hashed = hashOfPassword();
  const threads = Array.from(
    { length: availableParallelism() },
    () => new Worker(new URL(import.meta.url), { workerData: { hashed, seconds } }),
  );
  const rates = await Promise.all(
    threads.map((thread) => new Promise<number>((resolve) => thread.once('message', resolve))),
  );
  process.stdout.write(String(rates.reduce((sum, rate) => sum + rate, 0)));
}

function measure(): void {
  const { hashed, seconds } = workerData as { hashed: string; seconds: number }; // set by main
  if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_LOW); // this thread alone
  verifySync(hashed, password);
  const startedAt = performance.now();
  let done = 0;
  for (; performance.now() - startedAt < seconds * 1000; done += 1) {
    if (!verifySync(hashed, password)) throw new Error('The password does not match');
  }
  parentPort?.postMessage((done * 1000) / (performance.now() - startedAt));
}

if (isMainThread) await main(Number(process.env['SECONDS']));
else measure();
