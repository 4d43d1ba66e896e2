import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEachEngine, useDatabase, withDatabase } from '../../test/support/engines.ts';
import { UniqueViolation } from '../db/database.ts';
import { requireEmailAddress } from './email-address.ts';
import { addUser } from './new-user-store.ts';
import {
  findUserByEmail,
  findUserById,
  listUsers,
  removeUser,
  updateDisabled,
  updateLanguage,
  updatePasswordHash,
  updateUser,
  updateVerified,
  upgradeHash,
} from './store.ts';
import type { User } from './user.ts';

const bob = requireEmailAddress('Bob@Example.org');
const now = Date.UTC(2026, 0, 1);

function required(user: User | undefined): User {
  assert.ok(user !== undefined);
  return user;
}

onEachEngine('the users table', (engine) => {
  const opened = useDatabase(engine);
  const db = () => opened().database;
  const addBob = async (): Promise<User> => required(await addUser(db(), bob, 'hash', now));

  test('adds one of twenty concurrent users with the same address in several spellings', async () => {
    const spellings = ['Bob@Example.org', 'bob@example.org', ' BOB@EXAMPLE.ORG '];
    const added = await Promise.all(
      Array.from({ length: 20 }, (_, i) => addUser(db(), requireEmailAddress(spellings[i % 3]), 'hash', now)),
    );
    assert.equal(added.filter((user) => user !== undefined).length, 1);
    assert.equal((await listUsers(db(), 0, 100)).length, 1);
  });

  test('a user keeps the address as typed, and is found by any spelling of it', async () => {
    const user = await addBob();
    assert.deepEqual(user, {
      id: user.id,
      email: 'Bob@Example.org',
      hashedPassword: 'hash',
      createdAt: now,
      passwordChangedAt: now,
      emailVerifiedAt: null,
      disabledAt: null,
      deleteAt: null,
      provisionalUntil: null,
      lastSignInAt: null,
      language: null,
      subject: user.subject,
      externalId: null,
      name: null,
      picture: null,
    });
    assert.match(user.subject ?? '', /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    assert.deepEqual(await findUserByEmail(db(), requireEmailAddress(' bob@EXAMPLE.org')), user);
    assert.deepEqual(await findUserById(db(), user.id), user);
  });

  test('stores the language that a user selects', async () => {
    const user = await addBob();
    const eve = required(await addUser(db(), requireEmailAddress('eve@example.org'), null, now));
    await updateLanguage(db(), user.id, 'fr');
    assert.deepEqual(await findUserById(db(), user.id), { ...user, language: 'fr' });
    assert.deepEqual(await findUserById(db(), eve.id), eve);
  });

  test('finds no user by an unknown address or id', async () => {
    const { id } = await addBob();
    assert.equal(await findUserByEmail(db(), requireEmailAddress('eve@example.org')), undefined);
    for (const unknown of [0, -1, id + 1, Number.MAX_SAFE_INTEGER])
      assert.equal(await findUserById(db(), unknown), undefined);
  });

  test('stores an account without a password', async () => {
    const user = required(await addUser(db(), bob, null, now));
    assert.equal((await findUserById(db(), user.id))?.hashedPassword, null);
  });

  test('lists users in the order of their ids, page by page', async () => {
    for (let i = 0; i < 5; i += 1)
      await addUser(db(), requireEmailAddress(`user${i}@example.org`), null, now);
    const first = await listUsers(db(), 0, 3);
    const rest = await listUsers(db(), first.at(-1)?.id ?? 0, 3);
    assert.deepEqual(
      [...first, ...rest].map(({ email }) => email),
      Array.from({ length: 5 }, (_, i) => `user${i}@example.org`),
    );
    assert.equal(rest.length, 2);
  });

  test('rejects a change to a taken address, and changes nothing else', async () => {
    await addBob();
    const eve = required(await addUser(db(), requireEmailAddress('eve@example.org'), 'eve', now));
    const taken = { email: requireEmailAddress('BOB@example.org'), hashedPassword: 'other' };
    await assert.rejects(updateUser(db(), eve.id, taken, now), UniqueViolation);
    assert.deepEqual(await findUserById(db(), eve.id), eve);
  });

  test('a new address is unverified; another spelling of the same address stays verified', async () => {
    const { id } = await addBob();
    await updateVerified(db(), id, now + 5);
    await updateUser(db(), id, { email: requireEmailAddress('BOB@example.org') }, now);
    assert.equal((await findUserById(db(), id))?.emailVerifiedAt, now + 5);
    await updateUser(db(), id, { email: requireEmailAddress('robert@example.org') }, now);
    assert.equal((await findUserById(db(), id))?.emailVerifiedAt, null);
  });

  for (const [title, ms] of [
    ['an hour later', 3_600_000],
    ['in the same millisecond', 0],
    ['after the clock was set back by an hour', -3_600_000],
  ] as const) {
    test(`a new password ${title} has a different time of change`, async () => {
      const user = await addBob();
      const changed = required(await updatePasswordHash(db(), user.id, 'second', now + ms));
      assert.notEqual(changed.passwordChangedAt, user.passwordChangedAt);
      await updateUser(db(), user.id, { hashedPassword: 'third' }, now + ms);
      const again = required(await findUserById(db(), user.id));
      assert.equal(again.hashedPassword, 'third');
      assert.equal(new Set([user, changed, again].map(({ passwordChangedAt }) => passwordChangedAt)).size, 3);
    });
  }

  test('an upgraded hash does not count as a new password, and never overwrites one', async () => {
    const user = await addBob();
    await upgradeHash(db(), user.id, 'hash', 'newer hash');
    assert.deepEqual(await findUserById(db(), user.id), { ...user, hashedPassword: 'newer hash' });
    await upgradeHash(db(), user.id, 'hash', 'late hash');
    assert.equal((await findUserById(db(), user.id))?.hashedPassword, 'newer hash');
  });

  test('a disabled user gets no new password and no verification until enabled again', async () => {
    const { id } = await addBob();
    assert.equal(await updateDisabled(db(), id, now), true);
    assert.equal(await updatePasswordHash(db(), id, 'other', now), undefined);
    assert.equal(await updateVerified(db(), id, now), undefined);
    assert.equal(await updateDisabled(db(), id, null), true);
    assert.equal((await updatePasswordHash(db(), id, 'other', now))?.hashedPassword, 'other');
  });

  test('returns false for a change of a removed user, and changes no other user', async () => {
    const user = await addBob();
    assert.equal(await removeUser(db(), user.id + 1), false);
    assert.equal(await updateUser(db(), user.id + 1, { hashedPassword: 'x' }, now), false);
    assert.equal(await updateUser(db(), user.id + 1, {}, now), false);
    assert.equal(await updatePasswordHash(db(), user.id + 1, 'x', now), undefined);
    assert.equal(await updateDisabled(db(), user.id + 1, now), false);
    assert.deepEqual(await listUsers(db(), 0, 10), [user]);
  });

  test('never reuses the id of a removed user', () =>
    withDatabase(engine, async (fresh) => {
      const first = required(await addUser(fresh, bob, null, now));
      assert.equal(first.id, 1);
      assert.equal(await removeUser(fresh, first.id), true);
      assert.equal((await addUser(fresh, bob, null, now))?.id, 2);
    }));
});

onEachEngine('ids of users', (engine) => {
  test('a rejected address leaves no gap between ids', () =>
    withDatabase(engine, async (db) => {
      const add = (email: string): Promise<User | undefined> =>
        addUser(db, requireEmailAddress(email), 'hash', 1);
      assert.equal((await add('first@example.org'))?.id, 1);
      assert.equal(await add('First@example.org'), undefined);
      assert.equal((await add('second@example.org'))?.id, 2);
    }));
});
