// Reads the request that a proxy asks about from the headers of the question: whether a person waits for a page, and the
// address of that page. Nothing else is decided by these headers.
import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';

/** Schemes in X-Forwarded-Proto; proxies write those of WebSocket too. */
const schemes: Readonly<Record<string, string>> = { http: 'http', https: 'https', ws: 'http', wss: 'https' };

/** The request that a proxy asks about. */
export class ForwardedRequest {
  readonly #headers: IncomingHttpHeaders;
  readonly #method: string;

  constructor(headers: IncomingHttpHeaders) {
    const { 'x-forwarded-method': method } = headers;
    this.#headers = headers;
    this.#method = typeof method === 'string' ? method.toUpperCase() : 'GET';
  }

  /**
   * Returns whether a browser shows the reply as a page, so that a redirect leads a person to sign in (Fetch Metadata,
   * `Sec-Fetch-Mode: navigate`). A script would take the page of a redirect for the data that it asked for, or for the
   * confirmation that it saved something.
   */
  get isNavigation(): boolean {
    const { 'sec-fetch-mode': mode, accept, upgrade, 'x-requested-with': script } = this.#headers;
    if (upgrade !== undefined || !['GET', 'HEAD', 'POST'].includes(this.#method)) return false;
    if (mode !== undefined) return mode === 'navigate';
    return !this.#isPost && script === undefined && (accept?.includes('text/html') ?? false);
  }

  /**
   * Returns the address to which the user returns: of the page, or of the page with the form that was sent, as only its
   * browser has the fields of the form. If `parse` does not accept it, for example because it is too long, the start of
   * the application; `undefined` if its host is not accepted either.
   *
   * @param parse Returns an address if it is on an allowed origin (open redirect, CWE-601).
   */
  returnTarget(parse: (text: string) => string | undefined): string | undefined {
    const { 'x-forwarded-uri': path, referer } = this.#headers;
    if (typeof path !== 'string') return undefined;
    const home = this.#targetOf('/', parse);
    if (!this.#isPost) return this.#targetOf(path, parse) ?? home;
    const page = referer === undefined ? undefined : parse(referer);
    return home !== undefined && page !== undefined && originOf(page) === originOf(home) ? page : home;
  }

  get #isPost(): boolean {
    return this.#method === 'POST';
  }

  /**
   * Returns the address of a path on the forwarded host. A proxy behind another one, which ends TLS, writes `http`; some
   * proxies append to the value of the one before, so both values can be lists. Neither proves anything: the first host
   * with an allowed origin counts, with the scheme of that origin.
   */
  #targetOf(path: string, parse: (text: string) => string | undefined): string | undefined {
    const { 'x-forwarded-proto': forwarded, 'x-forwarded-host': host } = this.#headers;
    if (typeof forwarded !== 'string' || typeof host !== 'string') return undefined;
    const scheme = schemes[forwarded.split(',', 1)[0]?.trim().toLowerCase() ?? ''];
    if (scheme === undefined) return undefined;
    // Node reads the bytes of a header as Latin-1.
    const bytes = Buffer.from(path, 'latin1');
    const wanted = isUtf8(bytes) ? bytes.toString() : path;
    for (const each of host.split(',').map((part) => part.trim().toLowerCase())) {
      for (const tried of [scheme, scheme === 'http' ? 'https' : 'http']) {
        const target = parse(`${tried}://${each}${wanted}`);
        if (target !== undefined) return target;
      }
    }
    return undefined;
  }
}

function originOf(target: string): string | undefined {
  return URL.parse(target)?.origin;
}
