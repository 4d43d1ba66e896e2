// The load generator as a program: reads a plan from standard input and writes a result to standard output.
import { json } from 'node:stream/consumers';
import { ClosedLoop } from './closed-loop.ts';
import { OpenLoop } from './open-loop.ts';
import type { Plan } from './plan.ts';

const stopped = new AbortController();
process.once('SIGTERM', () => stopped.abort());
const plan = (await json(process.stdin)) as Plan; // written by plan.ts
try {
  const result = await (plan.mode === 'closed'
    ? new ClosedLoop(plan).run(stopped.signal)
    : new OpenLoop(plan).run());
  process.stdout.write(JSON.stringify(result));
} catch (error) {
  process.stdout.write(JSON.stringify({ fault: error instanceof Error ? error.message : String(error) }));
}
