import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
  chownSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { source, startScript } from '../../test/support/script.ts';
import { formatKeys, createKey, KeysRefused } from '../kit/keyring.ts';
import { addKeyToFile, createKeyFile, readKeyFile } from './key-file.ts';

const mode = (path: string): number => statSync(path).mode & 0o777;
const isWindows = process.platform === 'win32';

describe('the key file', () => {
  const root = mkdtempSync(join(tmpdir(), 'bienvenue-keys-'));
  after(() => rmSync(root, { recursive: true, force: true }));
  let folder = '';
  let path = '';
  let count = 0;
  beforeEach(() => {
    folder = join(root, String((count += 1)), 'data');
    path = join(folder, 'secret.key');
  });

  test('is not created by reading a missing file', () => {
    assert.equal(readKeyFile(path), undefined);
    assert.deepEqual(readdirSync(root).includes(String(count)), false);
  });

  test('is created with one key, readable only by its owner', { skip: isWindows }, () => {
    const keys = createKeyFile(path);
    assert.equal(keys.length, 1);
    assert.deepEqual([mode(folder), mode(path)], [0o700, 0o600]);
    assert.deepEqual(readdirSync(folder), ['secret.key'], 'nothing else is left behind');
    assert.equal(readFileSync(path, 'utf8'), formatKeys(keys));
  });

  test('is never overwritten by createKeyFile', () => {
    const [first] = createKeyFile(path);
    assert.equal(createKeyFile(path)[0]?.id, first?.id);
    assert.deepEqual(readdirSync(folder), ['secret.key']);
  });

  test('is created once if several processes create it concurrently', async () => {
    const script = `
      const { createKeyFile } = await import(${JSON.stringify(source('keys/key-file.ts'))});
      while (Date.now() < Number(process.argv[2])); // all at the same instant
      console.log(createKeyFile(process.argv[1])[0].id);`;
    const at = String(Date.now() + 1500);
    const scripts = Array.from({ length: 6 }, () => startScript(script, path, at));
    await Promise.all(scripts.map(({ ended }) => ended));
    const ids = new Set(scripts.flatMap(({ lines }) => lines));
    assert.deepEqual([...ids], [readKeyFile(path)?.[0]?.id]);
    assert.equal(scripts.flatMap(({ lines }) => lines).length, scripts.length);
  });

  test(
    'gets a new key in front of the others, and keeps its owner and permissions, by which the service reads it',
    { skip: isWindows },
    () => {
      const [old] = createKeyFile(path);
      assert.equal(mode(path), 0o600);
      chmodSync(path, 0o640);
      if (process.getuid?.() === 0) chownSync(path, 65_534, 65_533);
      const { uid, gid } = statSync(path);
      const [current, second, ...others] = addKeyToFile(path);
      assert.notEqual(current?.id, old?.id);
      assert.deepEqual([second?.id, others], [old?.id, []]);
      assert.deepEqual(
        readKeyFile(path)?.map(({ id }) => id),
        [current?.id, old?.id],
      );
      assert.equal(mode(path), 0o640);
      assert.deepEqual([statSync(path).uid, statSync(path).gid], [uid, gid]);
      assert.deepEqual(readdirSync(folder), ['secret.key']);
    },
  );

  test('stays at the target of a symbolic link', { skip: isWindows }, () => {
    const target = join(folder, 'elsewhere', 'keys');
    createKeyFile(target);
    symlinkSync(target, path);
    addKeyToFile(path);
    assert.equal(lstatSync(path).isSymbolicLink(), true);
    assert.equal(readKeyFile(target)?.length, 2);
  });

  test('cannot be rotated before it exists', () => {
    assert.throws(() => addKeyToFile(path), KeysRefused);
    assert.equal(readKeyFile(path), undefined);
  });

  for (const text of ['', 'garbage', formatKeys([createKey()]).slice(0, -4)]) {
    test(`is rejected and left unchanged if it contains "${text.slice(0, 9)}"`, () => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(path, text);
      for (const use of [readKeyFile, createKeyFile, addKeyToFile])
        assert.throws(() => use(path), KeysRefused);
      assert.equal(readFileSync(path, 'utf8'), text);
    });
  }

  test('is named by the error if it cannot be read or written', () => {
    mkdirSync(path, { recursive: true }); // a folder at the path: even root cannot read it
    assert.throws(
      () => readKeyFile(path),
      (error) => error instanceof KeysRefused && error.message.includes(path),
    );
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const below = join(file, 'secret.key');
    assert.throws(
      () => createKeyFile(below),
      (error) => error instanceof KeysRefused && error.message.includes(below),
    );
  });

  test('is rejected if it is a link to a file that does not exist, and nothing is created', () => {
    mkdirSync(folder, { recursive: true });
    symlinkSync(join(folder, 'gone'), path);
    for (const use of [readKeyFile, createKeyFile, addKeyToFile])
      assert.throws(
        () => use(path),
        (error) =>
          error instanceof KeysRefused && /is a link to a file that does not exist/.test(error.message),
      );
    assert.ok(!existsSync(join(folder, 'gone')));
  });

  // SECURITY F13.
  test('is complete and keeps every older key if a rotation is killed', async () => {
    createKeyFile(path);
    const script = `
      const { addKeyToFile } = await import(${JSON.stringify(source('keys/key-file.ts'))});
      console.log('begun');
      for (;;) addKeyToFile(process.argv[1]);`;
    let known: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      const rotating = startScript(script, path);
      await rotating.printed('begun');
      // Waits for one rotation, then kills the process during a later one.
      while ((readKeyFile(path)?.length ?? 0) <= known.length) await setTimeout(1);
      await setTimeout(7 * round);
      rotating.kill();
      await rotating.ended;
      const ids = readKeyFile(path)?.map(({ id }) => id) ?? [];
      assert.ok(ids.length > known.length, 'it rotated');
      assert.deepEqual(ids.slice(ids.length - known.length), known);
      known = ids;
    }
  });
});
