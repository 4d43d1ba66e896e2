import type { MailTransport, OutgoingMail } from '../../src/mail/smtp.ts';

/** In the place of an SMTP server: keeps what it is given. */
export interface MailBox {
  readonly transport: MailTransport;
  readonly mails: readonly OutgoingMail[];
}

export function mailBox(): MailBox {
  const mails: OutgoingMail[] = [];
  return { mails, transport: { send: async (mail) => void mails.push(mail), close: () => {} } };
}

/** The token that stands on a line of its own in a mail's text; `undefined` where there is none. */
export function tokenIn(text: string): string | undefined {
  return /^ {4}(\S+)$/m.exec(text)?.[1];
}
