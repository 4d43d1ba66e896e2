// Notices requests that arrive in a way that the operator did not configure. In public mode a proxy that is not trusted
// is a warning. In local mode another host name or any proxy is a rejection: local mode returns reset tokens to its
// callers, so it must not answer a page whose name was made to resolve to 127.0.0.1 (DNS rebinding), nor a proxy or
// tunnel whose operator forgot PUBLIC_URL.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Log } from '../../kit/log.ts';
import { LogThrottle } from '../../kit/log-throttle.ts';
import { Problem } from '../../kit/problem.ts';
import { isPrivateAddress } from './client-address.ts';
import { isLocalHost } from '../origin/origins.ts';
import type { RejectionThrottle } from './rejection-throttle.ts';
import '../problem.ts';

/** Number of requests from one private address after which it is probably a proxy. */
const requestsBeforeHint = 200;

/**
 * Warns once if all requests come from one private address: behind a proxy that is not trusted, all users share one
 * limit.
 */
export class ProxyHint {
  readonly #log: Log;
  #address: string | undefined;
  #count = 0;
  #isSettled = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Counts a request of an address. */
  note(address: string): void {
    if (this.#isSettled) return;
    this.#address ??= address;
    this.#count += 1;
    const isShared = address === this.#address && isPrivateAddress(address);
    if (isShared && this.#count < requestsBeforeHint) return;
    this.#isSettled = true;
    if (!isShared) return;
    this.#log.warn(
      { address },
      'All requests come from one private address, probably a proxy. Add its network to TRUSTED_PROXIES; otherwise all clients share one rate limit',
    );
  }
}

/** Headers that proxies, tunnels and content delivery networks add, and that no browser and no program sends itself. */
const forwardingHeader =
  /^(?:forwarded|via|cdn-loop|(?:x-forwarded|x-original|x-envoy|x-appengine|cf|fly|fastly|tailscale)(?:-.+)?|x-real-ip|(?:x|true|x-cluster|x-azure)-client-?ip)$/;

/** Scheme and authority of a request target in absolute form, which replaces the Host header (RFC 9112 §3.2.2). */
const absoluteForm = /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)/i;
/** Characters of a name or address and a port: no user, no escapes, nothing that two parsers read differently. */
const hostForm = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d*)?$/i;

/** The addresses of `localhost`, as a URL has them. */
const loopbackAddresses = new Set(['127.0.0.1', '[::1]']);

/** Maximum length of a text of a client in the log. */
const loggedCharacters = 100;

export interface LocalRequestsOptions {
  readonly publicUrl: URL | undefined;
  readonly log: Log;
  readonly throttle: RejectionThrottle;
}

/** Rejects, in local mode, requests that do not come from this machine. */
export class LocalRequests {
  readonly #publicUrl: URL | undefined;
  readonly #log: Log;
  readonly #throttle: RejectionThrottle;
  readonly #logThrottle = new LogThrottle();
  /** The last host that was found to be local: nearly all requests name the same one, and parsing it takes microseconds. */
  #knownHost: string | undefined;

  constructor({ publicUrl, log, throttle }: LocalRequestsOptions) {
    this.#publicUrl = publicUrl;
    this.#log = log;
    this.#throttle = throttle;
  }

  /**
   * Installs the hook, which rejects a request with `misdirected_request`. While no address is configured, it redirects a
   * browser that opens a page at 127.0.0.1 to `localhost`, where passkeys work.
   */
  install(app: FastifyInstance): void {
    app.addHook('onRequest', (request, reply, done) => {
      const reason = this.#reasonToReject(request);
      if (reason === undefined) {
        const better = this.#publicUrl === undefined ? addressAtLocalhost(request) : undefined;
        return better === undefined ? done() : void reply.redirect(better, 307);
      }
      const count = this.#logThrottle.take('misdirected');
      if (count > 0)
        this.#log.warn(
          { count, ...reason },
          'Requests were rejected: local mode answers this machine only. To use a proxy or another host name, set PUBLIC_URL',
        );
      return this.#throttle.refuse(done, new Problem('misdirected_request'));
    });
  }

  /** Returns what shows that a request does not come from this machine; `undefined` if nothing does. */
  #reasonToReject(request: FastifyRequest): { host: string } | { header: string } | undefined {
    const hosts = hostsOf(request);
    const foreign = hosts.find((host) => !this.#isLocal(host));
    if (foreign !== undefined || hosts.length === 0)
      return { host: (foreign ?? '').slice(0, loggedCharacters) };
    if (this.#publicUrl !== undefined) return undefined; // the proxy in front has this address
    const header = Object.keys(request.headers).find((name) => forwardingHeader.test(name));
    return header === undefined ? undefined : { header: header.slice(0, loggedCharacters) };
  }

  #isLocal(host: string): boolean {
    if (host === this.#knownHost) return true;
    const hostname = hostForm.test(host) ? URL.parse(`http://${host}`)?.hostname : undefined;
    const isLocal =
      hostname !== undefined && (isLocalHost(hostname) || hostname === this.#publicUrl?.hostname);
    if (isLocal) this.#knownHost = host;
    return isLocal;
  }
}

/** Returns every host that a request names: in its target, in Host, and in the `:authority` of HTTP/2. */
function hostsOf({ headers, raw: { url = '' } }: FastifyRequest): string[] {
  const { host, ':authority': authority } = headers;
  const target = url.startsWith('/') || url === '*' ? undefined : (absoluteForm.exec(url)?.[1] ?? '');
  if (target === undefined && authority === undefined) return host === undefined ? [] : [host];
  return [target, host, authority].flat().filter((each) => each !== undefined);
}

/**
 * Returns the same address at the name `localhost` if a browser opens a page at an address of this machine; `undefined`
 * for other requests. Programs are not redirected: they send no Fetch Metadata.
 */
function addressAtLocalhost({ method, headers, url }: FastifyRequest): string | undefined {
  if (
    method !== 'GET' ||
    headers['sec-fetch-mode'] !== 'navigate' ||
    headers['sec-fetch-dest'] !== 'document'
  )
    return undefined;
  const at = URL.parse(`http://${headers.host}`);
  if (at === null || !url.startsWith('/') || !loopbackAddresses.has(at.hostname)) return undefined;
  at.hostname = 'localhost';
  return `${at.origin}${url}`;
}
