// A real SMTP server on loopback that keeps what it is sent, and fails in the ways that a test asks for.
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A mail as it was received. */
export interface CaughtMail {
  /** RCPT TO, as the server was told. */
  readonly recipients: readonly string[];
  readonly parsed: Email;
  readonly raw: string;
}

export interface MailCatcher {
  readonly url: string;
  readonly mails: CaughtMail[];
  readonly close: () => Promise<void>;
}

/** Starts the server on a free port; options replace its behaviour. */
export async function startMailCatcher(options: SMTPServerOptions = {}): Promise<MailCatcher> {
  const mails: CaughtMail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    logger: false,
    onData(stream, session, done) {
      const take = async (): Promise<void> => {
        const raw = await text(stream);
        const recipients = session.envelope.rcptTo.map(({ address }) => address);
        mails.push({ recipients, raw, parsed: await PostalMime.parse(raw) });
        done();
      };
      void take();
    },
    ...options,
  });
  server.on('error', () => {}); // a client that hangs up is part of some tests
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo; // listening on TCP
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
