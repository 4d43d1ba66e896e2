/** The areas of mutation testing name code and tests that exist; measuring them takes most of an hour. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';

const program = path.join(import.meta.dirname, '../mutate/run.mjs');

test('each area of mutation testing names files that exist, and each file is in one', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--list'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^guards +server\/src\/identity\/sign-in\/guard\.ts$/m);
  const files = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(/ +/)[1]);
  assert.equal(new Set(files).size, files.length);
});
