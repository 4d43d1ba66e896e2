// Migrates a database to the schema of this release, module by module. Missing steps run in one transaction that holds
// the lock of one row, so that several instances may start concurrently and an interrupted migration is rolled back. A
// step that must run outside a transaction follows a commit, and runs while another connection holds the lock.
import { setTimeout as pause } from 'node:timers/promises';
import type { Database, Sql } from './database.ts';
import { hasTable, type MigratedModule, type Migration } from './migration.ts';
import type { VersionTables } from './schema.ts';
import { statementsFor } from './statement.ts';

/** The database was migrated by a newer release. */
export class NewerSchema extends Error {
  override readonly name = 'NewerSchema';
  constructor({ module, found, known }: SchemaDifference) {
    super(
      `The database has version ${found} of the schema of "${module}", but this release supports versions up to ${known}. Start the newer release, or restore a backup made before the upgrade.`,
    );
  }
}

/** A module whose schema in the database differs from that of this release. */
export interface SchemaDifference {
  readonly module: string;
  /** Steps that the database has; 0 if it was never migrated. */
  readonly found: number;
  /** Steps that this release has. */
  readonly known: number;
}

/** Key of the row that serves as the lock; no module has this name. */
const lockName = '';
/** Interval at which a starting instance checks whether another one has finished. */
const lockPollMs = 50;
/** Makes older releases, which read only bienvenue_schema, reject the database as newer: they have at most 14 steps. */
const supersededVersion = 15;

const { statement } = statementsFor<VersionTables>();

const insertLock = statement((sql) =>
  sql
    .insertInto('schema_versions')
    .values({ module: lockName, version: 0 })
    .onConflict((conflict) => conflict.doNothing()),
);
/**
 * Returns no row if another instance holds the lock. It must not wait: a waiting statement holds a snapshot, `create
 * index concurrently` waits for the end of that snapshot, and both would deadlock.
 */
const tryLock = statement((sql) =>
  sql
    .selectFrom('schema_versions')
    .select('module')
    .where('module', '=', lockName)
    .forNoKeyUpdate()
    .skipLocked(),
);
const selectVersions = statement((sql) =>
  sql.selectFrom('schema_versions').select(['module', 'version']).where('module', '<>', lockName),
);
const upsertVersion = statement((sql, p: { module: string; version: number }) =>
  sql
    .insertInto('schema_versions')
    .values({ module: p.module, version: p.version })
    .onConflict((conflict) => conflict.column('module').doUpdateSet({ version: p.version })),
);
/** Locks the row of the former list, so that a starting older release waits, and returns its number of steps. */
const lockFormer = statement((sql) =>
  sql
    .updateTable('bienvenue_schema')
    .set((row) => ({ version: row.ref('version') }))
    .where('id', '=', 1)
    .returning('version'),
);
const markSuperseded = statement((sql) =>
  sql.updateTable('bienvenue_schema').set({ version: supersededVersion }).where('id', '=', 1),
);

/** Locks the row of a module until the transaction ends, without changing it. */
const lockModuleRow = statement((sql, p: { module: string }) =>
  sql
    .updateTable('schema_versions')
    .set((row) => ({ version: row.ref('version') }))
    .where('module', '=', p.module),
);

/** Lets only one transaction at a time run a one-time action of a module, such as storing its first key. */
export async function lockModule(tx: Database, module: string): Promise<void> {
  await tx.run(lockModuleRow, { module });
}

/** Returns the number of steps of each module in a migrated database. It is also an inexpensive health check. */
export async function readVersions(db: Database): Promise<Map<string, number>> {
  return new Map((await db.run(selectVersions, {})).map(({ module, version }) => [module, version]));
}

/** Returns whether the server of the database accepts no changes now, for example because it is a standby. */
export async function isReadOnly(db: Database): Promise<boolean> {
  const { isReadOnly: expression } = db.engine;
  const [row] = await db.query((sql: Sql<object>) => sql.selectNoFrom(expression.as('is_read_only')));
  return row?.is_read_only === 1;
}

/** Returns the modules whose schema in the database differs from that of this release. Changes nothing. */
export async function schemaDifferences(
  db: Database,
  modules: readonly MigratedModule[],
): Promise<SchemaDifference[]> {
  const versions = (await hasTable(db, 'schema_versions'))
    ? await readVersions(db)
    : new Map<string, number>();
  return differences(versions, modules);
}

