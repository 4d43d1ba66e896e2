import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDatabase } from '../../test/support/engines.ts';
import { anyHash } from '../../test/support/hashing.ts';
import { Auth } from './auth.ts';
import { DB } from './db.ts';
import { requireMembers } from './members.ts';
import { openDb, openService } from './open.ts';

/** Values that a program without types may pass. */
const untyped = (value: unknown): never => value as never;

test('an unknown member is refused with the one that was meant, or with all', () => {
  const members = { emailVerified: 'boolean', name: 'string' } as const;
  const call = (given: unknown) => () => requireMembers('addUser', untyped(given), members);
  assert.doesNotThrow(call({ emailVerified: true, name: null }));
  assert.doesNotThrow(call({ name: undefined }));
  assert.throws(
    call({ emailVerifed: true }),
    /^TypeError: addUser has no option emailVerifed\. Did you mean emailVerified\?$/,
  );
  assert.throws(call({ shoe: 7 }), /^TypeError: addUser has no option shoe\. It has emailVerified, name\.$/);
  assert.throws(
    call({ emailVerified: 'secret' }),
    /^TypeError: The option emailVerified of addUser must be a boolean, not a string$/,
  );
  for (const given of [true, 'text', null])
    assert.throws(call(given), /^TypeError: addUser needs an object with options$/);
});

test('every method that takes options refuses an unknown one, and changes nothing', () =>
  withDatabase('sqlite', async (database) => {
    const db = new DB(database);
    const auth = new Auth({ db });
    const { id } = await db.addUser('ada@example.org', anyHash);
    const given = untyped({ shoe: 7 });
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      addUser: () => db.addUser('bob@example.org', anyHash, given),
      updateUser: () => db.updateUser(id, { email: 'eve@example.org' }, given),
      setDetails: () => auth.setDetails(id, given),
      Auth: async () => new Auth(untyped({ db, shoe: 7 })),
    };
    for (const [name, call] of Object.entries(calls))
      await assert.rejects(call, new RegExp(`^TypeError: ${name} has no option shoe\\.`));
    await assert.rejects(db.findUserBy({ email: 'bob@example.org' }));
    assert.equal((await db.findUserBy({ id })).email, 'ada@example.org');
    await auth.close();
  }));

test('what is not opened yet, or is no text, is refused with an example', async () => {
  for (const [given, says] of [
    [
      { db: Promise.resolve() },
      /^TypeError: The option db of Auth must be an opened database: .*await openDb\(\)/,
    ],
    [{}, /^TypeError: The option db of Auth must be an opened database/],
    [{ service: Promise.resolve() }, /^TypeError: Auth needs an opened service: await openService/],
    [undefined, /^TypeError: Auth needs an object with options/],
  ] as const)
    assert.throws(() => new Auth(untyped(given)), says);
  await assert.rejects(openService(untyped(null)), /^TypeError: openService needs an object with options/);
});

test('a database that is closed again waits for the first time', () =>
  withDatabase('sqlite', async (_database, url) => {
    const db = await openDb(url);
    await Promise.all([db.close(), db.close()]);
    await db.close();
  }));
