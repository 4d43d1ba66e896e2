// Whose request this is, as a network address: what limits count by and records name. The peer's address, unless the
// peer is a proxy that the operator named; then what that proxy wrote into X-Forwarded-For. No other header is believed,
// and none at all while no proxy is named: anybody can write one (CVE-2024-47070).
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export interface Client {
  /** Canonical text: an IPv4 address mapped into IPv6 is told as IPv4. Empty when the peer has gone already. */
  readonly address: string;
  /** What its requests are counted under: an IPv4 address, or the /64 that one IPv6 subscriber has whole. */
  readonly key: string;
}

/** What is read of a request: also of a bare one of node:http. */
export interface AddressedRequest {
  readonly socket: { readonly remoteAddress?: string | undefined };
  readonly headers: IncomingHttpHeaders;
}

type Address = ReturnType<typeof ipaddr.process>;

/** Groups of an IPv6 address that name the network. */
const networkGroups = 4;

export class ClientAddress {
  readonly #trusted: readonly [Address, number][];
  /** By the headers of the request: limits, log and rules ask for the client of the same one. */
  readonly #known = new WeakMap<IncomingHttpHeaders, Client>();

  /** @param trustedProxies networks in CIDR notation, as the option has them. */
  constructor(trustedProxies: readonly string[]) {
    this.#trusted = trustedProxies.map((network) => ipaddr.parseCIDR(network));
  }

  /** True when some proxy is believed. */
  get trustsProxies(): boolean {
    return this.#trusted.length > 0;
  }

  /**
   * The client of a request. The header is read from its right end, where the nearest proxy wrote, through the proxies
   * that are trusted; the first address that is none of them is the client. What is no address ends the walk, and the
   * hop that passed it on stands for the client: garbage never escapes being counted.
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
      if (isIP(next) === 0) break;
      hop = next;
      end = start - 1;
    }
    return toClient(hop);
  }

  #isTrusted(text: string): boolean {
    if (isIP(text) === 0) return false;
    const address = ipaddr.process(text);
    return this.#trusted.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
    );
  }
}

/** True for an address that is nobody's on the internet: loopback, private networks and their like. */
export function isPrivateAddress(text: string): boolean {
  return isIP(text) !== 0 && ipaddr.process(text).range() !== 'unicast';
}

function toClient(text: string): Client {
  if (isIP(text) !== 6) return { address: text, key: text };
  const address = ipaddr.process(text);
  if (address.kind() === 'ipv4') return { address: address.toString(), key: address.toString() };
  const { parts } = address as ipaddr.IPv6; // kind() has told
  const network = parts.slice(0, networkGroups).map((group) => group.toString(16));
  return { address: address.toString(), key: `${network.join(':')}::/64` };
}

/** Some proxies write the port behind the address: `192.0.2.1:443`, `[2001:db8::1]:443`. */
function withoutPort(text: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d+)?$/.exec(text) ?? [];
  return bracketed ?? plain ?? text;
}
