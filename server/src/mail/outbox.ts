// Mails are written in the transaction of their cause and sent by a job, so that none is lost and no request waits for a
// mail server. Each is sent at least once; a repeat after a crash carries the same Message-ID.
import type { Clock } from '../kit/clock.ts';
import { dayMs, hourMs, minuteMs, secondMs } from '../kit/clock.ts';
import { generateUuid } from '../kit/id.ts';
import type { Log } from '../kit/log.ts';
import type { Database } from '../db/database.ts';
import { SmtpFault, type MailTransport } from './smtp.ts';
import {
  addMail,
  claimMails,
  findMail,
  hasDueMail,
  hasMailAbout,
  listMails,
  removeOldMails,
  removeUnsentMails,
  updateFailed,
  updateGivenUp,
  updateSent,
  type MailRow,
} from './store.ts';
import { logoSource, type Logo } from './logo.ts';
import { composeMail, type Letter, type MailText, type Sender } from './text.ts';

/** Encrypts what waits in the outbox: it may hold a token, which is nowhere stored in clear. */
interface MailCipher {
  readonly encrypt: (text: string) => string;
  readonly decrypt: (text: string) => string;
}

export interface OutboxOptions {
  readonly database: Database;
  readonly cipher: MailCipher;
  /** Absent where mails are kept and read, and none is sent. */
  readonly transport: MailTransport | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Domain of the sender, for the Message-ID. */
  readonly domain: string;
  /** In whose name the mails are. */
  readonly sender: Sender;
}

/** A mail to post. */
export interface NewMail extends Letter {
  /** The account; `noUserId` for a mail that is composed like any other and not stored. */
  readonly userId: number;
  /** A stored address, never one that somebody typed. */
  readonly recipient: string;
  /** What it says is void from here on, in Unix milliseconds. */
  readonly expiresAt: number;
}

/** A mail that is read where it is kept. */
export interface KeptMail extends Required<MailText> {
  readonly id: string;
  readonly kind: string;
  readonly recipient: string;
  /** Unix milliseconds. */
  readonly createdAt: number;
}

/** Pauses before the second, third, … try; the last one repeats. */
const pausesMs = [
  10 * secondMs,
  30 * secondMs,
  2 * minuteMs,
  10 * minuteMs,
  30 * minuteMs,
  hourMs,
  4 * hourMs,
];
/** How long a try may take before another instance may take the mail over: longer than all time-outs of SMTP together. */
const leaseMs = 5 * minuteMs;
/** How long after the claim a try may still begin: a try takes up to four minutes. */
const startWithinMs = minuteMs;
/** Mails claimed at once. */
const claimed = 10;
/** How long the record of a mail is kept. */
const keptMs = 30 * dayMs;
const purgeBatch = 500;
/** Least time between two mails of one kind to one person. */
const mailPauseMs = minuteMs;
/** Characters of a server's complaint that are kept. */
const errorCharacters = 300;

export class Outbox {
  readonly #options: OutboxOptions;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Writes a mail, inside the transaction of its cause. */
  async post(tx: Database, mail: NewMail): Promise<void> {
    const { cipher, clock, sender } = this.#options;
    const { kind, userId, recipient, expiresAt } = mail;
    const content = cipher.encrypt(JSON.stringify(composeMail(sender, mail)));
    await addMail(tx, { id: generateUuid(), userId, kind, recipient, content, now: clock(), expiresAt });
  }

  /** Configured address of the service, from which links begin. */
  get publicUrl(): string {
    return this.#options.sender.publicUrl;
  }

  /** The logo that mails name. */
  get logo(): Logo | undefined {
    return this.#options.sender.logo;
  }

