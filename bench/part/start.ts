// Time from the start to the first answer, and memory of the process: idle and after load.
import { setTimeout as wait } from 'node:timers/promises';
import { runLoad } from '../load/plan.ts';
import { wideLimits } from '../support/limits.ts';
import { residentMb } from '../support/process-facts.ts';
import type { Run } from '../support/run.ts';
import { medianOf } from '../support/statistics.ts';
import { startBare, startService, type Subject } from '../support/subject.ts';

export interface StartFigures {
  readonly startMs: number;
  readonly idleMb: number;
}

export interface StartResult {
  readonly starts: number;
  /** On an empty database, which the first start creates. */
  readonly first: StartFigures;
  readonly sqlite: StartFigures;
  readonly postgres: StartFigures;
  /** An HTTP server on node:http and node:sqlite with nothing else, for comparison. */
  readonly bare: StartFigures;
  /** After session checks and logins. */
  readonly loadedMb: { readonly sqlite: number; readonly postgres: number };
}

const accounts = 10_000;
const connections = 32;

export async function measureStart(run: Run): Promise<StartResult> {
  const starts = run.choose(7, 2);
  const sqlite = {
    url: await run.database('sqlite', accounts),
    accounts,
    pinned: false,
    environment: wideLimits,
  };
  const postgres = { ...sqlite, url: await run.database('postgres', accounts) };
  const kinds = {
    first: async () => startService(run, { ...sqlite, url: await run.emptyDatabase('sqlite') }),
    sqlite: () => startService(run, sqlite),
    postgres: () => startService(run, postgres),
    bare: () => startBare(run, 'sqlite', sqlite),
  };
  const figures: Record<keyof typeof kinds, StartFigures[]> = {
    first: [],
    sqlite: [],
    postgres: [],
    bare: [],
  };
  for (let round = 1; round <= starts; round += 1) {
    run.say(`start, ${round} of ${starts}`);
    for (const kind of Object.keys(kinds) as (keyof typeof kinds)[])
      figures[kind].push(await startOnce(run, kinds[kind])); // its own keys
  }
  return {
    starts,
    first: medianOf(figures.first),
    sqlite: medianOf(figures.sqlite),
    postgres: medianOf(figures.postgres),
    bare: medianOf(figures.bare),
    loadedMb: { sqlite: await loadedMb(run, kinds.sqlite), postgres: await loadedMb(run, kinds.postgres) },
  };
}

async function startOnce(run: Run, start: () => Promise<Subject>): Promise<StartFigures> {
  const { program, startMs } = await start();
  await wait(run.choose(2000, 500)); // the hashing threads start, and the first garbage collection runs
  const idleMb = residentMb(program.pid);
  await program.stop();
  return { startMs, idleMb };
}

async function loadedMb(run: Run, start: () => Promise<Subject>): Promise<number> {
  run.say('memory after load');
  const { program, port, checks, logins } = await start();
  const plan = { mode: 'closed', port, pid: program.pid, connections, warmUpSeconds: 0 } as const;
  for (let round = 0; round < 2; round += 1) {
    await runLoad({ ...plan, requests: checks, seconds: run.choose(10, 1) }, undefined);
    await runLoad({ ...plan, requests: logins, seconds: run.choose(10, 1) }, undefined);
  }
  const megabytes = residentMb(program.pid);
  await program.stop();
  return megabytes;
}
