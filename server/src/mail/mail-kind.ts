// Defines kinds of mail, and what is known of a mail before it is stored. The module that sends a kind declares it as one
// row: its messages, and how its facts are converted to the values of the messages, the link and the code.
import { dayMs, minuteMs } from '../kit/clock.ts';
import type { MessageValues } from '../kit/language.ts';

/** Values of the messages of a mail, with its link and its code. */
interface MailOutline {
  readonly values: MessageValues;
  /** Selects the message `mail.<name>.<variant>`, if it exists, instead of `mail.<name>.what`. */
  readonly variant?: string;
  /** What the recipient requested. */
  readonly link?: string;
  readonly code?: string | undefined;
  /** Link that takes back what the mail reports. It follows `mail.<name>.not_you`, because most recipients do not need it. */
  readonly undoLink?: string;
}

/** Facts of a mail without facts. */
export type NoFacts = Readonly<Record<string, never>>;

/** A kind of mail, with the type of its facts. */
export interface MailKind<Facts = unknown> {
  /** Stable name: its messages are `mail.<name>.subject`, `.what`, `.link` and `.not_you`. */
  readonly name: string;
  /** Default time after which the mail is no longer sent, in milliseconds. */
  readonly lifeMs: number;
  /** A new mail of this kind to a user replaces one that is not sent yet. */
  readonly replacesEarlier: boolean;
  /**
   * Anyone can cause this mail by naming an address, so its pace is limited per recipient (`pace.ts`). False for a
   * security notice: it reports an action in the account and is always sent immediately.
   */
  readonly isRequested: boolean;
  /** Example facts, for the pictures of docs/guides/email.md and for tests. */
  readonly example: Facts;
  /** Converts facts to the values of the messages. */
  compose(facts: Facts): MailOutline;
}

/** A link, and a code that works only in the browser that requested the mail. */
export interface Proof {
  readonly link: string;
  readonly code: string | undefined;
  /** Minutes for which the link is valid. */
  readonly minutes: number;
  /** Minutes for which the code is valid. */
  readonly codeMinutes: number;
}

interface MailRow<Facts> {
  readonly name: string;
  readonly lifeMs?: number;
  readonly replacesEarlier?: boolean;
  readonly isRequested?: boolean;
  readonly example: Facts;
  readonly compose: (facts: Facts) => MailOutline;
}

/** Declares a kind of mail with facts. By default it is a notice, and it is sent within a day or not at all. */
export function defineMail<Facts>({
  lifeMs = dayMs,
  replacesEarlier = false,
  isRequested = false,
  ...row
}: MailRow<Facts>): MailKind<Facts> {
  return { ...row, lifeMs, replacesEarlier, isRequested };
}

/** Declares a security notice without facts; with `isRequested` it is a mail that anyone can cause. */
export function defineNotice(
  name: string,
  { isRequested = false }: { readonly isRequested?: boolean } = {},
): MailKind<NoFacts> {
  return defineMail<NoFacts>({ name, isRequested, example: {}, compose: () => ({ values: {} }) });
}

/**
 * Declares a kind of mail with a token and, for the browser that requested it, a code. `path` is the page of the link in
 * the example. `minutes` is the lifetime of the token, after which the mail is no longer sent.
 */
export function defineProofMail(name: string, path: string, minutes: number): MailKind<Proof> {
  return defineMail<Proof>({
    name,
    lifeMs: minutes * minuteMs,
    isRequested: true,
    example: { link: exampleLink(path), code: 'K7QM-2NXP', minutes, codeMinutes: 10 },
    compose: ({ link, code, minutes: linkMinutes, codeMinutes }) => ({
      values: { minutes: linkMinutes, hours: linkMinutes / 60, codeMinutes },
      link,
      code,
    }),
  });
}

