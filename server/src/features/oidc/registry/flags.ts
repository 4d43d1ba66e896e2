// The options of the commands that add and change clients and resources: one for each field.
import { readFileSync } from 'node:fs';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { unreadable } from '../../../kit/file.ts';
import { UsageError } from '../../../operation/refusal.ts';
import type { clientFields } from '../client/client-fields.ts';
import type { FieldTable, Input } from '../client/field.ts';
import type { resourceFields } from '../client/resource.ts';

/** How an option is given. `list`: repeatable. `file`: the path of a file with the value. */
type FlagKind = 'text' | 'list' | 'number' | 'boolean' | 'file';
type Flag = readonly [flag: string, kind: FlagKind];

/** Options by the field that they set. */
export const clientFlags: Readonly<Record<keyof typeof clientFields, Flag>> = {
  name: ['--name <name>', 'text'],
  kind: ['--kind <kind>', 'text'],
  redirect_uris: ['--redirect-uri <uri>', 'list'],
  post_logout_redirect_uris: ['--post-logout-redirect-uri <uri>', 'list'],
  backchannel_logout_uri: ['--backchannel-logout-uri <url>', 'text'],
  backchannel_logout_session_required: ['--backchannel-logout-session-required [boolean]', 'boolean'],
  initiate_login_uri: ['--initiate-login-uri <url>', 'text'],
  scopes: ['--scope <scope>', 'list'],
  grant_types: ['--grant-type <grant>', 'list'],
  device: ['--device [boolean]', 'boolean'],
  token_endpoint_auth_method: ['--auth-method <method>', 'text'],
  jwks: ['--jwks <file>', 'file'],
  id_token_signed_response_alg: ['--id-token-alg <alg>', 'text'],
  first_party: ['--first-party [boolean]', 'boolean'],
  allowed_email_domains: ['--allowed-email-domain <domain>', 'list'],
  allowed_users: ['--allowed-user <user>', 'list'],
  allowed_groups: ['--allowed-group <group>', 'list'],
  skip_pkce: ['--skip-pkce [boolean]', 'boolean'],
  require_pushed_authorization_requests: ['--require-par [boolean]', 'boolean'],
  accept_token_endpoint_audience: ['--accept-token-endpoint-audience [boolean]', 'boolean'],
  resource_of: ['--resource-of <identifier>', 'list'],
  access_token_seconds: ['--access-token-seconds <n>', 'number'],
  id_token_seconds: ['--id-token-seconds <n>', 'number'],
  refresh_idle_days: ['--refresh-idle-days <n>', 'number'],
  refresh_max_days: ['--refresh-max-days <n>', 'number'],
  refresh_grace_seconds: ['--refresh-grace-seconds <n>', 'number'],
};

export const resourceFlags: Readonly<Record<keyof typeof resourceFields, Flag>> = {
  name: ['--name <name>', 'text'],
  scopes: ['--scope <scope>', 'list'],
  token_format: ['--token-format <format>', 'text'],
  alg: ['--alg <alg>', 'text'],
  token_seconds: ['--token-seconds <n>', 'number'],
};

type Flags = Readonly<Record<string, Flag>>;

/** Adds the options to a command; they set its fields. */
export function addFlags(command: Command, table: FieldTable, flags: Flags): Command {
  for (const [name, [flag, kind]] of Object.entries(flags)) {
    const says = plain(table[name]?.says ?? '');
    const text = kind === 'list' ? `${says} Repeatable` : says.replace(/\.$/, '');
    if (kind === 'list') command.option(flag, text, collect);
    else if (kind === 'number') command.option(flag, text, number);
    else if (kind === 'boolean') command.option(flag, text, boolean);
    else command.option(flag, text);
  }
  return command;
}

/** Returns the fields that the options of a command set. @throws {CommandError} if a file cannot be read. */
export function inputOf(flags: Flags, given: Readonly<Record<string, unknown>>): Input {
  const entries = Object.entries(flags).flatMap(([name, [flag, kind]]) => {
    const value = given[attributeOf(flag)];
    if (value === undefined) return [];
    return [[name, kind === 'file' && typeof value === 'string' ? contentOf(value) : value] as const];
  });
  return Object.fromEntries(entries);
}

/** Returns a description without its Markdown, beginning in lower case as that of every option. */
function plain(says: string): string {
  const text = says.replaceAll('`', '');
  return /^[A-Z][a-z]/.test(text) ? `${text.charAt(0).toLowerCase()}${text.slice(1)}` : text;
}

/** Returns the name under which commander stores an option: `redirectUri`. */
function attributeOf(flag: string): string {
  return (flag.split(' ')[0] ?? '')
    .slice(2)
    .replaceAll(/-(\w)/g, (_dash, letter: string) => letter.toUpperCase());
}

function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

function number(value: string): number {
  if (!/^\d+$/.test(value)) throw new InvalidArgumentError('It must be a whole number, 0 or more.');
  return Number(value);
}

function boolean(value: string): boolean {
  if (value === 'true' || value === 'false') return value === 'true';
  throw new InvalidArgumentError('It must be true or false.');
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`The file ${unreadable(path, error)}`);
  }
}

/** Returns the option that resets fields to their defaults. */
export function unsetOption(table: FieldTable): Option {
  const says = 'reset a field to its default, by its name in the file. Repeatable';
  return new Option('--unset <field>', says).argParser(
    (value: string, earlier: readonly string[] | undefined) => {
      if (!Object.hasOwn(table, value))
        throw new InvalidArgumentError(`It must be one of ${Object.keys(table).join(', ')}.`);
      return [...(earlier ?? []), value];
    },
  );
}

/**
 * Returns the fields that the options of a command change; null resets one.
 * @throws {UsageError} if none is given.
 */
export function requireChange(
  flags: Flags,
  given: Readonly<Record<string, unknown>> & { readonly unset?: readonly string[] },
  command: string,
): Input {
  const reset = Object.fromEntries((given.unset ?? []).map((name) => [name, null]));
  const input = { ...reset, ...inputOf(flags, given) };
  if (Object.keys(input).length === 0)
    throw new UsageError(`Give at least one option: see bienvenue ${command} --help`);
  return input;
}
