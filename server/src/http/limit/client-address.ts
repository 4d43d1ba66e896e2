// Determines the network address of the client, for rate limits, logs and the audit log. It is the address of the peer
// or, if the peer is a trusted proxy, the address in X-Forwarded-For. No other header is used, and without trusted
// proxies none at all: any client can send them (CVE-2024-47070).
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export interface Client {
  /**
   * Address in canonical form without a zone, IPv4-mapped IPv6 addresses as IPv4. Empty if the peer has already
   * disconnected, or has no IP address.
   */
  readonly address: string;
  /** Key for rate limits: an IPv4 address, or the /64 network that an IPv6 subscriber has. */
  readonly key: string;
}

/** The parts of a request that are read; a request of node:http has them as well. */
export interface AddressedRequest {
  readonly socket: { readonly remoteAddress?: string | undefined };
  readonly headers: IncomingHttpHeaders;
}

type Address = ReturnType<typeof ipaddr.process>;

/** Number of 16-bit groups in the network part of an IPv6 address. */
const networkGroups = 4;

export class ClientAddress {
  readonly #trusted: [Address, number][];
  /** Clients by the headers of their request, because limits, log and services all need the client of a request. */
  readonly #known = new WeakMap<IncomingHttpHeaders, Client>();

  /**
   * @param trustedProxies Networks in CIDR notation. If one contains an address of `localhost`, both are trusted: a proxy
   *   that connects to the name uses either, and so can every program of this machine.
   */
  constructor(trustedProxies: readonly string[]) {
    this.#trusted = trustedProxies.map((network) => ipaddr.parseCIDR(network));
    if (['127.0.0.1', '::1'].some((address) => this.#isTrusted(address)))
      this.#trusted.push(ipaddr.parseCIDR('127.0.0.1/32'), ipaddr.parseCIDR('::1/128'));
  }

  /** Whether there are trusted proxies. */
  get trustsProxies(): boolean {
    return this.#trusted.length > 0;
  }

  /**
   * Returns the client of a request. The header is read from the right, where the nearest proxy appended its entry,
   * past the trusted proxies; the first other address is the client. At a malformed entry the last valid hop counts as
   * the client, so that invalid values cannot evade rate limits.
   */
  of(request: AddressedRequest): Client {
    const known = this.#known.get(request.headers);
    if (known !== undefined) return known;
    const client = this.#find(request);
    this.#known.set(request.headers, client);
    return client;
  }

  #find({ socket, headers }: AddressedRequest): Client {
    let hop = socket.remoteAddress ?? '';
    const forwarded = headers['x-forwarded-for'];
    if (typeof forwarded !== 'string' || !this.trustsProxies) return toClient(hop);
    for (let end = forwarded.length; end > 0 && this.#isTrusted(hop);) {
      const start = forwarded.lastIndexOf(',', end - 1) + 1;
      const next = withoutPort(forwarded.slice(start, end).trim());
      if (parseAddress(next) === undefined) break;
      hop = next;
      end = start - 1;
    }
    return toClient(hop);
  }

  #isTrusted(text: string): boolean {
    const address = parseAddress(text);
    if (address === undefined) return false;
    return this.#trusted.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
    );
  }
}

/**
 * Parses an address; `undefined` for any other text, and for what the library rejects. The zone of an IPv6 address
 * (RFC 4007 §11: `fe80::1%br-lan`) is removed: it names a network interface, by any characters.
 */
function parseAddress(text: string): Address | undefined {
  const zone = text.indexOf('%');
  const bare = zone === -1 ? text : text.slice(0, zone);
  const version = isIP(bare);
  if (version === 0 || (version === 4 && zone !== -1)) return undefined;
  try {
    return ipaddr.process(bare);
  } catch {
    return undefined;
  }
}

/** Returns whether an address is not public: loopback, private networks and other special ranges. */
export function isPrivateAddress(text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && address.range() !== 'unicast';
}

function toClient(text: string): Client {
  const address = parseAddress(text);
  if (address === undefined) return { address: '', key: '' };
  if (address.kind() === 'ipv4') return { address: address.toString(), key: address.toString() };
  const { parts } = address as ipaddr.IPv6; // kind() is ipv6
  const network = parts.slice(0, networkGroups).map((group) => group.toString(16));
  return { address: address.toString(), key: `${network.join(':')}::/64` };
}

/** Removes the port that some proxies append: `192.0.2.1:443`, `[2001:db8::1]:443`. */
function withoutPort(text: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d+)?$/.exec(text) ?? [];
  return bracketed ?? plain ?? text;
}
