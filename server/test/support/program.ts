// Runs the program `bienvenue` as a process with arguments, an environment and a standard input.
import assert from 'node:assert/strict';
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../../src/config/read-options.ts';
import type { HostedCommand } from './command-host.ts';
import { runtimeEnvironment } from './runtime.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const hostScript = fileURLToPath(new URL('command-host.ts', import.meta.url));

export interface Outcome {
  /** Exit code; null if a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The user that runs a program; by default that of the tests. */
export interface User {
  readonly uid?: number;
  readonly gid?: number;
}

export interface ProgramOptions {
  readonly user?: User;
  readonly environment?: Environment;
  /** Standard input. */
  readonly input?: string;
  /** The runtime; by default that of the tests. */
  readonly node?: string;
  /** The file that it runs; by default src/main.ts. */
  readonly script?: string;
}

/** Returns what a command printed on standard error, without the line that says which data it uses. */
export function withoutPlace(stderr: string): string {
  return stderr.replace(/^(?:Database|Keys): .*\n/, '');
}

/** Milliseconds after which a command counts as hanging. */
const longestMs = 120_000;

/** Runs a command to its end. */
export async function runProgram(args: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
  const { environment = {}, input = '', node = process.execPath, script = main, user = {} } = options;
  const child = spawn(node, [script, ...args], {
    ...user,
    env: { ...runtimeEnvironment(), ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: longestMs,
  });
  child.stdin.on('error', () => {}); // it may end without reading
  child.stdin.end(input);
  const ended = new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

/** Runs commands in one process, one after the other (command-host.ts), which starts with the first of them. */
export class CommandHost {
  readonly #user: User;
  #process: ChildProcess | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** @param user the user that runs it, if the tests run as root. */
  constructor(user: User = {}) {
    this.#user = user;
  }

  run(args: readonly string[], { environment = {}, input = '' }: ProgramOptions = {}): Promise<Outcome> {
    const outcome = this.#last.then(() => this.#ask({ args, environment, input }));
    this.#last = outcome.catch(() => {});
    return outcome;
  }

  /** Runs a command with --json that must succeed; returns its output. */
  async json(args: readonly string[], options: ProgramOptions = {}): Promise<unknown> {
    const { code, stdout, stderr } = await this.run([...args, '--json'], options);
    assert.deepEqual({ code, stderr: withoutPlace(stderr) }, { code: 0, stderr: '' }, args.join(' '));
    return JSON.parse(stdout);
  }

  close(): void {
    this.#process?.disconnect();
  }

  async #ask(command: HostedCommand): Promise<Outcome> {
    this.#process ??= fork(hostScript, { ...this.#user, env: { ...runtimeEnvironment() } });
    const child = this.#process;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${command.args.join(' ')} hangs`)), longestMs);
      child.once('exit', reject);
      child.once('message', (outcome) => {
        clearTimeout(late);
        child.removeListener('exit', reject);
        resolve(outcome as Outcome); // what command-host.ts sends
      });
      child.send(command);
    });
  }
}
