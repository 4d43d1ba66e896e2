// A disk that takes 5 ms longer to confirm a write, as a rented one may. Logins wait for it; session checks must not.
// strace delays the system calls; the rounds for comparison run under strace without delays.
import { startLoad } from '../load/plan.ts';
import { wideLimits } from '../support/limits.ts';
import type { Run } from '../support/run.ts';
import { medianOf, type Latencies } from '../support/statistics.ts';
import { underDelay, whyNoDelay } from '../support/strace.ts';
import { startService } from '../support/subject.ts';

export interface SlowDiskResult {
  /** Why it was not measured. */
  readonly skipped?: string;
  readonly delayMs: number;
  readonly loginsPerSecond: number;
  readonly checksPerSecond: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly usual: DiskFigures | undefined;
  readonly slow: DiskFigures | undefined;
}

export interface DiskFigures {
  readonly checks: Latencies;
  readonly logins: Latencies;
}

const accounts = 10_000;
const delayMs = 5;
const loginsPerSecond = 100;
const checksPerSecond = 1000;

export async function measureSlowDisk(run: Run): Promise<SlowDiskResult> {
  const rounds = run.choose(3, 1);
  const seconds = run.choose(10, 2);
  const parameters = { delayMs, loginsPerSecond, checksPerSecond, rounds, seconds };
  const skipped = whyNoDelay();
  if (skipped !== undefined) return { ...parameters, skipped, usual: undefined, slow: undefined };
  const figures: { usual: DiskFigures[]; slow: DiskFigures[] } = { usual: [], slow: [] };
  for (let round = 1; round <= rounds; round += 1) {
    for (const kind of ['usual', 'slow'] as const) {
      run.say(`slow disk, round ${round} of ${rounds}: ${kind}`);
      figures[kind].push(await measureOne(run, underDelay(kind === 'slow' ? delayMs : 0), seconds));
    }
  }
  return { ...parameters, usual: medianFigures(figures.usual), slow: medianFigures(figures.slow) };
}

async function measureOne(run: Run, under: readonly string[], seconds: number): Promise<DiskFigures> {
  const url = await run.database('sqlite', accounts);
  const subject = await startService(run, { url, accounts, pinned: false, environment: wideLimits, under });
  const { port, checks, logins, program } = subject;
  const plan = { mode: 'open', port, pid: program.pid, seconds } as const;
  const warm = startLoad(
    { ...plan, mode: 'closed', requests: checks, connections: 8, seconds: 1, warmUpSeconds: 1 },
    undefined,
  );
  await warm.result;
  const loggingIn = startLoad(
    { ...plan, requests: logins, connections: 16, perSecond: loginsPerSecond },
    undefined,
  );
  const checking = startLoad(
    { ...plan, requests: checks, connections: 16, perSecond: checksPerSecond },
    undefined,
  );
  const [loggedIn, checked] = await Promise.all([loggingIn.result, checking.result]);
  await program.stop();
  return { checks: checked.latencies, logins: loggedIn.latenciesByStatus['200'] ?? loggedIn.latencies };
}

function medianFigures(rounds: readonly DiskFigures[]): DiskFigures {
  const of = (kind: keyof DiskFigures): Latencies => medianOf(rounds.map((round) => round[kind]));
  return { checks: of('checks'), logins: of('logins') };
}
