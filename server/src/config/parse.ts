// Parsers of single option values: each takes the text of an option and returns its value. A parser throws a sentence
// that states which values are valid; the caller puts the name of the option in front of it.
import { isIP } from 'node:net';
import { KeysRefused, parseKeys } from '../kit/keyring.ts';
import type { OptionParser } from './option.ts';
import ipaddr from 'ipaddr.js';

/** The value of an option is invalid; the message completes "NAME …". */
export class OptionFault extends Error {
  override readonly name = 'OptionFault';
}

/** Characters of the name of the service: enough for a name, and short enough for a heading on a phone. */
const maxNameCharacters = 100;

/** Parses the name of the service. */
export function productName(value: string): string {
  if (/[\p{Cc}\p{Cs}]/u.test(value) || value.length > maxNameCharacters)
    throw new OptionFault(
      `must be a name of at most ${maxNameCharacters} characters, without line breaks and control characters`,
    );
  return value;
}

/** Parses an IP address or a host name to listen on. Returns an IPv6 address without brackets. */
export function listenHost(value: string): string {
  const bare = value.replace(/^\[(.+)\]$/, '$1');
  const isName = /^[\w.-]+$/.test(bare) && !/(?:^|\.)\d+$/.test(bare);
  if (isIP(bare) === 0 && !isName)
    throw new OptionFault('must be an IP address or a host name, without a scheme and without a port');
  return /^localhost\.?$/i.test(bare) ? 'localhost' : bare;
}

/** Returns a parser of whole numbers from `min` to `max`. */
export function integer(min: number, max: number): OptionParser<number> {
  const parse = (value: string): number => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) {
      throw new OptionFault(`must be a whole number from ${min} to ${max}`);
    }
    return number;
  };
  return Object.assign(parse, { accepts: `From ${min} to ${max}.` });
}

/** Parses the beginning of the names of cookies. It cannot be one that browsers treat specially, such as `__Host-`. */
export function cookiePrefix(value: string): string {
  if (!/^[a-z][a-z0-9_-]{0,29}$/i.test(value))
    throw new OptionFault('must be a letter and up to 29 letters, digits, _ or -, such as shop_');
  return value;
}

