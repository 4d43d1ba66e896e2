// Checks that a PostgreSQL database can store what users type, and that its tables have a place. Otherwise the first
// address with a letter that the encoding lacks would fail, long after the start.
import { sql as rawSql } from 'kysely';
import { DatabaseRefused, type Database, type Sql } from '../database.ts';

interface Facts {
  readonly encoding: string;
  readonly clientEncoding: string;
  readonly searchPath: string;
  /** Schema in which tables are created; null if none of the search path exists. */
  readonly schema: string | null;
  readonly mayCreate: boolean | null;
  readonly hasTables: boolean;
  readonly user: string;
  readonly database: string;
}

async function readFacts(database: Database): Promise<Facts> {
  const [facts] = await database.query((sql: Sql<object>) =>
    sql.selectNoFrom([
      rawSql<string>`current_setting('server_encoding')`.as('encoding'),
      rawSql<string>`current_setting('client_encoding')`.as('clientEncoding'),
      rawSql<string>`current_setting('search_path')`.as('searchPath'),
      rawSql<string | null>`current_schema()`.as('schema'),
      rawSql<boolean | null>`has_schema_privilege(current_schema(), 'CREATE')`.as('mayCreate'),
      rawSql<boolean>`to_regclass('schema_versions') is not null`.as('hasTables'),
      rawSql<string>`current_user`.as('user'),
      rawSql<string>`current_database()`.as('database'),
    ]),
  );
  if (facts === undefined) throw new Error('PostgreSQL returned no settings');
  return facts;
}

/** Returns one sentence for each fault. */
function faultsOf(facts: Facts): string[] {
  const { encoding, clientEncoding, searchPath, schema, mayCreate, hasTables, user, database } = facts;
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
  else if (mayCreate === false && !hasTables)
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

/** Converts an error with which PostgreSQL answered a connection: a wrong password, a missing database, a wrong option. */
export function rejectedConnection(error: unknown): DatabaseRefused {
  const { message } = error as Error; // of the driver
  return new DatabaseRefused(
    `PostgreSQL rejects the connection: ${message}. Check user, password, database and options in DATABASE_URL.`,
    { cause: error },
  );
}
