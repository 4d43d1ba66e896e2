// Decides which network addresses the service may connect to on behalf of others. A URL of a client must not reach into
// the network of the service (server-side request forgery, CWE-918).
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export interface DestinationRuleOptions {
  /** Networks in CIDR notation that are allowed although they are not public. */
  readonly allowed: readonly string[];
  /** Allows addresses of this machine: local mode. */
  readonly allowsLoopback: boolean;
}

type Address = ReturnType<typeof ipaddr.process>;

/** All addresses that IANA has given out for global unicast (RFC 4291 §2.4). */
const globalUnicast = ipaddr.parseCIDR('2000::/3');

/** The addresses to which requests may go. */
export class DestinationRule {
  readonly allowsLoopback: boolean;
  readonly #allowed: readonly [Address, number][];

  constructor({ allowed, allowsLoopback }: DestinationRuleOptions) {
    this.allowsLoopback = allowsLoopback;
    this.#allowed = allowed.map((network) => ipaddr.parseCIDR(network));
  }

  /**
   * Returns whether the service may connect to an address: it is public, or the operator allows it. IPv4-mapped IPv6
   * addresses count as IPv4. False for any other text.
   */
  permits(text: string): boolean {
    const address = parse(text);
    if (address === undefined) return false;
    if (isPublic(address) || (this.allowsLoopback && address.range() === 'loopback')) return true;
    return this.#allowed.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
    );
  }

  /** Returns whether an address is this machine's and allowed: the only ones to which a request goes without TLS. */
  permitsLoopback(text: string): boolean {
    return this.allowsLoopback && parse(text)?.range() === 'loopback';
  }
}

function parse(text: string): Address | undefined {
  return isIP(text) === 0 || text.includes('%') ? undefined : ipaddr.process(text);
}

function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  return address.kind() === 'ipv4' || address.match(globalUnicast);
}
