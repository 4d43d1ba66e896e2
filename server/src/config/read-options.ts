// Reads the table of options from the environment, `*_FILE` secrets and an optional TOML file, and refuses with one
// error that lists every fault at once.
import { readFileSync } from 'node:fs';
import { parse as parseToml } from 'smol-toml';
import { isLoopback, OptionFault } from './parse.ts';
import { options, type Given, type OptionName, type OptionRow, type Options } from './options.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
/** Where a value came from. */
type OptionSource = 'default' | 'environment' | 'file';

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
    super(`The configuration is invalid:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/** Path of a TOML file with options; those of the environment go first. */
const fileVariable = 'BIENVENUE_CONFIG';

interface Reading {
  readonly value: unknown;
  readonly source: OptionSource;
  /** What was given cannot be read, and the default stands in its place until the faults are told. */
  readonly isFaulty?: true;
}

/**
 * Reads all options.
 * @throws {ConfigurationFault}
 */
export function readOptions(environment: Environment): Configuration {
  const faults: string[] = [];
  const file = readFile(environment[fileVariable], faults);
  const isFileRead = faults.length === 0;
  for (const key of Object.keys(file)) {
    if (!Object.values(options).some(({ env }) => env === key))
      faults.push(`${key} in ${environment[fileVariable]} is not an option`);
  }

  // Those from which defaults follow come first.
  const publicUrl = readOne(options.publicUrl, environment, file, noneGiven, faults);
  const dataDir = readOne(options.dataDir, environment, file, noneGiven, faults);
  const secondFactor = readOne(options.secondFactor, environment, file, noneGiven, faults);
  const isPublic = (publicUrl.value as URL | undefined)?.protocol === 'https:';
  const requiresSecondFactor = secondFactor.value === 'required';
  const given: Given = { isPublic, dataDir: String(dataDir.value), requiresSecondFactor };

  const readings = Object.entries(options).map(([name, row]) => {
    if (name === 'publicUrl') return [name, publicUrl] as const;
    if (name === 'dataDir') return [name, dataDir] as const;
    if (name === 'secondFactor') return [name, secondFactor] as const;
    return [name, readOne(row, environment, file, given, faults)] as const;
  });
  const values = Object.fromEntries(readings.map(([name, { value }]) => [name, value])) as unknown as Options; // one reading for each row of the table
  const sources = Object.fromEntries(readings.map(([name, { source }]) => [name, source])) as Record<
    OptionName,
    OptionSource
  >;

  const faulty = new Set(readings.filter(([, { isFaulty }]) => isFaulty === true).map(([name]) => name));
  // An unread file may hold what makes the rest right.
  if (isFileRead) faults.push(...unsafe(values, isPublic, faulty));
  if (faults.length > 0) throw new ConfigurationFault(faults);
  return { options: values, sources, isPublic };
}

const noneGiven: Given = { isPublic: false, dataDir: '', requiresSecondFactor: false };

/** NIST SP 800-63B-4 §3.1.1.2: where the password is the only factor, and where another is always asked for. */
const minPublicPassword = { alone: 15, withSecondFactor: 8 };
/** KiB times passes: four passes over 1 GiB, the most that a stored hash may ask for. */
const maxHashWork = 4 * 1_048_576;

/** Values that are right each by itself and wrong together. Nothing is said about one that is at fault already. */
function unsafe(values: Options, isPublic: boolean, faulty: ReadonlySet<string>): string[] {
  const faults: string[] = [];
  if (!isPublic && !faulty.has('publicUrl') && !isLoopback(values.host)) {
    faults.push(
      `HOST is ${values.host}, but local mode accepts any password and returns reset tokens in replies, so it listens on loopback only. Set PUBLIC_URL=https://… to serve other machines, or remove HOST.`,
    );
  }
  // Local mode keeps its mails, to be read at /dev/mailbox.
  if (isPublic && values.smtpUrl === undefined && !faulty.has('smtpUrl')) {
    faults.push(
      'SMTP_URL must name a mail server, because PUBLIC_URL is https: smtp://user:password@host:587',
    );
  }
  if (values.smtpUrl !== undefined && values.mailFrom === undefined) {
    faults.push('MAIL_FROM must name the sender of mails, such as accounts@example.org');
  }
  if (isPublic && values.resetTokenBy === 'reply') {
    faults.push(
      'RESET_TOKEN_BY is reply, which would let anyone take over any account in public mode. Remove it, or set it to mail.',
    );
  }
  if (isPublic && !values.emailConfirmation && !faulty.has('emailConfirmation')) {
    faults.push(
      'EMAIL_CONFIRMATION is false, which would let anyone register with an email of another person in public mode. Remove it, or set it to true.',
    );
  }
  const minLength = minPublicPassword[values.secondFactor === 'required' ? 'withSecondFactor' : 'alone'];
  if (isPublic && values.passwordMinLength < minLength && !faulty.has('passwordMinLength')) {
    faults.push(
      `PASSWORD_MIN_LENGTH must be at least ${minLength} in public mode${minLength === minPublicPassword.alone ? ' when the password is the only factor' : ''}`,
    );
  }
  if (isPublic && !values.passwordBlocklist) {
    faults.push(
      'PASSWORD_BLOCKLIST is false, which would allow common passwords in public mode. Remove it, or set it to true.',
    );
  }
  if (values.hashMemoryKib * values.hashPasses > maxHashWork) {
    faults.push(
      `HASH_MEMORY_KIB times HASH_PASSES must be at most ${maxHashWork}; otherwise one login takes seconds of CPU time`,
    );
  }
  const areDaysRead = !faulty.has('sessionDays') && !faulty.has('sessionIdleDays');
  if (areDaysRead && values.sessionIdleDays > values.sessionDays)
    faults.push('SESSION_IDLE_DAYS must not be more than SESSION_DAYS');
  const areLimitsRead = !faulty.has('addressLimitPerMinute') && !faulty.has('globalLimitPerMinute');
  if (areLimitsRead && values.globalLimitPerMinute < values.addressLimitPerMinute) {
    faults.push('GLOBAL_LIMIT_PER_MINUTE must not be less than ADDRESS_LIMIT_PER_MINUTE');
  }
  return faults;
}

