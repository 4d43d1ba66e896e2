// Stores and delivers mails. A mail is stored in the transaction of its cause and sent by a job, so that no mail is
// lost and no request waits for a mail server. Each mail is sent at least once; a repetition after a crash has the same
// Message-ID.
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

/** Encrypts stored mails, because they may contain a token, which is never stored in plain text. */
interface MailCipher {
  readonly encrypt: (text: string) => string;
  readonly decrypt: (text: string) => string;
}

export interface OutboxOptions {
  readonly database: Database;
  readonly cipher: MailCipher;
  /** Absent if mails are stored and read, but not sent. */
  readonly transport: MailTransport | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Domain of the sender, for the Message-ID. */
  readonly domain: string;
  /** Name and address of the service in mails. */
  readonly sender: Sender;
}

/** A mail to store and send. */
export interface NewMail extends Letter {
  /** Id of the account; with `noUserId` the mail is composed but not stored (constant work). */
  readonly userId: number;
  /** A stored address, never one from a request. */
  readonly recipient: string;
  /** Unix milliseconds after which the mail is no longer sent. */
  readonly expiresAt: number;
}

/** A stored mail, in local mode. */
export interface KeptMail extends Required<MailText> {
  readonly id: string;
  readonly kind: string;
  readonly recipient: string;
  /** Unix milliseconds. */
  readonly createdAt: number;
}

/** Delays before the second, third, … attempt; the last one repeats. */
const retryDelaysMs = [
  10 * secondMs,
  30 * secondMs,
  2 * minuteMs,
  10 * minuteMs,
  30 * minuteMs,
  hourMs,
  4 * hourMs,
];
/** Time after which another instance may send a claimed mail: longer than all SMTP timeouts together. */
const leaseMs = 5 * minuteMs;
/** Time after the claim in which an attempt may start; it takes up to four minutes. */
const startWithinMs = minuteMs;
/** Number of mails that are claimed together. */
const claimBatch = 10;
/** Time for which the record of a mail is kept. */
const keptMs = 30 * dayMs;
const purgeBatch = 500;
/** Minimum time between two mails of the same kind to a user. */
const mailPauseMs = minuteMs;
/** Maximum stored length of the error message of a mail server. */
const errorCharacters = 300;

export class Outbox {
  readonly #options: OutboxOptions;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Composes and stores a mail, inside the transaction of its cause. */
  async post(tx: Database, mail: NewMail): Promise<void> {
    const { cipher, clock, sender } = this.#options;
    const { kind, userId, recipient, expiresAt } = mail;
    const content = cipher.encrypt(JSON.stringify(composeMail(sender, mail)));
    await addMail(tx, { id: generateUuid(), userId, kind, recipient, content, now: clock(), expiresAt });
  }

  /** Configured URL of the service, with which links begin. */
  get publicUrl(): string {
    return this.#options.sender.publicUrl;
  }

  /** The logo of mails. */
  get logo(): Logo | undefined {
    return this.#options.sender.logo;
  }

  /**
   * Returns whether a mail of this kind was stored for the user within the last minute. Callers then send no other one,
   * so that an attacker cannot flood the user with mails.
   */
  hasPosted(tx: Database, userId: number, kind: string): Promise<boolean> {
    // Also checks the minute after now, so that a clock that was set back does not allow additional mails. A mail
    // further in the future does not count.
    return hasMailAbout(tx, userId, kind, { instant: this.#options.clock(), ms: mailPauseMs });
  }

  /** Removes the unsent mails of a kind to a user, because a new mail replaces them. */
  async withdraw(tx: Database, userId: number, kind: string): Promise<void> {
    await removeUnsentMails(tx, userId, kind);
  }

  /** Returns stored mails, newest first. */
  async listKept(limit: number): Promise<KeptMail[]> {
    const rows = await listMails(this.#options.database, limit);
    return rows.flatMap((row) => this.#readKept(row) ?? []);
  }

  /** Returns a stored mail; `undefined` if the id is unknown or its content was removed. */
  async findKept(id: string): Promise<KeptMail | undefined> {
    const row = await findMail(this.#options.database, id);
    return row && this.#readKept(row);
  }

  /** Attempts to send every due mail once and returns the number of sent mails. */
  async deliver(): Promise<number> {
    const { transport } = this.#options;
    let sent = 0;
    if (transport === undefined) return sent;
    for (let rows = await this.#claim(); rows.length > 0; rows = await this.#claim()) {
      // Mails to one recipient are sent in the order in which they were stored; a slow delivery does not delay other
      // recipients.
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
      // The rest of the lease may be too short for another attempt. The remaining mails are claimed again after the
      // lease.
      if (now - claimedAt > startWithinMs) break;
      if (row.expires_at <= now || row.content === null)
        await updateGivenUp(
          database,
          row.id,
          now,
          row.last_error ?? 'The email expired before it could be sent',
        );
      else if (await this.#attempt(row, row.content, transport)) sent += 1;
    }
    return sent;
  }

  /** Removes the records of mails that are older than 30 days. */
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
    return JSON.parse(this.#options.cipher.decrypt(content)) as MailText; // post() stored it
  }

  async #claim(): Promise<MailRow[]> {
    const { database, clock } = this.#options;
    if (!(await hasDueMail(database, clock()))) return [];
    return claimMails(database, clock(), clock() + leaseMs, claimBatch);
  }

  async #attempt(row: MailRow, content: string, transport: MailTransport): Promise<boolean> {
    const { database, clock, log, domain, sender } = this.#options;
    try {
      const letter = this.#open(content);
      // The logo is added here, so that it is not stored with each mail. A mail that was composed without a logo gets
      // none.
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
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, errorCharacters);
    const nextAt = clock() + (retryDelaysMs[tries - 1] ?? 4 * hourMs);
    if ((error instanceof SmtpFault && error.isPermanent) || nextAt >= expiresAt) {
      await updateGivenUp(database, id, clock(), reason);
      log.error(
        { mail: id, kind, tries, error: reason },
        'An email could not be delivered; delivery was abandoned',
      );
    } else {
      await updateFailed(database, id, nextAt, reason);
      log.warn(
        { mail: id, kind, tries, error: reason },
        'An email could not be delivered; it will be retried',
      );
    }
  }
}
