// Runs a program under strace, which delays its writes to the disk.
import { spawnSync } from 'node:child_process';

const calls = 'fsync,fdatasync';
/** Stops the process only at the named calls; without this, every system call stops it and strace itself dominates. */
const tracer = ['strace', '-D', '-f', '-qq', '--seccomp-bpf', '-o', '/dev/null', '-e', `trace=${calls}`];

/** Returns the command under which a program runs while each flush takes longer; with 0 it is traced only. */
export function underDelay(delayMs: number): readonly string[] {
  return delayMs === 0 ? tracer : [...tracer, '-e', `inject=${calls}:delay_exit=${delayMs * 1000}`];
}

/** Returns why flushes cannot be delayed here; `undefined` if they can. */
export function whyNoDelay(): string | undefined {
  const probe = ['-qq', '--seccomp-bpf', '-f', '-o', '/dev/null', '-e', 'trace=fsync'];
  const { error, status } = spawnSync('strace', [...probe, '-e', 'inject=fsync:delay_exit=1', 'true']);
  if (error !== undefined) return 'strace is not installed';
  return status === 0 ? undefined : 'strace may not trace here';
}