/** Returns the link of an example mail: to a page of `https://accounts.example.org`, with a token that is never valid. */
export function exampleLink(path: string): string {
  const token = '01a1fb80-3101-7209-85ad-d12c88cf036f.xyz_a8TgEPl7DPTmwel5bNKPXrxy9awZhzSG4bXry-Jrtw8';
  const url = new URL(path, 'https://accounts.example.org');
  url.searchParams.set('token', token);
  return url.href;
}

/** Time and source of the action that a mail reports. */
interface Occasion {
  /** Unix milliseconds. */
  readonly at: number;
  /** Network address of the client. */
  readonly address?: string;
  /** User agent as sent. */
  readonly device?: string;
}

/** A mail to compose. */
export interface Letter {
  /** Name of its kind. */
  readonly kind: string;
  readonly outline: MailOutline;
  readonly occasion: Occasion;
  /** Language tag of the user; English if it is not supported. */
  readonly language: string | undefined;
}

/**
 * Who requested a mail. `owner`: a session or a known device of the account. `member`: the same, for a mail to another
 * address than the account's, whose recipient may be a stranger. `stranger`: anyone else. The pace counts the mails of
 * members and strangers only, so that a stranger cannot use up the mails of the owner.
 */
export type Requester = 'owner' | 'member' | 'stranger';

/** Mails of one kind to one recipient. */
export interface Pace {
  /** Number of mails since the last day without one. */
  readonly count: number;
  /** Unix milliseconds of the last mail; in the future while that mail waits for the end of a pause. */
  readonly lastAt: number;
}

/** The paces of a recipient by kind of mail; `''` counts all kinds. */
export type Paces = Readonly<Record<string, Pace>>;

/** A mail that someone requests by naming an address. */
export interface MailRequest {
  readonly kind: string;
  /** Id of the account; with `noUserId` the same statements run and change nothing (constant work). */
  readonly userId: number;
  /** Normal form of the recipient's address; empty with `noUserId`. */
  readonly addressKey: string;
  readonly requestedBy: Requester;
  /** The requester has just proved to own the account by a mailed token: no pause applies. */
  readonly isProven: boolean;
}

/** When a requested mail may be sent. */
export interface Admission {
  /** Unix milliseconds; `undefined` if no mail may be sent. */
  readonly dueAt: number | undefined;
  /** Tokens of mails that this one replaces. They were not sent. */
  readonly replacedTokens: readonly string[];
  /** The mail may revoke the oldest of several tokens. */
  readonly mayReplaceToken: boolean;
  /** Paces of the recipient once the mail is stored; absent if it does not count. */
  readonly paces?: Paces | undefined;
}

/** A requested mail that was admitted. */
export interface AdmittedRequest {
  readonly requestedBy: Requester;
  /** Empty if the mail is not stored. */
  readonly addressKey: string;
  readonly admission: Admission;
}

/** A mail to store and send. */
export interface NewMail extends Letter {
  /** Name of the kind whose messages it has, if it is another one. */
  readonly messages?: string;
  /** Id of the account; with `noUserId` the mail is composed but not stored (constant work). */
  readonly userId: number;
  /** A stored address, never one from a request. */
  readonly recipient: string;
  /** Unix milliseconds after which the mail is no longer sent. */
  readonly expiresAt: number;
  /** Of a requested mail. */
  readonly request?: AdmittedRequest | undefined;
  /** The one-time token in the mail. */
  readonly tokenId?: string | undefined;
}

/** What declares kinds of mail: a module. */
interface MailOwner {
  readonly mails: readonly MailKind[];
  readonly events: readonly { readonly mail?: MailKind | undefined }[];
}

/** Returns each kind of mail of the modules once. */
export function mailKindsOf(owners: readonly MailOwner[]): readonly MailKind[] {
  const ofEvents = owners.flatMap(({ events }) => events.flatMap(({ mail }) => mail ?? []));
  return [...new Set([...owners.flatMap(({ mails }) => mails), ...ofEvents])];
}
