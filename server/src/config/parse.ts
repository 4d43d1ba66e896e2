// Readers of single values: text in, value out. Each throws a sentence that says what would be right; the option's
// name stands before it.
import { isIP } from 'node:net';
import { KeysRefused, parseKeys } from '../kit/keyring.ts';
import ipaddr from 'ipaddr.js';

/** A value that an option cannot hold; the message completes "NAME …". */
export class OptionFault extends Error {
  override readonly name = 'OptionFault';
}

export const text = (value: string): string => value;

/** A whole number within bounds. */
export function integer(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most) {
      throw new OptionFault(`must be a whole number from ${least} to ${most}`);
    }
    return number;
  };
}

/** `#rrggbb` */
export function color(value: string): string {
  if (!/^#[0-9a-f]{6}$/i.test(value)) throw new OptionFault('must be a color such as #1a56c4');
  return value.toLowerCase();
}

export function flag(value: string): boolean {
  if (value === 'true') return true;
  if (value === 'false') return false;
  throw new OptionFault('must be true or false');
}

/** One of the given words. */
export function oneOf<Word extends string>(...words: readonly Word[]): (value: string) => Word {
  return (value) => {
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw new OptionFault(`must be one of ${words.join(', ')}`);
    return word;
  };
}

/** True for a host name or address that never leaves the machine. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

/** The address under which people reach the service: an origin without a path; https, or http on a loopback host. */
export function publicUrl(value: string): URL {
  const url = URL.parse(value);
  if (url === null) throw new OptionFault('must be a URL such as https://accounts.example.org');
  if (
    url.pathname !== '/' ||
    url.search !== '' ||
    url.hash !== '' ||
    url.username !== '' ||
    url.password !== ''
  ) {
    throw new OptionFault('must be an origin: scheme and host, without a path, query or user');
  }
  const isLocal = url.protocol === 'http:' && isLoopback(url.hostname);
  if (url.protocol !== 'https:' && !isLocal) {
    throw new OptionFault('must be https; http is for localhost only');
  }
  return url;
}

/** An address that a page leads to: https, http, or mailto. */
export function webUrl(value: string): URL {
  const url = URL.parse(value);
  if (url === null || !['https:', 'http:', 'mailto:'].includes(url.protocol))
    throw new OptionFault('must be an address such as https://example.org/terms');
  return url;
}

/** The items of a list, which stand between commas or white space. */
function items(value: string): string[] {
  return value.split(/[\s,]+/).filter((item) => item !== '');
}

/** Networks in CIDR notation; an address is a network of one. */
export function networks(value: string): string[] {
  return items(value).map((item) => {
    const network = isIP(item) === 0 ? item : `${item}/${isIP(item) === 4 ? 32 : 128}`;
    const [address, bits] = network.split('/', 2);
    if (isIP(address ?? '') === 0 || !ipaddr.isValidCIDR(network)) {
      throw new OptionFault(
        `must be a list of networks such as 10.0.0.0/8, 2001:db8::/32; ${item} is not a network`,
      );
    }
    if (Number(bits) === 0)
      throw new OptionFault(`must be networks of proxies; ${item} would trust the headers of every client`);
    if (/^::ffff:/i.test(item))
      throw new OptionFault(
        `must be IPv4 or IPv6 networks; ${item} is an IPv4-mapped address, write it as IPv4`,
      );
    return network;
  });
}

/** Origins (RFC 6454): https, or http on a loopback host; exact, without patterns. */
export function origins(value: string): string[] {
  return items(value).map((item) => {
    // A star means nothing to us, and everything to who writes it.
    const origin = item.includes('*') ? undefined : originOf(item);
    if (origin !== undefined) return origin;
    throw new OptionFault(
      `must be a list of origins such as https://app.example.org, or http://localhost:3000; ${item} is not an origin`,
    );
  });
}

function originOf(item: string): string | undefined {
  try {
    return publicUrl(item).origin;
  } catch {
    return undefined;
  }
}

/** `sqlite:<path>`, `postgres://…` or `postgresql://…`. */
export function databaseUrl(value: string): string {
  if (/^sqlite:.+/.test(value) && value !== 'sqlite::memory:') return value;
  if (/^postgres(ql)?:\/\//.test(value) && URL.canParse(value)) return value;
  throw new OptionFault('must be sqlite:<path of a file> or postgres://user:password@host/database');
}

/** `smtp://` or `smtps://` with a host. */
export function smtpUrl(value: string): URL {
  const url = URL.parse(value);
  if (url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === '') {
    throw new OptionFault('must be smtp://user:password@host:port or smtps://user:password@host:port');
  }
  return url;
}

/** Keys, as they are kept in a key file. The text is what is handed on: a value of an option is shown and compared. */
export function secretKeys(value: string): string {
  try {
    parseKeys(value);
    return value;
  } catch (error) {
    if (error instanceof KeysRefused) throw new OptionFault(error.message);
    throw error;
  }
}

/** An address that is asked for breached passwords: https, or http on a loopback host. */
export function rangeUrl(value: string): URL {
  const url = URL.parse(value);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (url === null || !isSafe)
    throw new OptionFault('must be an https URL such as https://api.pwnedpasswords.com/range');
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw new OptionFault('must be a URL without a query, fragment or user');
  }
  return url;
}
