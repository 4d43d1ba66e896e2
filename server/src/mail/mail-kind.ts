// Kinds of mail. Each is declared by the module that sends it, as one row: which messages it has, and how its facts
// become their values, its link and its code.
import { dayMs, minuteMs } from '../kit/clock.ts';
import type { MessageValues } from '../kit/language.ts';

/** What the messages of a mail say, with its link and its code. */
export interface MailOutline {
  readonly values: MessageValues;
  /** Says what happened by the message `mail.<name>.<variant>`, if there is one, instead of `mail.<name>.what`. */
  readonly variant?: string;
  readonly link?: string;
  readonly code?: string | undefined;
}

/** Facts of a mail that reports what happened and nothing else. */
export type NoFacts = Readonly<Record<string, never>>;

/** A kind of mail, with the type of its facts. */
export interface MailKind<Facts = unknown> {
  /** Stable name: its messages are `mail.<name>.subject`, `.what`, `.link` and `.not_you`. */
  readonly name: string;
  /** How long it is worth sending, if the sender does not say. */
  readonly lifeMs: number;
  /** A new mail of this kind replaces one that was not sent yet: its token was revoked. */
  readonly replacesEarlier: boolean;
  /** Facts as they could be: for the pictures of docs/mails.md, and tests. */
  readonly example: Facts;
  compose(facts: Facts): MailOutline;
}

/** A link, and a code that works only in the browser that asked for the mail. */
export interface Proof {
  readonly link: string;
  readonly code: string | undefined;
  /** Life of the link. */
  readonly minutes: number;
  /** Life of the code. */
  readonly codeMinutes: number;
}

interface MailRow<Facts> {
  readonly name: string;
  readonly lifeMs?: number;
  readonly replacesEarlier?: boolean;
  readonly example: Facts;
  readonly compose: (facts: Facts) => MailOutline;
}

/** Declares a mail that tells facts. It is worth sending for a day, if the row does not say how long. */
export function defineMail<Facts>({
  lifeMs = dayMs,
  replacesEarlier = false,
  ...row
}: MailRow<Facts>): MailKind<Facts> {
  return { ...row, lifeMs, replacesEarlier };
}

/** Declares a mail without facts. */
export function defineNotice(name: string): MailKind<NoFacts> {
  return defineMail<NoFacts>({ name, example: {}, compose: () => ({ values: {} }) });
}

/**
 * Declares a mail with a token and, for the browser that asked for it, a code. `path` is the page of its link, as an
 * example; `minutes` the life of the token, which is also how long the mail is worth sending.
 */
export function defineProofMail(name: string, path: string, minutes: number): MailKind<Proof> {
  return defineMail<Proof>({
    name,
    lifeMs: minutes * minuteMs,
    replacesEarlier: true,
    example: { link: exampleLink(path), code: 'K7QM-2NXP', minutes, codeMinutes: 10 },
    compose: ({ link, code, minutes: linkMinutes, codeMinutes }) => ({
      values: { minutes: linkMinutes, hours: linkMinutes / 60, codeMinutes },
      link,
      code,
    }),
  });
}

/** A link as an example mail has it: to a page of `https://accounts.example.org`, with a token that nothing accepts. */
export function exampleLink(path: string): string {
  const token = '01a1fb80-3101-7209-85ad-d12c88cf036f.xyz_a8TgEPl7DPTmwel5bNKPXrxy9awZhzSG4bXry-Jrtw8';
  const url = new URL(path, 'https://accounts.example.org');
  url.searchParams.set('token', token);
  return url.href;
}
