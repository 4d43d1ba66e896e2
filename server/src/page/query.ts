// The query of a page. Anybody can send a link, so a page takes nothing from its query that is not what the name of the
// parameter says: any other text would be shown under our name (content spoofing, CWE-451).
import { hasTokenForm } from '../kit/secret.ts';
import { toEmailAddress } from '../user/email-address.ts';

/** The query of a page, with well-formed values only. */
export interface PageQueryValues {
  /** An email address in normal form. */
  readonly email?: string;
  /** A bearer token of any kind. */
  readonly token?: string;
  /** The result of the form that redirected to the page. */
  readonly done?: string;
  /** A page to which the user may return. */
  readonly return_to?: string;
  /** Id of what the page shows: of a refusal (note.ts), or of a row. */
  readonly note?: string;
  readonly id?: string;
  /** What an application requires at step-up: a second factor by name, and its age in seconds. */
  readonly factor?: string;
  readonly max_age?: string;
  /** The factor must have been given after this instant (Unix milliseconds). */
  readonly since?: string;
  /** Position in a list: the page shows what is older. Unix milliseconds and the id of a row. */
  readonly before?: string;
  /** The code of a device in the form in which it is shown (RFC 8628 §3.3.1). */
  readonly user_code?: string;
  /** The languages that an application asks for, the preferred one first (OpenID Connect Core 1.0 §3.1.2.1). */
  readonly ui_locales?: string;
  /** The sealed target of the page that leads to an application (exit.ts). */
  readonly to?: string;
}

/** Longest name of a result, such as `signed_out`. */
const resultForm = /^[a-z_]{1,20}$/;
/** Name of a factor. */
const factorForm = /^[a-z_]{1,32}$/;
const secondsForm = /^\d{1,9}$/;
const instantForm = /^\d{1,15}$/;

/** Ids of rows and of refusals are UUIDs. */
const handleForm = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;
/** An instant and the id of a row. */
const cursorForm = /^\d{1,15}\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;
/** Tags of languages (RFC 5646 §2.1) with a space between them. */
const localesForm = /^[A-Za-z]{1,8}(?:-[A-Za-z\d]{1,8})*(?: [A-Za-z]{1,8}(?:-[A-Za-z\d]{1,8})*){0,9}$/;
/** An encrypted text (keyring.ts). */
const sealedForm = /^v1\.[\w-]{1,32}\.[\w-]{1,8000}$/;

/** Codes consist of consonants, so that they form no words. */
const userCodeForm = /^([B-DF-HJ-NP-TV-XZ]{4})-?([B-DF-HJ-NP-TV-XZ]{4})$/;

function toUserCode(text: string): string | undefined {
  return userCodeForm.exec(text.toUpperCase())?.slice(1).join('-');
}

/** Parses the queries of pages. */
export class PageQueries {
  readonly #parsers: Readonly<Record<keyof PageQueryValues, (text: string) => string | undefined>>;

  /** @param parseTarget Returns a target of `return_to` if it is allowed. */
  constructor(parseTarget: (text: string) => string | undefined) {
    this.#parsers = {
      email: (text) => toEmailAddress(text)?.key,
      token: (text) => (hasTokenForm(text) ? text : undefined),
      done: (text) => (resultForm.test(text) ? text : undefined),
      return_to: parseTarget,
      note: (text) => (handleForm.test(text) ? text : undefined),
      id: (text) => (handleForm.test(text) ? text : undefined),
      factor: (text) => (factorForm.test(text) ? text : undefined),
      max_age: (text) => (secondsForm.test(text) ? text : undefined),
      since: (text) => (instantForm.test(text) ? text : undefined),
      before: (text) => (cursorForm.test(text) ? text : undefined),
      user_code: toUserCode,
      ui_locales: (text) => (localesForm.test(text) ? text : undefined),
      to: (text) => (sealedForm.test(text) ? text : undefined),
    };
  }

  /** Returns whether the values of a parameter can be checked. A page must not declare any other. */
  knows(name: string): boolean {
    return Object.hasOwn(this.#parsers, name);
  }

  /**
   * Returns the parameters of a query that are what their name says. All others are omitted. A gateway that escapes a link
   * twice sends `amp;token` for `token`.
   */
  parse(query: unknown): PageQueryValues {
    const given = (query ?? {}) as Readonly<Record<string, unknown>>; // a parsed query is an object
    const pairs = Object.entries(this.#parsers).flatMap(([name, parse]) => {
      const text = given[name] ?? given[`amp;${name}`];
      const value = typeof text === 'string' ? parse(text) : undefined;
      return value === undefined ? [] : [[name, value] as const];
    });
    return Object.fromEntries(pairs);
  }
}
