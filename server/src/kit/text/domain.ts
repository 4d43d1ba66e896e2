// Converts domain names to the form in which the DNS and mail servers know them.
import { domainToASCII } from 'node:url';

const domainCharacters = /^[\p{L}\p{M}\p{N}.\-。．｡]+$/u;
const domainLabel = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;

/** Returns a domain name in lower case and punycode (RFC 5891); `undefined` if it is malformed or an IP address. */
export function asciiDomain(text: string): string | undefined {
  // domainToASCII is a URL host parser: it would decode `%41` to A and read `0x7f.1` as 127.0.0.1.
  if (!domainCharacters.test(text)) return undefined;
  const ascii = domainToASCII(text);
  const labels = ascii.split('.');
  if (labels.some((label) => !domainLabel.test(label))) return undefined;
  const isNumber = /^\d+$/.test(labels.at(-1) ?? '');
  return isNumber ? undefined : ascii;
}
