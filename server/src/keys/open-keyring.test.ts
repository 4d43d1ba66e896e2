import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { onEachEngine, openPatiently, withDatabase } from '../../test/support/engines.ts';
import { createKey, formatKeys, Keyring, KeysRefused, parseKeys, type Key } from '../kit/keyring.ts';
import type { Database } from '../db/database.ts';
import { listKeyChecks } from './key-check-store.ts';
import { checkKeys, openKeyring, rotateKeys, type KeySource } from './open-keyring.ts';

const now = (): number => 1;

/** Asserts that the keys are rejected, and that neither the database nor a file has changed. */
async function refuses(source: KeySource, db: Database, reason: RegExp): Promise<void> {
  const file = (): string | undefined =>
    existsSync(source.secretKeyFile) ? readFileSync(source.secretKeyFile, 'utf8') : undefined;
  const before = [await listKeyChecks(db), file()];
  for (const use of [() => openKeyring(source, db, now), () => checkKeys(source, db)]) {
    await assert.rejects(use, (error) => error instanceof KeysRefused && reason.test(error.message));
  }
  assert.deepEqual([await listKeyChecks(db), file()], before);
}

onEachEngine('the keys of a database', (engine) => {
  const folder = mkdtempSync(join(tmpdir(), 'bienvenue-ring-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const freshPath = (): string => join(folder, `${crypto.randomUUID()}.key`);
  const inFile = (secretKeyFile = freshPath()): KeySource => ({ secretKey: undefined, secretKeyFile });
  const inOption = (...keys: readonly Key[]): KeySource => ({
    secretKey: formatKeys(keys),
    secretKeyFile: freshPath(),
  });

  test('are created at the first start and reused at the next', () =>
    withDatabase(engine, async (db) => {
      const source = inFile();
      assert.equal(await checkKeys(source, db), undefined);
      assert.equal(existsSync(source.secretKeyFile), false);
      const text = (await openKeyring(source, db, now)).encrypt('test', 'secret');
      assert.equal((await openKeyring(source, db, now)).decrypt('test', text), 'secret');
      assert.equal((await listKeyChecks(db)).length, 1);
    }));

  test('may be set in an option, and then no file is created', () =>
    withDatabase(engine, async (db) => {
      const source = inOption(createKey());
      await openKeyring(source, db, now);
      await openKeyring(source, db, now);
      assert.equal(existsSync(source.secretKeyFile), false);
      assert.throws(() => rotateKeys(source), KeysRefused);
    }));

  test('are recognized by check values that do not reveal them', () =>
    withDatabase(engine, async (db) => {
      const key = createKey();
      await openKeyring(inOption(key), db, now);
      const [check] = await listKeyChecks(db);
      assert.equal(check?.id, key.id);
      const secret = Buffer.from(key.secret);
      for (const form of ['hex', 'base64', 'base64url'] as const)
        assert.ok(!JSON.stringify(check).includes(secret.toString(form)));
    }));

  // SECURITY F33: the start fails, instead of every login failing with "wrong password".
  test('are rejected if they differ from those of the database', () =>
    withDatabase(engine, async (db) => {
      const key = createKey();
      await openKeyring(inOption(key), db, now);
      await refuses(inOption(createKey()), db, new RegExp(`does not contain the key ${key.id}`));
      await refuses(
        inOption({ ...createKey(), id: key.id }),
        db,
        new RegExp(`contains a different secret under the key ${key.id}`),
      );
      await refuses(inOption(createKey(), { ...createKey(), id: key.id }), db, /a different secret/);
      await openKeyring(inOption(key), db, now);
    }));

  test('are rejected if their file is missing, and no new file is created', () =>
    withDatabase(engine, async (db) => {
      const source = inFile();
      const [id] = (await openKeyring(source, db, now)).ids;
      rmSync(source.secretKeyFile);
      await refuses(source, db, new RegExp(`missing.*${id}`));
    }));

  test('are accepted after a rotation, and rejected if the older key is missing', () =>
    withDatabase(engine, async (db) => {
      const source = inFile();
      const old = await openKeyring(source, db, now);
      const text = old.encrypt('test', 'secret');
      rotateKeys(source);
      const ring = await openKeyring(source, db, now);
      assert.equal(ring.ids.length, 2);
      assert.notEqual(ring.ids[0], old.ids[0]);
      assert.equal(ring.decrypt('test', text), 'secret');
      assert.deepEqual(new Set((await listKeyChecks(db)).map(({ id }) => id)), new Set(ring.ids));

      const keys = parseKeys(readFileSync(source.secretKeyFile, 'utf8'));
      writeFileSync(source.secretKeyFile, formatKeys(keys.slice(0, 1)));
      await refuses(source, db, new RegExp(`does not contain the key ${old.ids[0]}`));
      writeFileSync(source.secretKeyFile, formatKeys(keys.slice(1)));
      await refuses(source, db, new RegExp(`does not contain the key ${ring.ids[0]}`));
      writeFileSync(source.secretKeyFile, formatKeys(keys.toReversed()));
      assert.equal((await openKeyring(source, db, now)).decrypt('test', text), 'secret');
    }));

  test('are those of one instance if several with different keys start first concurrently', () =>
    withDatabase(engine, async (db, url) => {
      const databases = await Promise.all(Array.from({ length: 6 }, () => openPatiently(url)));
      try {
        const results = await Promise.allSettled(
          databases.map((one) => openKeyring(inOption(createKey()), one, now)),
        );
        const rings = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
        const reasons = results.flatMap((result) =>
          result.status === 'rejected' ? [result.reason as unknown] : [],
        );
        assert.ok(reasons.every((reason) => reason instanceof KeysRefused));
        assert.deepEqual(
          rings.map(({ ids }) => ids),
          [(await listKeyChecks(db)).map(({ id }) => id)],
        );
      } finally {
        await Promise.all(databases.map((one) => one.close()));
      }
    }));

  test('are accepted from several instances that start first concurrently with the same keys', () =>
    withDatabase(engine, async (db, url) => {
      const source = inOption(createKey(), createKey());
      const databases = await Promise.all(Array.from({ length: 6 }, () => openPatiently(url)));
      try {
        const rings = await Promise.all(databases.map((one) => openKeyring(source, one, now)));
        assert.ok(rings.every((ring) => ring instanceof Keyring));
        assert.equal((await listKeyChecks(db)).length, 2);
      } finally {
        await Promise.all(databases.map((one) => one.close()));
      }
    }));
});
