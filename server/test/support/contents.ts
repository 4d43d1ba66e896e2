import { readFile } from 'node:fs/promises';
import pg from 'pg';
import type { Database } from '../../src/db/database.ts';
import { sqlitePath } from '../../src/db/open-database.ts';
import type { PasskeyTables } from '../../src/features/passkey/schema.ts';
import type { RecoveryCodeTables } from '../../src/features/recovery-code/schema.ts';
import type { TotpTables } from '../../src/features/totp/schema.ts';
import type { CoreTables } from './tables.ts';

type AllTables = CoreTables & PasskeyTables & RecoveryCodeTables & TotpTables;

/** Current rows of the accounts: equal contents mean that nothing changed. */
export async function contentsOf(database: Database): Promise<Record<string, readonly object[]>> {
  const [users, sessions, tokens] = await Promise.all([
    database.query((sql) => sql.selectFrom('users').selectAll().orderBy('id')),
    database.query((sql) => sql.selectFrom('sessions').selectAll().orderBy('id')),
    database.query((sql) => sql.selectFrom('one_time_tokens').selectAll().orderBy('id')),
  ]);
  return { users, sessions, tokens };
}

/** Every table except those without user data: a new table does not compile until it is listed here. */
const tableNames: Record<
  Exclude<keyof AllTables, 'audit_chain' | 'key_checks' | 'bienvenue_schema' | 'schema_versions'>,
  true
> = {
  users: true,
  sessions: true,
  pending_logins: true,
  one_time_tokens: true,
  attempts: true,
  known_devices: true,
  audit_events: true,
  mails: true,
  totp_authenticators: true,
  recovery_codes: true,
  passkeys: true,
  spent_challenges: true,
};
const tables = Object.keys(tableNames) as (keyof typeof tableNames)[]; // generates its own keys

/** All rows that requests can change: accounts, factors, counters, record and mails. */
export async function everyRowOf(database: Database): Promise<Record<string, readonly string[]>> {
  const contents: Record<string, readonly string[]> = {};
  for (const table of tables) {
    const rows = await database.query((sql) => sql.selectFrom(table as 'users').selectAll()); // any of them: its rows are only printed
    contents[table] = rows.map((row) => JSON.stringify(row)).toSorted();
  }
  return contents;
}

/** Every byte of a database that the engine stores for us, as text: to assert that it does not contain a value. */
export async function everythingIn(url: string): Promise<string> {
  const path = sqlitePath(url);
  if (path !== undefined) {
    const files = await Promise.all(
      [path, `${path}-wal`].map((file) => readFile(file, 'latin1').catch(() => '')),
    );
    return files.join('\n');
  }
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const found = await client.query<{ name: string }>(
      "select table_name as name from information_schema.tables where table_schema = 'public'",
    );
    const rows: string[] = [];
    for (const { name } of found.rows) {
      const table = await client.query<{ row: string }>(`select t::text as row from "${name}" t`);
      rows.push(...table.rows.map(({ row }) => row));
    }
    return rows.join('\n');
  } finally {
    await client.end();
  }
}
