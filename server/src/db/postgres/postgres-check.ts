// Checks that a PostgreSQL database can store what users type, and that its tables have a place. Otherwise the first
// address with a letter that the encoding lacks would fail, long after the start.
import { sql as rawSql } from 'kysely';
import { DatabaseRefused, type Database, type Sql } from '../database.ts';
import { readVersions } from '../migrate.ts';
import type { MigratedModule } from '../migration.ts';
import { rejectionOf } from './postgres-error.ts';

interface Facts {
  readonly encoding: string;
  readonly clientEncoding: string;
  readonly searchPath: string;
  /** Schema in which tables are created; null if none of the search path exists. */
  readonly schema: string | null;
  readonly mayCreate: boolean | null;
  /** As it is written in a statement. */
  readonly user: string;
  readonly database: string;
}

async function readFacts(database: Database): Promise<Facts> {
  const [facts] = await database.query((sql: Sql<object>) =>
    sql.selectNoFrom([
      rawSql<string>`current_setting('server_encoding')`.as('encoding'),
      rawSql<string>`current_setting('client_encoding')`.as('clientEncoding'),
      rawSql<string>`current_setting('search_path')`.as('searchPath'),
      rawSql<string | null>`quote_ident(current_schema())`.as('schema'),
      rawSql<boolean | null>`has_schema_privilege(current_schema(), 'CREATE')`.as('mayCreate'),
      rawSql<string>`quote_ident(current_user)`.as('user'),
      rawSql<string>`current_database()`.as('database'),
    ]),
  );
  if (facts === undefined) throw new Error('PostgreSQL returned no settings');
  return facts;
}

/** Returns one sentence for each fault. */
function faultsOf(facts: Facts): string[] {
  const { encoding, clientEncoding, searchPath, schema, mayCreate, user, database } = facts;
  const faults: string[] = [];
  if (encoding !== 'UTF8')
    faults.push(
      `The database ${database} has the encoding ${encoding}, which cannot store every address and name; create one with: create database ${database}_utf8 template template0 encoding 'UTF8', and set DATABASE_URL to it.`,
    );
  if (clientEncoding !== 'UTF8')
    faults.push(
      `The connection has the client_encoding ${clientEncoding}; remove it from DATABASE_URL, or run: alter role ${user} reset client_encoding.`,
    );
  if (schema === null)
    faults.push(
      `No schema of the search path (${searchPath}) exists in the database ${database}, or ${user} may not use it; create it, or correct search_path in DATABASE_URL or of the role.`,
    );
  else if (mayCreate === false)
    faults.push(
      `The user ${user} may not create tables in the schema ${schema} of the database ${database}; run as its owner: grant create on schema ${schema} to ${user}.`,
    );
  return faults;
}

/** @throws {DatabaseRefused} if the database cannot store every text, or has no place for tables; it lists every fault. */
export async function requireUsablePostgres(database: Database): Promise<void> {
  const faults = faultsOf(await readFacts(database));
  if (faults.length > 0) throw new DatabaseRefused(faults.join('\n'));
}

interface Limits {
  readonly isSuperuser: boolean;
  /** -1: no limit. */
  readonly role: number;
  readonly database: number;
  readonly server: number;
}

/**
 * Returns what PostgreSQL limits to fewer connections than the service opens; `undefined` if nothing. A request that would
 * need one more is refused, so the limit is noticed under load, long after the start.
 */
export async function findConnectionLimit(
  database: Database,
  connections: number,
): Promise<string | undefined> {
  const [limits] = await database.query((sql: Sql<object>) =>
    sql
      .selectFrom(
        rawSql<Limits>`(
          select rolsuper as "isSuperuser", rolconnlimit as role, datconnlimit as database,
            current_setting('max_connections')::int
              - current_setting('superuser_reserved_connections')::int as server
          from pg_roles, pg_database where rolname = current_user and datname = current_database())`.as(
          'limits',
        ),
      )
      .select(['isSuperuser', 'role', 'database', 'server']),
  );
  if (limits === undefined || limits.isSuperuser) return undefined;
  const names: readonly (readonly [limit: number, what: string])[] = [
    [limits.role, 'the role (alter role … connection limit)'],
    [limits.database, 'the database (alter database … connection limit)'],
    [limits.server, 'the server (max_connections)'],
  ];
  const [limit, what] = names.find(([each]) => each >= 0 && each < connections) ?? [];
  if (what === undefined) return undefined;
  return `${what} allows ${limit} connections, fewer than DATABASE_CONNECTIONS (${connections}): raise the limit, or lower the option`;
}

