import type { MailTransport, OutgoingMail } from '../../src/mail/smtp.ts';

/** Replaces an SMTP server: stores the mails that it receives. */
export interface MailBox {
  readonly transport: MailTransport;
  readonly mails: readonly OutgoingMail[];
}

export function mailBox(): MailBox {
  const mails: OutgoingMail[] = [];
  return { mails, transport: { send: async (mail) => void mails.push(mail), close: () => {} } };
}

/** The token of the link in a mail's text; `undefined` without one. */
export function tokenIn(text: string): string | undefined {
  return /https?:\/\/\S+[?&]token=([\w.-]+)/.exec(text)?.[1];
}

/** The short code in a mail's text; `undefined` without one. */
export function codeIn(text: string): string | undefined {
  return /(?<![\w-])[2-9A-Z]{4}-[2-9A-Z]{4}(?![\w-])/.exec(text)?.[0];
}

/** Path and query of the link with a token in a mail's text. */
export function linkIn(text: string): string {
  const [link = ''] = /https?:\/\/\S+[?&]token=\S+/.exec(text) ?? [];
  const { pathname, search } = new URL(link);
  return `${pathname}${search}`;
}
