// Types of mails to store, and of requests to send one.
import type { Paces, Requester } from './pace.ts';
import type { Letter } from './text.ts';

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
