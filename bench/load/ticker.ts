// Timers of the event loop have a resolution of a millisecond, too coarse for thousands of requests per second. A
// thread that sleeps on a futex wakes within some 60 µs and then wakes the event loop; in between, the processor is
// free for the measured server.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

export interface Ticks {
  readonly total: number;
  readonly intervalMs: number;
}

/** Sent to the thread once it runs: a start time chosen earlier would have passed by then. */
interface Schedule {
  readonly intervalMs: number;
  /** Unix milliseconds with a fraction. */
  readonly startAt: number;
}

/** Calls back for every tick, with the time at which it was due, as close to that time as possible. */
export async function startTicker(
  { total, intervalMs }: Ticks,
  onTick: (dueAt: number) => void,
): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  await once(worker, 'online');
  const startAt = performance.now() + 10;
  let done = 0;
  const ended = new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.on('message', () => {
      const now = performance.now();
      for (; done < total && startAt + done * intervalMs <= now; done += 1)
        onTick(startAt + done * intervalMs);
      if (done === total) void worker.terminate().then(() => resolve());
    });
  });
  worker.postMessage({ intervalMs, startAt: performance.timeOrigin + startAt } satisfies Schedule);
  await ended;
}

function tick({ intervalMs, startAt }: Schedule): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let n = 0; ; n += 1) {
    const leftMs = startAt + n * intervalMs - (performance.timeOrigin + performance.now());
    if (leftMs > 0) Atomics.wait(sleeper, 0, 0, leftMs);
    parentPort?.postMessage(0);
  }
}

if (!isMainThread) parentPort?.once('message', tick);
