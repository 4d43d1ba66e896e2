// Stores and delivers mails. A mail is stored in the transaction of its cause and sent by a job, so that no mail is
// lost and no request waits for a mail server. Each mail is sent at least once; a repetition after a crash has the same
// Message-ID. The pace of mails that strangers can cause is limited per recipient.
import { removeInBatches } from '../kit/batches.ts';
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
  listMails,
  removeOldMails,
  removeUnsentMails,
  updateFailed,
  updateGivenUp,
  updateSent,
  type MailRow,
} from './store.ts';
import { admitMail, countMail } from './admission.ts';
import type { Admission, MailRequest, NewMail } from './mail-kind.ts';
import { hashRecipient } from './pace.ts';
import { removeOldPaces } from './pace-store.ts';
import { logoSource, type Logo } from './logo.ts';
import type { MailKind } from './mail-kind.ts';
import { composeMail, type MailText, type Sender } from './text.ts';

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
  /** Every kind of mail of the service. */
  readonly kinds?: readonly MailKind[];
  /** Whether requested mails have pauses and a cap. True by default; false in local mode. */
  readonly isPaced?: boolean;
  /** Returns whether a one-time token can still be consumed. A mail whose token was revoked is not sent. */
  readonly isTokenLive?: (id: string) => Promise<boolean>;
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
    const { kind, userId, recipient, expiresAt, request, tokenId = null } = mail;
    const content = cipher.encrypt(
      JSON.stringify(composeMail(sender, { ...mail, kind: mail.messages ?? kind })),
    );
    const now = clock();
    const row = { id: generateUuid(), userId, kind, recipient, content, now, expiresAt, tokenId };
    if (request === undefined)
      return addMail(tx, { ...row, dueAt: now, requestedBy: null, recipientHash: null });
    const { requestedBy, addressKey, admission } = request;
    const { dueAt = now } = admission;
    const recipientHash = hashRecipient(addressKey);
    await countMail(tx, recipientHash, admission);
    await addMail(tx, { ...row, dueAt, requestedBy, recipientHash });
  }

  /** Decides when a requested mail may be sent; see `admitMail`. Inside the transaction of its cause. */
  admit(tx: Database, request: MailRequest): Promise<Admission> {
    const { clock, isPaced = true } = this.#options;
    return admitMail(tx, request, { now: clock(), isPaced });
  }

  /** Configured URL of the service, with which links begin. */
  get publicUrl(): string {
    return this.#options.sender.publicUrl;
  }

  /** The logo of mails. */
  get logo(): Logo | undefined {
    return this.#options.sender.logo;
  }

  /** Names of every kind of mail. */
  get kinds(): readonly string[] {
    return (this.#options.kinds ?? []).map(({ name }) => name);
  }

  /** Composes the example of a kind of mail; `undefined` if the kind is unknown. */
  composeExample(name: string, language: string): MailText | undefined {
    const { clock, sender, kinds = [] } = this.#options;
    const kind = kinds.find((one) => one.name === name);
    if (kind === undefined) return undefined;
    const occasion = { at: clock(), address: '192.0.2.7' }; // of a documentation network (RFC 5737)
    return composeMail(sender, { kind: name, outline: kind.compose(kind.example), occasion, language });
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
      else if (!(await this.#hasLiveToken(row)))
        await updateGivenUp(database, row.id, now, 'Its token was revoked before it could be sent');
      else if (await this.#attempt(row, row.content, transport)) sent += 1;
    }
    return sent;
  }

  /** Removes the records of mails that are older than 30 days, and paces that no longer matter. */
  async purge(): Promise<void> {
    const { database, clock } = this.#options;
    await removeInBatches((limit) => removeOldPaces(database, clock(), limit));
    await removeInBatches((limit) => removeOldMails(database, clock() - keptMs, limit));
  }

  close(): void {
    this.#options.transport?.close();
  }

  #readKept({ id, kind, recipient, content, created_at: createdAt }: MailRow): KeptMail | undefined {
    if (content === null) return undefined;
    return { html: '', ...this.#open(content), id, kind, recipient, createdAt };
  }

  async #hasLiveToken({ token_id: id }: MailRow): Promise<boolean> {
    return id === null || (await this.#options.isTokenLive?.(id)) !== false;
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
