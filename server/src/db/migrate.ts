// Brings a database to this release's schema, module by module. Missing steps run in one transaction under the lock of
// one row, so that several instances may start together, and an interrupted migration leaves nothing behind. A step that
// must be outside a transaction is preceded by a commit, and runs while the lock is held on another connection.
import { setTimeout as pause } from 'node:timers/promises';
import type { Database } from './database.ts';
import { hasTable, type MigratedModule, type Migration } from './migration.ts';
import type { VersionTables } from './schema.ts';
import { statementsFor } from './statement.ts';

/** A newer release wrote the database. */
export class NewerSchema extends Error {
  override readonly name = 'NewerSchema';
  constructor({ module, found, known }: SchemaDifference) {
    super(
      `The database has version ${found} of the schema of "${module}", but this release supports versions up to ${known}. Start the newer release, or restore a backup made before the upgrade.`,
    );
  }
}

/** A module whose schema in the database is not that of this release. */
export interface SchemaDifference {
  readonly module: string;
  /** Steps that the database has; 0 without a database of ours. */
  readonly found: number;
  /** Steps that this release knows. */
  readonly known: number;
}

/** The row that is the lock: no module has its name. */
const lockName = '';
/** How often a starting instance looks whether another one has finished. */
const lockPollMs = 50;
/** Tells a release that knows bienvenue_schema only that the database is newer: it had 14 steps at most. */
const supersededVersion = 15;

const { statement } = statementsFor<VersionTables>();

const insertLock = statement((sql) =>
  sql
    .insertInto('schema_versions')
    .values({ module: lockName, version: 0 })
    .onConflict((conflict) => conflict.doNothing()),
);
/**
 * Does not wait where the row is locked: a waiting statement keeps a snapshot, for whose end `create index concurrently`
 * waits in turn, and neither would ever go on.
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
/** Locks the row of the former list, for which a starting older release waits, and returns its number of steps. */
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

/** Changes nothing; takes the lock of a module's row until the transaction ends. */
const lockModuleRow = statement((sql, p: { module: string }) =>
  sql
    .updateTable('schema_versions')
    .set((row) => ({ version: row.ref('version') }))
    .where('module', '=', p.module),
);

/** Lets one transaction at a time do what a module does once, such as noting its first key. */
export async function lockModule(tx: Database, module: string): Promise<void> {
  await tx.run(lockModuleRow, { module });
}

/** Reads how many steps of each module a migrated database has; also an inexpensive sign that it answers. */
export async function readVersions(db: Database): Promise<Map<string, number>> {
  return new Map((await db.run(selectVersions, {})).map(({ module, version }) => [module, version]));
}

/** Lists the modules whose schema in the database is not that of this release; changes nothing. */
export async function schemaDifferences(
  db: Database,
  modules: readonly MigratedModule[],
): Promise<SchemaDifference[]> {
  const versions = (await hasTable(db, 'schema_versions'))
    ? await readVersions(db)
    : new Map<string, number>();
  return differences(versions, modules);
}

/** A module that the release does not have, such as a removed feature, makes no difference: its tables stay unused. */
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
 * Runs the missing steps, in the order of the modules, and returns them as `module: name`. A module follows those whose
 * tables its own refer to.
 * @throws {NewerSchema} if the database is ahead of this release; nothing is changed.
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
      if (isOutside && done.length > 0) return { done, isComplete: false }; // commits what the step may need
      // Frees the snapshot of the last prepared statement, for whose end `create index concurrently` would wait.
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

/** Notes the steps that the database has by the single list of an earlier release, and returns the versions. */
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
  // It stays for a running older release, which reads it in /health/ready.
  await tx.run(markSuperseded, {});
  return versions;
}

/** Attempts at creating the version table: PostgreSQL lets `if not exists` fail when two sessions race. */
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