/** Parses a color as `#rrggbb`. */
export function color(value: string): string {
  if (!/^#[0-9a-f]{6}$/i.test(value)) throw new OptionFault('must be a color such as #1a56c4');
  return value.toLowerCase();
}

/** Parses `true` or `false`. */
export function flag(value: string): boolean {
  if (value === 'true') return true;
  if (value === 'false') return false;
  throw new OptionFault('must be true or false');
}

/** Returns a parser of the given words. */
export function oneOf<Word extends string>(...words: readonly Word[]): OptionParser<Word> {
  const parse = (value: string): Word => {
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw new OptionFault(`must be one of ${words.join(', ')}`);
    return word;
  };
  return Object.assign(parse, { accepts: `One of ${words.map((word) => `\`${word}\``).join(', ')}.` });
}

/** Returns whether a host name or address is loopback: its traffic never leaves the machine. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

/** Parses the URL at which users reach the service: an origin without a path; https, or http on a loopback host. */
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
  if (url.port === '0') throw new OptionFault('must be a URL with a port from 1 to 65535, or without a port');
  if (!isHost(url.hostname))
    throw new OptionFault('must be a URL with the name of one host, such as https://accounts.example.org');
  const isLocal = url.protocol === 'http:' && isLoopback(url.hostname);
  if (url.protocol !== 'https:' && !isLocal) {
    throw new OptionFault('must be https; http is for localhost only');
  }
  return url;
}

/** Returns whether the host of a URL is an IP address or a name whose labels the DNS or a hosts file can hold. */
export function isHost(hostname: string): boolean {
  const labels = hostname.replace(/\.$/, '').split('.');
  return hostname.startsWith('[') || labels.every((label) => /^[\w-]{1,63}$/.test(label));
}

/** Parses the URL of a link: https, http, or mailto. */
export function webUrl(value: string): URL {
  const url = URL.parse(value);
  if (url === null || !['https:', 'http:', 'mailto:'].includes(url.protocol))
    throw new OptionFault('must be an address such as https://example.org/terms');
  return url;
}

/** Splits a list at commas and white space. */
function items(value: string): string[] {
  return value.split(/[\s,]+/).filter((item) => item !== '');
}

/** Parses a list of networks of proxies; see `networksOf`. */
export function networks(value: string): string[] {
  return networksOf(value, 'of proxies; $ would trust the headers of every client');
}

/** Parses a list of networks that requests of the service may reach; see `networksOf`. */
export function reachableNetworks(value: string): string[] {
  return networksOf(value, 'that its requests may reach; $ would be every address');
}

/**
 * Parses a list of networks in CIDR notation; a single address is a network of one address. A network of all addresses
 * is rejected: `purpose` completes "must be networks" and names the danger, with `$` for the network.
 */
function networksOf(value: string, purpose: string): string[] {
  const list = items(value).map((item) => {
    const network = isIP(item) === 0 ? item : `${item}/${isIP(item) === 4 ? 32 : 128}`;
    const [address = '', bits] = network.split('/', 2);
    // The zone of an address (RFC 4007 §11) would be ignored: the network would contain addresses of every interface.
    if (address.includes('%'))
      throw new OptionFault(
        `must be networks without a zone; ${item} names a network interface after %, which addresses are not compared with`,
      );
    if (isIP(address) === 0 || !ipaddr.isValidCIDR(network)) {
      throw new OptionFault(
        `must be a list of networks such as 10.0.0.0/8, 2001:db8::/32; ${item} is not a network`,
      );
    }
    if (Number(bits) === 0) throw new OptionFault(`must be networks ${purpose.replace('$', () => item)}`);
    if (isMapped(address))
      throw new OptionFault(
        `must be IPv4 or IPv6 networks; ${item} is an IPv4-mapped address, write it as IPv4`,
      );
    return network;
  });
  for (const family of [4, 6] as const)
    if (coversAll(list, family))
      throw new OptionFault(
        `must be networks ${purpose.replace('$', () => `${value}, together all of IPv${family},`)}`,
      );
  return list;
}

/** Returns whether an address is an IPv4-mapped IPv6 address, in any spelling: no address of a client is one. */
function isMapped(address: string): boolean {
  const parsed = ipaddr.parse(address);
  return parsed.kind() === 'ipv6' && (parsed as ipaddr.IPv6).isIPv4MappedAddress();
}

/** Returns whether networks together contain every address of a family. */
function coversAll(list: readonly string[], family: 4 | 6): boolean {
  const prefixes = list.filter((each) => isIP(each.split('/', 1)[0] ?? '') === family).map(prefixOf);
  const isCovered = (prefix: string): boolean => {
    if (prefixes.some((each) => prefix.startsWith(each))) return true;
    const isPartly = prefixes.some((each) => each.startsWith(prefix));
    return isPartly && isCovered(`${prefix}0`) && isCovered(`${prefix}1`);
  };
  return isCovered('');
}

/** Returns the bits that all addresses of a network begin with. */
function prefixOf(network: string): string {
  const [address, length] = ipaddr.parseCIDR(network);
  const bits = address.toByteArray().map((byte) => byte.toString(2).padStart(8, '0'));
  return bits.join('').slice(0, length);
}

/** Parses a list of exact origins (RFC 6454): https, or http on a loopback host. Patterns are rejected. */
export function origins(value: string): string[] {
  return items(value).map((item) => {
    // A URL may contain an asterisk, but the operator means a wildcard, which is not supported.
    const origin = item.includes('*') ? undefined : originOf(item);
    if (origin !== undefined) return origin;
    throw new OptionFault(
      `must be a list of origins such as https://app.example.org, or http://localhost:3000; ${item} is not an origin${remedyOf(item)}`,
    );
  });
}

/** Returns what to do about an entry that looks like an origin and cannot be one. */
function remedyOf(item: string): string {
  const url = URL.parse(item);
  if (url === null || !item.includes('://') || item.includes('*')) return '';
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return ' of a web page: apps and extensions sign users in as docs/guides/integrate.md describes';
  if (url.protocol === 'http:') return ': use https, or http on localhost or 127.0.0.1, with the port';
  return ': write scheme, host and port only';
}

function originOf(item: string): string | undefined {
  try {
    return publicUrl(item).origin;
  } catch {
    return undefined;
  }
}

/** Accepts keys in the format of a key file. Returns the text, because the values of options are displayed and compared. */
export function secretKeys(value: string): string {
  try {
    parseKeys(value);
    return value;
  } catch (error) {
    if (error instanceof KeysRefused) throw new OptionFault(error.message);
    throw error;
  }
}

/** Parses the URL of a breached-password service: https, or http on a loopback host. */
export function rangeUrl(value: string): URL {
  const url = URL.parse(value);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (url === null || !isSafe)
    throw new OptionFault('must be an https URL such as https://api.pwnedpasswords.com/range');
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw new OptionFault('must be a URL without a query, fragment or user');
  }
  if (url.hostname === 'api.pwnedpasswords.com' && !/^\/range\/*$/.test(url.pathname))
    throw new OptionFault(
      'must be https://api.pwnedpasswords.com/range; that service answers at no other path',
    );
  return url;
}
