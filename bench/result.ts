// Stores the results of all parts in a file next to the programs, so that one part can be measured again while the
// report keeps the others, each with its date and commit.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { measureChecks, type ChecksResult } from './part/checks.ts';
import { measureEnumeration, type EnumerationResult } from './part/enumeration.ts';
import { measureFlood, type FloodResult } from './part/flood.ts';
import { measureInstall, type InstallResult } from './part/install.ts';
import { measureLogins, type LoginsResult } from './part/logins.ts';
import { measureMails, type MailsResult } from './part/mails.ts';
import { measurePages, type PagesResult } from './part/pages.ts';
import { measureProvider, type ProviderResult } from './part/provider.ts';
import { measureScale, type ScaleResult } from './part/scale.ts';
import { measureSlowDisk, type SlowDiskResult } from './part/slow-disk.ts';
import { measureStart, type StartResult } from './part/start.ts';
import type { Machine } from './support/machine.ts';
import type { Run } from './support/run.ts';

/** A part's result and its origin. */
export interface Measured<T> {
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly result: T;
}

interface ResultOf {
  readonly checks: ChecksResult;
  readonly logins: LoginsResult;
  readonly flood: FloodResult;
  readonly 'slow-disk': SlowDiskResult;
  readonly enumeration: EnumerationResult;
  readonly mails: MailsResult;
  readonly pages: PagesResult;
  readonly start: StartResult;
  readonly install: InstallResult;
  readonly scale: ScaleResult;
  readonly provider: ProviderResult;
}

export type PartName = keyof ResultOf;
export type Results = { readonly [Name in PartName]?: Measured<ResultOf[Name]> };

/** Every part by name, in the order of a whole run. */
export const parts: { readonly [Name in PartName]: (run: Run) => Promise<ResultOf[Name]> } = {
  checks: measureChecks,
  logins: measureLogins,
  flood: measureFlood,
  'slow-disk': measureSlowDisk,
  enumeration: measureEnumeration,
  mails: measureMails,
  pages: measurePages,
  start: measureStart,
  install: measureInstall,
  scale: measureScale,
  provider: measureProvider,
};

export const partNames = Object.keys(parts) as PartName[]; // its own keys

const file = fileURLToPath(new URL('results.json', import.meta.url));

export function readResults(): Results {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : {}; // written below
}

export function writeResults(results: Results): void {
  writeFileSync(file, `${JSON.stringify(results, roundNumber, 2)}\n`);
}

/** Five digits are more than any figure is accurate to. */
function roundNumber(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}
