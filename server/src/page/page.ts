// Tools of all pages: form tokens, the address to return to, and redirects.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import type { Languages } from '../kit/language.ts';
import { fieldProblem, Problem } from '../kit/problem.ts';
import { maxProofUnits } from '../http/fields.ts';
import { addressOf, hidden } from '../http/markup.ts';
import type { Page, Pages, Translate } from '../http/pages.ts';
import '../http/problem.ts';
import type { ReturnTargets } from '../http/return-to.ts';
import { sectionMenu, type AccountSection, type KeptMailPage, type LocalPage } from './account-section.ts';
import type { Exits } from './exit.ts';
import type { Notes } from '../http/cookie/note.ts';
import { paths } from './paths.ts';
import { PageQueries } from './query.ts';
import { Offers, type SignInOffer } from './sign-in-way.ts';

/** Maximum length of a form field: an address to return to is the longest. */
const formCharacters = 2200;
/** A field of a form. It may be empty, because the rule then rejects it and the page shows why. */
export const formField = Type.String({ maxLength: formCharacters, pattern: '^[^\\u0000]*$' });
/** A field of a form that holds the response of an authenticator. It may be empty too. */
export const credentialField = Type.String({ maxLength: maxProofUnits, pattern: '^[^\\u0000]*$' });
const optionalField = Type.Optional(formField);

/**
 * Rejects the form of an authenticator that gave nothing, as browsers without scripts send it. It is no attempt: nothing
 * is counted.
 * @throws {Problem} invalid_request.
 */
export function requireGiven(name: 'credential' | 'proof', text: string): void {
  if (text.trim() === '') throw fieldProblem(name, 'is empty', 'empty');
}

/** The query that any page accepts. A page sees the values that `PageQueries` accepts, and no others. */
export const PageQuery = Type.Object({
  return_to: optionalField,
  email: optionalField,
  done: optionalField,
  /** Id of the refusal that the page shows (note.ts). */
  note: optionalField,
});

/** Signs and checks form tokens. */
interface FormSigner {
  readonly sign: (text: string) => string;
  readonly check: (text: string, mac: string) => boolean;
}

export interface PageKitParts {
  readonly pages: Pages;
  readonly returnTargets: ReturnTargets;
  readonly forms: FormSigner;
  readonly notes: Notes;
  readonly exits: Exits;
  /** Origin of the service, as people reach it. */
  readonly publicOrigin: string;
  /** False if only the operator adds accounts. */
  readonly isSignUpOpen: boolean;
  /** True in local mode: mails are kept instead of being sent. */
  readonly keepsMails: boolean;
  /** Where they are read, as modules contribute it. */
  readonly keptMails: readonly KeptMailPage[];
  /** Pages for developers, as modules contribute them in local mode. */
  readonly localPages: readonly LocalPage[];
  /** Code points of the shortest password that may be set. */
  readonly passwordMinLength: number;
  /** The pages of an account, in the order in which they are listed. */
  readonly sections: readonly AccountSection[];
  /** What is offered after a sign-in, as modules contribute it. */
  readonly offers: readonly SignInOffer[];
  /** Name the applications to which users continue, as modules contribute them. */
  readonly destinations: readonly Destination[];
}

/**
 * Returns the name of the application to which the user continues at a page of this service, a path with its query;
 * `undefined` for other pages.
 */
export type Destination = (target: string) => Promise<string | undefined>;

/** A request that is answered with a redirect. */
interface Leaving {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** The address to return to. */
  readonly next?: string | undefined;
}

/** A request that was refused before its route. */
export interface RefusedRequest {
  readonly problem: Problem;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/**
 * Answers a form that was refused before it was read by its page, or returns the address of the page, to which the page
 * of the problem links.
 */
export type UnreadForm = (refused: RefusedRequest) => Promise<string | undefined>;

/** Translates, sends and protects pages. */
export class PageKit {
  readonly #parts: PageKitParts;
  readonly queries: PageQueries;
  /** Paths of all pages; complete before the first request. */
  readonly paths: Set<string> = new Set();
  /** The forms by the paths to which they are sent; complete before the first request. */
  readonly forms: Map<string, UnreadForm> = new Map();
  readonly offers: Offers;

  constructor(parts: PageKitParts) {
    this.#parts = parts;
    this.offers = new Offers(parts.offers);
    this.queries = new PageQueries((text) => parts.returnTargets.parse(text));
  }

  /** What pages show after a refused form. */
  get notes(): Notes {
    return this.#parts.notes;
  }

  /** Redirects, also to applications. */
  get exits(): Exits {
    return this.#parts.exits;
  }

  /**
   * Redirects, and remembers the result that the target names, unless it is only the address to return to, which
   * anybody's link may contain.
   */
  go({ request, reply, next }: Leaving, target: string): FastifyReply {
    if (target !== next) this.notes.results.leave(reply, target);
    return this.exits.go(request, reply, target);
  }

