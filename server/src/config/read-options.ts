// Reads a table of options from the environment, `*_FILE` secrets and an optional TOML file. One error lists every fault.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Toml from 'smol-toml';
import type { OptionCheck, OptionContext, OptionRow, OptionTable, OptionValues } from './option.ts';
import type { coreOptions } from './options.ts';
import { fileVariable, ignoredFiles, misspelledNames, wrongKey } from './option-name.ts';
import { unreadable } from '../kit/file.ts';
import { OptionFault } from './parse.ts';
import { hasSecretFile } from './secret-file.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
/** Where the value of an option was found. */
type OptionSource = 'default' | 'environment' | 'file';

/** The options of a service. */
export interface Configuration<Table extends OptionTable> {
  readonly options: OptionValues<Table>;
  readonly sources: { readonly [Name in keyof Table]: OptionSource };
  /** `PUBLIC_URL` is https. */
  readonly isPublic: boolean;
  /** One sentence for each name in the environment that is probably a misspelled option, or that another one replaces. */
  readonly warnings: readonly string[];
}

/** The configuration is invalid; the message lists every fault with its remedy. */
export class ConfigurationFault extends Error {
  override readonly name = 'ConfigurationFault';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(`The configuration is invalid:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

interface Reading {
  readonly value: unknown;
  readonly source: OptionSource;
  /** Set if the given text is invalid; the value is the default. */
  readonly isFaulty?: true;
}

/** A table of options with the checks of its values. */
export interface OptionSet<Table extends OptionTable> {
  readonly table: Table & CoreTable;
  readonly checks: readonly OptionCheck<OptionValues<Table & CoreTable>>[];
}

/** The options on which defaults of others depend. */
type CoreTable = Pick<typeof coreOptions, 'publicUrl' | 'dataDir'>;

/**
 * Reads all options of a set.
 * @throws {ConfigurationFault} if the file, a value or a combination of values is invalid; it lists every fault.
 */
export function readOptionSet<Table extends OptionTable>(
  environment: Environment,
  { table, checks }: OptionSet<Table>,
): Configuration<Table & CoreTable> {
  const faults: string[] = [];
  const path = environment[fileVariable]?.trim() ?? '';
  const file = readFile(path, faults);
  const isFileRead = faults.length === 0;
  const rows: OptionTable = table;
  const names = Object.values(rows).map(({ env }) => env);
  for (const key of Object.keys(file)) {
    if (!names.includes(key)) faults.push(wrongKey(key, path, rows));
  }

  // Each row is read once: in order, or earlier if a default depends on it.
  const readings = new Map<OptionRow<unknown>, Reading>();
  const read = (row: OptionRow<unknown>): Reading => {
    const reading =
      readings.get(row) ?? readOne(row, lookUp(row, rows, { environment, file, faults }), context, faults);
    readings.set(row, reading);
    return reading;
  };
  const valueOf = <T>(row: OptionRow<T>): T => read(row).value as T; // the parser of the row returned it
  const context: OptionContext = {
    get isPublic() {
      return valueOf(table.publicUrl)?.protocol === 'https:';
    },
    get dataDir() {
      return valueOf(table.dataDir);
    },
    valueOf,
  };

  const entries = Object.entries(rows).map(([name, row]) => [name, read(row)] as const);
  const { isPublic } = context;
  const values = Object.fromEntries(entries.map(([name, { value }]) => [name, value])) as Configuration<
    Table & CoreTable
  >['options']; // one reading for each row
  const sources = Object.fromEntries(entries.map(([name, { source }]) => [name, source])) as Configuration<
    Table & CoreTable
  >['sources']; // one reading for each row
  const faulty = new Set(entries.filter(([, { isFaulty }]) => isFaulty === true).map(([name]) => name));
  // A file that cannot be read may hold the values that satisfy the checks.
  if (isFileRead) for (const check of checks) faults.push(...check(values, { isPublic, faulty }));
  const given = Object.keys(environment).filter((name) => (environment[name]?.trim() ?? '') !== '');
  const warnings = [...misspelledNames(given, rows), ...ignoredFiles(given, rows)];
  // A misspelled name may be the reason of a fault.
  if (faults.length > 0) throw new ConfigurationFault([...faults, ...warnings]);
  return { options: values, sources, isPublic, warnings };
}

function readOne(
  row: OptionRow<unknown>,
  found: Found | undefined,
  context: OptionContext,
  faults: string[],
): Reading {
  if (found === undefined) return { value: row.default(context), source: 'default' };
  try {
    requireUnquoted(found.text);
    return { value: row.parse(found.text), source: found.source };
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    faults.push(withoutUserinfo(`${row.env} ${error.message}${quoted(row, found.text, error.message)}`));
    return { value: row.default(context), source: found.source, isFaulty: true };
  }
}

/** @throws {OptionFault} if a value is in quotation marks, as Docker passes it from an environment file that has some. */
function requireUnquoted(text: string): void {
  if (/^(["']).*\1$/s.test(text))
    throw new OptionFault(
      'must be without quotation marks around the value: "docker run --env-file", for example, keeps those of the file',
    );
}

/** Characters of an invalid value that a fault quotes. */
const quotedCharacters = 80;
/** A value of so many characters that occurs in a sentence is quoted there; a shorter one may be part of a word. */
const quotedOnceCharacters = 5;

/** Hides the user and password of each URL in a text, but not in the examples of sentences. */
function withoutUserinfo(text: string): string {
  return text.replaceAll(/\/\/(?!user:password@)\S*@/g, '//***@');
}

/** Returns the invalid value for a fault, unless it may contain a secret or the fault quotes it already. */
function quoted({ secret }: OptionRow<unknown>, text: string, message: string): string {
  const isQuoted = text.length >= quotedOnceCharacters && message.includes(text);
  if (secret === true || text === '' || isQuoted) return '';
  const shown = withoutUserinfo(text); // before a cut, which may remove the @
  const short = shown.length > quotedCharacters ? `${shown.slice(0, quotedCharacters)}…` : shown;
  return ` (it is ${JSON.stringify(short)})`;
}

/** Where values are looked up. */
interface Sources {
  readonly environment: Environment;
  readonly file: Record<string, unknown>;
  readonly faults: string[];
}

interface Found {
  readonly text: string;
  readonly source: OptionSource;
}

/**
 * Looks up the text of an option in the environment, a secret file, or the configuration file. Empty text counts as
 * absent.
 */
function lookUp(
  row: OptionRow<unknown>,
  table: OptionTable,
  { environment, file, faults }: Sources,
): Found | undefined {
  const direct = environment[row.env]?.trim() ?? '';
  if (direct !== '') return { text: direct, source: 'environment' };
  const path = hasSecretFile(row, table) ? (environment[`${row.env}_FILE`]?.trim() ?? '') : '';
  if (path !== '') {
    const text = readText(`${row.env}_FILE`, path, 'a file', faults)?.trim();
    if (text === '') faults.push(`${row.env}_FILE names ${path}, which is empty`);
    return text ? { text, source: 'file' } : undefined;
  }
  const filed = file[row.env];
  if (filed === undefined) return undefined;
  if (
    typeof filed !== 'string' &&
    typeof filed !== 'number' &&
    typeof filed !== 'boolean' &&
    typeof filed !== 'bigint'
  ) {
    faults.push(`${row.env} in the configuration file must be a single value`);
    return undefined;
  }
  const text = String(filed).trim();
  return text === '' ? undefined : { text, source: 'file' };
}

/** Returns the text of a file; `undefined`, with a fault, if it cannot be read. */
function readText(variable: string, path: string, what: string, faults: string[]): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    faults.push(`${variable} must name ${what}; ${unreadable(path, error)}`);
    return undefined;
  }
}

function readFile(path: string, faults: string[]): Record<string, unknown> {
  const text = path === '' ? undefined : readText(fileVariable, path, 'a TOML file', faults);
  if (text === undefined) return {};
  try {
    const { parse } = createRequire(import.meta.url)('smol-toml') as typeof Toml; // its own types; few starts need it
    return parse(text);
  } catch (error) {
    faults.push(
      `${fileVariable} names ${path}, which cannot be read as TOML: ${String(error).split('\n', 1)[0]}`,
    );
    return {};
  }
}

/** A value that can be shown. */
type Shown =
  | string
  | number
  | boolean
  | URL
  | readonly string[]
  | { readonly path: string }
  | { readonly text: string }
  | undefined;

/** Formats the value of an option for display; secrets are hidden. */
export function showOption(row: OptionRow<unknown>, read: unknown): string {
  const value = read as Shown; // the parsers of options return nothing else
  if (value === undefined) return '';
  if (typeof value === 'object' && 'path' in value) return value.path; // a picture
  if (typeof value === 'object' && 'text' in value) return value.text; // the sender of emails
  if (row.secret === true) return hideSecret(String(value));
  // An origin without the slash that the parser adds.
  if (value instanceof URL)
    return value.href === `${value.origin}/` ? value.origin : withoutPasswords(value).href;
  return Array.isArray(value) ? value.join(', ') : String(value);
}

/** Parameters of a PostgreSQL URL that hold a secret (libpq, §34.1.2 Parameter Key Words). */
const secretParameters = ['password', 'sslpassword'];

/** Returns a URL without its password, and `[hidden]` for any other secret. */
function hideSecret(value: string): string {
  if (value.startsWith('sqlite:')) return value;
  const url = URL.parse(value);
  if (url === null || url.host === '') return '[hidden]'; // the text of a key, `k1:…`, also parses as a URL
  return withoutPasswords(url).href;
}

function withoutPasswords(read: URL): URL {
  const url = new URL(read);
  if (url.password !== '') url.password = '***';
  for (const name of secretParameters) if (url.searchParams.has(name)) url.searchParams.set(name, '***');
  return url;
}
