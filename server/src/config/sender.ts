// Parses the sender of emails, and the name by which the service introduces itself to a mail server.
import { isIPv4, isIPv6 } from 'node:net';
import { asciiDomain } from '../kit/text/domain.ts';
import { OptionFault } from './parse.ts';

/** The sender of emails. */
export interface Sender {
  /** Display name, or empty text. */
  readonly name: string;
  /** Address with its domain in ASCII, as the envelope and headers need it (RFC 5321 §2.3.5). */
  readonly address: string;
  /** The domain of the address in ASCII. */
  readonly domain: string;
  /** As typed. */
  readonly text: string;
}

const valid = 'must be one address such as accounts@example.org, or Example Accounts <accounts@example.org>';
/** `Name <address>` or `"Name" <address>`. */
const named = /^(?:"(?<quoted>(?:[^"\\]|\\["\\])*)"|(?<plain>[^"<>]*))\s*<(?<address>[^<>\s]+)>$/;
/** dot-atom of RFC 5322 §3.2.3. A local part outside ASCII would need SMTPUTF8 (RFC 6531) on each server on the way. */
const localPart = /^[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*$/;
const maxLocalOctets = 64;

/** Parses the value of MAIL_FROM: a single address, with or without a display name (RFC 5322 §3.4). */
export function mailSender(text: string): Sender {
  if (/\p{Cc}/u.test(text)) throw new OptionFault(`${valid}, without line breaks and control characters`);
  const parts = named.exec(text)?.groups;
  const name = (parts?.['quoted']?.replaceAll(/\\(["\\])/g, '$1') ?? parts?.['plain'] ?? '').trim();
  if (parts?.['quoted'] === undefined && name.includes('@'))
    throw new OptionFault(`${valid}; write a display name that contains an @ in quotation marks`);
  const address = parts?.['address'] ?? text;
  const at = address.lastIndexOf('@');
  const local = address.slice(0, Math.max(at, 0));
  const domain = asciiDomain(address.slice(at + 1));
  if (/[^\x20-\x7e]/.test(local))
    throw new OptionFault(
      `${valid}; the part before the @ must be ASCII, because many mail servers reject other letters`,
    );
  if (!localPart.test(local) || local.length > maxLocalOctets || domain === undefined)
    throw new OptionFault(valid);
  return { name, address: `${local}@${domain}`, domain, text };
}

/** Parses the name that the service sends in EHLO: a host name, or an address literal (RFC 5321 §4.1.1.1). */
export function ehloName(text: string): string {
  const literal = /^\[(?:IPv6:)?(?<address>[^\]]+)\]$/i.exec(text)?.groups?.['address'] ?? '';
  if (isIPv4(literal) || isIPv6(literal)) return text;
  const name = asciiDomain(text);
  if (name === undefined)
    throw new OptionFault('must be a host name such as mail.example.org, or an address such as [192.0.2.1]');
  return name;
}

/** Returns the name for EHLO that fits the URL at which users reach the service; `undefined` if none does. */
export function ehloNameOf(publicUrl: URL | undefined): string | undefined {
  const name = asciiDomain(publicUrl?.hostname ?? '');
  return name === 'localhost' ? undefined : name;
}
