import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { codeOf, makeFolder, writeRemedy } from './file.ts';

const folder = mkdtempSync(join(tmpdir(), 'bienvenue-file-'));
after(() => rmSync(folder, { recursive: true }));

test('a folder is created with those above it, and an existing one stays', () => {
  const path = join(folder, 'a', 'b', 'c');
  for (let i = 0; i < 2; i += 1) makeFolder(path, 0o700);
  assert.equal(statSync(path).mode & 0o777, 0o700);
});

test('a folder below or in place of a file is refused', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  for (const [path, code] of [
    [file, 'ENOTDIR'],
    [join(file, 'a', 'b'), 'ENOTDIR'],
  ] as const)
    assert.throws(() => makeFolder(path, 0o700), { code });
});

test(
  'a file system that takes no folders is refused without waiting',
  { skip: !existsSync('/proc/self') },
  () => {
    // In a process of its own, which can be stopped.
    const script = `import { makeFolder } from ${JSON.stringify(import.meta.resolve('./file.ts'))};
    try { makeFolder('/proc/x/y', 0o700); } catch { console.log('refused'); }`;
    const flags = ['--input-type=module', '--eval', script];
    assert.equal(execFileSync(process.execPath, flags, { encoding: 'utf8', timeout: 60_000 }), 'refused\n');
  },
);

test('only errors that permissions explain are answered with permissions', () => {
  const remedyOf = (code: string): string => writeRemedy(Object.assign(new Error('x'), { code }), 'chown');
  for (const code of ['EROFS', 'ENOSPC', 'EDQUOT'])
    assert.match(remedyOf(code), /^The .*: .*set another place\.$/);
  for (const code of ['EACCES', 'EPERM', '']) assert.equal(remedyOf(code), 'chown');
  assert.equal(codeOf(new Error('x')), '');
});
