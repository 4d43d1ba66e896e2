// Parses the URLs of the database and the mail server as they will be used, so that a URL that cannot work is found at
// the start instead of with the first connection.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tlsModes } from '../kit/postgres/postgres-tls.ts';
import * as known from '../kit/postgres/postgres-parameters.ts';
import { PostgresUrlFault, readPostgresUrl } from '../kit/postgres/postgres-url.ts';
import { asciiDomain } from '../kit/text/domain.ts';
import { nearest } from '../kit/text/near-name.ts';
import { unreadable, unreplacedOf } from '../kit/file.ts';
import { isHost, OptionFault } from './parse.ts';

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
    throw new OptionFault(`must be a URL whose user, password and host are percent-encoded; ${encoding}`);
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
  if (!isHost(url.hostname)) {
    const host = asciiDomain(decoded(url.hostname)); // only URLs of the web have theirs in punycode
    if (host === undefined)
      throw new OptionFault(`${form}, with the name of one host such as mail.example.org, or an IP address`);
    url.hostname = host;
  }
  requireDecodable(url);
  if ((url.username === '') !== (url.password === ''))
    throw new OptionFault(`${form}, with both a user and a password, or without both`);
  return url;
}

const databaseForm = 'must be sqlite:<path of a file> or postgres://user:password@host/database';

/** Accepts `sqlite:<path>`, `postgres://…` or `postgresql://…`; the latter may name several servers. */
export function databaseUrl(value: string): string {
  if (/^sqlite:.+/.test(value) && value !== 'sqlite::memory:') {
    requireFile(value.slice('sqlite:'.length));
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

/** @throws {OptionFault} if a path has the form of another program's URL, which would name another file here. */
function requireFile(path: string): void {
  const form = 'must be sqlite:<path of a file>';
  requirePath(path, form);
  if (path.startsWith('//'))
    throw new OptionFault(`${form}: sqlite:accounts.db in the current folder, or sqlite:/srv/accounts.db`);
  if (/^file:/i.test(path) || path.includes('?'))
    throw new OptionFault(`${form}, without file: and without parameters`);
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
  requireKnownParameters(url.searchParams);
  const mode = url.searchParams.get('sslmode');
  if (mode !== null && !Object.hasOwn(tlsModes, mode))
    throw new OptionFault(`must be a URL with an sslmode of ${Object.keys(tlsModes).join(', ')}`);
  for (const name of ['lock_timeout', 'query_timeout'])
    if (!/^\d*$/.test(url.searchParams.get(name) ?? ''))
      throw new OptionFault(`must be a URL with a ${name} in milliseconds, without a unit: ${name}=5000`);
  requireTlsFiles(url.searchParams);
  if (!['postgres', 'direct'].includes(url.searchParams.get('sslnegotiation') ?? 'direct'))
    throw new OptionFault('must be a URL with an sslnegotiation of postgres, direct');
  requireHost(decoded(url.hostname));
  requireHost(url.searchParams.get('host') ?? '');
}

/** @throws {OptionFault} if a file for TLS cannot be read, which would be noticed with the first connection. */
function requireTlsFiles(parameters: URLSearchParams): void {
  for (const name of ['sslrootcert', 'sslcert', 'sslkey']) {
    const path = parameters.get(name) ?? '';
    try {
      if (path !== '') readFileSync(path);
    } catch (error) {
      const remedy = path === 'system' ? known.systemAuthorities : unreadable(path, error);
      throw new OptionFault(`must be a URL whose ${name} is the path of a PEM file; ${remedy}`);
    }
  }
}

/** @throws {OptionFault} if a parameter has no effect: without a misspelled sslmode, the connection would have no TLS. */
function requireKnownParameters(parameters: URLSearchParams): void {
  const unknown = [...parameters.keys()].find((name) => !known.postgresParameters.includes(name));
  if (unknown === undefined) return;
  // An @ is of a password with a question mark, parts of which would be quoted.
  if (!/^\w+$/.test(unknown) || [...parameters].flat().some((text) => text.includes('@')))
    throw new OptionFault(
      `${databaseForm}, with known parameters only; if the part after ? belongs to the password, ${encoding}`,
    );
  const form = `must be a URL without the parameter ${unknown}`;
  const replacement = Object.hasOwn(known.replacements, unknown) ? known.replacements[unknown] : undefined;
  if (replacement !== undefined)
    throw new OptionFault(`${form}, which has no effect; ${replacement} instead`);
  if (known.libpqParameters.includes(unknown))
    throw new OptionFault(`${form}, which libpq knows and this service does not support; remove it`);
  const meant = nearest(unknown.toLowerCase(), known.postgresParameters, 1);
  throw new OptionFault(
    `${form}, which has no effect; ${meant === undefined ? 'remove it' : `did you mean ${meant}?`}`,
  );
}

/** @throws {OptionFault} if no server can have the name. A folder of sockets, and an IPv6 address, are left alone. */
function requireHost(host: string): void {
  if (host === '' || /^[/@]/.test(host) || isIP(host) !== 0 || isHost(host)) return;
  if (/^[!-~]+$/.test(host))
    throw new OptionFault(`must be a URL with the name of a host, which ${host} is not`);
  const ascii = asciiDomain(host);
  throw new OptionFault(
    `must be a URL with the name of a host in ASCII${ascii === undefined ? '' : `; write ${ascii}`}`,
  );
}

/** Parses the path of a file or folder. Returns it as typed. */
export function localPath(value: string): string {
  requirePath(value, 'must be a path');
  return value;
}

function requirePath(value: string, form: string): void {
  if (/\p{Cc}/u.test(value)) throw new OptionFault(`${form} without control characters`);
  const beginning = unreplacedOf(value);
  if (beginning !== undefined)
    throw new OptionFault(`${form}; ${beginning} is not replaced here, so write the whole path`);
}
