// Reads and writes the mails table, the outbox.
import type { Selectable } from 'kysely';
import type { Database } from '../db/database.ts';
import { insertForUser } from '../db/row-builders.ts';
import { statementsFor } from '../db/statement.ts';
import { mailColumns, type MailTable, type MailTables } from './schema.ts';

const { statement } = statementsFor<MailTables>();

export type MailRow = Selectable<MailTable>;

interface NewMail {
  readonly id: string;
  readonly userId: number;
  readonly kind: string;
  readonly recipient: string;
  readonly content: string;
  readonly now: number;
  readonly expiresAt: number;
  /** Of a requested mail. */
  readonly requestedBy: string | null;
  readonly recipientHash: string | null;
  /** It is sent from this instant on. */
  readonly dueAt: number;
  readonly tokenId: string | null;
}

const insertMail = statement((sql, p: NewMail) =>
  insertForUser(sql, 'mails', {
    userId: p.userId,
    values: {
      id: p.id,
      kind: p.kind,
      recipient: p.recipient,
      content: p.content,
      created_at: p.now,
      next_at: p.dueAt,
      expires_at: p.expiresAt,
      tries: 0,
      requested_by: p.requestedBy,
      recipient_hash: p.recipientHash,
      token_id: p.tokenId,
    },
  }),
);

/** Adds a mail, inside the transaction of its cause. It adds nothing if no user has the id. */
export async function addMail(tx: Database, mail: NewMail): Promise<void> {
  await tx.run(insertMail, mail);
}

/** The account's session or known device requested it. */
const ownRequesters = ['owner', 'member'];

const selectRecent = statement((sql, p: { userId: number; kind: string; after: number; before: number }) =>
  sql
    .selectFrom('mails')
    .select('id')
    .where('user_id', '=', p.userId)
    .where('kind', '=', p.kind)
    .where('created_at', '>', p.after)
    .where('created_at', '<', p.before)
    .where('requested_by', 'in', ownRequesters)
    .limit(1),
);

/**
 * Returns whether the user requested a mail of the kind, in a session or on a known device, less than `ms` milliseconds
 * before or after an instant.
 */
export async function hasOwnMailAbout(
  db: Database,
  userId: number,
  kind: string,
  { instant, ms }: { instant: number; ms: number },
): Promise<boolean> {
  const row = await db.first(selectRecent, { userId, kind, after: instant - ms, before: instant + ms });
  return row !== undefined;
}

const selectDue = statement((sql, p: { now: number }) =>
  sql
    .selectFrom('mails')
    .select('id')
    .where('sent_at', 'is', null)
    .where('given_up_at', 'is', null)
    .where('next_at', '<=', p.now)
    .limit(1),
);

/** Returns whether a mail is due. It does not occupy the writer. */
export async function hasDueMail(db: Database, now: number): Promise<boolean> {
  return (await db.first(selectDue, { now })) !== undefined;
}

const claim = statement((sql, p: { now: number; leaseUntil: number; limit: number }) =>
  sql
    .updateTable('mails')
    .set((row) => ({ next_at: p.leaseUntil, leased_until: p.leaseUntil, tries: row('tries', '+', 1) }))
    .where('id', 'in', (nested) =>
      nested
        .selectFrom('mails')
        .select('id')
        .where('sent_at', 'is', null)
        .where('given_up_at', 'is', null)
        .where('next_at', '<=', p.now)
        .orderBy('next_at')
        .limit(p.limit),
    )
    // Repeated here, where PostgreSQL checks it again after waiting for another instance that claimed the same row.
    .where('next_at', '<=', p.now)
    .returning(mailColumns),
);

/** Claims due mails, so that no other instance sends them before the lease ends, and returns them. */
export function claimMails(db: Database, now: number, leaseUntil: number, limit: number): Promise<MailRow[]> {
  return db.run(claim, { now, leaseUntil, limit });
}

const setSent = statement((sql, p: { id: string; now: number }) =>
  sql.updateTable('mails').set({ sent_at: p.now, content: null, last_error: null }).where('id', '=', p.id),
);

export async function updateSent(db: Database, id: string, now: number): Promise<void> {
  await db.run(setSent, { id, now });
}

const setFailed = statement((sql, p: { id: string; nextAt: number; error: string }) =>
  sql
    .updateTable('mails')
    .set({ next_at: p.nextAt, leased_until: null, last_error: p.error })
    .where('id', '=', p.id),
);

/** Stores the error of a failed attempt and the time of the next one. */
export async function updateFailed(db: Database, id: string, nextAt: number, error: string): Promise<void> {
  await db.run(setFailed, { id, nextAt, error });
}

const setGivenUp = statement((sql, p: { id: string; now: number; error: string }) =>
  sql
    .updateTable('mails')
    .set({ given_up_at: p.now, content: null, last_error: p.error })
    .where('id', '=', p.id),
);

export async function updateGivenUp(db: Database, id: string, now: number, error: string): Promise<void> {
  await db.run(setGivenUp, { id, now, error });
}

