import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEachEngine, withDatabase } from '../../test/support/engines.ts';
import { requireEmailAddress } from './email-address.ts';
import { addUser, findUserByEmail } from './store.ts';

onEachEngine('the users table', (engine) => {
  test('of twenty who add one address at once, one does', () =>
    withDatabase(engine, async (db) => {
      const email = requireEmailAddress('Bob@Example.org');
      const added = await Promise.all(Array.from({ length: 20 }, () => addUser(db, email, 'hash', 1)));
      assert.equal(added.filter((user) => user !== undefined).length, 1);
      assert.equal((await findUserByEmail(db, requireEmailAddress(' bob@example.ORG ')))?.email, 'Bob@Example.org');
    }));
});
