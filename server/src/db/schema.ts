// Declares types for the schema.ts of every module. Columns have the same meaning on both engines: integers, text,
// instants as Unix milliseconds, bytes for digests. A module declares its tables in its own schema.ts and creates them
// in its own migrations.ts.

/** Unix milliseconds. */
export type Instant = number;

/**
 * A column of encrypted texts in a table whose primary key is the text column `id`. Each module declares its columns next
 * to its tables; `bienvenue key reseal` re-encrypts the texts of all of them.
 */
export interface SealedColumn {
  readonly table: string;
  readonly column: string;
  /** Purpose that the key is derived for. */
  readonly purpose: string;
  /** True if a text can only be decrypted in its row: the id of the row is associated data. */
  readonly isTiedToRow: boolean;
}

interface SchemaVersionTable {
  /** Name of the module; the row with an empty name is the lock of the migrations. */
  module: string;
  /** Number of the module's steps that the database has. */
  version: number;
}

/** The single row in which releases before schema_versions stored the number of their steps. */
interface FormerVersionTable {
  id: number;
  version: number;
}

/** The tables of this module. */
export interface VersionTables {
  schema_versions: SchemaVersionTable;
  bienvenue_schema: FormerVersionTable;
}
