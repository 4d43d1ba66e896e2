// Goals of the benchmarks. Each is a ratio or a figure of one run; a goal whose part was not measured has no value.
import { largestDifference } from './part/enumeration.ts';
import type { FloodFigures, FloodResult } from './part/flood.ts';
import type { Results } from './result.ts';

export interface Goal {
  readonly says: string;
  readonly aim: string;
  readonly measured: (results: Results) => number | undefined;
  readonly unit: '%' | 'x' | 'ms' | 'MB' | 'kB';
  readonly isReached: (measured: number) => boolean;
}

const atLeast =
  (least: number): Goal['isReached'] =>
  (measured) =>
    measured >= least;
const atMost =
  (most: number): Goal['isReached'] =>
  (measured) =>
    measured <= most;
const below =
  (limit: number): Goal['isReached'] =>
  (measured) =>
    measured < limit;

/**
 * Ratio of the CPU time that two servers need for one session check: more stable than their rates, and independent of
 * the generator.
 */
function checkRatio(
  results: Results,
  of: 'service on SQLite' | 'service on PostgreSQL',
  against: 'bare SQLite' | 'bare PostgreSQL' | 'Better Auth' | 'Express by hand',
): number | undefined {
  const subjects = results.checks?.result.subjects;
  return subjects && subjects[against].cpuMicros / subjects[of].cpuMicros;
}

function scaleRatio(
  results: Results,
  engine: 'sqlite' | 'postgres',
  read: 'checkMicros' | 'loginP50',
): number | undefined {
  const figures = results.scale?.result.engines[engine];
  return figures && figures.many[read] / figures.few[read];
}

function percent(ratio: number | undefined): number | undefined {
  return ratio === undefined ? undefined : ratio * 100;
}

/** The part of the engine's speed that the provider keeps; the slowest of the four requests. */
function providerRatio({ provider }: Results, subject: 'service on SQLite'): number | undefined {
  if (provider === undefined) return undefined;
  const { subjects } = provider.result;
  const [ours, alone] = [subjects[subject], subjects['engine in memory']];
  return Math.min(
    ...(['introspection', 'userinfo', 'refresh', 'codeFlow'] as const).map(
      (what) => alone[what] / ours[what],
    ),
  );
}

const floods: readonly (readonly [string, (results: Results) => FloodFigures | undefined])[] = [
  ['sqlite', ({ flood }) => flood?.result.hashed.sqlite],
  ['postgres', ({ flood }) => flood?.result.hashed.postgres],
  ['postgres in control groups', ({ flood }) => groupedFigures(flood?.result.grouped)],
];

function groupedFigures(grouped: FloodResult['grouped'] | undefined): FloodFigures | undefined {
  return grouped === undefined || 'skipped' in grouped ? undefined : grouped;
}

