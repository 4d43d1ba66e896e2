import { isLoopback } from '../config/parse.ts';
import type { MailServer } from '../mail/smtp.ts';
import type { Configuration } from '../module.ts';

/** Returns the mail server that the options name; `undefined` if they name none. */
export function mailServerOf({
  smtpUrl: url,
  mailFrom: from,
  mailEhloName: ehloName,
}: Configuration['options']): MailServer | undefined {
  if (url === undefined || from === undefined) return undefined;
  return { url, from, ehloName, requiresTls: !isLoopback(url.hostname) };
}
