// A mail server that fails in every way at every step: no mail is lost, none is sent needlessly, and a repeated mail is
// identified by its Message-ID.
import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { dayMs, hourMs, minuteMs } from '../../src/kit/clock.ts';
import { silentLog } from '../../src/kit/log.ts';
import type { Database } from '../../src/db/database.ts';
import { Outbox } from '../../src/mail/outbox.ts';
import { smtpTransport, type MailTransport } from '../../src/mail/smtp.ts';
import { listMails } from '../../src/mail/store.ts';
import { addUser } from '../../src/user/new-user-store.ts';
import { requireEmailAddress } from '../../src/user/email-address.ts';
import { testClock } from '../support/clock.ts';
import { freshDatabase, openPatiently, type FreshDatabase } from '../support/engines.ts';

/** Steps of a conversation, by the client's last command. */
const steps = ['greeting', 'EHLO', 'MAIL', 'RCPT', 'DATA', 'end of data'] as const;
/** The service itself waits at least this long, in milliseconds. */
const defaultMs = 10_000;
type Step = (typeof steps)[number];
type Fault = 'hangs' | 'drops' | 421 | 451 | 550;

/** A server that works, except for one step. It keeps whole mails, answered or not. */
class FaultyServer {
  fault: { readonly step: Step; readonly fault: Fault } | undefined;
  readonly mails: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    const answer = (step: Step, proper: string): void => {
      const fault = this.fault?.step === step ? this.fault.fault : undefined;
      if (fault === 'drops') socket.destroy();
      else if (typeof fault === 'number') socket.write(`${fault} not now\r\n`);
      else if (fault === undefined) socket.write(`${proper}\r\n`);
    };
    let text = '';
    let isData = false;
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      for (;;) {
        const end = isData ? text.indexOf('\r\n.\r\n') : text.indexOf('\r\n');
        if (end < 0) return;
        const said = text.slice(0, end);
        text = text.slice(end + (isData ? 5 : 2));
        if (isData) {
          isData = false;
          this.mails.push(said);
          answer('end of data', '250 taken');
        } else if (/^(?:EHLO|HELO)/i.test(said)) answer('EHLO', '250 here');
        else if (/^MAIL/i.test(said)) answer('MAIL', '250 fine');
        else if (/^RCPT/i.test(said)) answer('RCPT', '250 fine');
        else if (/^DATA/i.test(said)) {
          isData = this.fault?.step !== 'DATA';
          answer('DATA', '354 go on');
        } else socket.write('250 fine\r\n');
      }
    });
    answer('greeting', '220 hello');
  }
}

describe('a mail server that fails', () => {
  let fresh: FreshDatabase;
  let database: Database;
  let server: FaultyServer;
  let transport: MailTransport | undefined;
  let outbox: Outbox;
  let clock: ReturnType<typeof testClock>;
  let port: number;

  before(async () => {
    fresh = await freshDatabase('sqlite');
    database = await openPatiently(fresh.url);
    await addUser(database, requireEmailAddress('bob@example.org'), null, 1);
  });
  after(async () => {
    await database.close();
    await fresh.drop();
  });
  beforeEach(async () => {
    await database.query((sql) => sql.deleteFrom('mails'));
    server = new FaultyServer();
    await postToServer();
  });
  afterEach(async () => {
    transport?.close();
    await server.close();
  });

  /** Uses the server. @param waitMs limits of the client; short for a server that hangs. */
  function useServer(waitMs = minuteMs): void {
    const timeouts = { connectMs: waitMs, silenceMs: waitMs };
    const from = { name: '', address: 'accounts@example.org' };
    const url = new URL(`smtp://127.0.0.1:${port}`);
    transport?.close();
    transport = smtpTransport({ url, from, requiresTls: false }, { timeouts });
    outbox = new Outbox({
      database,
      clock: clock.now,
      cipher: { encrypt: (text) => text, decrypt: (text) => text },
      transport,
      log: silentLog,
      domain: 'accounts.test',
      sender: { productName: 'Bienvenue', publicUrl: 'https://accounts.test', color: '#1a56c4' },
    });
  }

  /** Starts the server and posts a mail to it. */
  async function postToServer(): Promise<void> {
    port = await server.listen();
    clock = testClock();
    useServer();
    await database.transaction((tx) =>
      outbox.post(tx, {
        kind: 'password_changed',
        outline: { values: {} },
        userId: 1,
        recipient: 'bob@example.org',
        language: undefined,
        occasion: { at: clock.now() },
        expiresAt: clock.now() + dayMs,
      }),
    );
  }

  const mail = async (): Promise<{
    sent: boolean;
    givenUp: boolean;
    tries: number;
    error: string | null;
  }> => {
    const [row] = await listMails(database, 10);
    assert.ok(row !== undefined, 'the mail is there');
    return {
      sent: row.sent_at !== null,
      givenUp: row.given_up_at !== null,
      tries: row.tries,
      error: row.last_error,
    };
  };
  const idsOf = (): Set<string | undefined> =>
    new Set(server.mails.map((text) => /^message-id: *(\S+)/im.exec(text)?.[1]));

  async function heals(): Promise<void> {
    server.fault = undefined;
    clock.advance(hourMs);
    await outbox.deliver();
    assert.equal((await mail()).sent, true);
    assert.equal(idsOf().size, 1, 'all copies are the same mail');
  }

  for (const step of steps) {
    for (const fault of ['hangs', 'drops', 421, 451, 550] as const) {
      const isForGood = fault === 550 && (step === 'RCPT' || step === 'DATA' || step === 'end of data');
      test(`${typeof fault === 'number' ? `answers ${fault}` : fault} at ${step}: the mail ${isForGood ? 'is given up with a reason' : 'waits and is sent later'}`, async () => {
        server.fault = { step, fault };
        if (fault === 'hangs') useServer(150);
        const begunAt = performance.now();
        await outbox.deliver();
        if (fault === 'hangs') assert.ok(performance.now() - begunAt < defaultMs, 'the limits hold');
        const { sent, givenUp, tries, error } = await mail();
        assert.deepEqual([sent, givenUp, tries], [false, isForGood, 1]);
        assert.ok(error !== null && error !== '', 'the reason is recorded');
        if (fault === 'hangs') useServer();
        if (!isForGood) await heals();
      });
    }
  }

  test('does not run: the mail waits and is sent later', async () => {
    await server.close();
    await outbox.deliver();
    assert.deepEqual((await mail()).sent, false);
    server = new FaultyServer();
    await database.query((sql) => sql.deleteFrom('mails'));
    await postToServer();
    await heals();
  });

  test('uses greylisting: the mail is sent with the first attempt after the pause', async () => {
    server.fault = { step: 'RCPT', fault: 451 };
    await outbox.deliver();
    clock.advance(9000);
    await outbox.deliver();
    assert.equal((await mail()).tries, 1, 'not before the pause is over');
    clock.advance(1000);
    server.fault = undefined;
    await outbox.deliver();
    assert.deepEqual(await mail(), { sent: true, givenUp: false, tries: 2, error: null });
  });

  test('accepts the mail and disconnects before it replies: the mail is sent again with the same Message-ID', async () => {
    server.fault = { step: 'end of data', fault: 'drops' };
    await outbox.deliver();
    await heals();
    assert.equal(server.mails.length, 2);
  });
});
