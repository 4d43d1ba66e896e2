// Reads and writes the key_checks table, with which a database recognizes its keys.
import type { Database } from '../db/database.ts';
import { lockModule } from '../db/migrate.ts';
import { statementsFor } from '../db/statement.ts';
import type { KeyTables } from './schema.ts';

const { statement } = statementsFor<KeyTables>();

export interface KeyCheck {
  /** Id of the key. */
  readonly id: string;
  readonly checkValue: string;
}

const selectEvery = statement((sql) =>
  sql
    .selectFrom('key_checks')
    .select(['id', 'check_value as checkValue'])
    .orderBy('created_at')
    .orderBy('id'),
);

/** Returns every key that the database was used with, the oldest first. */
export function listKeyChecks(db: Database): Promise<KeyCheck[]> {
  return db.run(selectEvery, {});
}

const insertCheck = statement((sql, p: KeyCheck & { now: number }) =>
  sql.insertInto('key_checks').values({ id: p.id, check_value: p.checkValue, created_at: p.now }),
);

/** Adds the check value of a key. */
export async function addKeyCheck(db: Database, check: KeyCheck, now: number): Promise<void> {
  await db.run(insertCheck, { ...check, now });
}

/** Lets only one transaction at a time add keys: two concurrent first starts with different keys must not both succeed. */
export function lockKeyChecks(tx: Database): Promise<void> {
  return lockModule(tx, 'keys');
}
