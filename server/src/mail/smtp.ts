// Hands one mail to an SMTP server. TLS is required unless the server is on this machine, and certificates are checked.
import type { Transporter } from 'nodemailer';
import type { Attachment } from 'nodemailer/lib/mailer/index.js';
import { logoId, type Logo } from './logo.ts';
import type { MailText } from './text.ts';

/** A mail on its way. */
export interface OutgoingMail extends MailText {
  readonly to: string;
  /** The same at each try of a mail, so that a repeat is recognisable. */
  readonly messageId: string;
  /** Named in the html. */
  readonly logo?: Logo;
}

export interface MailTransport {
  /** Resolves when the server has taken the mail over. @throws {SmtpFault} */
  send(mail: OutgoingMail): Promise<void>;
  close(): void;
}

/** The server did not take the mail. */
export class SmtpFault extends Error {
  override readonly name = 'SmtpFault';
  /** The server will never take it (a 5xx reply to the recipient or the message). */
  readonly isPermanent: boolean;
  constructor(message: string, isPermanent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isPermanent = isPermanent;
  }
}

/** How long a server is waited for, in milliseconds. */
export interface Patience {
  /** For the connection, and again for its greeting. */
  readonly connectMs: number;
  /** Longest silence within a conversation. */
  readonly silenceMs: number;
}

const usualPatience: Patience = { connectMs: 10_000, silenceMs: 30_000 };
const permanentReply = 500;
/** Commands whose refusal concerns the mail. Of the others it concerns us (a wrong password, a sender that is not allowed), which an operator mends. */
const commandsAboutTheMail = new Set(['RCPT TO', 'DATA']);

/** Transport of an `smtp://` or `smtps://` URL. The library is loaded, and a connection made, with the first mail. */
export function smtpTransport(
  url: URL,
  from: string,
  isLoopback: boolean,
  patience: Patience = usualPatience,
): MailTransport {
  let connected: Promise<Transporter> | undefined;
  return {
    async send({ to, subject, text, html, messageId, logo }) {
      connected ??= connect(url, isLoopback, patience);
      const transporter = await connected;
      try {
        await transporter.sendMail({
          from,
          // As an object, so that nothing in the address is parsed as a list or a display name (CVE-2025-13033).
          to: { name: '', address: to },
          subject,
          text,
          ...(html !== undefined && { html }),
          ...(logo !== undefined && { attachments: [inline(logo)] }),
          messageId,
          headers: { 'Auto-Submitted': 'auto-generated' },
        });
      } catch (error) {
        const { message, responseCode = 0, command = '' } = error as SmtpError; // nodemailer's error
        const isPermanent = responseCode >= permanentReply && commandsAboutTheMail.has(command);
        throw new SmtpFault(message, isPermanent, { cause: error });
      }
    },
    close: () => void connected?.then((transporter) => transporter.close()),
  };
}

/** A part that belongs to the html, and is not offered to be saved. */
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
  url: URL,
  isLoopback: boolean,
  { connectMs, silenceMs }: Patience,
): Promise<Transporter> {
  const { createTransport } = await import('nodemailer'); // 20 ms that a service without mail need not pay
  const isImplicitTls = url.protocol === 'smtps:';
  return createTransport({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isImplicitTls ? 465 : 587) : Number(url.port),
    secure: isImplicitTls,
    requireTLS: !isImplicitTls && !isLoopback,
    ...(url.username !== '' && {
      auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) },
    }),
    pool: true,
    maxConnections: 2,
    connectionTimeout: connectMs,
    greetingTimeout: connectMs,
    socketTimeout: silenceMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}
