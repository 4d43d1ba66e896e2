// Does a session check or a login cost more with a million accounts than with ten thousand?
import { runLoad, served } from '../load/plan.ts';
import { wideLimits } from '../support/limits.ts';
import type { EngineName, Run } from '../support/run.ts';
import { medianOf } from '../support/statistics.ts';
import { startService, type Subject } from '../support/subject.ts';

export interface ScaleFigures {
  readonly checksPerSecond: number;
  readonly checkMicros: number;
  readonly loginsPerSecond: number;
  /** Single logins, one after the other: shows the time in addition to the hash. */
  readonly loginP50: number;
}

export interface ScaleResult {
  readonly few: number;
  readonly many: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly engines: Readonly<Record<EngineName, { readonly few: ScaleFigures; readonly many: ScaleFigures }>>;
}

const few = 10_000;
const connections = 32;

export async function measureScale(run: Run): Promise<ScaleResult> {
  const many = run.choose(1_000_000, 50_000);
  const rounds = run.choose(3, 1);
  const seconds = run.choose(4, 1);
  const measure = async (engine: EngineName): Promise<{ few: ScaleFigures; many: ScaleFigures }> => {
    const subjects = { few: await start(run, engine, few), many: await start(run, engine, many) };
    const figures: { few: ScaleFigures[]; many: ScaleFigures[] } = { few: [], many: [] };
    for (let round = 1; round <= rounds; round += 1) {
      for (const size of ['few', 'many'] as const) {
        run.say(
          `scale on ${engine}, round ${round} of ${rounds}: ${(size === 'few' ? few : many).toLocaleString('en')} accounts`,
        );
        figures[size].push(await measureOne(run, subjects[size], seconds));
      }
    }
    await subjects.few.program.stop();
    await subjects.many.program.stop();
    return {
      few: medianOf(figures.few),
      many: medianOf(figures.many),
    };
  };
  return {
    few,
    many,
    rounds,
    seconds,
    engines: { sqlite: await measure('sqlite'), postgres: await measure('postgres') },
  };
}

async function start(run: Run, engine: EngineName, accounts: number): Promise<Subject> {
  return startService(run, {
    url: await run.database(engine, accounts),
    accounts,
    pinned: true,
    environment: wideLimits,
  });
}

async function measureOne(
  run: Run,
  { program, port, checks, logins }: Subject,
  seconds: number,
): Promise<ScaleFigures> {
  const plan = { mode: 'closed', port, pid: program.pid, seconds } as const;
  const others = run.cores?.others;
  const checked = await runLoad(
    { ...plan, requests: checks, connections, warmUpSeconds: run.choose(1.5, 0.5) },
    others,
  );
  const loggedIn = await runLoad({ ...plan, requests: logins, connections, warmUpSeconds: 0.5 }, others);
  // Hashes of the 32 connections that were just closed are still running: they are done after the warm-up.
  const alone = await runLoad({ ...plan, requests: logins, connections: 1, warmUpSeconds: 2 }, others);
  return {
    checksPerSecond: checked.replies / checked.seconds,
    checkMicros: (checked.serverCpu * 1e6) / checked.replies,
    loginsPerSecond: served(loggedIn) / loggedIn.seconds,
    loginP50: alone.latenciesByStatus['200']?.p50 ?? 0,
  };
}
