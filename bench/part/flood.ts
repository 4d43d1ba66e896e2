// A flood of logins with wrong passwords: does it slow down users who are signed in? Measured twice: with limits so
// wide that every attempt is hashed, and with the default limits, which reject most attempts.
import { setTimeout as wait } from 'node:timers/promises';
import { postForm } from '../load/request.ts';
import { runLoad, startLoad, type LoadResult, type PlannedRequest } from '../load/plan.ts';
import { emailOf, spread } from '../support/accounts.ts';
import { wideLimits } from '../support/limits.ts';
import { residentMb } from '../support/process-facts.ts';
import type { EngineName, Run } from '../support/run.ts';
import { latenciesOf, median, type Latencies } from '../support/statistics.ts';
import { startService, type Subject } from '../support/subject.ts';

export interface FloodFigures {
  /** Session checks, open loop, in milliseconds from the time at which each was due. */
  readonly idle: Latencies;
  readonly flooded: Latencies;
  /** How late the generator itself was, at p99. */
  readonly generatorLateP99: number;
  /** Attempts per second that the service hashed and answered 401. */
  readonly hashedPerSecond: number;
  /** Attempts per second that it rejected, by status, and the latency of these rejections. */
  readonly refusedPerSecond: Readonly<Record<string, number>>;
  readonly refusalP50: number;
  readonly refusalP99: number;
  readonly memoryBeforeMb: number;
  readonly memoryDuringMb: number;
  readonly memoryAfterMb: number;
  /** From the end of the flood until session checks are as before, and until a correct login succeeds. */
  readonly checksRecoveryMs: number;
  readonly loginRecoveryMs: number;
}

export interface FloodResult {
  readonly accounts: number;
  readonly connections: number;
  readonly checksPerSecond: number;
  readonly rounds: number;
  readonly seconds: number;
  /** On PostgreSQL, with the service and the database server in a control group each. */
  readonly grouped: FloodFigures | { readonly skipped: string };
  readonly hashed: Readonly<Record<EngineName, FloodFigures>>;
  readonly limited: FloodFigures;
}

const accounts = 10_000;
const connections = 200;
const checksPerSecond = 2000;
const checkConnections = 32;
/** Number of loopback addresses of a flood that must not reach the limits. */
const manyAddresses = 200;

export async function measureFlood(run: Run): Promise<FloodResult> {
  const rounds = run.choose(3, 1);
  const seconds = run.choose(8, 2);
  const wide = { environment: wideLimits, rounds, seconds };
  const sqlite = await measureOne(run, { ...wide, engine: 'sqlite', isGroupedToo: false });
  const postgres = await measureOne(run, { ...wide, engine: 'postgres', isGroupedToo: true });
  const limited = await measureOne(run, { ...wide, engine: 'sqlite', environment: {}, isGroupedToo: false });
  return {
    accounts,
    connections,
    checksPerSecond,
    rounds,
    seconds,
    hashed: { sqlite: sqlite.usual, postgres: postgres.usual },
    grouped: postgres.grouped,
    limited: limited.usual,
  };
}

interface FloodSetting {
  readonly engine: EngineName;
  readonly environment: Readonly<Record<string, string>>;
  /** Each round is measured a second time, with the service and its database server in a control group each. */
  readonly isGroupedToo: boolean;
  readonly rounds: number;
  readonly seconds: number;
}

async function measureOne(
  run: Run,
  { engine, environment, isGroupedToo, rounds, seconds }: FloodSetting,
): Promise<{ readonly usual: FloodFigures; readonly grouped: FloodResult['grouped'] }> {
  // On all cores, as it runs in production: the hashing threads then compete with the thread that answers.
  const subject = await startService(run, {
    url: await run.database(engine, accounts),
    accounts,
    pinned: false,
    environment,
  });
  const { pid } = subject.program;
  await runLoad(
    {
      mode: 'closed',
      port: subject.port,
      pid,
      requests: subject.checks,
      connections: checkConnections,
      seconds: 1,
      warmUpSeconds: run.choose(3, 0.5),
    },
    undefined,
  );
  const usual: FloodFigures[] = [];
  const grouped: FloodFigures[] = [];
  let skipped = 'not measured';
  const limits = environment === wideLimits ? 'every attempt is hashed' : 'default limits';
  const once = (): Promise<FloodFigures> =>
    floodOnce(subject, seconds, environment === wideLimits ? manyAddresses : 1);
  for (let round = 1; round <= rounds; round += 1) {
    run.say(`flood on ${engine}, ${limits}, round ${round} of ${rounds}`);
    usual.push(await once());
    if (!isGroupedToo) continue;
    run.say(`the same in control groups, round ${round} of ${rounds}`);
    const figures = await run.inControlGroups(pid, once);
    if ('skipped' in figures) skipped = figures.skipped;
    else grouped.push(figures);
  }
  await subject.program.stop();
  return {
    usual: medianFigures(usual),
    grouped: grouped.length === 0 ? { skipped } : medianFigures(grouped),
  };
}

/** What is measured begins so long after the load does: a generator compiles its code in its first second. */
const settleSeconds = 1;

