// Reads and sets the cookies of a browser, and reads the source of each request. It decides nothing: the guards are in
// session/guard.ts and sign-in/guard.ts.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { dayMs } from '../kit/clock.ts';
import { createToken } from '../kit/secret.ts';
import type { ClientAddress } from '../http/limit/client-address.ts';
import { Cookie, type CookieScope } from '../http/cookie/cookie.ts';
import { TokenCookie } from '../http/cookie/token-cookie.ts';
import { deviceKind, pendingAuthenticationKind, requestKind, sessionKind } from './cookie-kinds.ts';
import type { PageKit } from '../page/page.ts';
import type { RequestedMails } from '../http/cookie/requested-mails.ts';
import type { ClientSource } from './context.ts';
import { actorOf } from './principal.ts';

/** Lifetime of the cookie of an initiating browser: that of the longest-lived mail. */
const requestMs = dayMs;
/** Lifetime of the cookie of the way that was used last. Browsers keep no cookie for longer (RFC 6265bis §5.5). */
const lastWayMs = 400 * dayMs;

export interface BrowserCookieOptions {
  readonly scope: CookieScope;
  /** Life of the session cookie in milliseconds. */
  readonly sessionMs: number;
  /** Remembers the mails that the browser requested. */
  readonly requested: RequestedMails;
  /** Life of the device cookie in milliseconds. Read each time, because a module may extend it. */
  readonly deviceMs: () => number;
}

/** A session that a reply sends to the browser. */
interface SentSession {
  readonly token: string;
  /** The browser forgets the cookie when it ends. */
  readonly endsWithBrowser: boolean;
}

/** Sets and clears the cookies of the service: session, known device, pending authentication and initiating browser. */
export class BrowserCookies {
  readonly session: TokenCookie;
  readonly device: TokenCookie;
  readonly pending: TokenCookie;
  readonly request: TokenCookie;
  readonly requested: RequestedMails;
  readonly #lastWay: Cookie;
  readonly #sessionMs: number;
  readonly #deviceMs: () => number;

  constructor({ scope, sessionMs, deviceMs, requested }: BrowserCookieOptions) {
    this.requested = requested;
    this.session = new TokenCookie({ name: 'session_id', kind: sessionKind, scope });
    this.device = new TokenCookie({ name: 'device', kind: deviceKind, scope });
    this.pending = new TokenCookie({ name: 'pending_login', kind: pendingAuthenticationKind, scope });
    this.request = new TokenCookie({ name: 'request', kind: requestKind, scope });
    this.#lastWay = new Cookie({
      name: 'last_way',
      scope,
      accepts: (value) => /^[a-z_]{1,20}$/.test(value),
    });
    this.#sessionMs = sessionMs;
    this.#deviceMs = deviceMs;
  }

  setSession(reply: FastifyReply, { token, endsWithBrowser }: SentSession): void {
    void reply.header('set-cookie', this.session.write(token, endsWithBrowser ? 'browser' : this.#sessionMs));
  }

  /**
   * Sends the new token of a session whose credentials changed. The rest of the request belongs to the renewed session,
   * so that the forms of a page in its reply work.
   */
  renewSession(
    request: FastifyRequest,
    reply: FastifyReply,
    { token, ...session }: NonNullable<FastifyRequest['session']> & { readonly token: string },
  ): void {
    request.session = session;
    this.setSession(reply, { ...session, token });
  }

  clearSession(reply: FastifyReply): void {
    void reply.header('set-cookie', this.session.clear());
  }

  setDevice(reply: FastifyReply, token: string): void {
    void reply.header('set-cookie', this.device.write(token, this.#deviceMs()));
  }

  /** Sets the cookie of a pending authentication for the given milliseconds. */
  setPending(reply: FastifyReply, token: string, lifeMs: number): void {
    void reply.header('set-cookie', this.pending.write(token, lifeMs));
  }

  clearPending(reply: FastifyReply): void {
    void reply.header('set-cookie', this.pending.clear());
  }

  /** Returns the name of the way to sign in that was used last on this device. Only a hint: anybody can set it. */
  lastWay({ headers }: FastifyRequest): string | undefined {
    return this.#lastWay.read(headers.cookie);
  }

  setLastWay(reply: FastifyReply, name: string): void {
    void reply.header('set-cookie', this.#lastWay.write(name, lastWayMs));
  }

  /** Marks the initiating browser of a mail, in which the code of the mail works. */
  setRequest(reply: FastifyReply, { requestToken }: { readonly requestToken: string }): void {
    void reply.header('set-cookie', this.request.write(requestToken, requestMs));
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Client of the request, with the values of its cookies. Only in the routes of the service. @internal */
    readonly source: ClientSource;
  }
}

/** Adds `source` to every request. It is computed at the first access. */
export function installSource(
  app: FastifyInstance,
  clientAddress: ClientAddress,
  cookies: BrowserCookies,
  pages: PageKit,
): void {
  const sources = new WeakMap<FastifyRequest, ClientSource>();
  app.decorateRequest('source', {
    getter(this: FastifyRequest) {
      let source = sources.get(this);
      if (source === undefined) {
        source = {
          ...readSource(this, clientAddress, cookies),
          language: pages.languageOf(this),
        };
        sources.set(this, source);
      }
      return source;
    },
  });
}

function readSource(
  request: FastifyRequest,
  clientAddress: ClientAddress,
  cookies: BrowserCookies,
): Omit<ClientSource, 'language'> {
  const { address, key: network } = clientAddress.of(request);
  const { cookie: header, 'user-agent': device } = request.headers;
  return {
    ...actorOf(request.session === null ? undefined : { kind: 'user', userId: request.session.userId }),
    address,
    network,
    requestId: request.id,
    device,
    deviceToken: cookies.device.read(header),
    sessionToken: cookies.session.read(header),
    requestToken: cookies.request.read(header),
  };
}

/**
 * Returns the source of a request for a mail. A browser without a request token gets a new one: send it with
 * `setRequest`.
 */
export function initiatingSourceOf(
  request: FastifyRequest,
): ClientSource & { readonly requestToken: string } {
  const { source } = request; // not in the signature: programs do not see this member
  return { ...source, requestToken: source.requestToken ?? createToken(requestKind).token };
}

/** As `initiatingSourceOf`, for a form: the link of the mail also carries the address to return to. */
export function pageSourceOf(
  pages: PageKit,
  request: FastifyRequest,
): ClientSource & { readonly requestToken: string } {
  return { ...initiatingSourceOf(request), returnTo: pages.returnTo(request) };
}
