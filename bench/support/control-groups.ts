// Linux control groups for the service and PostgreSQL. Containers and units of systemd have a share of the processor
// each. Without them, the kernel groups processes by their session ("autogroup", sched(7)), and each connection of
// PostgreSQL is a session of its own: then the low priority of the hashing threads counts against the service alone.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const names = ['service', 'postgres'] as const;
export type GroupName = (typeof names)[number];

export interface ControlGroups {
  /** Moves a process with its children there, or back to the root; what they start later is there as well. */
  readonly move: (pid: number, name: GroupName | 'root') => void;
  /** Their processes have ended. */
  readonly remove: () => void;
}

/** Makes groups of equal weight below the root, or returns why that is not possible. */
export function makeControlGroups(): ControlGroups | { readonly skipped: string } {
  const root = rootOfCpu();
  if (root === undefined) return { skipped: 'the system has no control groups for the processor' };
  const folderOf = (name: GroupName | 'root'): string =>
    name === 'root' ? root : join(root, `bienvenue-bench-${process.pid}-${name}`);
  try {
    const controllers = join(root, 'cgroup.subtree_control'); // version 2 only
    if (existsSync(controllers)) writeFileSync(controllers, '+cpu');
    for (const name of names) mkdirSync(folderOf(name));
  } catch (error) {
    return { skipped: `this user may not make control groups (${String(error)})` };
  }
  return {
    move(pid, name) {
      for (const id of [pid, ...childrenOf(pid)])
        writeFileSync(join(folderOf(name), 'cgroup.procs'), String(id));
    },
    remove() {
      for (const name of names) rmdirSync(folderOf(name));
    },
  };
}

/** Folder of the root group for the processor, in version 1 or 2 of control groups. */
function rootOfCpu(): string | undefined {
  let mounts: string;
  try {
    mounts = readFileSync('/proc/self/mounts', 'utf8');
  } catch {
    return undefined;
  }
  for (const line of mounts.split('\n')) {
    const [, folder = '', type, options = ''] = line.split(' ');
    if (type === 'cgroup' && options.split(',').includes('cpu')) return folder;
    if (type === 'cgroup2' && controllersOf(folder).includes('cpu')) return folder;
  }
  return undefined;
}

function controllersOf(folder: string): string[] {
  return readFileSync(join(folder, 'cgroup.controllers'), 'utf8').trim().split(' ');
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
  );
}
