// Logins and registrations: one password hash each, and the rest.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { defaultHashCost, type HashCost } from '../../server/src/hash/options.ts';
import { runLoad, served } from '../load/plan.ts';
import type { Run } from '../support/run.ts';
import { medianOf, median } from '../support/statistics.ts';
import { startBetterAuth, startExpress, startService, type Subject } from '../support/subject.ts';
import { wideLimits } from '../support/limits.ts';

export interface LoginFigures {
  readonly loginsPerSecond: number;
  readonly loginP50: number;
  readonly loginP99: number;
  readonly registrationsPerSecond: number;
  /** Share of requests rejected as too many: 0 on a machine without other load. */
  readonly refused: number;
}

export type LoginSubject = 'service on SQLite' | 'service on PostgreSQL' | 'Better Auth' | 'Express by hand';

export interface LoginsResult {
  readonly accounts: number;
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly hashCost: HashCost;
  /** Verifications per second of threads that do nothing else, one thread for each core. */
  readonly hashesPerSecond: number;
  readonly subjects: Readonly<Record<LoginSubject, LoginFigures>>;
}

const accounts = 10_000;
const connections = 32;
/** More than any subject reaches. */
const maxRegistrationsPerSecond = 2000;

export async function measureLogins(run: Run): Promise<LoginsResult> {
  const rounds = run.choose(5, 1);
  const seconds = run.choose(5, 1);
  const subjects = await startSubjects(run);
  const hashRates: number[] = [];
  const measured = new Map<LoginSubject, LoginFigures[]>();
  for (let round = 1; round <= rounds; round += 1) {
    run.say(`logins, round ${round} of ${rounds}: bare hashes`);
    hashRates.push(await bareHashRate(seconds));
    for (const [name, subject] of subjects) {
      run.say(`logins, round ${round} of ${rounds}: ${name}`);
      const list = measured.get(name) ?? [];
      list.push(await measureOne(subject, seconds));
      measured.set(name, list);
    }
  }
  for (const [, subject] of subjects) await subject.program.stop();
  return {
    accounts,
    connections,
    rounds,
    seconds,
    hashCost: defaultHashCost,
    hashesPerSecond: median(hashRates),
    subjects: Object.fromEntries(
      [...measured].map(([name, list]) => [name, medianOf(list)]),
    ) as LoginsResult['subjects'], // one for each subject
  };
}

async function startSubjects(run: Run): Promise<[LoginSubject, Subject][]> {
  const shared = { accounts, pinned: false, environment: wideLimits };
  return [
    [
      'service on SQLite',
      await startService(run, { ...shared, url: await run.database('sqlite', accounts) }),
    ],
    [
      'service on PostgreSQL',
      await startService(run, { ...shared, url: await run.database('postgres', accounts) }),
    ],
    ['Better Auth', await startBetterAuth(run, shared)],
    ['Express by hand', await startExpress(run, shared)],
  ];
}

async function measureOne(
  { program, port, logins, registrations }: Subject,
  seconds: number,
): Promise<LoginFigures> {
  const warmUpSeconds = 0.5;
  const plan = { mode: 'closed', port, pid: program.pid, connections, seconds, warmUpSeconds } as const;
  const loggedIn = await runLoad({ ...plan, requests: logins }, undefined);
  const newcomers = registrations(Math.ceil((seconds + warmUpSeconds) * maxRegistrationsPerSecond));
  const registered = await runLoad({ ...plan, requests: newcomers, once: true }, undefined);
  return {
    loginsPerSecond: served(loggedIn) / loggedIn.seconds,
    loginP50: loggedIn.latenciesByStatus['200']?.p50 ?? 0,
    loginP99: loggedIn.latenciesByStatus['200']?.p99 ?? 0,
    registrationsPerSecond: served(registered) / registered.seconds,
    refused: 1 - (served(loggedIn) + served(registered)) / (loggedIn.replies + registered.replies),
  };
}

const bareHash = fileURLToPath(new URL('../peer/bare-hash.ts', import.meta.url));

async function bareHashRate(seconds: number): Promise<number> {
  const child = spawn(process.execPath, [bareHash], {
    env: { ...process.env, SECONDS: String(seconds) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return Number(await text(child.stdout));
}
