// The program `bienvenue` as a person runs it: a process with arguments, an environment and a standard input.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../../src/config/read-options.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** The runtime keeps the stripped sources here: a third of the time of a short command. */
const compileCache = fileURLToPath(new URL('../../../node_modules/.cache/bienvenue-tests', import.meta.url));

export interface Outcome {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly environment?: Environment;
  /** What it reads on standard input. */
  readonly input?: string;
  /** The runtime; the one of the tests, if nothing is said. */
  readonly node?: string;
  /** The file that it runs; src/main.ts, if nothing is said. */
  readonly script?: string;
}

/** A command that takes longer than this hangs. */
const longestMs = 30_000;

/** Runs a command to its end. */
export async function runProgram(args: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
  const { environment = {}, input = '', node = process.execPath, script = main } = options;
  const child = spawn(node, [script, ...args], {
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: compileCache, ...environment },
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

/** Runs a command that must do what it was asked, with --json, and returns what it printed. */
export async function runForJson(args: readonly string[], options: ProgramOptions = {}): Promise<unknown> {
  const { code, stdout, stderr } = await runProgram([...args, '--json'], options);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  return JSON.parse(stdout);
}
