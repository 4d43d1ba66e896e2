// Messages to and from a load generator. It is a program of its own, so that it never shares a thread with other parts
// of a run.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Latencies } from '../support/statistics.ts';
import { onCores } from '../support/cores.ts';
import { track } from '../support/program.ts';

/** A request and the expected reply. */
export interface PlannedRequest {
  /** The whole request as it goes over the wire. */
  readonly text: string;
  /** Accepted statuses; any other status fails the run. */
  readonly statuses: readonly number[];
  /** Text in the body of a reply with the first of the statuses. */
  readonly holds: string;
}

interface AnyPlan {
  readonly port: number;
  readonly connections: number;
  readonly requests: readonly PlannedRequest[];
  /** Server whose CPU time is measured. */
  readonly pid: number;
  readonly seconds: number;
}

/** Each connection sends its next request when it has received the reply: measures the maximum rate. */
export interface ClosedPlan extends AnyPlan {
  readonly mode: 'closed';
  readonly warmUpSeconds: number;
  /** Each request is sent once only (a registration); too few of them fail the run. */
  readonly once?: boolean;
  /** Distributes the connections over this many addresses of 127.0.0.0/8. */
  readonly addresses?: number;
}

/** Requests are sent at fixed times, whether the server keeps up or not: measures the latency for users. */
export interface OpenPlan extends AnyPlan {
  readonly mode: 'open';
  readonly perSecond: number;
}

export type Plan = ClosedPlan | OpenPlan;

export interface LoadResult {
  readonly replies: number;
  readonly seconds: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** CPU seconds of the server, and of the generator. */
  readonly serverCpu: number;
  readonly generatorCpu: number;
  /** Milliseconds: in a closed plan from sending, in an open one from the time at which the request was due. */
  readonly latencies: Latencies;
  /** The same for each status. */
  readonly latenciesByStatus: Readonly<Record<string, Latencies>>;
  /** Open plan: how late the generator itself was. */
  readonly lateness?: Latencies;
  /** Open plan: for each request when it was due (Unix ms) and its latency, in the order of the replies. */
  readonly samples?: readonly (readonly [due: number, latency: number])[];
}

/** Replies other than rejections. */
export function served({ statuses }: LoadResult): number {
  return statuses['200'] ?? 0;
}

export interface Load {
  readonly pid: number;
  /** Ends a closed plan early; its result is still returned. */
  readonly stop: () => void;
  readonly result: Promise<LoadResult>;
}

const generator = fileURLToPath(new URL('generator.ts', import.meta.url));

/** Starts a generator on the given cores. Its promise rejects if a reply was not as planned. */
export function startLoad(plan: Plan, cores: string | undefined): Load {
  const [file = '', ...args] = onCores(cores, [process.execPath, generator]);
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  track(child);
  child.stdin.end(JSON.stringify(plan));
  const result = text(child.stdout).then((output) => {
    const answer = JSON.parse(output || '{"fault":"The generator ended without an answer"}') as
      | LoadResult
      | { fault: string }; // written by generator.ts
    if ('fault' in answer) throw new Error(answer.fault);
    return answer;
  });
  return { pid: child.pid ?? 0, stop: () => child.kill('SIGTERM'), result };
}

export function runLoad(plan: Plan, cores: string | undefined): Promise<LoadResult> {
  return startLoad(plan, cores).result;
}
