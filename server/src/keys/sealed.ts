// Encrypts secrets at rest. Texts are encrypted and decrypted through a declared column, so that no undeclared column can
// be written, and all of them can be re-encrypted under a new key.
import type { Keyring } from '../kit/keyring.ts';
import type { Database } from '../db/database.ts';
import type { SealedColumn } from '../db/schema.ts';
import { countSealedOtherwise, listSealedOtherwise, replaceSealed } from './sealed-store.ts';

/**
 * Encrypts and decrypts the texts of one column. `id` is the id of the row; required if the texts are tied to their
 * rows.
 */
export interface ColumnCipher {
  readonly encrypt: (text: string, id?: string) => string;
  readonly decrypt: (text: string, id?: string) => string;
}

/** Returns the cipher of a declared column. */
export function cipherOf(keyring: Keyring, { purpose, isTiedToRow }: SealedColumn): ColumnCipher {
  const contextOf = (id: string | undefined): string => {
    if (!isTiedToRow) return '';
    if (id === undefined) throw new Error(`A text of ${purpose} is tied to its row`);
    return id;
  };
  return {
    encrypt: (text, id) => keyring.encrypt(purpose, text, contextOf(id)),
    decrypt: (text, id) => keyring.decrypt(purpose, text, contextOf(id)),
  };
}

/** Rows per transaction: holds the writer for a few milliseconds. */
const batchSize = 100;

/** The re-encrypted rows of one column. */
export interface Resealed {
  readonly table: string;
  readonly column: string;
  readonly rows: number;
  /** Rows that another process changed during the run to a text under an older key. */
  readonly left: number;
}

/**
 * Re-encrypts the texts of all columns that are not under the current key. It can be interrupted and run again: it
 * continues with the remaining rows. A row that changes during the run keeps its new text. Afterwards older keys are
 * needed only for the digests of codes and of the audit log.
 * @param onBatch Called after each batch with the number of finished rows and of all rows.
 * @throws {DecryptionFault} if a text was modified, or its key is not in the ring.
 */
export async function reseal(
  db: Database,
  keyring: Keyring,
  columns: readonly SealedColumn[],
  onBatch: (done: number, all: number) => void = () => {},
): Promise<Resealed[]> {
  const prefix = `v1.${keyring.ids[0]}.`;
  const counts = await Promise.all(columns.map((column) => countSealedOtherwise(db, column, prefix)));
  const all = counts.reduce((sum, count) => sum + count, 0);
  const results: Resealed[] = [];
  let done = 0;
  for (const column of columns) {
    let rows = 0;
    const cipher = cipherOf(keyring, column);
    for (let after = ''; ;) {
      const batch = await listSealedOtherwise(db, column, { prefix, after, limit: batchSize });
      const last = batch.at(-1);
      if (last === undefined) break;
      const renewed = batch.map(
        (row) => [row, cipher.encrypt(cipher.decrypt(row.text, row.id), row.id)] as const,
      );
      rows += await db.transaction(async (tx) => {
        let replaced = 0;
        for (const [row, text] of renewed) if (await replaceSealed(tx, column, row, text)) replaced += 1;
        return replaced;
      });
      after = last.id;
      done += batch.length;
      onBatch(done, all);
    }
    const left = await countSealedOtherwise(db, column, prefix);
    results.push({ table: column.table, column: column.column, rows, left });
  }
  return results;
}
