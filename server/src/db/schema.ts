// What the schema.ts of every module builds on. Columns mean the same on both engines: integers, text, instants as Unix
// milliseconds, bytes for digests. A module that adds a table declares it in its own schema.ts and makes it in its own
// migrations.ts.

/** Unix milliseconds. */
export type Instant = number;

/**
 * A column of encrypted texts in a table whose primary key is the text column `id`. Each module declares its own next to
 * its tables; `bienvenue key reseal` encrypts the texts of all of them again.
 */
export interface SealedColumn {
  readonly table: string;
  readonly column: string;
  /** Purpose that the key is derived for. */
  readonly purpose: string;
  /** True if the text is tied to its row: the id of the row is the associated data. */
  readonly isTiedToRow: boolean;
}

interface SchemaVersionTable {
  /** Name of the module; one row is the lock of the migrations. */
  module: string;
  /** How many steps of the module the database has. */
  version: number;
}

/** The single row in which releases before schema_versions noted the number of their steps. */
interface FormerVersionTable {
  id: number;
  version: number;
}

/** The tables of db/ itself. */
export interface VersionTables {
  schema_versions: SchemaVersionTable;
  bienvenue_schema: FormerVersionTable;
}