/** Compares the modules of this release only: the tables of a removed feature stay in the database, unused. */
function differences(
  versions: ReadonlyMap<string, number>,
  modules: readonly MigratedModule[],
): SchemaDifference[] {
  return modules
    .map(({ name, migrations }) => ({
      module: name,
      found: versions.get(name) ?? 0,
      known: migrations.length,
    }))
    .filter(({ found, known }) => found !== known);
}

/**
 * Runs the missing steps in the order of the modules and returns them as `module: name`. The list must have a module
 * after the modules whose tables it refers to.
 * @throws {NewerSchema} if a newer release migrated the database; nothing is changed.
 */
export async function migrate(db: Database, modules: readonly MigratedModule[]): Promise<string[]> {
  await createVersionTable(db);
  const done: string[] = [];
  for (;;) {
    const part = await db.transaction((tx) => migratePart(db, tx, modules));
    if (part === undefined) await pause(lockPollMs);
    else {
      done.push(...part.done);
      if (part.isComplete) return done;
    }
  }
}

interface Part {
  readonly done: readonly string[];
  readonly isComplete: boolean;
}

/** Runs the missing steps that fit into one transaction; `undefined` if another instance has the lock. */
async function migratePart(
  db: Database,
  tx: Database,
  modules: readonly MigratedModule[],
): Promise<Part | undefined> {
  if ((await tx.first(tryLock, {})) === undefined) return undefined;
  const found = await readVersions(tx);
  const versions = found.size === 0 ? await takeOver(tx, modules) : found;
  const newer = differences(versions, modules).find(({ found: has, known }) => has > known);
  if (newer !== undefined) throw new NewerSchema(newer);
  const done: string[] = [];
  for (const { name: module, migrations } of modules) {
    for (const [i, step] of migrations.entries()) {
      if (i < (versions.get(module) ?? 0)) continue;
      const isOutside = step.isOutsideTransaction === true && tx.engine.buildsIndexesConcurrently;
      if (isOutside && done.length > 0) return { done, isComplete: false }; // commits the steps that this one may need
      // Releases the snapshot of the last prepared statement: `create index concurrently` would wait for its end.
      if (isOutside) await tx.execute('select 1');
      await runStep(isOutside ? db : tx, step);
      await tx.run(upsertVersion, { module, version: i + 1 });
      done.push(`${module}: ${step.name}`);
      if (isOutside) return { done, isComplete: false };
    }
  }
  return { done, isComplete: true };
}

async function runStep(db: Database, step: Migration): Promise<void> {
  if (await step.isDone?.(db)) return;
  for (const text of step.statements(db.engine.types)) await db.execute(text);
}

/** Converts the single list of steps of an earlier release to versions per module, and returns the versions. */
async function takeOver(tx: Database, modules: readonly MigratedModule[]): Promise<Map<string, number>> {
  const versions = new Map<string, number>();
  if (!(await hasTable(tx, 'bienvenue_schema'))) return versions;
  const former = (await tx.first(lockFormer, {}))?.version ?? 0;
  for (const { name: module, migrations } of modules) {
    const isMissing = ({ formerly = Infinity }: Migration): boolean => formerly > former;
    const first = migrations.findIndex(isMissing);
    const version = first < 0 ? migrations.length : first;
    versions.set(module, version);
    await tx.run(upsertVersion, { module, version });
  }
  // The table stays, because an older release that is still running reads it in /health/ready.
  await tx.run(markSuperseded, {});
  return versions;
}

/** Attempts to create the version table: in PostgreSQL `if not exists` can fail if two sessions race. */
const createAttempts = 5;

async function createVersionTable(db: Database): Promise<void> {
  const { integer, text, keyedTable } = db.engine.types;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await db.execute(
        `create table if not exists schema_versions (module ${text} not null primary key, version ${integer} not null) ${keyedTable}`,
      );
      await db.run(insertLock, {});
      return;
    } catch (error) {
      if (attempt === createAttempts) throw error;
    }
  }
}

/** Returns whether a release of this service has migrated the database before. */
export async function hasMigrations(db: Database): Promise<boolean> {
  return (await hasTable(db, 'schema_versions')) || (await hasTable(db, 'bienvenue_schema'));
}