/** A relation in the schema of the service whose name the service uses. */
interface Relation {
  readonly name: string;
  /** As it is written in a statement. */
  readonly owner: string;
  readonly isOwned: boolean;
  readonly columns: readonly string[];
}

function selectRelations(database: Database, names: readonly string[]): Promise<Relation[]> {
  return database.query((sql: Sql<object>) =>
    sql
      .selectFrom(
        rawSql<Relation>`(
          select relname::text as name, quote_ident(pg_get_userbyid(relowner)) as owner,
            pg_has_role(relowner, 'USAGE') as "isOwned",
            array(select attname::text from pg_attribute where attrelid = pg_class.oid) as columns
          from pg_class join pg_namespace on pg_namespace.oid = relnamespace
          where nspname = current_schema() and relname = any(${names}))`.as('relation'),
      )
      .select(['name', 'owner', 'isOwned', 'columns'])
      .orderBy('name'),
  );
}

const versionTable = 'schema_versions';
/** The list of steps that earlier releases kept instead. */
const formerVersionTable = 'bienvenue_schema';

/** Returns the names of the tables that steps create. A step that was done may not have stored its version. */
function createdTables(
  database: Database,
  { migrations }: MigratedModule,
  from: 'every step' | { readonly version: number },
): string[] {
  const steps = from === 'every step' ? migrations : migrations.slice(from.version);
  return steps
    .filter(({ isDone }) => from === 'every step' || isDone === undefined)
    .flatMap(({ statements }) => statements(database.engine.types))
    .flatMap((text) => /^\s*create table (?:if not exists )?(\w+)/i.exec(text)?.[1] ?? []);
}

/**
 * Checks that the tables in the database are the service's own, before they are migrated.
 * @throws {DatabaseRefused} if a table that would be created exists, or if one belongs to a role whose rights the user
 *   does not have.
 */
export async function requireOwnTables(
  database: Database,
  modules: readonly MigratedModule[],
): Promise<void> {
  const { user, database: name } = await readFacts(database);
  const names = modules.flatMap((module) => createdTables(database, module, 'every step'));
  // Before the versions: another instance may be migrating, and commits tables and versions together.
  const relations = await selectRelations(database, [versionTable, formerVersionTable, ...names]);
  const found = new Map(relations.map((relation) => [relation.name, relation]));
  const versions = found.get(versionTable);
  const isForeign =
    versions !== undefined && !['module', 'version'].every((column) => versions.columns.includes(column));
  if (isForeign) throw foreignTables(name, user, [versionTable]);
  const isUsed = versions !== undefined || found.has(formerVersionTable);
  const unowned = isUsed ? relations.filter(({ isOwned }) => !isOwned) : [];
  if (unowned.length > 0) throw unownedTables(name, user, unowned);
  const known = versions === undefined ? new Map<string, number>() : await readVersions(database);
  if (known.size === 0 && found.has(formerVersionTable)) return; // the migration finds out which steps are missing
  const missing = modules.flatMap((module) =>
    createdTables(database, module, { version: known.get(module.name) ?? 0 }),
  );
  const taken = missing.filter((table) => found.has(table));
  if (taken.length > 0) throw foreignTables(name, user, taken);
}

function foreignTables(database: string, user: string, tables: readonly string[]): DatabaseRefused {
  return new DatabaseRefused(
    `The database ${database} has tables of another program under names that the service uses (${tables.join(', ')}). Nothing was changed; set DATABASE_URL to another database, or give the service a schema of its own: create schema bienvenue authorization ${user}; alter role ${user} set search_path = bienvenue.`,
  );
}

function unownedTables(database: string, user: string, tables: readonly Relation[]): DatabaseRefused {
  const owners = [...new Set(tables.map(({ owner }) => owner))].join(' and ');
  const statements = tables.map(({ name }) => `alter table ${name} owner to ${user};`).join(' ');
  return new DatabaseRefused(
    `Tables of the service in the database ${database} belong to ${owners}, so ${user} cannot maintain them. Run as a superuser: ${statements}`,
  );
}

/** Returns a connection that was rejected as a refusal to start, and any other error as it is. */
export function rejectedConnection(error: unknown): unknown {
  const message = error instanceof DatabaseRefused ? undefined : rejectionOf(error);
  return message === undefined ? error : new DatabaseRefused(message, { cause: error });
}