export const goals: readonly Goal[] = [
  {
    says: 'OpenID provider against its engine alone, the slowest of introspection, userinfo, refresh and sign-in',
    aim: '>= 80 %',
    unit: '%',
    measured: (results) => percent(providerRatio(results, 'service on SQLite')),
    isReached: atLeast(80),
  },
  {
    says: 'Session check on SQLite, against bare node:http with the same statement',
    aim: '>= 85 %',
    unit: '%',
    measured: (results) => percent(checkRatio(results, 'service on SQLite', 'bare SQLite')),
    isReached: atLeast(85),
  },
  {
    says: 'Session check on SQLite, against Better Auth',
    aim: '>= 30 x',
    unit: 'x',
    measured: (results) => checkRatio(results, 'service on SQLite', 'Better Auth'),
    isReached: atLeast(30),
  },
  {
    says: 'Session check on SQLite, against Express, express-session and passport-local',
    aim: '>= 5 x',
    unit: 'x',
    measured: (results) => checkRatio(results, 'service on SQLite', 'Express by hand'),
    isReached: atLeast(5),
  },
  {
    says: 'Session check on PostgreSQL, against bare pg with a named statement',
    aim: '>= 150 %',
    unit: '%',
    measured: (results) => percent(checkRatio(results, 'service on PostgreSQL', 'bare PostgreSQL')),
    isReached: atLeast(150),
  },
  ...(['service on SQLite', 'service on PostgreSQL'] as const).map((subject): Goal => ({
    says: `Logins per second against the bare hash rate, ${subject}`,
    aim: '>= 95 %',
    unit: '%',
    measured: ({ logins }) =>
      logins && (logins.result.subjects[subject].loginsPerSecond / logins.result.hashesPerSecond) * 100,
    isReached: atLeast(95),
  })),
  ...floods.flatMap(([name, figures]): Goal[] => [
    {
      says: `p99 of session checks in a login flood, ${name}`,
      aim: '<= 10 ms',
      unit: 'ms',
      measured: (results) => figures(results)?.flooded.p99,
      isReached: atMost(10),
    },
    {
      says: `the same against idle, ${name}`,
      aim: '<= 8 x',
      unit: 'x',
      measured: (results) => {
        const measured = figures(results);
        return measured && measured.flooded.p99 / measured.idle.p99;
      },
      isReached: atMost(8),
    },
  ]),
  {
    says: 'p99 of session checks with every fsync 5 ms slower, at 100 logins per second',
    aim: '< 10 ms',
    unit: 'ms',
    measured: (results) => results['slow-disk']?.result.slow?.checks.p99,
    isReached: below(10),
  },
  {
    says: 'Known against unknown addresses, with every fsync 4 ms slower',
    aim: '< 1 ms',
    unit: 'ms',
    measured: ({ enumeration }) => enumeration && largestDifference(enumeration.result),
    isReached: below(1),
  },
  ...(['sqlite', 'postgres'] as const).flatMap((engine): Goal[] => [
    {
      says: `CPU of a session check with a million accounts, against ten thousand, ${engine}`,
      aim: '<= 1.5 x',
      unit: 'x',
      measured: (results) => scaleRatio(results, engine, 'checkMicros'),
      isReached: atMost(1.5),
    },
    {
      says: `Time of a login with a million accounts, against ten thousand, ${engine}`,
      aim: '<= 1.5 x',
      unit: 'x',
      measured: (results) => scaleRatio(results, engine, 'loginP50'),
      isReached: atMost(1.5),
    },
  ]),
  ...(['sqlite', 'postgres'] as const).map((engine): Goal => ({
    says: `Time of a login while the mail server hangs, against an empty queue, ${engine}`,
    aim: '<= 1.2 x',
    unit: 'x',
    measured: ({ mails }) =>
      mails && mails.result.engines[engine].hanging.p50 / mails.result.engines[engine].idle.p50,
    isReached: atMost(1.2),
  })),
  {
    says: 'Heaviest page, uncompressed',
    aim: '< 20 kB',
    unit: 'kB',
    measured: ({ pages }) =>
      pages && Math.max(...Object.values(pages.result.pages).map(({ bytes }) => bytes / 1000)),
    isReached: below(20),
  },
  {
    says: 'Script of the pages, gzip',
    aim: '< 10 kB',
    unit: 'kB',
    measured: ({ pages }) => {
      const script = pages?.result.files['/page.js'];
      return script && script.gzipBytes / 1000;
    },
    isReached: below(10),
  },
  {
    says: 'Time from start to first answer',
    aim: '< 500 ms',
    unit: 'ms',
    measured: ({ start }) => start?.result.sqlite.startMs,
    isReached: below(500),
  },
  {
    says: 'Memory, idle',
    aim: '< 100 MB',
    unit: 'MB',
    measured: ({ start }) => start?.result.sqlite.idleMb,
    isReached: below(100),
  },
  {
    says: 'Memory, after load',
    aim: '< 250 MB',
    unit: 'MB',
    measured: ({ start }) => start?.result.loadedMb.sqlite,
    isReached: below(250),
  },
  {
    says: 'Production installation without the runtime',
    aim: '< 200 MB',
    unit: 'MB',
    measured: ({ install }) => install?.result.megabytes,
    isReached: below(200),
  },
];
