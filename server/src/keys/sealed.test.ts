import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { kits } from '../../test/support/kit.ts';
import { onEachEngine, withEmptyDatabase, type EngineName } from '../../test/support/engines.ts';
import { formerKey, formerSecrets, writeFormerDatabase } from '../../test/support/former-database.ts';
import { Recorder } from '../../test/support/recorder.ts';
import { migratedModules } from '../app/migrations.ts';
import { sealedColumns } from '../app/sealed-columns.ts';
import type { Database, Sql } from '../db/database.ts';
import { migrate } from '../db/migrate.ts';
import { connectDatabase } from '../db/open-database.ts';
import type { SealedColumn } from '../db/schema.ts';
import { DecryptionFault, Keyring, parseKeys, type Key } from '../kit/keyring.ts';
import { signingKeyPrivate } from './schema.ts';
import { cipherOf, reseal } from './sealed.ts';
import { addStoredKey } from './signing-key-store.ts';
import { rowsIn, tableNames } from '../../test/support/contents.ts';

const [oldKey] = parseKeys(formerKey);
const newKey = { id: 'new', secret: new Uint8Array(32).fill(7) };
if (oldKey === undefined) throw new Error('The fixture has no key');
const both = new Keyring([newKey, oldKey]);
const newAlone = new Keyring([newKey]);

type AnyTables = Record<string, Record<string, unknown>>;

/** Runs the work on a database that contains secrets under the old key. */
function withSecrets(engine: EngineName, work: (db: Database) => Promise<void>): Promise<void> {
  return withEmptyDatabase(engine, async (url) => {
    const db = await connectDatabase(url);
    try {
      await writeFormerDatabase(db);
      await migrate(db, migratedModules);
      await addSigningKey(db);
      for (const { addSecrets } of kits) await addSecrets?.(db, new Keyring([oldKey as Key])); // checked above
      await work(db);
    } finally {
      await db.close();
    }
  });
}

/** Adds a row of a table that is younger than the former database. */
async function addSigningKey(db: Database): Promise<void> {
  const sealed = cipherOf(new Keyring([oldKey as Key]), signingKeyPrivate).encrypt('{}', 'kid'); // checked above
  const key = { kid: 'kid', alg: 'ES256', state: 'current', sealed, publicJwk: '{}', now: 0 } as const;
  await addStoredKey(db, key);
}

async function textsOf(db: Database, { table, column }: SealedColumn): Promise<[id: string, text: string][]> {
  const rows = await db.query((sql: Sql<AnyTables>) =>
    sql.selectFrom(table).select(['id', column]).where(column, 'is not', null),
  );
  return rows.map((row) => [String(row['id']), String(row[column])]);
}

/** Returns columns with encrypted texts that no module declares, as `table.column`. */
async function undeclaredIn(db: Database): Promise<string[]> {
  const found = new Set<string>();
  for (const table of tableNames(db)) {
    const rows = await rowsIn(db, table);
    for (const row of rows) {
      for (const [column, value] of Object.entries(row)) {
        const isSealed = typeof value === 'string' && /^v1\.[^.]+\.[\w-]{38,}$/.test(value);
        const isDeclared = sealedColumns.some((one) => one.table === table && one.column === column);
        if (isSealed && !isDeclared) found.add(`${table}.${column}`);
      }
    }
  }
  return [...found];
}

/** A database that another process changes before each transaction. */
class Changing extends Recorder {
  readonly #change: () => Promise<unknown>;

  constructor(database: Database, change: () => Promise<unknown>) {
    super(database);
    this.#change = change;
  }

  override async transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    await this.#change();
    return super.transaction(work);
  }
}

function withoutSecret({ table, column }: SealedColumn): string {
  return `${table}.${column} has no row: add one to "addSecrets" in test/kit.ts of its feature`;
}

