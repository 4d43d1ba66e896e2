// Parses the URLs of the database and the mail server as they will be used, so that a URL that cannot work is found at
// the start instead of with the first connection.
import { tlsModes } from '../kit/postgres/postgres-tls.ts';
import { PostgresUrlFault, readPostgresUrl } from '../kit/postgres/postgres-url.ts';
import { OptionFault } from './parse.ts';

const encoding = 'write % as %25, @ as %40, / as %2F, ? as %3F, # as %23 and : as %3A in them';

/** @throws {OptionFault} if the user or the password of a URL cannot be decoded, or contains control characters. */
function requireDecodable({ username, password }: URL): void {
  for (const text of [username, password]) {
    if (/\p{Cc}/u.test(decoded(text)))
      throw new OptionFault('must be a URL whose user and password have no control characters');
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new OptionFault(`must be a URL whose user and password are percent-encoded; ${encoding}`);
  }
}

/** Parses a `smtp://` or `smtps://` URL: user, password, host and port, and nothing else. */
export function smtpUrl(value: string): URL {
  const url = URL.parse(value);
  const form = 'must be smtp://user:password@host:port or smtps://user:password@host:port';
  if (url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === '')
    throw new OptionFault(`${form}; if the user or password has special characters, ${encoding}`);
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '')
    throw new OptionFault(
      `${form}, without a path, query or fragment, which have no effect; if they belong to the password, ${encoding}`,
    );
  if (url.port === '0') throw new OptionFault(`${form}, with a port from 1 to 65535`);
  requireDecodable(url);
  if ((url.username === '') !== (url.password === ''))
    throw new OptionFault(`${form}, with both a user and a password, or without both`);
  return url;
}

const databaseForm = 'must be sqlite:<path of a file> or postgres://user:password@host/database';

/** Accepts `sqlite:<path>`, `postgres://…` or `postgresql://…`; the latter may name several servers. */
export function databaseUrl(value: string): string {
  if (/^sqlite:.+/.test(value) && value !== 'sqlite::memory:') {
    requirePath(value.slice('sqlite:'.length), 'must be sqlite:<path of a file>');
    return value;
  }
  if (!/^postgres(ql)?:\/\//.test(value)) throw new OptionFault(databaseForm);
  try {
    for (const url of readPostgresUrl(value).urls) requireUsable(new URL(url));
  } catch (error) {
    if (!(error instanceof PostgresUrlFault)) throw error;
    throw new OptionFault(`${error.message}; if the user or password has special characters, ${encoding}`);
  }
  return value;
}

/** @throws {OptionFault} if the driver could not read a `postgres://` URL, or would ignore a part of it. */
function requireUsable(url: URL): void {
  if (url.hash !== '')
    throw new OptionFault(`${databaseForm}, without a fragment; if it belongs to the password, ${encoding}`);
  requireDecodable(url);
  try {
    decodeURI(url.pathname);
  } catch {
    throw new OptionFault(`${databaseForm}; write % in the name of the database as %25`);
  }
  // The driver takes the last of several values, and what this service says about TLS would be about the first.
  const names = [...url.searchParams.keys()];
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) throw new OptionFault(`must be a URL with the parameter ${repeated} only once`);
  const mode = url.searchParams.get('sslmode');
  if (mode !== null && !Object.hasOwn(tlsModes, mode))
    throw new OptionFault(`must be a URL with an sslmode of ${Object.keys(tlsModes).join(', ')}`);
  if (url.searchParams.has('schema'))
    throw new OptionFault(
      'must be a URL without the parameter schema, which PostgreSQL does not know; write options=-c%20search_path%3D<name of the schema> instead',
    );
}

/** Parses the path of a file or folder. Returns it as typed. */
export function localPath(value: string): string {
  requirePath(value, 'must be a path');
  return value;
}

function requirePath(value: string, form: string): void {
  if (/\p{Cc}/u.test(value)) throw new OptionFault(`${form} without control characters`);
  if (value.startsWith('~'))
    throw new OptionFault(`${form}; ~ is not replaced by your home folder here, so write the whole path`);
}
