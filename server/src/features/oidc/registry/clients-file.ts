// Reads the file in which an operator declares clients and resources. Everything in it is checked before anything is
// applied, and all faults are reported together.
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import type * as Toml from 'smol-toml';
import { unreadable } from '../../../kit/file.ts';
import { fieldProblem, isProblem } from '../../../kit/problem.ts';
import { OptionFault } from '../../../config/parse.ts';
import { clientFields } from '../client/client-fields.ts';
import { hasSecret, type NewClient, type NewResource } from '../client/client.ts';
import type { Input } from '../client/field.ts';
import { fieldsOf, requireClient } from '../client/registration.ts';
import { fieldsOfResource, requireResource } from '../client/resource.ts';
import { digestOfSecret } from '../client/secret.ts';

/** A client in the file, with the digests of its secrets. */
interface FileClient {
  readonly client: NewClient;
  readonly secrets: readonly Uint8Array[];
}

/** A file that was read. If it has faults, nothing else in it may be used. */
export interface ClientsFile {
  readonly path: string;
  /** `file:<name>`: what the rows that it manages are marked with. */
  readonly owner: string;
  /** SHA-256 of its content in a canonical form, with the secrets that it names. */
  readonly digest: Uint8Array;
  readonly clients: readonly FileClient[];
  readonly resources: readonly NewResource[];
  /** One sentence for each fault. */
  readonly faults: readonly string[];
}

const maxBytes = 1_048_576;
const maxSecrets = 2;
const defaultName = 'clients';
const nameForm = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/**
 * Reads the file.
 * @throws {OptionFault} if it cannot be read, or is no TOML.
 */
export function readClientsFile(path: string): ClientsFile {
  const { name = defaultName, client, resource, ...others } = parseToml(path);
  const faults: string[] = [];
  const add = (fault: string): void => void faults.push(fault);
  for (const each of Object.keys(others))
    add(`${each} is not known: the file has a name, [client.<id>] and [resource."<identifier>"] only`);
  const isName = typeof name === 'string' && nameForm.test(name);
  if (!isName) add('name must have 1 to 63 of a-z, 0-9, . _ -, and begin with a letter or digit');
  const resources = tablesOf('resource', resource, add).flatMap(([identifier, input]) =>
    collected(`[resource.${JSON.stringify(identifier)}]`, add, () =>
      requireResource({ ...input, identifier }),
    ),
  );
  const known = new Set(resources.map(({ identifier }) => identifier));
  const clients = tablesOf('client', client, add).flatMap(([id, input]) => {
    const table = `[client.${/^[\w-]+$/.test(id) ? id : JSON.stringify(id)}]`;
    return collected(table, add, () => {
      const entry = readClient(path, id, input, (fault) => add(`${table} ${fault}`));
      for (const identifier of entry.client.resourceOf)
        if (!known.has(identifier))
          add(`${table} resource_of has ${identifier}, which the file does not declare`);
      return entry;
    });
  });
  const owner = `file:${isName ? name : defaultName}`;
  return { path, owner, digest: digestOf({ owner, clients, resources }), clients, resources, faults };
}

function parseToml(path: string): Input {
  let text: string;
  try {
    text = readRegularFile(path);
  } catch (error) {
    throw new OptionFault(`must name a TOML file of 1 MB at most; ${unreadable(path, error)}`);
  }
  try {
    const { parse } = createRequire(import.meta.url)('smol-toml') as typeof Toml; // its own types; few starts need it
    return parse(text);
  } catch (error) {
    throw new OptionFault(`must name a TOML file; ${path} is invalid: ${placeOf(error)}`);
  }
}

/** Returns the text of a file. @throws an error for `unreadable`. */
function readRegularFile(path: string): string {
  const stats = statSync(path);
  if (!stats.isFile()) throw new Error('it is not a regular file'); // reading a pipe or a device could block forever
  if (stats.size > maxBytes) throw new Error('it is larger');
  return readFileSync(path, 'utf8');
}

/** Returns the first line of a syntax error, with its place in the file. */
function placeOf(error: unknown): string {
  const [says = ''] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
  const isPlaced = error instanceof Error && 'line' in error && 'column' in error;
  return isPlaced ? `line ${String(error.line)}, column ${String(error.column)}: ${says}` : says;
}

/** Returns the tables below a name, by their keys. */
function tablesOf(name: string, value: unknown, add: (fault: string) => void): [string, Input][] {
  if (value === undefined) return [];
  const entries = isTable(value) ? Object.entries(value) : undefined;
  if (entries?.every((entry): entry is [string, Input] => isTable(entry[1])) === true) return entries;
  add(
    `${name} must have tables only: [${name}.${name === 'client' ? 'wiki' : '"https://api.example.org/"'}]`,
  );
  return [];
}

