// Statements of the table `mail_paces`: one row per recipient of requested mails, for a day.
import type { Database } from '../db/database.ts';
import { insertForUser } from '../db/row-builders.ts';
import { statementsFor } from '../db/statement.ts';
import type { MailTables } from './schema.ts';

const { statement } = statementsFor<MailTables>();

type NewPace = { recipientHash: string; userId: number; expiresAt: number };

/** The update changes nothing but locks the row until the transaction ends, so that another instance waits. */
const lock = statement((sql, p: NewPace) =>
  insertForUser(sql, 'mail_paces', {
    userId: p.userId,
    isUnowned: true,
    values: { recipient_hash: p.recipientHash, paces: '{}', expires_at: p.expiresAt },
  })
    .onConflict((conflict) =>
      conflict
        .column('recipient_hash')
        .doUpdateSet((row) => ({ recipient_hash: row.ref('excluded.recipient_hash') })),
    )
    .returning('paces'),
);

/**
 * Returns the paces of a recipient as JSON and locks them until the transaction ends. Stores and returns nothing if no
 * user has the id.
 */
export async function lockPaces(tx: Database, pace: NewPace): Promise<string | undefined> {
  return (await tx.first(lock, pace))?.paces;
}

type PaceChange = { recipientHash: string; paces: string; expiresAt: number };

const update = statement((sql, p: PaceChange) =>
  sql
    .updateTable('mail_paces')
    .set({ paces: p.paces, expires_at: p.expiresAt })
    .where('recipient_hash', '=', p.recipientHash),
);

/** Stores the paces of a recipient whose row is locked. */
export async function updatePaces(tx: Database, change: PaceChange): Promise<void> {
  await tx.run(update, change);
}

const deleteOld = statement((sql, p: { now: number; limit: number }) =>
  sql
    .deleteFrom('mail_paces')
    .where('recipient_hash', 'in', (nested) =>
      nested
        .selectFrom('mail_paces')
        .select('recipient_hash')
        .where('expires_at', '<=', p.now)
        .limit(p.limit),
    )
    .returning('recipient_hash'),
);

/** Removes up to `limit` rows that no longer matter and returns their number. */
export async function removeOldPaces(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteOld, { now, limit })).length;
}
