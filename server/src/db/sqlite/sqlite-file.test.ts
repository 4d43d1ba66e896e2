import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { source, startScript } from '../../../test/support/script.ts';
import { migratedModules } from '../../app/migrations.ts';
import { openDatabase } from '../open-database.ts';
import { DatabaseRefused } from '../database.ts';
import { applicationId, checkSqliteFile, examineSqliteFile, toSqliteError } from './sqlite-file.ts';
import { openSqlite } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'bienvenue-files-'));
after(() => rmSync(folder, { recursive: true }));

/** Bytes of a closed database of this service. */
let good = Buffer.alloc(0);
/** Bytes of a database of another program. */
let foreign = Buffer.alloc(0);

before(async () => {
  const path = join(folder, 'good.db');
  await (await openDatabase(`sqlite:${path}`, migratedModules)).close();
  good = readFileSync(path);
  using other = new DatabaseSync(join(folder, 'foreign.db'));
  other.exec('create table notes (text); insert into notes values (1)');
  foreign = readFileSync(join(folder, 'foreign.db'));
});

/** Offset of `application_id` in the header. */
const applicationIdOffset = 68;

function damaged(): Buffer {
  const bytes = Buffer.from(good);
  bytes.fill(0xff, 100, 4096);
  return bytes;
}

/** Content of the file, and the expected error message. */
const refused: Record<string, [() => Buffer, RegExp]> = {
  'a file of text': [
    () => Buffer.from('Dear diary,\n'),
    /is not a SQLite database\. The file was not changed/,
  ],
  'one byte': [() => Buffer.from('S'), /is not a SQLite database/],
  'a database of another program': [
    () => foreign,
    /is a SQLite database of another program\. The file was not changed/,
  ],
  'a header that ends after the magic': [() => good.subarray(0, 16), /another program|damaged/],
  'a header that ends before the application id': [
    () => good.subarray(0, applicationIdOffset + 3),
    /another program|damaged/,
  ],
  'a header that ends after the application id': [
    () => good.subarray(0, applicationIdOffset + 4),
    /is damaged.*restore a backup/,
  ],
  'only a header': [() => good.subarray(0, 100), /is damaged/],
  'only the first page': [() => good.subarray(0, 4096), /is damaged/],
  'one page too few': [() => good.subarray(0, good.length - 4096), /is damaged/],
  'an overwritten first page': [damaged, /is damaged/],
};

describe('rejects a file that is not an intact database of this service, and leaves it unchanged:', () => {
  for (const [title, [content, message]] of Object.entries(refused)) {
    test(title, async () => {
      const place = mkdtempSync(join(folder, 'refused-'));
      const path = join(place, 'test.db');
      const bytes = content();
      writeFileSync(path, bytes);
      await assert.rejects(openDatabase(`sqlite:${path}`, migratedModules), (error) => {
        assert.ok(error instanceof DatabaseRefused, String(error));
        assert.match(error.message, message);
        assert.ok(error.message.startsWith(path));
        return true;
      });
      assert.ok(readFileSync(path).equals(bytes));
      assert.deepEqual(readdirSync(place), ['test.db']);
    });
  }
});

describe('rejects a path that cannot hold a database:', () => {
  test('a folder', () => {
    assert.throws(() => checkSqliteFile(folder), {
      name: 'DatabaseRefused',
      message: /is not a regular file/,
    });
  });

  test('a device', { skip: process.platform === 'win32' && 'Windows has no /dev' }, () => {
    assert.throws(() => checkSqliteFile('/dev/null'), {
      name: 'DatabaseRefused',
      message: /is not a regular file/,
    });
  });

  test('a path below a file', () => {
    const path = join(folder, 'good.db', 'test.db');
    assert.throws(() => checkSqliteFile(path), { name: 'DatabaseRefused', message: /cannot be created/ });
  });

  /** What lacks permission in the folder of a database, the path of the database in it, and the message. */
  const denied: Record<string, [place: string, mode: number, path: string, message: RegExp]> = {
    'a file without permission to write': ['test.db', 0o444, 'test.db', /Check its owner and permissions/],
    'a file without permission to read': ['test.db', 0o222, 'test.db', /Check its owner and permissions/],
    'a WAL file without permission': ['test.db-wal', 0o444, 'test.db', /-wal .* owner and permissions of/],
    'a folder without permission to write': ['', 0o555, 'test.db', /Check its owner and permissions/],
    'a folder that cannot be created': ['', 0o555, 'data/test.db', /cannot be created/],
  };

  for (const [title, [place, mode, path, message]] of Object.entries(denied)) {
    test(title, { skip: process.platform === 'win32' && 'Windows has no such rights' }, async () => {
      const parent = mkdtempSync(join(folder, 'rights-'));
      for (const file of ['test.db', 'test.db-wal']) {
        writeFileSync(join(parent, file), good);
        chmodSync(join(parent, file), 0o666);
      }
      for (const made of [folder, parent]) chmodSync(made, 0o755);
      chmodSync(join(parent, place), mode);
      assert.match(await refusalOf(join(parent, path)), message);
    });
  }
});

