// Describes the machine and the versions, without which a figure means nothing.
import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type as systemName } from 'node:os';
import { join } from 'node:path';
import { median } from './statistics.ts';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  readonly sqlite: string;
  readonly betterAuth: string;
  readonly express: string;
  /** Median of a small write and fdatasync in the folder of the databases. */
  readonly fsyncMs: number;
}

function versionOf(name: string): string {
  try {
    const manifest = readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8');
    return (JSON.parse(manifest) as { version: string }).version; // every installed package has one
  } catch {
    return 'not installed';
  }
}

export function describeMachine(folder: string): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1e9),
    system: `${systemName()} ${release()}`,
    node: process.version,
    sqlite: process.versions['sqlite'] ?? '',
    betterAuth: versionOf('better-auth'),
    express: versionOf('express'),
    fsyncMs: measureFsync(join(folder, 'fsync')),
  };
}

function measureFsync(path: string): number {
  const file = openSync(path, 'w');
  const page = Buffer.alloc(4096);
  const times = Array.from({ length: 50 }, () => {
    const startedAt = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    return performance.now() - startedAt;
  });
  closeSync(file);
  return median(times);
}

/** The commit that is measured, with a + if the service's files differ from it. */
export function currentCommit(): string {
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', '--', '../../server') === '' ? '' : '+'}`;
  } catch {
    return 'unknown';
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).trim();
}