onEachEngine('secrets at rest', (engine) => {
  test('are re-encrypted in every declared column, and can then be read without the old key', () =>
    withSecrets(engine, async (db) => {
      const progress: number[][] = [];
      const results = await reseal(db, both, sealedColumns, (done, all) => progress.push([done, all]));
      assert.deepEqual(
        results.map(({ table, rows, left }) => ({ table, rows, left })),
        sealedColumns.map(({ table }) => ({ table, rows: 1, left: 0 })),
        'one row of each table; "addSecrets" in test/kit.ts of its feature adds it',
      );
      assert.deepEqual(
        progress,
        sealedColumns.map((_, i) => [i + 1, sealedColumns.length]),
      );
      for (const column of sealedColumns) {
        for (const [id, text] of await textsOf(db, column)) {
          const plain = cipherOf(newAlone, column).decrypt(text, id);
          if (column.table === 'totp_authenticators') assert.equal(plain, formerSecrets.seed);
        }
      }
      const again = await reseal(db, newAlone, sealedColumns);
      assert.deepEqual(
        again.map(({ rows }) => rows),
        sealedColumns.map(() => 0),
      );
    }));

  test('are re-encrypted in batches, and a second run continues where an interrupted one stopped', () =>
    withSecrets(engine, async (db) => {
      const [column] = sealedColumns.filter(({ table }) => table === 'mails');
      assert.ok(column !== undefined);
      const [mail] = await db.query((sql) => sql.selectFrom('mails').selectAll());
      assert.ok(mail !== undefined);
      for (let i = 0; i < 249; i += 1)
        await db.query((sql) => sql.insertInto('mails').values({ ...mail, id: `mail-${i}` }));
      const interrupted = reseal(db, both, [column], (done) => {
        if (done >= 100) throw new Error('interrupted');
      });
      await assert.rejects(interrupted, /interrupted/);
      const progress: number[][] = [];
      const [result] = await reseal(db, both, [column], (done, all) => progress.push([done, all]));
      assert.deepEqual([result?.rows, result?.left], [150, 0]);
      assert.deepEqual(progress.at(-1), [150, 150]);
    }));

  test('that change during the run keep their new text', () =>
    withSecrets(engine, async (db) => {
      const [column] = sealedColumns.filter(({ table }) => table === 'mails');
      assert.ok(column !== undefined);
      const [first] = await textsOf(db, column);
      const id = first?.[0] ?? '';
      const written = cipherOf(both, column).encrypt('CHANGED', id);
      const changing = new Changing(db, () =>
        db.query((sql: Sql<AnyTables>) =>
          sql.updateTable('mails').set({ content: written }).where('id', '=', id),
        ),
      );
      const [result] = await reseal(changing, both, [column]);
      assert.deepEqual([result?.rows, result?.left], [0, 0]);
      assert.deepEqual(await textsOf(db, column), [[id, written]]);
    }));

  test('whose key is missing stop the run, and no text is lost', () =>
    withSecrets(engine, async (db) => {
      const before = await Promise.all(sealedColumns.map((column) => textsOf(db, column)));
      await assert.rejects(reseal(db, newAlone, sealedColumns), DecryptionFault);
      assert.deepEqual(await Promise.all(sealedColumns.map((column) => textsOf(db, column))), before);
    }));

  test('are only in declared columns', () =>
    withSecrets(engine, async (db) => {
      for (const column of sealedColumns)
        assert.ok((await textsOf(db, column)).length > 0, withoutSecret(column));
      assert.deepEqual(await undeclaredIn(db), []);
      await db.query((sql) => sql.updateTable('users').set({ language: both.encrypt('planted', 'x') }));
      assert.deepEqual(await undeclaredIn(db), ['users.language']);
    }));
});

/** Calls that encrypt without `cipherOf`, and so without a declared column. */
const bypass = /\b(?:keyring|ring)\.(?:encrypt|decrypt)\(|\bcreateCipheriv\(/g;
/** The keyring itself, and a foreign password hash that is based on a cipher. */
const mayEncrypt = /^keys\/sealed\.ts$|^kit\/keyring\.ts$|^hash\/scrypt-format\.ts$/;
const declared = /^export const (\w+) = \{[^}]*\} satisfies SealedColumn;/gm;

test('texts are encrypted only through a declared column, and every declared column is in the list', () => {
  const source = join(import.meta.dirname, '..');
  const files = globSync('**/*.ts', { cwd: source, exclude: ['**/*.test.ts', '**/test/**'] });
  const texts = files.map(
    (file) => [file.replaceAll('\\', '/'), readFileSync(join(source, file), 'utf8')] as const,
  );
  const faults = texts.filter(([file, text]) => !mayEncrypt.test(file) && text.match(bypass) !== null);
  assert.deepEqual(
    faults.map(([file]) => file),
    [],
  );
  const names = texts.flatMap(([, text]) => [...text.matchAll(declared)].map(([, name]) => name));
  assert.equal(names.length, sealedColumns.length);
  assert.ok("keyring.encrypt('x', text)".match(bypass) !== null);
});
