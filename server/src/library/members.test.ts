import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { engineNames, withDatabase } from '../../test/support/engines.ts';
import { anyHash, sharedHasher } from '../../test/support/hashing.ts';
import { hashPassword } from '../hash/hasher.ts';
import { requireMembers } from '../kit/text/members.ts';
import { Auth } from './auth.ts';
import { DB } from './db.ts';
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

/** Values of every type that a program without types may pass instead of a text or a number. */
const oddValues: readonly unknown[] = [
  undefined,
  null,
  0,
  -1,
  1.5,
  NaN,
  Infinity,
  2 ** 60,
  10n,
  true,
  false,
  '',
  '1',
  'a\0b',
  'a\ud800',
  ['ada@example.org'],
  { a: 1 },
  Object.create(null),
  new Date(0),
  Buffer.from('1'),
  () => 1,
  Symbol('x'),
  Promise.resolve('1'),
];

describe('a value of another type', () => {
  for (const engine of engineNames)
    test(`reaches no statement and no hash, ${engine}`, () =>
      withDatabase(engine, async (database) => {
        const db = new DB(database);
        const auth = new Auth({ db, hasher: sharedHasher });
        const { id, email } = await auth.registerUser('ada@example.org', 'b4l0u');
        const token = await auth.createSession(email);
        const reset = await auth.getResetPasswordToken(email);
        /** What each call answers, or the name and code of its error. */
        const answerOf = async (call: () => Promise<unknown>): Promise<unknown> => {
          try {
            return await call();
          } catch (error) {
            const { name, code, message } = error as Error & { readonly code?: string };
            assert.ok(
              message.length < 200 && !/of undefined|of null|is not a function|SQLite/.test(message),
              message,
            );
            return code ?? name;
          }
        };
        /** Calls that answer the same for each value, and the answer. */
        const calls: readonly (readonly [string, unknown, (value: never) => Promise<unknown>])[] = [
          ['listSessions', [], (value) => auth.listSessions(value, 10)],
          ['endSession', false, (value) => auth.endSession(value)],
          ['setDisabled', false, (value) => auth.setDisabled(value, true)],
          ['removeUser', false, (value) => auth.removeUser(value)],
          ['destroySession', undefined, (value) => auth.destroySession(value)],
          ['getDetails', undefined, (value) => auth.getDetails(value)],
          ['setDetails', undefined, (value) => auth.setDetails(value, { name: 'Eve' })],
          ['updateUser', 'NoResultFound', (value) => db.updateUser(value, { email: 'eve@example.org' })],
          ['getUserFromSessionId', undefined, (value) => auth.getUserFromSessionId(value)],
          ['createSession', undefined, (value) => auth.createSession(value)],
          ['registerUser', 'invalid_request', (value) => auth.registerUser(value, 'b4l0u')],
          ['validLogin', false, (value) => auth.validLogin(value, 'b4l0u')],
          ['getResetPasswordToken', 'unknown_email', (value) => auth.getResetPasswordToken(value)],
          ['updatePassword', 'token_invalid', (value) => auth.updatePassword(value, 'new')],
          ['findUserBy', 'NoResultFound', (value) => db.findUserBy({ id: value })],
        ];
        for (const value of oddValues)
          for (const [name, expected, call] of calls)
            assert.deepEqual(
              await answerOf(() => call(value as never)),
              expected,
              `${name} ${inspect(value)}`,
            );
        const texts = oddValues.filter((value) => typeof value !== 'string');
        for (const [index, value] of (texts as never[]).entries()) {
          for (const set of [
            () => auth.registerUser('bob@example.org', value),
            () => auth.setPassword(email, value),
            () => auth.updatePassword(reset, value),
            () => hashPassword(value),
          ])
            assert.equal(await answerOf(set), 'invalid_request', `${String(set)} ${inspect(value)}`);
          assert.equal(await answerOf(() => auth.logIn(`eve${index}@example.org`, value)), undefined);
          assert.equal(await answerOf(() => db.findUserBy(value)), 'InvalidRequest');
          if (typeof value !== 'boolean')
            assert.equal(await answerOf(() => auth.setDisabled(id, value)), 'TypeError');
          if (value !== 'all')
            assert.match(String(await answerOf(() => auth.listSessions(id, value))), /^TypeError$/);
        }
        for (const value of [undefined, 7, {}, null] as never[])
          assert.equal(await auth.validLogin(email, value), false);
        assert.equal(await answerOf(() => db.updateUser(id, untyped(undefined))), 'ValueError');
        const eve = await db.addUser('eve@example.org', anyHash, untyped({ subject: null }));
        assert.match(String(eve.subject), /^[0-9a-f-]{36}$/);
        assert.equal((await auth.getUserFromSessionId(token))?.id, id);
        await auth.updatePassword(reset, 'new');
        await auth.close();
      }));
});

test('a number of Auth that cannot work is refused at the start', () =>
  withDatabase('sqlite', async (database) => {
    const db = new DB(database);
    const names = [
      'sessionDays',
      'sessionIdleDays',
      'sessionsPerUser',
      'resetTokenMinutes',
      'knownDeviceDays',
      'rememberedDeviceDays',
    ];
    for (const name of names) {
      for (const value of [NaN, Infinity, -1, 0.7, 2 ** 60])
        assert.throws(
          () => new Auth({ db, [name]: value }),
          new RegExp(
            `^RangeError: The option ${name} of Auth must be a whole number from [01] to \\d+, not `,
          ),
        );
      assert.throws(() => new Auth({ db, [name]: null }), /must not be null; leave it out$/);
      await new Auth({ db, [name]: 1 }).close();
    }
    for (const hasher of [{}, new Date(), { hash: () => 'x' }])
      assert.throws(
        () => new Auth({ db, hasher: untyped(hasher) }),
        /^TypeError: The option hasher of Auth must have the methods hash and verify/,
      );
  }));
