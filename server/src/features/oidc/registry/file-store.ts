// Records which contents of clients files are in effect, and which were replaced.
import type { Database } from '../../../db/database.ts';
import { statementsFor } from '../../../db/statement.ts';
import type { RegistryTables } from './schema.ts';

const { statement } = statementsFor<RegistryTables>();

/** The content of a file, and when it is applied. */
export type AppliedFile = { name: string; digest: Uint8Array; now: number };

const lock = statement((sql, p: AppliedFile) =>
  sql
    .insertInto('oidc_clients_files')
    .values({ name: p.name, digest: p.digest, applied_at: p.now })
    // Changes nothing, but returns the row and locks it: instances that start at the same time apply one after the other.
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ name: p.name }))
    .returning('digest'),
);

/** Returns the digest of the content in effect, the given one if none is, and locks it until the end of the transaction. */
export async function lockFile(tx: Database, file: AppliedFile): Promise<Uint8Array> {
  return (await tx.first(lock, file))?.digest ?? file.digest;
}

const selectReplaced = statement((sql, p: { name: string; digest: Uint8Array }) =>
  sql
    .selectFrom('oidc_replaced_files')
    .select('replaced_at')
    .where('name', '=', p.name)
    .where('digest', '=', p.digest),
);

/** Returns when a content was replaced by another one (Unix milliseconds); `undefined` if it never was. */
export async function findReplaced(db: Database, { name, digest }: AppliedFile): Promise<number | undefined> {
  return (await db.first(selectReplaced, { name, digest }))?.replaced_at;
}

const setCurrent = statement((sql, p: AppliedFile) =>
  sql
    .updateTable('oidc_clients_files')
    .set({ digest: p.digest, applied_at: p.now })
    .where('name', '=', p.name),
);

const insertReplaced = statement((sql, p: AppliedFile) =>
  sql
    .insertInto('oidc_replaced_files')
    .values({ name: p.name, digest: p.digest, replaced_at: p.now })
    .onConflict((conflict) => conflict.columns(['name', 'digest']).doUpdateSet({ replaced_at: p.now })),
);

const deleteReplaced = statement((sql, p: { name: string; digest: Uint8Array }) =>
  sql.deleteFrom('oidc_replaced_files').where('name', '=', p.name).where('digest', '=', p.digest),
);

/** Records that a content is in effect instead of an earlier one. */
export async function replaceFile(tx: Database, file: AppliedFile, earlier: Uint8Array): Promise<void> {
  const { name, digest, now } = file;
  await tx.run(setCurrent, file);
  await tx.run(insertReplaced, { name, digest: earlier, now });
  await tx.run(deleteReplaced, { name, digest });
}