  get productName(): string {
    return this.#parts.pages.productName;
  }

  get publicOrigin(): string {
    return this.#parts.publicOrigin;
  }

  get cookieScope(): Pages['cookieScope'] {
    return this.#parts.pages.cookieScope;
  }

  get isSignUpOpen(): boolean {
    return this.#parts.isSignUpOpen;
  }

  get keepsMails(): boolean {
    return this.#parts.keepsMails;
  }

  /** Where mails are read that are kept; `undefined` if they are sent. */
  get keptMailPage(): KeptMailPage | undefined {
    return this.#parts.keptMails[0];
  }

  /** Pages for developers, in local mode. */
  get localPages(): readonly LocalPage[] {
    return this.#parts.localPages;
  }

  get passwordMinLength(): number {
    return this.#parts.passwordMinLength;
  }

  get sections(): readonly AccountSection[] {
    return this.#parts.sections;
  }

  /** Returns a line with the name of the application to which the user continues; empty if none is known. */
  async destination(t: Translate, target: string | undefined): Promise<string> {
    if (target === undefined) return '';
    const names = await Promise.all(this.#parts.destinations.map((nameOf) => nameOf(target)));
    const name = names.find((one) => one !== undefined);
    return name === undefined ? '' : html`<p class="who">${t('page.frame.destination', { name })}</p>`;
  }

  /** Returns the messages in the language that the user chose, or that the browser prefers. */
  translate(request: FastifyRequest): Translate {
    return this.#parts.pages.translate(request);
  }

  /** Returns the language that the user chose on a page, or that the browser prefers, if it is supported. */
  languageOf(request: FastifyRequest): string | undefined {
    return this.#parts.pages.languageOf(request);
  }

  /** Sends a page in the layout of the product. */
  send(request: FastifyRequest, reply: FastifyReply, page: Page): FastifyReply {
    const { method, query } = request;
    const { url = '/' } = request.routeOptions;
    const isPlain = method === 'GET' && !/[:*]/.test(url); // a path without a route, or with a parameter, may be any text
    const address = isPlain ? addressOf(url, { ...this.queries.parse(query) }) : '/';
    return this.#parts.pages.send(request, reply, { address, ...page });
  }

  /**
   * Sends a page of the account, with its navigation: the sections on wide screens, a link back on others. A login that
   * must add an authenticator first has no account to go back to, but a choice of authenticators.
   */
  sendAccount(request: FastifyRequest, reply: FastifyReply, page: Page): FastifyReply {
    const t = this.translate(request);
    const current = new URL(request.url, 'http://path.invalid').pathname;
    const isPending = request.session === null;
    const back = isPending ? addressOf(paths.setUp, { return_to: this.returnTo(request) }) : paths.account;
    const label = t(isPending ? 'page.set_up.title' : 'page.account.title');
    return this.send(request, reply, {
      ...page,
      before: html`<p class="back"><a href="${back}">${label}</a></p>`,
      ...(!isPending && { aside: sectionMenu(t, this.sections, current) }),
    });
  }

  /** The languages of pages and mails. */
  get languages(): Languages {
    return this.#parts.pages.languages;
  }

  /** Returns the `Set-Cookie` header of the chosen language. */
  languageCookie(language: string): string {
    return this.#parts.pages.languageCookie(language);
  }

  /** Returns the hidden input that binds a form to this session or pending authentication (CSRF token). */
  formToken(subjectId: string): string {
    return hidden('form_token', this.#parts.forms.sign(subjectId));
  }

  /**
   * Rejects a form that was made for another session or pending authentication. The second defense against cross-site
   * requests, after the check of the origin (OWASP ASVS 5.0 §3.5.1).
   * @throws {Problem} cross_site.
   */
  requireForm(subjectId: string, token: string | undefined): void {
    // A missing token is checked as the text "undefined", which no key has signed.
    if (!this.#parts.forms.check(subjectId, String(token))) throw new Problem('cross_site');
  }

  /** Returns the allowed target that the form or the query names: where the user continues afterwards. */
  returnTo(request: FastifyRequest): string | undefined {
    const { query, body } = request as { query?: unknown; body?: unknown };
    for (const part of [body, query]) {
      const { return_to: text } = (part ?? {}) as { return_to?: unknown }; // any object may have one
      if (typeof text === 'string') return this.#parts.returnTargets.parse(text);
    }
    return undefined;
  }

  /** Returns the target if it is allowed, otherwise `undefined` (open redirect, CWE-601). */
  parseTarget(text: string | undefined): string | undefined {
    return this.#parts.returnTargets.parse(text);
  }
}

/** Redirects with 303, so that the browser requests the target with GET and its back button repeats no POST. */
export function seeOther(reply: FastifyReply, path: string): FastifyReply {
  return reply.redirect(path, 303);
}
