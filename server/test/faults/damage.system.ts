// A damaged database file: the service refuses to start on it, says why and what to do, and does not change the file.
import assert from 'node:assert/strict';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { migratedModules } from '../../src/app/migrations.ts';
import { openDatabase, sqlitePath } from '../../src/db/open-database.ts';
import { DatabaseRefused } from '../../src/db/database.ts';
import { withEmptyDatabase } from '../support/engines.ts';
import { runProgram } from '../support/program.ts';

const pageBytes = 4096;
/** Enough accounts for some dozens of pages. */
const accounts = 1500;

/** Runs the work with the path of a closed database with accounts, and its bytes. */
async function withAccounts(
  work: (url: string, path: string, bytes: Buffer) => Promise<void>,
): Promise<void> {
  await withEmptyDatabase('sqlite', async (url) => {
    const database = await openDatabase(url, migratedModules);
    const rows = Array.from(
      { length: accounts },
      (_, i) => `('p${i}@example.org', 'p${i}@example.org', 'hash', 1, 1)`,
    );
    await database.execute(
      `insert into users (email, email_key, hashed_password, created_at, password_changed_at) values ${rows.join()}`,
    );
    await database.close();
    const path = sqlitePath(url) ?? '';
    await work(url, path, readFileSync(path));
  });
}

test('the start detects a page with a flipped header, whichever page it is', () =>
  withAccounts(async (url, path, bytes) => {
    const pages = bytes.length / pageBytes;
    assert.ok(pages > 40);
    for (let page = 0; page < pages; page += 1) {
      const damaged = Buffer.from(bytes);
      // The first page begins with the header of the file, which other tests cover.
      const head = page === 0 ? 100 : page * pageBytes;
      for (let i = head; i < head + 8; i += 1) damaged[i] = (damaged[i] ?? 0) ^ 0xff;
      writeFileSync(path, damaged);
      await assert.rejects(
        openDatabase(url, migratedModules, { isExamined: true }),
        (error) => error instanceof DatabaseRefused && error.message.includes(`${path} is damaged`),
        `page ${page}`,
      );
      assert.ok(readFileSync(path).equals(damaged), 'the file is unchanged');
    }
    writeFileSync(path, bytes);
    await (await openDatabase(url, migratedModules, { isExamined: true })).close();
  }));

test('the start detects a truncated file, wherever it was cut', () =>
  withAccounts(async (url, path, bytes) => {
    for (const length of [
      bytes.length - pageBytes / 2,
      bytes.length - pageBytes,
      Math.floor(bytes.length / 2),
      pageBytes,
      150,
      50,
      10,
    ]) {
      writeFileSync(path, bytes);
      truncateSync(path, length);
      await assert.rejects(
        openDatabase(url, migratedModules, { isExamined: true }),
        (error) => error instanceof DatabaseRefused && /is (damaged|not a SQLite)/.test(error.message),
        `${length} bytes`,
      );
      assert.equal(readFileSync(path).length, length);
    }
  }));

test('the program ends with one sentence that names the file and says what to do', () =>
  withAccounts(async (url, path, bytes) => {
    const damaged = Buffer.from(bytes);
    damaged.fill(0x55, 20 * pageBytes, 20 * pageBytes + 100);
    writeFileSync(path, damaged);
    const environment = {
      DATABASE_URL: url,
      PORT: '0',
      SECRET_KEY: `test ${Buffer.alloc(32, 1).toString('base64')}`,
    };
    for (const [command, stream] of [
      ['serve', 'stderr'],
      ['doctor', 'stdout'],
    ] as const) {
      const outcome = await runProgram([command], { environment });
      assert.equal(outcome.code, 1, outcome.stderr);
      assert.match(outcome[stream], /is damaged\. The file was not changed; restore a backup\./);
      assert.ok(outcome[stream].includes(path));
      assert.doesNotMatch(outcome.stderr, /^\s+at /m, 'no stack trace');
    }
    assert.ok(readFileSync(path).equals(damaged));
  }));
