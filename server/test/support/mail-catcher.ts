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

/** Where a server may fall silent: asked to take a mail, or with the whole of it in hand. */
export type SilentStep = 'MAIL' | 'end of data';

export interface MailCatcher {
  readonly url: string;
  readonly mails: CaughtMail[];
  /** Where it gives no answer, nor hangs up. */
  silentAt: SilentStep | undefined;
  /** Clients that were given none. */
  unanswered: number;
  readonly close: () => Promise<void>;
}

/** Starts the server on a free port; options replace its behaviour. */
export async function startMailCatcher(options: SMTPServerOptions = {}): Promise<MailCatcher> {
  const mails: CaughtMail[] = [];
  const answer = (step: SilentStep, done: () => void): void => {
    if (catcher.silentAt === step) catcher.unanswered += 1;
    else done();
  };
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    logger: false,
    onMailFrom: (_address, _session, done) => answer('MAIL', done),
    onData(stream, session, done) {
      const take = async (): Promise<void> => {
        const raw = await text(stream);
        const recipients = session.envelope.rcptTo.map(({ address }) => address);
        mails.push({ recipients, raw, parsed: await PostalMime.parse(raw) });
        answer('end of data', done);
      };
      void take();
    },
    ...options,
  });
  server.on('error', () => {}); // a client that hangs up is part of some tests
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo; // listening on TCP
  const catcher: MailCatcher = {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    silentAt: undefined,
    unanswered: 0,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return catcher;
}
