// Which URIs a client may register. A redirect URI receives codes, so nothing is registered that another party could
// receive: no plain http across a network, no pattern, no scheme that runs script.
import type { ClientKind, NewClient } from './client.ts';

/** Characters of the longest URI. */
const maxCharacters = 2000;
/** Hosts that never leave the machine, as the library knows them. */
const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Returns whether a URL is http on this machine. */
function isLoopback({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && loopbackHosts.has(hostname);
}

/** Returns what is wrong with any URI: a clause such as "has a fragment"; or the parsed URL. */
function parse(text: string): URL | string {
  if (text.length > maxCharacters) return `is longer than ${maxCharacters} characters`;
  // A parser of URLs would remove line breaks and turn \ into /, and then compare something else than it shows.
  if (!/^[\x21-\x7e]+$/.test(text)) return 'contains white space or a character outside ASCII';
  if (/["<>\\^`{|}]/.test(text)) return 'contains a character that a URI cannot have';
  if (text.includes('*')) return 'contains a wildcard: register each URI, they are compared exactly';
  if (text.includes('#')) return 'has a fragment';
  const url = URL.parse(text);
  if (url === null) return 'is not an absolute URI such as https://app.example.org/callback';
  if (url.username !== '' || url.password !== '') return 'contains a user name or password';
  return url;
}

/**
 * Returns what is wrong with a URI to which the provider redirects a browser, as a clause such as "has a fragment";
 * `undefined` if the client may register it (RFC 6749 §3.1.2, RFC 8252 §7, OAuth 2.0 Security BCP §2.1).
 */
export function redirectFault(text: string, kind: ClientKind): string | undefined {
  const url = parse(text);
  if (typeof url === 'string') return url;
  if (url.protocol === 'https:')
    return kind === 'native' && loopbackHosts.has(url.hostname)
      ? 'must be http, because no certificate is valid for a loopback address'
      : undefined;
  if (url.protocol === 'http:')
    return isLoopback(url) ? undefined : 'must be https; http is for localhost, 127.0.0.1 and [::1] only';
  if (kind !== 'native')
    return 'must be https, or http on localhost; only a native client has a scheme of its own';
  // A scheme of a reversed domain name belongs to its owner; any app may claim `myapp:` (RFC 8252 §7.1).
  if (!url.protocol.includes('.'))
    return 'must have a scheme with a dot, such as com.example.app:/callback, or be http://127.0.0.1/callback';
  return undefined;
}

/**
 * Returns whether a client may receive codes at a URI. Only the port of a loopback address of a native client may
 * differ.
 */
export function isRedirectRegistered(
  { kind, redirectUris }: Pick<NewClient, 'kind' | 'redirectUris'>,
  uri: string,
): boolean {
  if (redirectUris.includes(uri)) return true;
  const plain = kind === 'native' ? withoutLoopbackPort(uri) : undefined;
  return plain !== undefined && redirectUris.some((one) => withoutLoopbackPort(one) === plain);
}

function withoutLoopbackPort(uri: string): string | undefined {
  const url = URL.parse(uri);
  if (url === null || !isLoopback(url)) return undefined;
  url.port = '';
  return url.href;
}

/** Returns what is wrong with a URI that the provider or a browser calls; `undefined` if nothing is. */
export function endpointFault(text: string, scheme: 'https' | 'loopback'): string | undefined {
  const url = parse(text);
  if (typeof url === 'string') return url;
  if (url.protocol === 'https:') return undefined;
  if (scheme === 'https') return 'must be https (OpenID Connect Core 1.0 §4)';
  return isLoopback(url) ? undefined : 'must be https; http is for localhost, 127.0.0.1 and [::1] only';
}

/** Returns what is wrong with the identifier of a resource (RFC 8707 §2); `undefined` if nothing is. */
export function identifierFault(text: string): string | undefined {
  const url = parse(text);
  return typeof url === 'string' ? url : undefined;
}
