// A process that runs commands of `bienvenue` one after the other, each with its own arguments, environment and
// standard input. Starting the program takes ten times as long as most commands; program.ts tests the program itself
// (its start, its end, signals).
import { Readable } from 'node:stream';
import type { Environment } from '../../src/config/read-options.ts';
import { run } from '../../src/cli/cli.ts';
import type { Outcome } from './program.ts';

/** A command to run. */
export interface HostedCommand {
  readonly args: readonly string[];
  readonly environment: Environment;
  readonly input: string;
}

/** Collects what is written to a stream while the work runs. */
async function written(stream: NodeJS.WriteStream, work: () => Promise<void>): Promise<string> {
  const parts: string[] = [];
  const write = stream.write.bind(stream);
  stream.write = (part: Uint8Array | string): boolean => {
    parts.push(typeof part === 'string' ? part : Buffer.from(part).toString());
    return true;
  };
  try {
    await work();
  } finally {
    stream.write = write;
  }
  return parts.join('');
}

/**
 * Lets a command of root give up its rights until it ends: it gives up the effective ids, which the system checks.
 * Returns a function that takes them back.
 */
function lendRights(): () => void {
  const { geteuid, seteuid, setegid, getgroups, setgroups } = process;
  if (geteuid?.() !== 0) return () => {};
  const groups = getgroups?.() ?? [];
  Object.assign(process, { getuid: geteuid, setuid: seteuid, setgid: setegid });
  return () => {
    seteuid?.(0);
    setegid?.(0);
    setgroups?.(groups);
  };
}

async function host({ args, environment, input }: HostedCommand): Promise<Outcome> {
  Object.defineProperty(process, 'stdin', { configurable: true, value: Readable.from([Buffer.from(input)]) });
  let stderr = '';
  const takeBack = lendRights();
  const stdout = await written(process.stdout, async () => {
    stderr = await written(process.stderr, () => run(['node', 'bienvenue', ...args], { environment }));
  });
  takeBack();
  const { exitCode = 0 } = process;
  process.exitCode = undefined;
  return { code: Number(exitCode), stdout, stderr };
}

process.on('message', (command: HostedCommand) => {
  // oxlint-disable-next-line typescript/no-floating-promises -- an error ends this process, which its parent notices
  host(command).then((outcome) => process.send?.(outcome));
});
