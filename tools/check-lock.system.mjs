// Tests check-lock.mjs on a correct lock with one planted fault at a time.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { findLockFaults } from './check-lock.mjs';

const TOOL = fileURLToPath(new URL('check-lock.mjs', import.meta.url));
const OWN_LOCK = fileURLToPath(new URL('../package-lock.json', import.meta.url));

/** A correct lock, in which each test plants a fault. */
function soundLock() {
  return {
    lockfileVersion: 3,
    packages: {
      '': { name: 'example', workspaces: ['server'] },
      server: { dependencies: { hash: '1.0.0' } },
      'node_modules/server': { resolved: 'server', link: true },
      'node_modules/hash': {
        integrity: 'sha512-a',
        optionalDependencies: { 'hash-linux': '1.0.0', 'hash-win': '1.0.0' },
      },
      'node_modules/hash-linux': { integrity: 'sha512-b', optional: true },
      'node_modules/hash/node_modules/hash-win': { integrity: 'sha512-c', optional: true },
    },
  };
}

test('a complete lock has no fault, nested and linked packages included', () => {
  assert.deepEqual(findLockFaults(soundLock()), []);
});

test('reports an optional package that another platform would miss', () => {
  const lock = soundLock();
  delete lock.packages['node_modules/hash-linux'];
  assert.deepEqual(findLockFaults(lock), ['node_modules/hash needs hash-linux, which is not in the lock']);
});

test('a package nested under another one does not count for the others', () => {
  const lock = soundLock();
  lock.packages.server.dependencies['hash-win'] = '1.0.0';
  assert.deepEqual(findLockFaults(lock), ['server needs hash-win, which is not in the lock']);
});

for (const resolved of [
  'https://registry.example/hash.tgz',
  'git+ssh://git@example/hash.git',
  '//example/hash.tgz',
]) {
  test(`reports the address ${resolved}`, () => {
    const lock = soundLock();
    lock.packages['node_modules/hash'].resolved = resolved;
    assert.deepEqual(findLockFaults(lock), [`node_modules/hash is tied to an address: ${resolved}`]);
  });
}

test('reports a package without an integrity', () => {
  const lock = soundLock();
  delete lock.packages['node_modules/hash-linux'].integrity;
  assert.deepEqual(findLockFaults(lock), ['node_modules/hash-linux has no integrity']);
});

test('rejects an empty file', () => {
  assert.equal(findLockFaults({}).length, 1);
});

test("the project's own lock is complete, and a fault planted in it fails the command", (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bienvenue-lock-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const planted = path.join(folder, 'package-lock.json');
  const lock = JSON.parse(fs.readFileSync(OWN_LOCK, 'utf8'));
  delete lock.packages['node_modules/@node-rs/argon2-darwin-arm64'];
  fs.writeFileSync(planted, JSON.stringify(lock));

  const sound = spawnSync(process.execPath, [TOOL, OWN_LOCK], { encoding: 'utf8' });
  const faulty = spawnSync(process.execPath, [TOOL, planted], { encoding: 'utf8' });

  assert.deepEqual([sound.status, sound.stdout, sound.stderr], [0, '', '']);
  assert.equal(faulty.status, 1);
  assert.match(faulty.stderr, /node_modules\/@node-rs\/argon2 needs @node-rs\/argon2-darwin-arm64/);
});
