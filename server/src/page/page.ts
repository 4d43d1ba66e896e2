// What pages share: form tokens, the address to return to, redirects after a POST, and forms that show a problem.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { getProblem, Problem, type ProblemCode } from '../kit/problem.ts';
import { addressOf, hidden } from '../http/markup.ts';
import type { Page, Pages, Translate } from '../http/pages.ts';
import '../http/problem.ts';
import type { ReturnTargets } from '../http/return-to.ts';
import type { AccountSection, KeptMailPage } from './account-section.ts';
import { paths } from './paths.ts';

/** Characters of a form's longest field: the answer of a passkey. */
const formCharacters = 12_000;
/** A field of a form. It may be empty: the rule rejects it, and the page shows why. */
export const formField = Type.String({ maxLength: formCharacters, pattern: '^[^\\u0000]*$' });
const optionalField = Type.Optional(formField);
/** The query that any page accepts. */
export const PageQuery = Type.Object({
  return_to: optionalField,
  email: optionalField,
  done: optionalField,
});

/** Keyed digests of forms. */
interface FormSigner {
  readonly sign: (text: string) => string;
  readonly check: (text: string, mac: string) => boolean;
}

export interface PageKitParts {
  readonly pages: Pages;
  readonly returnTargets: ReturnTargets;
  readonly forms: FormSigner;
  /** Origin of the service, as people reach it. */
  readonly publicOrigin: string;
  /** Mails are kept instead of sent: local mode. */
  readonly keepsMails: boolean;
  /** Where they are read, as modules contribute it. */
  readonly keptMails: readonly KeptMailPage[];
  /** Code points of the shortest password that may be set. */
  readonly passwordMinLength: number;
  /** The pages of an account, in the order in which they are listed. */
  readonly sections: readonly AccountSection[];
}

/** The tools of every page: language, frame, form tokens and the address to return to. */
export class PageKit {
  readonly #parts: PageKitParts;

  constructor(parts: PageKitParts) {
    this.#parts = parts;
  }

  get productName(): string {
    return this.#parts.pages.productName;
  }

  get publicOrigin(): string {
    return this.#parts.publicOrigin;
  }

  get keepsMails(): boolean {
    return this.#parts.keepsMails;
  }

  /** Where mails are read that are kept; `undefined` if they are sent. */
  get keptMailPage(): KeptMailPage | undefined {
    return this.#parts.keptMails[0];
  }

  get passwordMinLength(): number {
    return this.#parts.passwordMinLength;
  }

  get sections(): readonly AccountSection[] {
    return this.#parts.sections;
  }

  /** Messages in the language that the person chose, or that the browser asks for. */
  translate(request: FastifyRequest): Translate {
    return this.#parts.pages.speak(request);
  }

  /** Sends a page in the frame of the product. */
  send(request: FastifyRequest, reply: FastifyReply, page: Page): FastifyReply {
    return this.#parts.pages.send(request, reply, page);
  }

  /** Sends a page of the account: with a link back to the list. */
  sendAccount(request: FastifyRequest, reply: FastifyReply, { title, body }: Page): FastifyReply {
    const t = this.translate(request);
    const back = html`<p class="links"><a href="${paths.account}">${t('page.account.back')}</a></p>`;
    return this.send(request, reply, { title, body: html`!${body} !${back}` });
  }

  /** `Set-Cookie` of the language that the person chose. */
  languageCookie(language: string): string {
    return this.#parts.pages.languageCookie(language);
  }

  /** The input by which a form shows that it was made for this session or pending authentication. */
  formToken(subjectId: string): string {
    return hidden('form_token', this.#parts.forms.sign(subjectId));
  }

  /**
   * Rejects a form that was not made for this session or pending authentication. The origin of the request is checked
   * before; this is the second line of defense (OWASP ASVS 5.0 §3.5.1).
   * @throws {Problem} cross_site.
   */
  requireForm(subjectId: string, token: string | undefined): void {
    // A missing token is checked as the text "undefined", which no key has signed.
    if (!this.#parts.forms.check(subjectId, String(token))) throw new Problem('cross_site');
  }

  /** The allowed target that the form names, or else the query: where the person wants to go in the end. */
  returnTo(request: FastifyRequest): string | undefined {
    const { query, body } = request as { query?: unknown; body?: unknown };
    for (const part of [body, query]) {
      const { return_to: text } = (part ?? {}) as { return_to?: unknown }; // any object may have one
      if (typeof text === 'string') return this.#parts.returnTargets.parse(text);
    }
    return undefined;
  }

  /** The target if a person may be sent there (CWE-601). */
  parseTarget(text: string | undefined): string | undefined {
    return this.#parts.returnTargets.parse(text);
  }

  /** The page on which a problem can be solved, with the way back; `undefined` for other problems. */
  recoveryPage({ code }: Problem, request: FastifyRequest): string | undefined {
    const path = recoveryPages[code];
    if (path === undefined) return undefined;
    // The page of a pending authentication that has ended cannot be shown again; only its target is kept.
    const back = code === 'pending_authentication_required' ? this.returnTo(request) : placeOf(request);
    return addressOf(path, { return_to: back });
  }
}

/** Redirects with 303: the browser gets the target with GET, and its back button repeats nothing. */
export function seeOther(reply: FastifyReply, path: string): FastifyReply {
  return reply.redirect(path, 303);
}

/** Runs the action of a form. A problem shows the form again, unless another page solves it. */
export async function rerenderOnProblem(
  reply: FastifyReply,
  action: () => Promise<FastifyReply>,
  rerender: (problem: Problem) => Promise<FastifyReply> | FastifyReply,
): Promise<FastifyReply> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof Problem) || recoveryPages[error.code] !== undefined) throw error;
    if (error.retryAfterSeconds !== undefined) void reply.header('retry-after', error.retryAfterSeconds);
    void reply.status(getProblem(error.code).status);
    return rerender(error);
  }
}

/** Pages on which a problem is solved: by signing in, or by step-up. */
const recoveryPages: Partial<Record<ProblemCode, string>> = {
  step_up_required: paths.stepUp,
  session_required: paths.signIn,
  pending_authentication_required: paths.signIn,
};

/** The page that a person is on. Its forms are sent to its own path, or below: `/account/passkeys/remove`. */
function placeOf({ method, url }: FastifyRequest): string {
  if (method === 'GET') return url;
  return new URL(url, 'http://path.invalid').pathname.split('/').slice(0, 3).join('/');
}