function readOne(
  row: OptionRow<unknown>,
  environment: Environment,
  file: Record<string, unknown>,
  given: Given,
  faults: string[],
): Reading {
  const found = lookUp(row, environment, file, faults);
  if (found === undefined) return { value: row.default(given), source: 'default' };
  try {
    return { value: row.parse(found.text), source: found.source };
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    faults.push(`${row.env} ${error.message}`);
    return { value: row.default(given), source: found.source, isFaulty: true };
  }
}

/** The text of an option: from the environment, a secret's file, or the file of options. An empty one is not given. */
function lookUp(
  row: OptionRow<unknown>,
  environment: Environment,
  file: Record<string, unknown>,
  faults: string[],
): { text: string; source: OptionSource } | undefined {
  const direct = environment[row.env]?.trim() ?? '';
  if (direct !== '') return { text: direct, source: 'environment' };
  const path = hasSecretFile(row) ? environment[`${row.env}_FILE`] : undefined;
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

/**
 * True for an option that may be given as the path of a file in `<env>_FILE`: every secret but SECRET_KEY, whose file is
 * an option of its own, because it is made when it is missing and written when a key is added.
 */
export function hasSecretFile({ env, secret }: Pick<OptionRow<unknown>, 'env' | 'secret'>): boolean {
  return secret === true && !Object.values(options).some((other) => other.env === `${env}_FILE`);
}

function readFile(path: string | undefined, faults: string[]): Record<string, unknown> {
  if (path === undefined || path === '') return {};
  try {
    return parseToml(readFileSync(path, 'utf8'));
  } catch (error) {
    faults.push(
      `${fileVariable} names ${path}, which cannot be read as TOML: ${String(error).split('\n', 1)[0]}`,
    );
    return {};
  }
}

/** A value as it may be shown: secrets hidden. */
export function showOption(name: OptionName, value: Options[OptionName]): string {
  const row: OptionRow<unknown> = options[name];
  if (value === undefined) return '';
  if (typeof value === 'object' && 'path' in value) return value.path; // a picture
  if (row.secret === true) return hideSecret(String(value));
  if (value instanceof URL) return value.origin;
  return Array.isArray(value) ? value.join(', ') : String(value);
}

/** Parameters of a PostgreSQL URL that hold a secret (libpq, §34.1.2 Parameter Key Words). */
const secretParameters = ['password', 'sslpassword'];

/** A URL without its password; of any other secret only that there is one. */
function hideSecret(value: string): string {
  if (value.startsWith('sqlite:')) return value;
  const url = URL.parse(value);
  if (url === null || url.host === '') return '[hidden]'; // `k1:…` is a URL too
  if (url.password !== '') url.password = '***';
  for (const name of secretParameters) if (url.searchParams.has(name)) url.searchParams.set(name, '***');
  return url.href;
}
