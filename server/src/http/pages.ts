// Sends pages: their common frame, their language, and their Content-Security-Policy. A page loads nothing from other
// sites, has no inline scripts, and works without scripts.
import { html } from 'ghtml';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { requestedLocales, defaultLanguage, type Languages, type MessageValues } from '../kit/language.ts';
import { dayMs } from '../kit/clock.ts';
import { Cookie, type CookieScope } from './cookie/cookie.ts';
import type { PageAssets } from '../brand/page-assets.ts';

export interface Page {
  readonly title: string;
  /** Markup with escaped values. */
  readonly body: string;
  /** The URL of the page contains a secret: browsers send no Referer at all. */
  readonly hasSecretAddress?: boolean;
  /** Markup above the title. */
  readonly before?: string;
  /** Markup of the navigation next to the page. */
  readonly aside?: string;
  /** Wider than a form, for example for a list of mails. */
  readonly isWide?: boolean;
  /** The page shows others of this service in frames. */
  readonly hasFrames?: boolean;
  /** The page shows why a form was refused. */
  readonly isRefused?: boolean;
  /** The browser continues at this URL by itself. */
  readonly continuesAt?: string;
  /** Address of the page, to which the choice of a language returns. */
  readonly address?: string;
}

/** The parts of every page that the operator configures. */
export interface PageFrame {
  readonly productName: string;
  /** Absolute URLs of the links in the footer. */
  readonly links: Readonly<Partial<Record<'terms' | 'privacy' | 'support', URL>>>;
  readonly assets: PageAssets;
  readonly languages: Languages;
  readonly cookies: CookieScope;
}

/** Formats messages in one language. */
export interface Translate {
  (key: string, values?: MessageValues): string;
  readonly language: string;
}

const languageCookieMs = 400 * dayMs;

export class Pages {
  readonly #frame: PageFrame;
  readonly #policy: string;
  readonly #languageCookie: Cookie;
  readonly cookieScope: CookieScope;

  constructor(frame: PageFrame) {
    this.#frame = frame;
    this.cookieScope = frame.cookies;
    this.#languageCookie = new Cookie({
      name: 'language',
      scope: frame.cookies,
      accepts: (value) => frame.languages.isSupported(value),
    });
    this.#policy = [
      "default-src 'none'",
      "style-src 'self'",
      "script-src 'self'",
      "connect-src 'self'",
      "img-src 'self'",
      ...(frame.assets.hasFonts ? ["font-src 'self'"] : []),
      "form-action 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ].join('; ');
  }

  get languages(): Languages {
    return this.#frame.languages;
  }

  get productName(): string {
    return this.#frame.productName;
  }

  /** Returns the language that the user selected, the application asks for, or the browser prefers, if supported. */
  languageOf(request: FastifyRequest): string | undefined {
    const chosen = this.#languageCookie.read(request.headers.cookie);
    const asked = chosen ?? this.languages.preferred(requestedLocales(request));
    return asked ?? this.languages.preferred(request.headers['accept-language']);
  }

  /** Returns the messages in the language of a request. */
  translate(request: FastifyRequest): Translate {
    return translator(this.#frame.languages, this.languageOf(request) ?? defaultLanguage);
  }

  /** Returns the Set-Cookie header for the language that a user selected. */
  languageCookie(language: string): string {
    return this.#languageCookie.write(language, languageCookieMs);
  }

  /** Sends a page. */
  send(request: FastifyRequest, reply: FastifyReply, page: Page): FastifyReply {
    const { title, body, before = '', aside = '', address = '/' } = page;
    const { isWide = false, isRefused = false, hasSecretAddress = false, continuesAt } = page;
    const policy = page.hasFrames === true ? `${this.#policy}; frame-src 'self'` : this.#policy;
    // With `no-referrer`, browsers without Fetch Metadata send forms with `Origin: null` (Fetch standard §3.2), which
    // cross-site.ts rejects. `strict-origin` reveals neither path nor query.
    if (!hasSecretAddress) void reply.header('referrer-policy', 'strict-origin');
    const t = this.translate(request);
    const { productName, assets } = this.#frame;
    const name = title === productName ? productName : `${title} · ${productName}`;
    const head = isRefused ? t('page.frame.refused', { title: name }) : name;
    return reply
      .header('content-security-policy', policy)
      .header('vary', 'Accept, Accept-Language, Cookie')
      .type('text/html; charset=utf-8')
      .send(
        html`<!doctype html>
          <html lang="${t.language}" dir="${t('page.frame.direction')}">
            <head>
              <meta charset="utf-8" />
              <meta name="viewport" content="width=device-width, initial-scale=1" />
              <meta name="color-scheme" content="light dark" />
              <title>${head}</title>
              !${continuesAt === undefined ? '' : html`<meta http-equiv="refresh" content="0; url=${continuesAt}" />`}
              !${assets.links.map((link) => html`<link !${link} />`).join('')} !${assets.icons}
              <script type="module" src="${assets.scriptPath}" blocking="render"></script>
            </head>
            <body
              data-show="${t('page.frame.show')}"
              data-show-label="${t('page.frame.show_label')}"
              data-length="${t('page.frame.length')}"
            >
              <a class="skip" href="#main">${t('page.frame.skip')}</a>
              <header>
                <a href="/" class="product">!${assets.header(productName)}</a>
              </header>
              !${aside}
              <main id="main" !${isWide ? 'class="wide"' : ''}>
                !${before}
                <h1>${title}</h1>
                !${body}
              </main>
              !${this.#footer(t, address)}
            </body>
          </html>`,
      );
  }

  #footer(t: Translate, address: string): string {
    const links = Object.entries(this.#frame.links).map(
      ([name, url]) => html`<li><a href="${url.href}" rel="noopener">${t(`page.frame.${name}`)}</a></li>`,
    );
    const choices = this.languages.tags.map(
      (language) =>
        html`<button
          name="language"
          value="${language}"
          lang="${language}"
          !${language === t.language ? 'aria-current="true"' : ''}
        >
          ${this.languages.nameOf(language)}
        </button>`,
    );
    return html`<footer>
      <ul>
        !${links.join('')}
      </ul>
      <form method="post" action="/language" aria-label="${t('page.frame.languages')}">
        <input type="hidden" name="return_to" value="${address}" />!${choices.join('')}
      </form>
    </footer>`;
  }
}

/** Returns whether a client accepts HTML, as browsers do. */
export function wantsPage({ headers }: FastifyRequest): boolean {
  return headers.accept?.includes('text/html') ?? false;
}

/** Returns the messages in a language. */
function translator(languages: Languages, language: string): Translate {
  return Object.assign(
    (key: string, values: MessageValues = {}) => languages.message(language, key, values),
    { language },
  );
}
