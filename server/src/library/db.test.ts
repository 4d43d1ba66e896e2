// Tests the class DB of the contract on both engines.
import assert from 'node:assert/strict';
import { anyHash } from '../../test/support/hashing.ts';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { testClock, type TestClock } from '../../test/support/clock.ts';
import { contentsOf } from '../../test/support/contents.ts';
import { onEachEngine, useDatabase, withDatabase, withEmptyDatabase } from '../../test/support/engines.ts';
import { dayMs, hourMs } from '../kit/clock.ts';
import { isProblem } from '../kit/problem.ts';
import { createToken } from '../kit/secret.ts';
import { sessionKind } from '../identity/cookie-kinds.ts';
import { UniqueViolation } from '../db/database.ts';
import { migratedModules } from '../app/migrations.ts';
import { isKnownHash } from '../hash/format.ts';
import { openDatabase } from '../db/open-database.ts';
import { DB, type UserFields, type UserFilters } from './db.ts';
import { InvalidRequest, NoResultFound, ValueError } from '../user/user.ts';

/** Values that a caller without types may pass: `never` is assignable to every type. */
const untyped = (value: unknown): never => value as never;

/** Another hash than `anyHash`. */
const otherHash = '{SHA}NHj+acfc68FPYrMipEBZ3t8ABGY=';