  /** True if the person got a mail of this kind a moment ago: another one would only help whoever floods them. */
  hasPosted(tx: Database, userId: number, kind: string): Promise<boolean> {
    // Before or after: a mail of an hour to come is none of a moment ago, only the clock was set back.
    return hasMailAbout(tx, userId, kind, { instant: this.#options.clock(), ms: mailPauseMs });
  }

  /** Takes back the mails of a kind to a user that were not sent yet, since another takes their place. */
  async withdraw(tx: Database, userId: number, kind: string): Promise<void> {
    await removeUnsentMails(tx, userId, kind);
  }

  /** Mails that were kept, newest first. */
  async listKept(limit: number): Promise<KeptMail[]> {
    const rows = await listMails(this.#options.database, limit);
    return rows.flatMap((row) => this.#readKept(row) ?? []);
  }

  /** One mail that was kept. */
  async findKept(id: string): Promise<KeptMail | undefined> {
    const row = await findMail(this.#options.database, id);
    return row && this.#readKept(row);
  }

  /** Tries every due mail once, and says how many were sent. */
  async deliver(): Promise<number> {
    const { transport } = this.#options;
    let sent = 0;
    if (transport === undefined) return sent;
    for (let rows = await this.#claim(); rows.length > 0; rows = await this.#claim()) {
      // One person's in the order in which they were written; others need not wait for a server that hangs on one.
      const byRecipient = Map.groupBy(
        rows.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
        ({ recipient }) => recipient,
      );
      const counts = [...byRecipient.values()].map((mails) => this.#deliverInTurn(mails, transport));
      for (const count of await Promise.all(counts)) sent += count;
    }
    return sent;
  }

  async #deliverInTurn(rows: readonly MailRow[], transport: MailTransport): Promise<number> {
    const { database, clock } = this.#options;
    const claimedAt = clock();
    let sent = 0;
    for (const row of rows) {
      const now = clock();
      // What is left of the lease may be too short for another try: the rest is claimed again when it ends.
      if (now - claimedAt > startWithinMs) break;
      if (row.expires_at <= now || row.content === null)
        await updateGivenUp(
          database,
          row.id,
          now,
          row.last_error ?? 'The email expired before it could be sent',
        );
      else if (await this.#try(row, row.content, transport)) sent += 1;
    }
    return sent;
  }

  /** Removes the records of old mails. */
  async purge(): Promise<void> {
    const { database, clock } = this.#options;
    while ((await removeOldMails(database, clock() - keptMs, purgeBatch)) === purgeBatch);
  }

  close(): void {
    this.#options.transport?.close();
  }

  #readKept({ id, kind, recipient, content, created_at: createdAt }: MailRow): KeptMail | undefined {
    if (content === null) return undefined;
    return { html: '', ...this.#open(content), id, kind, recipient, createdAt };
  }

  #open(content: string): MailText {
    return JSON.parse(this.#options.cipher.decrypt(content)) as MailText; // written by post()
  }

  async #claim(): Promise<MailRow[]> {
    const { database, clock } = this.#options;
    if (!(await hasDueMail(database, clock()))) return [];
    return claimMails(database, clock(), clock() + leaseMs, claimed);
  }

  async #try(row: MailRow, content: string, transport: MailTransport): Promise<boolean> {
    const { database, clock, log, domain, sender } = this.#options;
    try {
      const letter = this.#open(content);
      // Joined here, so that it is not kept with each mail. One composed before there was a logo goes without.
      const logo = letter.html?.includes(logoSource) === true ? sender.logo : undefined;
      await transport.send({
        ...letter,
        to: row.recipient,
        messageId: `<${row.id}@${domain}>`,
        ...(logo !== undefined && { logo }),
      });
    } catch (error) {
      await this.#noteFailure(row, error);
      return false;
    }
    await updateSent(database, row.id, clock());
    log.info({ mail: row.id, kind: row.kind, tries: row.tries }, 'An email was sent');
    return true;
  }

  async #noteFailure({ id, kind, tries, expires_at: expiresAt }: MailRow, error: unknown): Promise<void> {
    const { database, clock, log } = this.#options;
    const says = (error instanceof Error ? error.message : String(error)).slice(0, errorCharacters);
    const nextAt = clock() + (pausesMs[tries - 1] ?? 4 * hourMs);
    if ((error instanceof SmtpFault && error.isPermanent) || nextAt >= expiresAt) {
      await updateGivenUp(database, id, clock(), says);
      log.error(
        { mail: id, kind, tries, error: says },
        'An email could not be delivered; delivery was abandoned',
      );
    } else {
      await updateFailed(database, id, nextAt, says);
      log.warn({ mail: id, kind, tries, error: says }, 'An email could not be delivered; it will be retried');
    }
  }
}
