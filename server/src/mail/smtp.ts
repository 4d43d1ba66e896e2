// Sends mails to an SMTP server. Unless the server is on this machine, TLS is required and its certificate is verified.
import type { Transporter } from 'nodemailer';
import type { Attachment } from 'nodemailer/lib/mailer/index.js';
import { printableLine } from '../kit/text/printable.ts';
import type { CoreOptions } from '../config/options.ts';
import { isLoopback } from '../config/parse.ts';
import type { Sender } from '../config/sender.ts';
import { logoId, type Logo } from './logo.ts';
import type { MailText } from './text.ts';

/** A mail to send. */
export interface OutgoingMail extends MailText {
  readonly to: string;
  /** The same for each attempt, so that a repetition can be recognized. */
  readonly messageId: string;
  /** Set if the HTML refers to it. */
  readonly logo?: Logo;
}

export interface MailTransport {
  /**
   * Sends a mail; resolves when the server has accepted it.
   * @throws {SmtpFault} if the server cannot be reached or rejects the mail.
   */
  send(mail: OutgoingMail): Promise<void>;
  close(): void;
}

/** The server did not accept the mail. */
export class SmtpFault extends Error {
  override readonly name = 'SmtpFault';
  /** The server will never accept it (a 5xx reply to the recipient or the message). */
  readonly isPermanent: boolean;
  constructor(message: string, isPermanent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isPermanent = isPermanent;
  }
}

/** Timeouts of a connection, in milliseconds. */
interface SmtpTimeouts {
  /** For the connection, and again for the greeting of the server. */
  readonly connectMs: number;
  /** Maximum time without data on a connection. */
  readonly silenceMs: number;
}

/** A mail server, and how the service introduces itself to it. */
export interface MailServer {
  readonly url: URL;
  readonly from: Pick<Sender, 'name' | 'address'>;
  /** Name for EHLO; by default that of this machine. */
  readonly ehloName?: string | undefined;
  readonly requiresTls: boolean;
}

/** Returns the mail server that the options name; `undefined` if they name none. */
export function mailServerOf({
  smtpUrl: url,
  mailFrom: from,
  mailEhloName: ehloName,
}: Pick<CoreOptions, 'smtpUrl' | 'mailFrom' | 'mailEhloName'>): MailServer | undefined {
  if (url === undefined || from === undefined) return undefined;
  return { url, from, ehloName, requiresTls: !isLoopback(url.hostname) };
}

/** A step of the conversation with a mail server, as nodemailer logs it. */
export interface SmtpTrace {
  readonly tnx?: string;
}

interface TransportOptions {
  readonly timeouts?: SmtpTimeouts;
  /** Receives each command, each reply and each change of the connection. */
  readonly onTrace?: (entry: SmtpTrace, text: string) => void;
}

const defaultTimeouts: SmtpTimeouts = { connectMs: 10_000, silenceMs: 30_000 };
const permanentReply = 500;
/**
 * Commands whose rejection depends on the mail. The rejection of another command, such as for a wrong password or
 * sender, is a configuration fault, which the operator can correct.
 */
const commandsAboutTheMail = new Set(['RCPT TO', 'DATA']);

/** Creates the transport to a mail server. It loads the library and connects with the first mail. */
export function smtpTransport(server: MailServer, options: TransportOptions = {}): MailTransport {
  // Objects, so that no address is parsed as a list or a display name (CVE-2025-13033).
  const { name, address } = server.from;
  let connected: Promise<Transporter> | undefined;
  return {
    async send({ to, subject, text, html, messageId, logo }) {
      connected ??= connect(server, options);
      const transporter = await connected;
      try {
        await transporter.sendMail({
          from: { name, address },
          to: { name: '', address: to },
          subject,
          text,
          ...(html !== undefined && { html }),
          ...(logo !== undefined && { attachments: [inline(logo)] }),
          messageId,
          headers: { 'Auto-Submitted': 'auto-generated' },
        });
      } catch (error) {
        const { message, responseCode = 0, command = '' } = error as SmtpError; // nodemailer throws such errors
        const isPermanent = responseCode >= permanentReply && commandsAboutTheMail.has(command);
        throw new SmtpFault(printableLine(message), isPermanent, { cause: error }); // words of the server
      }
    },
    close: () => void connected?.then((transporter) => transporter.close()),
  };
}

/** Returns the logo as an inline part, which mail clients do not show as an attachment. */
function inline({ type, content }: Logo): Attachment {
  const filename = type === 'image/png' ? 'logo.png' : 'logo.jpg';
  return { cid: logoId, content, contentType: type, contentDisposition: 'inline', filename };
}

interface SmtpError {
  readonly message: string;
  readonly responseCode?: number;
  readonly command?: string;
}

async function connect(
  { url, ehloName, requiresTls }: MailServer,
  { timeouts: { connectMs, silenceMs } = defaultTimeouts, onTrace }: TransportOptions,
): Promise<Transporter> {
  const { createTransport } = await import('nodemailer'); // takes 20 ms to load, which a service without mail does not need
  const isImplicitTls = url.protocol === 'smtps:';
  return createTransport({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isImplicitTls ? 465 : 587) : Number(url.port),
    secure: isImplicitTls,
    requireTLS: !isImplicitTls && requiresTls,
    // A relay on this machine may be used without TLS, so its certificate proves nothing: who can take its place need not
    // offer STARTTLS. Postfix has a self-signed certificate by default, and none is valid for "localhost".
    ...(!isImplicitTls && !requiresTls && { tls: { rejectUnauthorized: false } }),
    ...(ehloName !== undefined && { name: ehloName }),
    ...(url.username !== '' && {
      auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) },
      // Otherwise a mail would be sent without a login to a server that offers none.
      forceAuth: true,
    }),
    pool: true,
    maxConnections: 2,
    connectionTimeout: connectMs,
    greetingTimeout: connectMs,
    socketTimeout: silenceMs,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(onTrace !== undefined && {
      logger: { debug: onTrace, info: onTrace, warn: onTrace, error: onTrace },
      transactionLog: true, // commands and replies, with passwords hidden
    }),
  });
}
