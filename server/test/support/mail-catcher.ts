// A real SMTP server on loopback that stores the mails that it receives, and fails in the ways that a test chooses.
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A received mail. */
export interface CaughtMail {
  /** RCPT TO, as the client sent it. */
  readonly recipients: readonly string[];
  readonly parsed: Email;
  readonly raw: string;
}

/** Steps at which a server may fall silent: when asked to accept a mail, or after it received the whole mail. */
export type SilentStep = 'MAIL' | 'end of data';

export interface MailCatcher {
  readonly url: string;
  readonly mails: CaughtMail[];
  /** The step at which it neither replies nor closes the connection. */
  silentAt: SilentStep | undefined;
  /** Clients that got no reply. */
  unanswered: number;
  readonly close: () => Promise<void>;
}

/** Starts the server on a free port; options replace its behavior. */
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
    onData(stream, session, reply) {
      const take = async (): Promise<void> => {
        const raw = await text(stream);
        const recipients = session.envelope.rcptTo.map(({ address }) => address);
        mails.push({ recipients, raw, parsed: await PostalMime.parse(raw) });
      };
      take().then(() => answer('end of data', reply), reply);
    },
    ...options,
  });
  server.on('error', () => {}); // some tests have clients that close the connection
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
