// Reads the table of options from the environment, `*_FILE` secrets and an optional TOML file, and refuses with one
// error that lists every fault at once.
import { readFileSync } from 'node:fs';
import { parse as parseToml } from 'smol-toml';
import { isLoopback, OptionFault } from './parse.ts';
import { options, type Given, type OptionName, type OptionRow, type Options } from './options.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
/** Where a value came from. */
export type OptionSource = 'default' | 'environment' | 'file';

export interface Configuration {
  readonly options: Options;
  readonly sources: Readonly<Record<OptionName, OptionSource>>;
  /** `PUBLIC_URL` is https. */
  readonly isPublic: boolean;
}

/** The options cannot be used; the message lists every fault with its remedy. */
export class ConfigurationFault extends Error {
  override readonly name = 'ConfigurationFault';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(`The options cannot be used:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Path of a TOML file with options; those of the environment go first. */
const fileVariable = 'BIENVENUE_CONFIG';

interface Reading {
  readonly value: unknown;
  readonly source: OptionSource;
}

/**
 * Reads all options.
 * @throws {ConfigurationFault}
 */
export function readOptions(environment: Environment): Configuration {
  const faults: string[] = [];
  const file = readFile(environment[fileVariable], faults);
  for (const key of Object.keys(file)) {
    if (!Object.values(options).some(({ env }) => env === key)) faults.push(`${key} in ${environment[fileVariable]} is no option`);
  }

  // The two from which defaults follow come first.
  const publicUrl = readOne(options.publicUrl, environment, file, noneGiven, faults);
  const dataDir = readOne(options.dataDir, environment, file, noneGiven, faults);
  const isPublic = (publicUrl.value as URL | undefined)?.protocol === 'https:';
  const given: Given = { isPublic, dataDir: String(dataDir.value) };

  const readings = Object.entries(options).map(([name, row]) => {
    if (name === 'publicUrl') return [name, publicUrl] as const;
    if (name === 'dataDir') return [name, dataDir] as const;
    return [name, readOne(row as OptionRow<unknown>, environment, file, given, faults)] as const;
  });
  const values = Object.fromEntries(readings.map(([name, { value }]) => [name, value])) as unknown as Options; // one reading for each row of the table
  const sources = Object.fromEntries(readings.map(([name, { source }]) => [name, source])) as Record<OptionName, OptionSource>;

  if (faults.length === 0) faults.push(...unsafe(values, isPublic));
  if (faults.length > 0) throw new ConfigurationFault(faults);
  return { options: values, sources, isPublic };
}

const noneGiven: Given = { isPublic: false, dataDir: '' };

/** Values that are right each by itself and wrong together. */
function unsafe(values: Options, isPublic: boolean): string[] {
  const faults: string[] = [];
  if (!isPublic && !isLoopback(values.host)) {
    faults.push(
      `HOST is ${values.host}, but local mode hands out reset tokens and takes any password, so it listens on loopback only. Set PUBLIC_URL=https://… to serve others, or leave HOST away.`,
    );
  }
  if (values.sessionIdleDays > values.sessionDays) faults.push('SESSION_IDLE_DAYS must not be more than SESSION_DAYS');
  return faults;
}

function readOne(row: OptionRow<unknown>, environment: Environment, file: Record<string, unknown>, given: Given, faults: string[]): Reading {
  const found = lookUp(row, environment, file, faults);
  if (found === undefined) return { value: row.default(given), source: 'default' };
  try {
    return { value: row.parse(found.text), source: found.source };
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    faults.push(`${row.env} ${error.message}`);
    return { value: row.default(given), source: found.source };
  }
}

/** The text of an option: from the environment, a secret's file, or the file of options. An empty one is not given. */
function lookUp(row: OptionRow<unknown>, environment: Environment, file: Record<string, unknown>, faults: string[]): { text: string; source: OptionSource } | undefined {
  const direct = environment[row.env];
  if (direct !== undefined && direct !== '') return { text: direct.trim(), source: 'environment' };
  const path = row.secret === true ? environment[`${row.env}_FILE`] : undefined;
  if (path !== undefined && path !== '') {
    try {
      return { text: readFileSync(path, 'utf8').trim(), source: 'file' };
    } catch {
      faults.push(`${row.env}_FILE names ${path}, which cannot be read`);
      return undefined;
    }
  }
  const filed = file[row.env];
  if (filed === undefined) return undefined;
  if (typeof filed === 'object') {
    faults.push(`${row.env} in the file of options must be a single value`);
    return undefined;
  }
  return { text: String(filed), source: 'file' };
}

function readFile(path: string | undefined, faults: string[]): Record<string, unknown> {
  if (path === undefined || path === '') return {};
  try {
    return parseToml(readFileSync(path, 'utf8'));
  } catch (error) {
    faults.push(`${fileVariable} names ${path}, which cannot be read as TOML: ${String(error).split('\n', 1)[0]}`);
    return {};
  }
}

/** A value as it may be shown: secrets hidden. */
export function showOption(name: OptionName, value: unknown): string {
  const row: OptionRow<unknown> = options[name] as OptionRow<unknown>; // one shape for all rows
  if (value === undefined) return '';
  if (row.secret === true) return hideSecret(String(value));
  return value instanceof URL ? value.origin : String(value);
}

/** A URL without its password; of any other secret only that there is one. */
function hideSecret(value: string): string {
  if (value.startsWith('sqlite:')) return value;
  const url = URL.parse(value);
  if (url === null) return '[hidden]';
  if (url.password !== '') url.password = '[hidden]';
  return decodeURI(url.href);
}