const setDue = statement((sql, p: { id: string; now: number }) =>
  sql
    .updateTable('mails')
    .set({ next_at: p.now })
    .where('id', '=', p.id)
    .where('sent_at', 'is', null)
    .where('given_up_at', 'is', null)
    .returning('id'),
);

/** Makes a pending mail due immediately. Returns false if no pending mail has the id. */
export async function retryMail(db: Database, id: string, now: number): Promise<boolean> {
  return (await db.first(setDue, { id, now })) !== undefined;
}

const selectNewest = statement((sql, p: { limit: number }) =>
  sql.selectFrom('mails').select(mailColumns).orderBy('created_at', 'desc').limit(p.limit),
);

/** Returns mails, newest first. */
export function listMails(db: Database, limit: number): Promise<MailRow[]> {
  return db.run(selectNewest, { limit });
}

const selectMail = statement((sql, p: { id: string }) =>
  sql.selectFrom('mails').select(mailColumns).where('id', '=', p.id),
);

export function findMail(db: Database, id: string): Promise<MailRow | undefined> {
  return db.first(selectMail, { id });
}

/** A mail without its content. */
export type MailRecord = Pick<
  MailRow,
  'id' | 'kind' | 'recipient' | 'created_at' | 'expires_at' | 'sent_at' | 'given_up_at'
>;

const selectSince = statement((sql, p: { userId: number; since: number; limit: number }) =>
  sql
    .selectFrom('mails')
    .select(['id', 'kind', 'recipient', 'created_at', 'expires_at', 'sent_at', 'given_up_at'])
    .select(['next_at', 'tries', 'last_error'])
    .where('user_id', '=', p.userId)
    .where('created_at', '>', p.since)
    .orderBy('created_at', 'desc')
    .limit(p.limit),
);

/** A mail with the state of its delivery, without its content. */
export type MailDelivery = MailRecord & Pick<MailRow, 'next_at' | 'tries' | 'last_error'>;

/** Returns the mails to a user that were stored after an instant, the newest first. */
export function listMailsSince(
  db: Database,
  query: { userId: number; since: number; limit: number },
): Promise<MailDelivery[]> {
  return db.run(selectSince, query);
}

type MailPage = { userId: number; kind: string; createdAt: number; id: string; limit: number };

/** Follows the order of an index, so that the cost of a page does not depend on the number of mails. */
const selectOfUser = statement((sql, p: MailPage) =>
  sql
    .selectFrom('mails')
    .select(['id', 'kind', 'recipient', 'created_at', 'expires_at', 'sent_at', 'given_up_at'])
    .where('user_id', '=', p.userId)
    .where(({ eb, refTuple, tuple }) =>
      eb(refTuple('kind', 'created_at', 'id'), '>', tuple(p.kind, p.createdAt, p.id)),
    )
    .orderBy('kind')
    .orderBy('created_at')
    .orderBy('id')
    .limit(p.limit),
);

/** Returns mails to a user after the given one, ordered by kind and age, oldest first. */
export function listMailsOf(db: Database, page: MailPage): Promise<MailRecord[]> {
  return db.run(selectOfUser, page);
}

const deleteUnsent = statement((sql, p: { userId: number; kind: string }) =>
  sql
    .deleteFrom('mails')
    .where('user_id', '=', p.userId)
    .where('kind', '=', p.kind)
    .where('sent_at', 'is', null)
    .where('given_up_at', 'is', null),
);

/** Removes the unsent mails of a kind to a user, inside a transaction. */
export async function removeUnsentMails(tx: Database, userId: number, kind: string): Promise<void> {
  await tx.run(deleteUnsent, { userId, kind });
}

type Withdrawal = {
  recipientHash: string;
  kind: string;
  /** Requester whose mails stay. */
  except: string;
  now: number;
};

/** A mail that an instance may be sending stays: its recipient may already have it. */
const deleteReplaced = statement((sql, p: Withdrawal) =>
  sql
    .deleteFrom('mails')
    .where('recipient_hash', '=', p.recipientHash)
    .where('kind', '=', p.kind)
    .where('sent_at', 'is', null)
    .where('given_up_at', 'is', null)
    .where('requested_by', '<>', p.except)
    .where(({ eb, or }) => or([eb('leased_until', 'is', null), eb('leased_until', '<=', p.now)]))
    .returning(['token_id', 'requested_by', 'next_at']),
);

/** A mail that was removed before it was sent. */
export type WithdrawnMail = Pick<MailRow, 'token_id' | 'requested_by' | 'next_at'>;

/** Removes unsent mails of a kind to a recipient, inside the transaction that replaces them. */
export function withdrawMails(tx: Database, withdrawal: Withdrawal): Promise<WithdrawnMail[]> {
  return tx.run(deleteReplaced, withdrawal);
}

const deleteOld = statement((sql, p: { before: number; limit: number }) =>
  sql
    .deleteFrom('mails')
    .where('id', 'in', (nested) =>
      nested.selectFrom('mails').select('id').where('created_at', '<', p.before).limit(p.limit),
    )
    .returning('id'),
);

/** Removes up to `limit` mails that were stored before an instant and returns their number. */
export async function removeOldMails(db: Database, before: number, limit: number): Promise<number> {
  return (await db.run(deleteOld, { before, limit })).length;
}
