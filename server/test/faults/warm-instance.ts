// Runs an older instance while a newer release migrates the database. The older one is built from the commit before the
// last change of the migrations, so that a migration that breaks it is found before the release.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Environment } from '../../src/config/read-options.ts';
import { freePort } from '../support/free-port.ts';
import { runtimeEnvironment } from '../support/runtime.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../../..');
/** Every change of the schema touches one of these. */
const migrationFiles = ':(glob)server/src/**/migrations.ts';
/** Older builds have a single list of migrations, and statements that read every column. */
const firstFile = 'server/src/db/migration.ts';
const startMs = 60_000;

async function git(...args: readonly string[]): Promise<string> {
  return (await run('git', args, { cwd: root })).stdout.trim();
}

/** A commit to build the older instance of, or the reason why it is missing. */
export type OlderCommit = { readonly commit: string } | { readonly reason: string };

/** Finds the commit before the last change of the migrations: HEAD if that change is not committed yet. */
export async function findOlderCommit(): Promise<OlderCommit> {
  try {
    if ((await git('status', '--porcelain', '--', migrationFiles)) !== '')
      return { commit: await git('rev-parse', 'HEAD') };
    const changed = await git('log', '-1', '--first-parent', '-m', '--format=%H', '--', migrationFiles);
    const parent = await git('rev-parse', '--verify', `${changed}^`);
    if ((await git('ls-tree', parent, '--', firstFile)) !== '') return { commit: parent };
    // An older instance fails when a column is added; the first commit that does not is the one that introduced this
    // rule.
    return { commit: await git('log', '-1', '--diff-filter=A', '--format=%H', '--', firstFile) };
  } catch (error) {
    return { reason: `no git history: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** Writes the sources of a commit into a folder, with the packages of this checkout; the caller removes it. */
export async function checkOut(commit: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bienvenue-older-'));
  const archive = join(folder, 'archive.tar');
  await git('archive', '--format=tar', `--output=${archive}`, commit);
  await mkdir(join(folder, 'checkout'));
  await run('tar', ['-xf', archive, '-C', join(folder, 'checkout')]);
  await rm(archive);
  await symlink(join(root, 'node_modules'), join(folder, 'checkout', 'node_modules'));
  return folder;
}

/** A running older instance. */
export interface OlderInstance {
  readonly baseUrl: string;
  readonly stop: () => Promise<void>;
}

/** Starts the service of a checked out commit and waits until it is ready. */
export async function startOlder(folder: string, environment: Environment): Promise<OlderInstance> {
  const port = await freePort();
  const program = join(folder, 'checkout/server/test/support/cheap-main.ts');
  if (!existsSync(program)) throw new Error(`${program} is missing`);
  const child = spawn(process.execPath, [program, 'serve'], {
    env: { ...runtimeEnvironment(), ...environment, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = once(child, 'exit');
  const baseUrl = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  for (const deadline = Date.now() + startMs; ; await pause(50)) {
    const isReady = await fetch(`${baseUrl}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return { baseUrl, stop };
    if (Date.now() > deadline || child.exitCode !== null) {
      await stop();
      throw new Error('The older instance did not start');
    }
  }
}
