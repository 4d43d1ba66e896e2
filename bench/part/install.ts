// The size of a production install on the disk.
import { spawnSync } from 'node:child_process';
import { cpSync, lstatSync, mkdirSync, readdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Run } from '../support/run.ts';

export interface InstallResult {
  readonly packages: number;
  /** Everything except the runtime, in MB (10^6 bytes). */
  readonly megabytes: number;
  /** The pinned Node.js. */
  readonly runtimeMb: number;
  /** The largest packages, without the runtime. */
  readonly heaviest: readonly (readonly [name: string, megabytes: number])[];
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const runtimePattern = /^node-(linux|win|darwin)-/;

export async function measureInstall(run: Run): Promise<InstallResult> {
  run.say('install: npm ci --omit=dev in an empty folder');
  const folder = run.file('install');
  mkdirSync(join(folder, 'server'), { recursive: true });
  for (const name of ['package.json', 'package-lock.json', '.npmrc', 'server/package.json'])
    cpSync(join(root, name), join(folder, name));
  const args = ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status, stderr } = spawnSync('npm', args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm ci failed:\n${stderr}`);
  const sizes = packagesOf(join(folder, 'node_modules')).map(
    ([name, path]) => [name, bytesOf(path) / 1e6] as const,
  );
  const own = sizes.filter(([name]) => !runtimePattern.test(name));
  const sum = (list: typeof sizes): number => list.reduce((total, [, megabytes]) => total + megabytes, 0);
  return {
    packages: own.length,
    megabytes: sum(own),
    runtimeMb: sum(sizes) - sum(own),
    heaviest: own.toSorted((a, b) => b[1] - a[1]).slice(0, 8),
  };
}

/**
 * Names and folders of the packages directly below a node_modules; nested packages count for the one that contains
 * them.
 */
function packagesOf(modules: string): [name: string, path: string][] {
  return readdirSync(modules).flatMap((name): [string, string][] => {
    const path = join(modules, name);
    if (name.startsWith('.') || lstatSync(path).isSymbolicLink()) return [];
    if (!name.startsWith('@')) return [[name, path]];
    return readdirSync(path)
      .filter(
        (part) =>
          existsSync(join(path, part, 'package.json')) && !lstatSync(join(path, part)).isSymbolicLink(),
      )
      .map((part) => [`${name}/${part}`, join(path, part)]);
  });
}

/** Disk space of a folder: whole blocks, as `du` counts. */
function bytesOf(path: string): number {
  const { blocks } = lstatSync(path);
  const own = blocks * 512;
  if (!lstatSync(path).isDirectory()) return own;
  return readdirSync(path).reduce((total, name) => total + bytesOf(join(path, name)), own);
}