onEachEngine('class DB of the contract', (engine) => {
  const opened = useDatabase(engine);

  interface Bench {
    readonly db: DB;
    readonly clock: TestClock;
    readonly contents: () => Promise<object>;
  }

  function bench(): Bench {
    const clock = testClock();
    const { database } = opened();
    return { clock, db: new DB(database, clock.now), contents: () => contentsOf(database) };
  }

  describe('addUser with identifiers of another system', () => {
    test('keeps them, and findUserBy finds the user by each', async () => {
      const { db, contents } = bench();
      const identifiers = { subject: 'auth0|5f7c', externalId: 'crm 17', name: 'Zoë' };
      const user = await db.addUser('zoe@example.org', anyHash, identifiers);
      assert.deepEqual([user.subject, user.externalId, user.name], Object.values(identifiers));
      const { subject, externalId } = identifiers;
      for (const filter of [{ subject }, { externalId }, { subject, externalId }])
        assert.deepEqual(await db.findUserBy(filter), user);
      for (const filter of [
        { subject: externalId },
        { externalId: subject },
        { subject, externalId: 'CRM 17' },
        { subject: '' },
        { externalId: null },
      ])
        await assert.rejects(db.findUserBy(filter), NoResultFound);
      const before = await contents();
      for (const taken of [{ subject }, { externalId }])
        await assert.rejects(db.addUser('eve@example.org', anyHash, taken), {
          name: 'ValueError',
          message: 'Another user has this subject or external id',
        });
      for (const bad of [
        { subject: '' },
        { subject: 'é' },
        { subject: 'a\nb' },
        { subject: 'x'.repeat(256) },
        { externalId: 'a\0b' },
        { name: 'a\r\nb' },
      ])
        await assert.rejects(db.addUser('eve@example.org', anyHash, bad), (error) =>
          isProblem(error, 'invalid_request'),
        );
      assert.deepEqual(await contents(), before);
    });
  });

  describe('addUser', () => {
    test('inserts and returns the user with its id: the first is 1, the second 2', () =>
      withDatabase(engine, async (database) => {
        const db = new DB(database);
        const [first, second] = [
          await db.addUser('a@example.org', anyHash),
          await db.addUser('b@example.org', anyHash),
        ];
        assert.deepEqual([first.id, first.email, first.hashedPassword], [1, 'a@example.org', anyHash]);
        assert.equal(second.id, 2);
      }));

    test('rejects a taken email in any spelling, with the message of the contract', async () => {
      const { db, contents } = bench();
      await db.addUser('Bob@example.org', anyHash);
      const before = await contents();
      await assert.rejects(db.addUser(' bob@EXAMPLE.org ', anyHash), {
        name: 'ValueError',
        message: 'User bob@EXAMPLE.org already exists',
      });
      assert.deepEqual(await contents(), before);
    });

    test('rejects a malformed address, naming the field, and a malformed hash', async () => {
      const { db, contents } = bench();
      const before = await contents();
      await assert.rejects(
        db.addUser('bob', anyHash),
        (error) => isProblem(error, 'invalid_request') && error.fields[0]?.field === 'email',
      );
      for (const hash of ['', 'a\0b', '\ud800', null, undefined, 7])
        await assert.rejects(db.addUser('bob@example.org', untyped(hash)), ValueError);
      assert.deepEqual(await contents(), before);
    });
  });

  test('addUser and updateUser refuse a hash with which the user could never sign in, without allowsUnknownHash', async () => {
    const { db, contents } = bench();
    const { id } = await db.addUser('bob@example.org', anyHash);
    const before = await contents();
    for (const hash of ['*', 'argon2argon2id', 'SuperHashedPwd', '$6$salt$digest']) {
      const refused = { name: 'ValueError', message: /^The hash .*allowsUnknownHash: true/ };
      await assert.rejects(db.addUser('ann@example.org', hash), refused);
      await assert.rejects(db.updateUser(id, { hashedPassword: hash }), refused);
    }
    assert.deepEqual(await contents(), before);
    await db.addUser('ann@example.org', '*', { allowsUnknownHash: true });
    await db.updateUser(id, { hashedPassword: '*' }, { allowsUnknownHash: true });
    assert.equal((await db.findUserBy({ id })).hashedPassword, '*');
  });

  test('addUser accepts a hash exactly if isKnownHash accepts it', async () => {
    const { db } = bench();
    const digest = 'A'.repeat(43);
    const hashes = [
      anyHash,
      ` ${anyHash}\n`,
      `pbkdf2_sha256$1000$sålt$${digest}`,
      `pbkdf2_sha256$1000$sa\0lt$${digest}`,
      `pbkdf2_sha256$1000$sa\ud800lt$${digest}`,
      `pbkdf2_sha256$1000$${'a'.repeat(2000)}$${digest}`,
      `{SSHA}${'A'.repeat(100_000)}`,
      '',
      ' ',
      '*',
      null,
      undefined,
      7,
      {},
      [anyHash],
      Buffer.from(anyHash),
    ];
    const known = hashes.filter((hash) => isKnownHash(hash));
    assert.deepEqual(known, hashes.slice(0, 3));
    for (const [i, hash] of hashes.entries()) {
      const added = db.addUser(`user${i}@example.org`, untyped(hash));
      await (known.includes(hash) ? added : assert.rejects(added, ValueError));
    }
  });

  test('addUser counts an address as confirmed only with emailVerified', async () => {
    const { db, clock } = bench();
    assert.equal((await db.addUser('ann@example.org', anyHash)).emailVerifiedAt, null);
    const bob = await db.addUser('bob@example.org', anyHash, { emailVerified: true });
    assert.equal(bob.emailVerifiedAt, clock.now());
  });

  describe('findUserBy', () => {
    test('finds a user by each attribute, and by all of them together', async () => {
      const { db } = bench();
      const { id } = await db.addUser('bob@example.org', anyHash);
      await db.updateUser(id, { sessionId: 'the session', resetToken: 'the token' });
      const all = { id, email: 'BOB@example.org', sessionId: 'the session', resetToken: 'the token' };
      for (const [name, value] of Object.entries(all))
        assert.equal((await db.findUserBy({ [name]: value })).id, id, name);
      assert.equal((await db.findUserBy(all)).id, id);
    });

    test('finds no user who matches only some of the filters', async () => {
      const { db } = bench();
      const bob = await db.addUser('bob@example.org', anyHash);
      const eve = await db.addUser('eve@example.org', anyHash);
      await db.updateUser(bob.id, { sessionId: 'bob’s', resetToken: 'bob’s' });
      const mixtures: UserFilters[] = [
        { id: eve.id, email: bob.email },
        { id: eve.id, sessionId: 'bob’s' },
        { email: eve.email, resetToken: 'bob’s' },
        { id: bob.id, sessionId: 'eve’s' },
        { sessionId: 'bob’s', resetToken: 'eve’s' },
      ];
      for (const mixture of mixtures)
        await assert.rejects(db.findUserBy(mixture), NoResultFound, JSON.stringify(mixture));
    });

    test('finds no user by an empty value, so that a missing token takes over no account', async () => {
      const { db } = bench();
      const { id } = await db.addUser('bob@example.org', anyHash);
      for (const value of [null, undefined, '', [], {}, true, Number.NaN]) {
        for (const name of ['id', 'email', 'sessionId', 'resetToken']) {
          await assert.rejects(
            db.findUserBy(untyped({ [name]: value })),
            NoResultFound,
            `${name}: ${inspect(value)}`,
          );
          await assert.rejects(
            db.findUserBy(untyped({ email: 'bob@example.org', id, [name]: value })),
            NoResultFound,
          );
        }
      }
    });

    test('finds no user by a value of another type, or one that cannot be stored', async () => {
      const { db } = bench();
      const { id } = await db.addUser('bob@example.org', anyHash);
      await db.updateUser(id, { sessionId: '1', resetToken: '1' });
      const odd: unknown[] = [
        { id: String(id) },
        { id: id + 0.5 },
        { id: 2 ** 60 },
        { id: BigInt(id) },
        { id: [id] },
        { sessionId: 1 },
        { resetToken: ['1'] },
        { sessionId: '1\0' },
        { resetToken: '\ud800' },
        { email: ['bob@example.org'] },
        { email: 'bob@example.org\0' },
      ];
      for (const filters of odd) await assert.rejects(db.findUserBy(untyped(filters)), NoResultFound);
    });

    test('rejects an unknown filter, and a call without a filter', async () => {
      const { db } = bench();
      const { id } = await db.addUser('bob@example.org', anyHash);
      const refused: unknown[] = [
        {},
        { no_email: 'x' },
        { id, hashedPassword: 'hash' },
        { session_id: 'x' },
        { email_key: 'bob@example.org' },
      ];
      for (const filters of refused) await assert.rejects(db.findUserBy(untyped(filters)), InvalidRequest);
      await assert.rejects(db.findUserBy(untyped(JSON.parse('{"__proto__": "x"}'))), InvalidRequest);
    });

    test('never interprets a value as SQL', async () => {
      const { db } = bench();
      await db.addUser('bob@example.org', anyHash);
      for (const text of [`' or 1=1 --`, `x' or 'x'='x`, '%', '_']) {
        await assert.rejects(db.findUserBy({ sessionId: text }), NoResultFound);
        await assert.rejects(db.findUserBy({ email: text }), NoResultFound);
      }
    });
  });

  test('throws for a taken email with the cause', async () => {
    const { db } = bench();
    const { id } = await db.addUser('bob@example.org', anyHash);
    await db.addUser('eve@example.org', anyHash);
    await assert.rejects(
      db.updateUser(id, { email: 'eve@example.org' }),
      (error) => error instanceof ValueError && error.cause instanceof UniqueViolation,
    );
  });

  test('closes its database', () =>
    withEmptyDatabase(engine, async (url) => {
      const db = new DB(await openDatabase(url, migratedModules));
      const { id } = await db.addUser('bob@example.org', anyHash);
      await db.close();
      await assert.rejects(db.findUserBy({ id }));
    }));

  test('each error says what is wrong without repeating a value', async () => {
    const { db } = bench();
    const { id } = await db.addUser('bob@example.org', anyHash);
    await db.addUser('eve@example.org', anyHash);
    const refusals: readonly (readonly [() => Promise<unknown>, string, string])[] = [
      [
        () => db.addUser('rob@example.org', ''),
        'ValueError',
        'The hashed password must be a string that is not empty',
      ],
      [() => db.findUserBy({}), 'InvalidRequest', 'No filter is given'],
      [() => db.findUserBy(untyped({ id, shoe: 7 })), 'InvalidRequest', 'Users cannot be found by shoe'],
      [() => db.findUserBy({ id: id + 7 }), 'NoResultFound', 'No user has these attributes'],
      [() => db.updateUser(id, untyped({ shoe: 7 })), 'ValueError', "A user's shoe cannot be updated"],
      [() => db.updateUser(id, { email: 'rob' }), 'ValueError', 'The email is malformed'],
      [
        () => db.updateUser(id, { hashedPassword: '' }),
        'ValueError',
        'The hashed password must be a string that is not empty',
      ],
      [
        () => db.updateUser(id, { sessionId: '' }),
        'ValueError',
        'A session id or reset token must be a string or null',
      ],
      [
        () => db.updateUser(id, { email: 'eve@example.org' }),
        'ValueError',
        'Another user has this email, session id or reset token',
      ],
      [() => db.updateUser(0, {}), 'NoResultFound', 'No user has the id 0'],
      [() => db.updateUser(0.5, {}), 'NoResultFound', 'No user has the id 0.5'],
    ];
    for (const [work, name, message] of refusals) await assert.rejects(work, { name, message });
  });

  describe('updateUser', () => {
    test('sets only the given attributes', async () => {
      const { db } = bench();
      const { id } = await db.addUser('bob@example.org', anyHash);
      await db.updateUser(id, { hashedPassword: otherHash });
      assert.deepEqual(
        [(await db.findUserBy({ id })).hashedPassword, (await db.findUserBy({ id })).email],
        [otherHash, 'bob@example.org'],
      );
      await db.updateUser(id, { email: 'Robert@example.org' });
      assert.equal((await db.findUserBy({ email: 'robert@example.org' })).hashedPassword, otherHash);
      await assert.rejects(db.findUserBy({ email: 'bob@example.org' }), NoResultFound);
      await db.updateUser(id, {});
    });

    const wrong: Record<string, unknown> = {
      'an unknown name': { no_attribute: 'x' },
      'the name of a column': { hashed_password: 'x' },
      'the id': { id: 99 },
      'a malformed email': { email: 'robert' },
      'an empty email': { email: '' },
      'a null email': { email: null },
      'an empty hash': { hashedPassword: '' },
      'a hash with a NUL': { hashedPassword: 'a\0b' },
      'a null hash': { hashedPassword: null },
      'a hash of an unknown format': { hashedPassword: '*' },
      'a session id of another type': { sessionId: 7 },
      'an empty session id': { sessionId: '' },
      'an empty reset token': { resetToken: '' },
    };
    for (const [title, fields] of Object.entries(wrong)) {
      test(`rejects ${title} before anything changes`, async () => {
        const { db, contents } = bench();
        const { id } = await db.addUser('bob@example.org', anyHash);
        const before = await contents();
        const change: UserFields = {
          hashedPassword: 'other',
          sessionId: 's',
          resetToken: 't',
          ...(fields as object),
        };
        await assert.rejects(db.updateUser(id, change), ValueError);
        assert.deepEqual(await contents(), before);
      });
    }

    test('rejects an unknown or malformed id, and changes no user', async () => {
      const { db, contents } = bench();
      const { id } = await db.addUser('bob@example.org', anyHash);
      const before = await contents();
      for (const unknown of [
        id + 1,
        0,
        -1,
        id + 0.5,
        Number.NaN,
        2 ** 70,
        String(id),
        null,
        undefined,
        () => id,
      ]) {
        for (const fields of [{ hashedPassword: otherHash }, { sessionId: 's' }, {}]) {
          await assert.rejects(db.updateUser(untyped(unknown), fields), NoResultFound);
        }
      }
      assert.deepEqual(await contents(), before);
    });

    test('rejects a taken email, and writes none of the other attributes', async () => {
      const { db, contents } = bench();
      await db.addUser('eve@example.org', anyHash);
      const { id } = await db.addUser('bob@example.org', anyHash);
      const before = await contents();
      await assert.rejects(
        db.updateUser(id, { email: 'EVE@example.org', hashedPassword: otherHash, sessionId: 's' }),
        ValueError,
      );
      await assert.rejects(db.updateUser(id, { sessionId: 's', email: 'eve@example.org' }), ValueError);
      assert.deepEqual(await contents(), before);
    });

    for (const name of ['sessionId', 'resetToken'] as const) {
      test(`${name}: a new value replaces the previous one, and null ends it`, async () => {
        const { db } = bench();
        const { id } = await db.addUser('bob@example.org', anyHash);
        await db.updateUser(id, { [name]: 'first' });
        await db.updateUser(id, { [name]: 'second' });
        await assert.rejects(db.findUserBy({ [name]: 'first' }), NoResultFound);
        assert.equal((await db.findUserBy({ [name]: 'second' })).id, id);
        await db.updateUser(id, { [name]: null });
        await assert.rejects(db.findUserBy({ [name]: 'second' }), NoResultFound);
      });

      test(`${name}: a value of another user is rejected and stays valid`, async () => {
        const { db } = bench();
        const eve = await db.addUser('eve@example.org', anyHash);
        const bob = await db.addUser('bob@example.org', anyHash);
        await db.updateUser(eve.id, { [name]: 'eve’s' });
        await assert.rejects(db.updateUser(bob.id, { [name]: 'eve’s' }), ValueError);
        assert.equal((await db.findUserBy({ [name]: 'eve’s' })).id, eve.id);
      });

      test(`${name}: the text itself is not stored`, async () => {
        const { db, contents } = bench();
        const { id } = await db.addUser('bob@example.org', anyHash);
        await db.updateUser(id, { [name]: 'a very secret text' });
        const stored = JSON.stringify(await contents(), (_, value: unknown) =>
          value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
        );
        assert.doesNotMatch(stored, /very secret/);
      });
    }

    test('a session id and a reset token may have the same text', async () => {
      const { db } = bench();
      const { id } = await db.addUser('bob@example.org', anyHash);
      await db.updateUser(id, { sessionId: 'same' });
      await assert.rejects(db.findUserBy({ resetToken: 'same' }), NoResultFound);
      const { token } = createToken(sessionKind);
      await db.updateUser(id, { sessionId: token });
      await assert.rejects(db.findUserBy({ resetToken: token }), NoResultFound);
    });

    test('a session lives for thirty days, a reset token for an hour', async () => {
      const { db, clock } = bench();
      const { id } = await db.addUser('bob@example.org', anyHash);
      await db.updateUser(id, { sessionId: 's', resetToken: 't' });
      clock.advance(hourMs - 1);
      assert.equal((await db.findUserBy({ sessionId: 's', resetToken: 't' })).id, id);
      clock.advance(1);
      await assert.rejects(db.findUserBy({ resetToken: 't' }), NoResultFound);
      clock.advance(30 * dayMs - hourMs - 1);
      assert.equal((await db.findUserBy({ sessionId: 's' })).id, id);
      clock.advance(1);
      await assert.rejects(db.findUserBy({ sessionId: 's' }), NoResultFound);
    });

    test('another email revokes the tokens mailed to the previous one, but not one that is set with it', async () => {
      const { db } = bench();
      const { id } = await db.addUser('bob@example.org', anyHash);
      await db.updateUser(id, { resetToken: 'old' });
      await db.updateUser(id, { hashedPassword: otherHash, sessionId: 's' });
      assert.equal((await db.findUserBy({ resetToken: 'old' })).id, id, 'another attribute revokes no token');
      await db.updateUser(id, { email: 'robert@example.org' });
      await assert.rejects(db.findUserBy({ resetToken: 'old' }), NoResultFound);
      await db.updateUser(id, { email: 'rob@example.org', resetToken: 'new' });
      assert.equal((await db.findUserBy({ resetToken: 'new' })).id, id);
    });
  });
});