/** The id of an unprivileged user on most systems. */
const unprivilegedId = 65_534;

/** Returns how a path is refused to a process without the privileges of root, who may write everywhere. */
async function refusalOf(path: string): Promise<string> {
  const script = startScript(
    `
    import { checkSqliteFile } from '${source('db/sqlite/sqlite-file.ts')}';
    if (process.geteuid() === 0) process.setuid(${unprivilegedId});
    try {
      checkSqliteFile(process.argv[1]);
    } catch ({ name, message }) {
      console.log(name, message);
    }`,
    path,
  );
  assert.equal(await script.ended, 0);
  return script.lines.join('\n');
}

describe('a new file', () => {
  test(
    'is created with its folders, which only the owner may access',
    { skip: process.platform === 'win32' && 'Windows has no such rights' },
    async () => {
      const place = join(folder, 'a', 'b');
      await (await openDatabase(`sqlite:${join(place, 'test.db')}`, migratedModules)).close();
      for (const made of [place, join(folder, 'a')]) assert.equal(statSync(made).mode & 0o777, 0o700);
    },
  );

  test('a backup that was put next to the WAL file of the former database', async () => {
    const path = join(folder, 'restored.db');
    writeFileSync(path, good);
    const backup = join(folder, 'backup.db');
    const former = new DatabaseSync(path);
    former.exec(`drop table audit_chain; vacuum into '${backup}'; create table more (id)`);
    const wal = readFileSync(`${path}-wal`);
    former.close();
    const copied = readFileSync(backup);
    writeFileSync(path, copied);
    writeFileSync(`${path}-wal`, wal);
    assert.throws(
      () => examineSqliteFile(path),
      (error) =>
        error instanceof DatabaseRefused && error.message.includes(`delete ${path}-wal and ${path}-shm`),
    );
    assert.deepEqual(readFileSync(path), copied);
  });

  test('a file that another program locks', { timeout: 120_000 }, async () => {
    const path = join(folder, 'locked.db');
    writeFileSync(path, good);
    using other = new DatabaseSync(path);
    other.exec('pragma locking_mode = exclusive; begin exclusive; create table held (id); commit');
    const isLocked = (error: unknown): boolean =>
      error instanceof DatabaseRefused &&
      error.message.startsWith(`${path} cannot be opened: database is locked`) &&
      error.message.includes('Another program locks it');
    assert.throws(() => examineSqliteFile(path), isLocked);
    await assert.rejects(openSqlite(path), isLocked);
  });

  test('replaces an empty file, which contains no data', async () => {
    const path = join(folder, 'empty.db');
    writeFileSync(path, '');
    await (await openDatabase(`sqlite:${path}`, migratedModules)).close();
    assert.equal(readFileSync(path).readUInt32BE(applicationIdOffset), applicationId);
  });

  test('has the application id in the file itself from the start, not only in the WAL', async () => {
    const path = join(folder, 'marked.db');
    const database = await openDatabase(`sqlite:${path}`, migratedModules);
    assert.equal(readFileSync(path).readUInt32BE(applicationIdOffset), applicationId);
    await database.close();
  });

  test('is the only file in its folder after it is closed', async () => {
    const place = join(folder, 'alone');
    mkdirSync(place);
    await (await openDatabase(`sqlite:${join(place, 'test.db')}`, migratedModules)).close();
    assert.deepEqual(readdirSync(place), ['test.db']);
  });
});

test('damage that a statement finds is an error with what to do, which a command prints without a stack', () => {
  for (const code of [11, 26, 267, 523]) {
    const error = toSqliteError('database disk image is malformed', code);
    assert.ok(error instanceof DatabaseRefused, String(code));
    assert.match(
      error.message,
      /is damaged \(SQLite: .* \(code \d+\)\)\. Stop the service, and restore a backup/,
    );
  }
  for (const code of [1, 19]) assert.ok(!(toSqliteError('near "x"', code) instanceof DatabaseRefused));
});
