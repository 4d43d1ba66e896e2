// Starts the programs of a run. Each is known by its id until it has ended, so that an aborted run ends only its own
// programs.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

export interface Program {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Stops it as an operator would, and kills it if that takes too long. */
  readonly stop: () => Promise<void>;
}

export interface ProgramOptions {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** File of its output. */
  readonly logFile: string;
}

const running = new Set<ChildProcess>();
/** A server closes its connections and its database; after this time it counts as hanging. */
const stopMs = 15_000;

export function startProgram({ name, command, environment = {}, logFile }: ProgramOptions): Program {
  const [file = '', ...args] = command;
  const log = openSync(logFile, 'a');
  // Passes only the environment that a program needs to run: a measurement must not depend on the user who runs it.
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    TMPDIR: process.env['TMPDIR'],
    ...environment,
  };
  const child = spawn(file, args, { env, stdio: ['ignore', log, log] });
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} could not be started: ${file} is missing`);
  track(child);
  return { pid, child, stop: () => stop(child) };
}

/** Adds a process to this run, which ends it. */
export function track(child: ChildProcess): void {
  running.add(child);
  child.once('exit', () => running.delete(child));
}

async function stop(child: ChildProcess): Promise<void> {
  if (!running.has(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await ended;
  clearTimeout(patience);
}

/** Kills the programs that still run, when a run aborts. */
export function killPrograms(): void {
  for (const child of running) child.kill('SIGKILL');
}

export function isRunning(child: ChildProcess): boolean {
  return running.has(child);
}

/** How long a server may take to answer; a cold start on a busy machine takes seconds. */
const startMs = 60_000;

/** Waits until the server answers; returns the milliseconds since an instant of `performance.now()`. */
export async function firstAnswer(
  program: Program,
  url: string,
  logFile: string,
  startedAt: number,
): Promise<number> {
  while (performance.now() - startedAt < startMs) {
    if (!isRunning(program.child)) break;
    if (await answers(url)) return performance.now() - startedAt;
    await wait(2);
  }
  throw new Error(`No answer at ${url}:\n${readFileSync(logFile, 'utf8').slice(-2000)}`);
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false }, (reply) => {
      reply.resume();
      resolve((reply.statusCode ?? 500) < 500);
    });
    request.once('error', () => resolve(false)); // not listening yet
  });
}
