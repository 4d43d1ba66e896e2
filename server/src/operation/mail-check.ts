// Sends a test email for `bienvenue doctor --mail` through the configured server.
import { randomUUID } from 'node:crypto';
import type { CoreOptions } from '../config/options.ts';
import { mailServerOf } from '../mail/smtp.ts';
import { probeMailServer } from './smtp-probe.ts';
import { toEmailAddress } from '../user/email-address.ts';
import type { Finding } from './finding.ts';
import { UsageError } from './refusal.ts';

const about = 'mail';

/**
 * Sends the email and says what the server answered.
 * @throws {UsageError} if the recipient is no address.
 */
export async function checkMail(options: CoreOptions, recipient: string): Promise<Finding> {
  const to = toEmailAddress(recipient)?.text;
  if (to === undefined) throw new UsageError(`${recipient} is not a valid email address`);
  const server = mailServerOf(options);
  if (server === undefined)
    return {
      about,
      verdict: 'fault',
      says: 'no mail server is configured; set SMTP_URL and MAIL_FROM',
    };
  const result = await probeMailServer(server, {
    to,
    subject: `${options.productName}: test email`,
    text: `"bienvenue doctor --mail" sent this email to test the mail server of ${options.productName}.\n`,
    messageId: `<${randomUUID()}@${options.mailFrom?.domain ?? 'localhost'}>`,
  });
  const where = `${server.url.protocol}//${server.url.host}`;
  if (result.isSent)
    return { about, verdict: 'ok', says: `${where} accepted an email to ${to}: ${result.says}` };
  return { about, verdict: 'fault', says: `${where} failed at the step "${result.step}": ${result.says}` };
}