function isTable(value: unknown): value is Input {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
    ? true
    : typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null;
}

/** Returns the entry; none after its faults were reported. */
function collected<T>(table: string, add: (fault: string) => void, read: () => T): T[] {
  try {
    return [read()];
  } catch (error) {
    if (!isProblem(error, 'invalid_request')) throw error;
    for (const { field, message } of error.fields) add(`${table} ${field} ${message}`);
    return [];
  }
}

function readClient(
  path: string,
  id: string,
  { secret_sha256: digests, secret_file: file, ...input }: Input,
  add: (fault: string) => void,
): FileClient {
  const nested = Object.keys(input).find(
    (name) => !Object.hasOwn(clientFields, name) && isTable(input[name]),
  );
  if (nested !== undefined)
    throw fieldProblem(
      nested,
      `is a table: an id with a dot needs quotation marks, as in [client."${id}.${nested}"]`,
    );
  const { secret, client_secret: clientSecret, ...fields } = input;
  const isClear = Object.entries({ secret, client_secret: clientSecret }).filter(
    ([, value]) => value !== undefined,
  );
  for (const [name] of isClear)
    add(
      `${name} must not be in this file: put it into a file of its own (secret_file), or its SHA-256 here (secret_sha256)`,
    );
  const secrets = [...readDigests(digests, add), ...readSecretFile(path, file, add)];
  const isGiven = digests !== undefined || file !== undefined;
  const client = requireClient({ ...fields, id });
  if (hasSecret(client) && !isGiven && isClear.length === 0)
    add(
      'secret_sha256 is missing, and so is secret_file: a client that authenticates with a secret needs one of them',
    );
  if (!hasSecret(client) && isGiven)
    add(`${digests === undefined ? 'secret_file' : 'secret_sha256'} has no effect: the client has no secret`);
  if (secrets.length > maxSecrets)
    add(`secret_sha256 and secret_file must not have more than ${maxSecrets} secrets together`);
  return { client, secrets };
}

/** Reads SHA-256 digests in hexadecimal digits. */
function readDigests(value: unknown, add: (fault: string) => void): Uint8Array[] {
  if (value === undefined) return [];
  const isList = Array.isArray(value) && value.length > 0;
  if (isList && value.every((each) => typeof each === 'string' && /^[0-9a-f]{64}$/i.test(each)))
    return (value as string[]).map((each) => Buffer.from(each, 'hex'));
  // The value is not repeated: it may be the secret itself.
  add('secret_sha256 must be a list of SHA-256 digests of secrets, each of 64 hexadecimal digits');
  return [];
}

/** Reads the secret in a file next to the clients file. */
function readSecretFile(path: string, value: unknown, add: (fault: string) => void): Uint8Array[] {
  if (value === undefined) return [];
  if (typeof value !== 'string') {
    add('secret_file must be the path of a file');
    return [];
  }
  let text: string;
  try {
    text = readRegularFile(resolve(dirname(path), value)).trim();
  } catch (error) {
    add(`secret_file must be the path of a file; ${unreadable('that file', error)}`); // not the value: it may be the secret
    return [];
  }
  if (!isStrong(text))
    add(
      'secret_file must hold one secret of at least 32 random bytes, such as the output of "openssl rand -hex 32"',
    );
  // In HTTP Basic authentication both stand for something else, unless the application encodes them (RFC 6749 §2.3.1).
  else if (/[+%]/.test(text))
    add(
      'secret_file must not contain + or %, which many applications send wrongly: use "openssl rand -hex 32"',
    );
  else return [digestOfSecret(text)];
  return [];
}

const maxSecretCharacters = 1024;

/** Returns whether a text may have 256 random bits. The digest of a weaker secret could be guessed. */
function isStrong(text: string): boolean {
  if (!/^[\x21-\x7e]+$/.test(text) || text.length > maxSecretCharacters) return false;
  const isHex = /^[0-9a-f]+$/i.test(text);
  const minDistinct = isHex ? 8 : 16; // of random texts, one in a billion has fewer
  return text.length >= (isHex ? 64 : 43) && new Set(text).size >= minDistinct;
}

function digestOf({
  owner,
  clients,
  resources,
}: Pick<ClientsFile, 'owner' | 'clients' | 'resources'>): Uint8Array {
  const content = {
    owner,
    clients: clients.map(({ client, secrets }) => [
      fieldsOf(client),
      secrets.map((each) => Buffer.from(each).toString('hex')),
    ]),
    resources: resources.map(fieldsOfResource),
  };
  return createHash('sha256').update(JSON.stringify(content)).digest();
}
