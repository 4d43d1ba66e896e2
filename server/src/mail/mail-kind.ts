// Defines kinds of mail. The module that sends a kind declares it as one row: its messages, and how its facts are
// converted to the values of the messages, the link and the code.
import { dayMs, minuteMs } from '../kit/clock.ts';
import type { MessageValues } from '../kit/language.ts';

/** Values of the messages of a mail, with its link and its code. */
export interface MailOutline {
  readonly values: MessageValues;
  /** Selects the message `mail.<name>.<variant>`, if it exists, instead of `mail.<name>.what`. */
  readonly variant?: string;
  readonly link?: string;
  readonly code?: string | undefined;
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
  /** Example facts, for the pictures of docs/mails.md and for tests. */
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
