// Session checks: the cost of every request of a signed-in user.
import { runLoad } from '../load/plan.ts';
import { medianOf } from '../support/statistics.ts';
import type { Run } from '../support/run.ts';
import { startBare, startBetterAuth, startExpress, startService, type Subject } from '../support/subject.ts';

export interface CheckFigures {
  readonly perSecond: number;
  /** CPU of the server for one check. */
  readonly cpuMicros: number;
  /** Share of one core that the server used: below 1, something else was the limit, and the CPU time says more. */
  readonly serverBusy: number;
  readonly generatorBusy: number;
}

export type CheckSubject =
  | 'service on SQLite'
  | 'bare SQLite'
  | 'service on PostgreSQL'
  | 'bare PostgreSQL'
  | 'Better Auth'
  | 'Express by hand';

export interface ChecksResult {
  readonly accounts: number;
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly pinned: boolean;
  readonly postgres: string;
  readonly subjects: Readonly<Record<CheckSubject, CheckFigures>>;
}

const accounts = 10_000;
const connections = 32;

export async function measureChecks(run: Run): Promise<ChecksResult> {
  const rounds = run.choose(5, 1);
  const seconds = run.choose(4, 1);
  const subjects = await startSubjects(run);
  const measured = new Map<CheckSubject, CheckFigures[]>();
  for (let round = 1; round <= rounds; round += 1) {
    for (const [name, subject] of subjects) {
      run.say(`checks, round ${round} of ${rounds}: ${name}`);
      const list = measured.get(name) ?? [];
      list.push(await measureOne(run, subject, seconds));
      measured.set(name, list);
    }
  }
  for (const [, subject] of subjects) await subject.program.stop();
  return {
    accounts,
    connections,
    rounds,
    seconds,
    pinned: run.cores !== undefined,
    postgres: (await run.postgres()).version,
    subjects: Object.fromEntries(
      [...measured].map(([name, list]) => [name, medianOf(list)]),
    ) as ChecksResult['subjects'], // one for each subject
  };
}

/** Starts all in parallel: idle servers cost nothing. */
async function startSubjects(run: Run): Promise<[CheckSubject, Subject][]> {
  const sqlite = { url: await run.database('sqlite', accounts), accounts, pinned: true };
  const postgres = { url: await run.database('postgres', accounts), accounts, pinned: true };
  return [
    ['service on SQLite', await startService(run, sqlite)],
    ['bare SQLite', await startBare(run, 'sqlite', sqlite)],
    ['service on PostgreSQL', await startService(run, postgres)],
    ['bare PostgreSQL', await startBare(run, 'postgres', postgres)],
    ['Better Auth', await startBetterAuth(run, sqlite)],
    ['Express by hand', await startExpress(run, sqlite)],
  ];
}

async function measureOne(
  run: Run,
  { program, port, checks }: Subject,
  seconds: number,
): Promise<CheckFigures> {
  const warmUpSeconds = run.choose(1.5, 0.5);
  const load = await runLoad(
    { mode: 'closed', port, pid: program.pid, requests: checks, connections, seconds, warmUpSeconds },
    run.cores?.others,
  );
  return {
    perSecond: load.replies / load.seconds,
    cpuMicros: (load.serverCpu * 1e6) / load.replies,
    serverBusy: load.serverCpu / load.seconds,
    generatorBusy: load.generatorCpu / load.seconds,
  };
}
