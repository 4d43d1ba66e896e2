// Assigns cores to the server and the rest. A server that shares its core with the generator measures both.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Cores {
  /** The core of a server that is measured alone. */
  readonly server: string;
  /** All others: the generator, and PostgreSQL. */
  readonly others: string;
  /** Those of a server that runs as in production, next to its database and the generator. */
  readonly all: string;
}

/** Splits this machine's cores; `undefined` if there is only one, or no `taskset`. */
export function findCores(): Cores | undefined {
  const ids = allowedCores();
  const [first, ...rest] = ids;
  if (first === undefined || rest.length === 0) return undefined;
  if (spawnSync('taskset', ['--version']).status !== 0) return undefined;
  return { server: String(first), others: rest.join(','), all: ids.join(',') };
}

/** Ids of the cores that this process may use; empty if the system does not report them. */
function allowedCores(): number[] {
  let status: string;
  try {
    status = readFileSync('/proc/self/status', 'utf8');
  } catch {
    return [];
  }
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

/** A command line that runs on the given cores only; the process keeps its id, since taskset becomes the program. */
export function onCores(cores: string | undefined, command: readonly string[]): readonly string[] {
  return cores === undefined ? command : ['taskset', '--cpu-list', cores, ...command];
}

/** Moves a running process, with all its threads, to the given cores. */
export function moveToCores(cores: string, pid: number): void {
  spawnSync('taskset', ['--all-tasks', '--cpu-list', '--pid', cores, String(pid)]);
}
