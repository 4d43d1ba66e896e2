// Readers of single values: text in, value out. Each throws a sentence that says what would be right; the option's
// name stands before it.
import { isIP } from 'node:net';

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
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new OptionFault('must be an origin: scheme and host, without a path, query or user');
  }
  const isLocal = url.protocol === 'http:' && isLoopback(url.hostname);
  if (url.protocol !== 'https:' && !isLocal) {
    throw new OptionFault('must be https; http is for localhost only');
  }
  return url;
}

/** `sqlite:<path>`, `postgres://…` or `postgresql://…`. */
export function databaseUrl(value: string): string {
  if (/^sqlite:.+/.test(value) && value !== 'sqlite::memory:') return value;
  if (/^postgres(ql)?:\/\//.test(value) && URL.canParse(value)) return value;
  throw new OptionFault('must be sqlite:<path of a file> or postgres://user:password@host/database');
}
