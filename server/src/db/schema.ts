// What the schema.ts of every module builds on. Columns mean the same on both engines: integers, text, instants as Unix
// milliseconds, bytes for digests. A module that adds a table declares it in its own schema.ts and makes it in its own
// migrations.ts.

/** Unix milliseconds. */
export type Instant = number;

interface SchemaVersionTable {
  id: number;
  version: number;
}

/** The tables of db/ itself. */
export interface VersionTables {
  bienvenue_schema: SchemaVersionTable;
}
