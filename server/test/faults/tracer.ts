// Disk faults that strace injects into a running service: at the n-th call on the files of the database the service is
// killed, or the call fails. SQLite tests itself in this way (https://www.sqlite.org/testing.html §3.2, §3.3).
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { sqlitePath } from '../../src/db/open-database.ts';
import type { ServiceProcess } from '../support/service.ts';

/** What happens at the n-th call of a kind: `signal=KILL`, `error=EIO`. With `andOn`, at every later call too. */
export interface Injection {
  readonly call: 'fsync,fdatasync' | 'pwrite64';
  readonly fault: 'signal=KILL' | 'error=EIO' | 'error=ENOSPC';
  readonly n: number;
  readonly andOn?: boolean;
}

export interface Tracer {
  /** Lets the process continue without faults; true if there was one. */
  readonly detach: () => Promise<boolean>;
}

/** Milliseconds that strace has to detach; if its process was killed, it may wait forever. */
const patienceMs = { 'signal=KILL': 500, 'error=EIO': 10_000, 'error=ENOSPC': 10_000 };

/** Why no fault can be injected here; `undefined` if it can. */
export function whyNoTracer(): string | undefined {
  const { status, error } = spawnSync('strace', [
    '-f',
    '-o',
    '/dev/null',
    '-e',
    'inject=fsync:error=EIO:when=9',
    'true',
  ]);
  if (error !== undefined) return 'strace is not installed';
  return status === 0 ? undefined : 'strace may not trace processes here';
}

/** Options of strace for a fault at the n-th call on the files of the database. */
function optionsFor(url: string, { call, fault, n, andOn = false }: Injection, report: string): string[] {
  const path = sqlitePath(url) ?? '';
  const files = [path, `${path}-wal`].flatMap((file) => ['-P', file]);
  const inject = `inject=${call}:${fault}:when=${n}${andOn ? '+' : ''}`;
  return ['-f', ...files, '-o', report, '-e', `trace=${call}`, '-e', inject];
}

/** Attaches to a process; only calls on the files of its database count. */
export async function injectInto(
  { child: { pid } }: Pick<ServiceProcess, 'child'>,
  url: string,
  injection: Injection,
): Promise<Tracer> {
  const report = join(await mkdtemp(join(tmpdir(), 'bienvenue-trace-')), 'calls');
  const options = optionsFor(url, injection, report);
  const strace = spawn('strace', [...options, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(strace, 'exit');
  const lines = createInterface({ input: strace.stderr });
  // Its first line says that it is attached to the process and all its threads, or why not.
  const said = await new Promise<string>((resolve) => {
    let first: string | undefined;
    const settle = (): void => resolve(first ?? 'strace ended');
    lines.on('line', (line) => {
      first ??= line;
      if (line.includes('attached')) settle();
    });
    strace.once('exit', settle);
  });
  if (!said.includes('attached')) throw new Error(said);
  return {
    async detach() {
      strace.kill('SIGTERM');
      const force = setTimeout(() => strace.kill('SIGKILL'), patienceMs[injection.fault]);
      await ended;
      clearTimeout(force);
      const calls = await readFile(report, 'utf8').catch(() => '');
      await rm(dirname(report), { recursive: true, force: true });
      return calls.includes('(INJECTED)');
    },
  };
}
