// Brings a database to this release's schema. All missing steps run in one transaction under the lock of one row, so
// that several instances may start at once, and an interrupted migration leaves nothing behind.
import type { Database } from './database.ts';
import { migrations as allMigrations, type Migration } from './migrations.ts';
import { statement } from './statement.ts';

/** The database was written by a newer release than this one. */
export class NewerSchema extends Error {
  override readonly name = 'NewerSchema';
  constructor(found: number, known: number) {
    super(
      `The database has schema version ${found}, but this release supports versions up to ${known}. Start the newer release, or restore a backup made before the upgrade.`,
    );
  }
}

const insertVersion = statement((sql) =>
  sql
    .insertInto('bienvenue_schema')
    .values({ id: 1, version: 0 })
    .onConflict((conflict) => conflict.doNothing()),
);
/** Changes nothing; takes the row's lock, which the other starting instances wait for. */
const lockVersion = statement((sql) =>
  sql
    .updateTable('bienvenue_schema')
    .set((row) => ({ version: row.ref('version') }))
    .where('id', '=', 1)
    .returning('version'),
);
const updateVersion = statement((sql, p: { version: number }) =>
  sql.updateTable('bienvenue_schema').set({ version: p.version }).where('id', '=', 1),
);
const findVersion = statement((sql) =>
  sql.selectFrom('bienvenue_schema').select('version').where('id', '=', 1),
);

/** Schema version that this release brings a database to. */
export const latestVersion = allMigrations.length;

/** Schema version of a database that was migrated before. */
export async function schemaVersion(db: Database): Promise<number> {
  return (await db.first(findVersion, {}))?.version ?? 0;
}

/**
 * Runs the missing steps and returns their names, in order.
 * @throws {NewerSchema} when the database is ahead of this release; nothing is changed.
 */
export async function migrate(
  db: Database,
  migrations: readonly Migration[] = allMigrations,
): Promise<string[]> {
  await createVersionTable(db);
  return db.transaction(async (tx) => {
    const version = (await tx.first(lockVersion, {}))?.version ?? 0;
    if (version > migrations.length) throw new NewerSchema(version, migrations.length);
    const missing = migrations.slice(version);
    for (const step of missing) {
      for (const text of step.statements(tx.engine.types)) await tx.execute(text);
    }
    if (missing.length > 0) await tx.run(updateVersion, { version: migrations.length });
    return missing.map((step) => step.name);
  });
}

/** Attempts at creating the version table: PostgreSQL lets `if not exists` fail when two sessions race. */
const createAttempts = 5;

async function createVersionTable(db: Database): Promise<void> {
  const { integer, table } = db.engine.types;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await db.execute(
        `create table if not exists bienvenue_schema (id ${integer} not null primary key, version ${integer} not null) ${table}`,
      );
      await db.run(insertVersion, {});
      return;
    } catch (error) {
      if (attempt === createAttempts) throw error;
    }
  }
}
