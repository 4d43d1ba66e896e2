// What stops a start is found by doctor too, in the same sentences, and neither leaves anything.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Environment } from '../config/read-options.ts';
import { createData, temporaryFolder } from '../../test/support/running-service.ts';
import { CommandHost } from '../../test/support/program.ts';

const host = new CommandHost();
after(() => host.close());

/** Prepares a folder, and returns the options with which no start can work. */
type Prepare = (folder: string) => Environment | Promise<Environment>;

const cases: Readonly<Record<string, readonly [Prepare, RegExp]>> = {
  'DATA_DIR is a file': [
    (folder) => {
      writeFileSync(join(folder, 'data'), '', { mode: 0o600 });
      return { DATA_DIR: join(folder, 'data') };
    },
    /data\/bienvenue\.db cannot be created: .*\/data is not a folder\. Correct DATA_DIR or DATABASE_URL\./,
  ],
  'DATA_DIR is below a file': [
    (folder) => {
      writeFileSync(join(folder, 'data'), '', { mode: 0o600 });
      return { DATA_DIR: join(folder, 'data', 'a', 'b') };
    },
    /\/data is not a folder\. Correct DATA_DIR or DATABASE_URL\./,
  ],
  'DATA_DIR is a link that leads nowhere': [
    (folder) => {
      symlinkSync(join(folder, 'none'), join(folder, 'data'));
      return { DATA_DIR: join(folder, 'data') };
    },
    /\/data accepts no new files \(ENOENT\)\. Correct DATA_DIR or DATABASE_URL\./,
  ],
  'the database is a folder': [
    (folder) => {
      mkdirSync(join(folder, 'bienvenue.db'), { mode: 0o755 });
      return { DATA_DIR: folder };
    },
    /bienvenue\.db is not a regular file\. Set DATABASE_URL to a file\./,
  ],
  'the key file is a folder': [
    (folder) => {
      mkdirSync(join(folder, 'secret.key'), { mode: 0o755 });
      return { DATA_DIR: folder };
    },
    /The key file .*\/secret\.key is a folder\. Remove it, or set SECRET_KEY_FILE to a file; Docker/,
  ],
  'the key file is below a file': [
    (folder) => {
      writeFileSync(join(folder, 'keys'), '', { mode: 0o600 });
      return { DATA_DIR: join(folder, 'data'), SECRET_KEY_FILE: join(folder, 'keys', 'secret.key') };
    },
    /secret\.key cannot be created: .*\/keys is not a folder\. Correct DATA_DIR or SECRET_KEY_FILE\./,
  ],
  'the key file of a database is missing, and another cannot be created': [
    async (folder) => {
      await createData({ DATA_DIR: folder, SECRET_KEY: `k1 ${'k'.repeat(43)}` });
      return { DATA_DIR: folder, SECRET_KEY_FILE: '/dev/null/secret.key' };
    },
    /secret\.key/,
  ],
  ...(existsSync('/proc/self') && {
    'a file system takes no files': [
      () => ({ DATA_DIR: '/proc/bienvenue/data' }),
      /\/proc (?:accepts no new files|is not writable)/,
    ],
  }),
};

describe('the start and doctor refuse, with the same sentence', () => {
  for (const [title, [prepare, says]] of Object.entries(cases))
    test(title, async (t) => {
      const folder = await temporaryFolder(t);
      const environment = { PORT: '0', ...(await prepare(folder)) };
      const before = readdirSync(folder, { recursive: true });
      const start = await host.run(['serve'], { environment });
      const doctor = await host.run(['doctor'], { environment });
      assert.deepEqual([start.code, doctor.code], [1, 1], `${start.stderr}${doctor.stdout}`);
      assert.match(start.stderr, says);
      assert.doesNotMatch(start.stderr, /^\s+at /m);
      assert.match(doctor.stdout, says);
      assert.doesNotMatch(doctor.stdout, /chmod|free for .*\/data$/m, 'no remedy that does not help');
      assert.deepEqual(readdirSync(folder, { recursive: true }), before);
    });

  test(
    'a folder of another user',
    { skip: process.getuid?.() !== 0 && 'only root can be another user' },
    async (t) => {
      const other = new CommandHost({ uid: 61_240, gid: 61_240 });
      t.after(() => other.close());
      const environment = { PORT: '0', DATA_DIR: '/usr/nosuch/data' };
      const start = await other.run(['serve'], { environment });
      const doctor = await other.run(['doctor'], { environment });
      assert.deepEqual([start.code, doctor.code], [1, 1]);
      for (const output of [start.stderr, doctor.stdout])
        assert.match(output, /\/usr is not writable for this user\. Set DATA_DIR/);
    },
  );
});
