// Sends one mail and says at which step of the conversation with the mail server it failed.
import { isIP } from 'node:net';
import { printableLine } from '../kit/text/printable.ts';
import { smtpTransport, type MailServer, type OutgoingMail, type SmtpTrace } from '../mail/smtp.ts';

/** Steps of sending a mail, in their order. */
type SmtpStep =
  | 'name resolution'
  | 'connection'
  | 'TLS'
  | 'greeting'
  | 'EHLO'
  | 'authentication'
  | 'sender'
  | 'recipient'
  | 'data';

/** What became of the mail. */
export type ProbeResult =
  | { readonly isSent: true; readonly says: string }
  | { readonly isSent: false; readonly step: SmtpStep; readonly says: string };

/** Steps by the beginning of their command. */
const commands: readonly (readonly [start: RegExp, step: SmtpStep])[] = [
  [/^(?:EHLO|HELO)\b/i, 'EHLO'],
  [/^STARTTLS/i, 'TLS'],
  [/^AUTH/i, 'authentication'],
  [/^MAIL FROM/i, 'sender'],
  [/^RCPT TO/i, 'recipient'],
  [/^(?:DATA|BDAT)/i, 'data'],
];

const stepOf = (command: string): SmtpStep | undefined =>
  commands.find(([start]) => start.test(command))?.[1];

/** What to look at if a step fails. */
const remedies: Readonly<Record<SmtpStep, string>> = {
  'name resolution': 'Check the host in SMTP_URL and the DNS of this machine.',
  connection: 'Check the host and port in SMTP_URL, and whether a firewall blocks outgoing mail.',
  TLS: 'smtps:// is for a port with TLS from the first byte (465), smtp:// for one with STARTTLS (587, 25). The certificate must be valid for the host in SMTP_URL, from a known certificate authority; NODE_EXTRA_CA_CERTS=<PEM file> adds one of your own.',
  greeting: 'Check the port in SMTP_URL: smtps:// is for port 465, smtp:// for 587 or 25.',
  EHLO: 'Set MAIL_EHLO_NAME to a host name that the mail server accepts.',
  authentication: 'Check the user and password in SMTP_URL, and write special characters percent-encoded.',
  sender: 'Set MAIL_FROM to an address that this user may send from.',
  recipient: 'The mail server does not accept this recipient. Try another one, or let the user relay mail.',
  data: 'The mail server did not accept the message. Its words above say why.',
};

const temporary =
  'The refusal is temporary: wait some minutes and try again. The service repeats its own emails by itself.';
const silent =
  'The mail server gave no answer. Try again; if it happens each time, its log or a firewall in between says why.';
/** Steps whose remedies presuppose an answer. */
const answered: ReadonlySet<SmtpStep> = new Set(['EHLO', 'authentication', 'sender', 'recipient', 'data']);
/** Codes of nodemailer for a connection that closes or stays silent. */
const unanswered = new Set(['ETIMEDOUT', 'ECONNECTION']);

/** What to do for a reply that says more than its step; the first that matches counts. */
const repliesWithRemedy: readonly {
  readonly when: RegExp;
  readonly step?: SmtpStep;
  readonly remedy: string;
}[] = [
  {
    when: /^530\b.*starttls/i,
    step: 'TLS',
    remedy: 'The mail server requires TLS on this port, and offers none to this client.',
  },
  {
    when: /^530\b/, // RFC 4954 §6
    step: 'authentication',
    remedy: 'The mail server requires a login: write user and password into SMTP_URL.',
  },
  {
    when: /^5(?:00|02|03)\b/, // RFC 5321 §4.2.4
    remedy:
      'The mail server does not accept this command on this port: check the port in SMTP_URL, which is 587 or 465 for logins.',
  },
];
const refusedGreeting =
  'The mail server refuses mail from this machine: its words above say why. Another relay may accept it.';

/** Codes of system errors before a connection exists. */
const unconnected = new Set(['ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EACCES', 'EPERM']);

/** Follows a conversation and knows its current step. */
class Progress {
  step: SmtpStep;
  /** The last reply of the server. */
  reply = '';
  readonly #isTlsFirst: boolean;

  constructor({ protocol, hostname }: URL) {
    this.#isTlsFirst = protocol === 'smtps:';
    this.step = isIP(hostname.replace(/^\[|\]$/g, '')) === 0 ? 'name resolution' : 'connection';
  }

  take({ tnx }: SmtpTrace, text: string): void {
    if (tnx === 'dns') this.step = 'connection';
    else if (tnx === 'network' && text.includes('established')) this.step = 'greeting';
    else if (tnx === 'server') this.reply = text;
    else if (tnx === 'client') this.step = stepOf(text) ?? this.step;
  }

  /** Returns the step that an error of nodemailer belongs to. */
  failedAt({ code = '', command = '', originalCode = '' }: ConversationError): SmtpStep {
    if (code === 'EDNS') return 'name resolution';
    if (code === 'EAUTH') return 'authentication';
    if (code === 'ETLS') return 'TLS';
    const isTls = this.#isTlsFirst && code === 'ESOCKET' && !unconnected.has(originalCode);
    if (this.step === 'connection' && isTls) return 'TLS';
    return stepOf(command) ?? this.step;
  }
}

interface ConversationError {
  readonly message: string;
  readonly code?: string;
  readonly command?: string;
  readonly originalCode?: string;
  /** The last reply of the server. */
  readonly response?: string;
}

/** Returns the failed step and what to look at. */
function explain(
  step: SmtpStep,
  { response = '', code = '' }: ConversationError,
): { step: SmtpStep; remedy: string } {
  if (step === 'greeting' && /^5\d\d\b/.test(response)) return { step, remedy: refusedGreeting };
  if (answered.has(step) && unanswered.has(code)) return { step, remedy: silent };
  if (/^4\d\d\b/.test(response)) return { step, remedy: temporary };
  const found = repliesWithRemedy.find(({ when }) => when.test(response));
  return { step: found?.step ?? step, remedy: found?.remedy ?? remedies[step] };
}

/** Sends a mail over a connection of its own; never throws. */
export async function probeMailServer(server: MailServer, mail: OutgoingMail): Promise<ProbeResult> {
  const progress = new Progress(server.url);
  const transport = smtpTransport(server, { onTrace: (entry, text) => progress.take(entry, text) });
  try {
    await transport.send(mail);
    return { isSent: true, says: printableLine(progress.reply) };
  } catch (error) {
    const { cause, message } = error as Error; // SmtpFault
    const reason = (cause ?? error) as ConversationError; // the error of nodemailer
    const { step, remedy } = explain(progress.failedAt(reason), reason);
    return { isSent: false, step, says: `${message.replace(/\.$/, '')}. ${remedy}` };
  } finally {
    transport.close();
  }
}