/** One round: idle, flooded, and afterwards; the checks run throughout. */
async function floodOnce(subject: Subject, seconds: number, addresses: number): Promise<FloodFigures> {
  const { port, program, checks, logins } = subject;
  const { pid } = program;
  const afterSeconds = Math.min(4, seconds);
  const memoryBeforeMb = residentMb(pid);
  const total = settleSeconds + seconds + settleSeconds + seconds + afterSeconds;
  const checking = startLoad(
    {
      mode: 'open',
      port,
      pid,
      requests: checks,
      connections: checkConnections,
      perSecond: checksPerSecond,
      seconds: total,
    },
    undefined,
  );
  await wait(300 + (settleSeconds + seconds) * 1000);
  const flood = startLoad(
    {
      mode: 'closed',
      port,
      pid,
      requests: wrongLogins(),
      connections,
      addresses,
      seconds: seconds + settleSeconds,
      warmUpSeconds: 0,
    },
    undefined,
  );
  const floodFrom = performance.timeOrigin + performance.now() + settleSeconds * 1000;
  await wait((settleSeconds + seconds) * 1000);
  const memoryDuringMb = residentMb(pid);
  const attempts = await flood.result;
  const floodTo = performance.timeOrigin + performance.now();
  const loginRecoveryMs = await timeOfLogin(port, pid, logins);
  const checked = await checking.result;
  await wait(500);
  return {
    ...checksOf(checked, floodFrom, floodTo),
    generatorLateP99: checked.lateness?.p99 ?? 0,
    ...attemptsOf(attempts),
    memoryBeforeMb,
    memoryDuringMb,
    memoryAfterMb: residentMb(pid),
    loginRecoveryMs,
  };
}

/** Many accounts, so that the limit of a single one is not measured. */
function wrongLogins(): PlannedRequest[] {
  return spread(accounts, accounts).map((n) =>
    postForm(
      '/sessions',
      { email: emailOf(n), password: 'a wrong password' },
      '"code":"invalid_credentials"',
      [401, 429, 503],
    ),
  );
}

/** A correct login right after the flood. It may be rejected for a while and is then repeated. */
async function timeOfLogin(port: number, pid: number, logins: readonly PlannedRequest[]): Promise<number> {
  const requests = logins.slice(0, 100).map((login) => ({ ...login, statuses: [200, 429, 503] }));
  const startedAt = performance.now();
  const { latenciesByStatus } = await runLoad(
    { mode: 'open', port, pid, requests, connections: 1, perSecond: 10, seconds: 1 },
    undefined,
  );
  return latenciesByStatus['200']?.max ?? performance.now() - startedAt;
}

function checksOf(
  { samples = [] }: LoadResult,
  floodFrom: number,
  floodTo: number,
): Pick<FloodFigures, 'idle' | 'flooded' | 'checksRecoveryMs'> {
  const settleMs = settleSeconds * 1000;
  const between = (from: number, to: number): number[] =>
    samples.filter(([due]) => due >= from && due < to).map(([, latency]) => latency);
  const first = samples.reduce((earliest, [due]) => Math.min(earliest, due), Infinity);
  const idle = latenciesOf(between(first + settleMs, floodFrom - settleMs));
  return {
    idle,
    flooded: latenciesOf(between(floodFrom, floodTo)),
    checksRecoveryMs: recoveryOf(samples, floodTo, idle),
  };
}

/** Length of a window; after three good ones in a row the service has recovered. */
const windowMs = 100;
const goodWindows = 3;

function recoveryOf(samples: readonly (readonly [number, number])[], from: number, idle: Latencies): number {
  const limit = Math.max(2 * idle.p99, 1);
  let good = 0;
  const last = samples.reduce((latest, [due]) => Math.max(latest, due), from);
  for (let at = from; at + windowMs <= last; at += windowMs) {
    const window = samples.filter(([due]) => due >= at && due < at + windowMs).map(([, latency]) => latency);
    good = latenciesOf(window).p90 <= limit ? good + 1 : 0;
    if (good === goodWindows) return at + windowMs - goodWindows * windowMs - from;
  }
  return Number.NaN;
}

function attemptsOf({
  statuses,
  seconds,
  latenciesByStatus,
}: LoadResult): Pick<FloodFigures, 'hashedPerSecond' | 'refusedPerSecond' | 'refusalP50' | 'refusalP99'> {
  const refused = Object.keys(statuses).filter((status) => status !== '401');
  return {
    hashedPerSecond: (statuses['401'] ?? 0) / seconds,
    refusedPerSecond: Object.fromEntries(
      refused.map((status) => [status, (statuses[status] ?? 0) / seconds]),
    ),
    refusalP50: Math.max(0, ...refused.map((status) => latenciesByStatus[status]?.p50 ?? 0)),
    refusalP99: Math.max(0, ...refused.map((status) => latenciesByStatus[status]?.p99 ?? 0)),
  };
}

function medianFigures(rounds: readonly FloodFigures[]): FloodFigures {
  const of = (read: (figures: FloodFigures) => number): number => median(rounds.map(read));
  const latencies = (read: (figures: FloodFigures) => Latencies): Latencies => ({
    p50: of((figures) => read(figures).p50),
    p90: of((figures) => read(figures).p90),
    p99: of((figures) => read(figures).p99),
    max: of((figures) => read(figures).max),
  });
  const statuses = [...new Set(rounds.flatMap((figures) => Object.keys(figures.refusedPerSecond)))];
  return {
    idle: latencies((figures) => figures.idle),
    flooded: latencies((figures) => figures.flooded),
    generatorLateP99: of((figures) => figures.generatorLateP99),
    hashedPerSecond: of((figures) => figures.hashedPerSecond),
    refusedPerSecond: Object.fromEntries(
      statuses.map((status) => [status, of((figures) => figures.refusedPerSecond[status] ?? 0)]),
    ),
    refusalP50: of((figures) => figures.refusalP50),
    refusalP99: of((figures) => figures.refusalP99),
    memoryBeforeMb: of((figures) => figures.memoryBeforeMb),
    memoryDuringMb: of((figures) => figures.memoryDuringMb),
    memoryAfterMb: of((figures) => figures.memoryAfterMb),
    checksRecoveryMs: of((figures) => figures.checksRecoveryMs),
    loginRecoveryMs: of((figures) => figures.loginRecoveryMs),
  };
}
