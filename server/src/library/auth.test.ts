// Tests the class Auth of the contract on both engines.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import bcrypt from '@node-rs/bcrypt';
import { contentsOf } from '../../test/support/contents.ts';
import { onEachEngine } from '../../test/support/engines.ts';
import { cheapHashing } from '../../test/support/hashing.ts';
import { useAuth } from '../../test/support/auth.ts';
import { Hasher, type PasswordMatch } from '../hash/hasher.ts';
import { programSource } from '../audit/event.ts';
import { modules } from '../app/modules.ts';
import { dayMs } from '../kit/clock.ts';
import { isProblem, Problem } from '../kit/problem.ts';
import type { SecondFactor } from '../identity/factor/factor.ts';
import { requireEmailAddress } from '../user/email-address.ts';
import { noUserId, ValueError, type User } from '../user/user.ts';

const email = 'bob@example.org';
const password = 'b4l0u';

/** Values that a caller without types may pass. */
const untyped = (value: unknown): string => value as string;

/** Returns the stored hash of a user. */
const hashOf = (row: object): unknown => Reflect.get(row, 'hashed_password');

/** Counts its calls. */
class CountingHasher extends Hasher {
  readonly verified: (string | null | undefined)[] = [];
  hashed = 0;

  constructor() {
    super(cheapHashing);
  }

  override hash(text: string): Promise<string> {
    this.hashed += 1;
    return super.hash(text);
  }

  override verify(...asked: Parameters<Hasher['verify']>): Promise<PasswordMatch> {
    this.verified.push(asked[0]);
    return super.verify(...asked);
  }
}

onEachEngine('class Auth of the contract', (engine) => {
  const makeAuth = useAuth(engine);

  describe('registerUser', () => {
    test('returns the user and stores the password only as a slow hash', async () => {
      const { auth, db } = makeAuth();
      const user = await auth.registerUser(' Bob@example.org ', password);
      assert.equal(user.email, 'Bob@example.org');
      assert.match(user.hashedPassword ?? '', /^\$argon2id\$v=19\$/);
      assert.deepEqual(await db.findUserBy({ email }), user);
    });

    test('rejects a taken email with the message of the contract, and does not change its user', async () => {
      const { auth, database } = makeAuth();
      await auth.registerUser(email, password);
      const before = await contentsOf(database);
      await assert.rejects(auth.registerUser('BOB@example.org', 'other'), {
        name: 'ValueError',
        message: 'User BOB@example.org already exists',
      });
      assert.deepEqual(await contentsOf(database), before);
    });

    test('rejects a taken email also for a registration without a password', async () => {
      const attached: [number, string][] = [];
      const key: SecondFactor = {
        name: 'key',
        isBackup: false,
        type: 'possession',
        amr: [],
        isEnrolled: async () => false,
        check: async () => undefined,
        exportOf: async () => ({}),
        removeAll: async () => {},
        attachRegistered: async (_tx, userId, credential) => attached.push([userId, credential]) > 0,
      };
      const { accounts } = makeAuth({ secondFactors: [key] }).auth.identity;
      const signUp = (address: string, factor: string): Promise<User> =>
        accounts.signUp(requireEmailAddress(address), { factor, credential: 'hers' }, programSource);
      const user = await signUp(email, 'key');
      assert.deepEqual([user.email, attached], [email, [[user.id, 'hers']]]);
      await assert.rejects(signUp('BOB@example.org', 'key'), {
        name: 'ValueError',
        message: 'User BOB@example.org already exists',
      });
      assert.deepEqual(attached.at(-1), [noUserId, 'hers'], 'the same statements, which store nothing');
      await assert.rejects(signUp('eve@example.org', 'unknown'), Problem);
    });

    test('adds the user in one of twenty concurrent calls, and the others throw that it exists', async () => {
      const { auth } = makeAuth();
      const racers = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => auth.registerUser(email, `password ${i}`)),
      );
      const winners = racers.flatMap((outcome, i) => (outcome.status === 'fulfilled' ? [i] : []));
      assert.equal(winners.length, 1);
      for (const outcome of racers)
        if (outcome.status === 'rejected')
          assert.ok(outcome.reason instanceof ValueError, String(outcome.reason));
      assert.equal(await auth.validLogin(email, `password ${winners[0]}`), true);
    });

    test('hashes before it looks the address up, so that a taken one costs the same', async () => {
      const hasher = new CountingHasher();
      const { auth } = makeAuth({ hasher });
      await auth.registerUser(email, password);
      await assert.rejects(auth.registerUser(email, password), ValueError);
      assert.equal(hasher.hashed, 2);
      await hasher.close();
    });

    test('rejects a malformed address and a password that the rule rejects, and adds no user', async () => {
      const { auth, database } = makeAuth();
      const before = await contentsOf(database);
      const faults: [unknown, unknown, string][] = [
        ['bob', password, 'email'],
        ['', password, 'email'],
        [null, password, 'email'],
        [email, '', 'password'],
        [email, 'a\0b', 'password'],
        [email, '\ud800', 'password'],
        [email, 'x'.repeat(257), 'password'],
      ];
      for (const [address, text, field] of faults) {
        await assert.rejects(
          auth.registerUser(untyped(address), untyped(text)),
          (error) => isProblem(error, 'invalid_request') && error.fields[0]?.field === field,
        );
      }
      assert.deepEqual(await contentsOf(database), before);
    });
  });

  describe('validLogin', () => {
    test('is true for the right password under any spelling of the address, and for no other password', async () => {
      const { auth } = makeAuth();
      await auth.registerUser(email, password);
      assert.equal(await auth.validLogin(email, password), true);
      assert.equal(await auth.validLogin(' BOB@EXAMPLE.ORG', password), true);
      for (const wrong of ['', 'B4l0u', 'b4l0u ', ' b4l0u', 'b4l0']) {
        assert.equal(await auth.validLogin(email, wrong), false, wrong);
        assert.equal(await auth.validLogin(email, password), true);
      }
    });

    test('is false for an unknown and for a malformed address', async () => {
      const { auth } = makeAuth();
      await auth.registerUser(email, password);
      for (const address of ['eve@example.org', 'bob', '', null, undefined])
        assert.equal(await auth.validLogin(untyped(address), password), false);
    });

    test('is false for an account without a password, and for a malformed stored hash', async () => {
      const { auth, db, database } = makeAuth();
      const { id } = await auth.registerUser(email, password);
      await db.updateUser(id, { hashedPassword: 'SuperHashedPwd' }, { allowsUnknownHash: true });
      assert.equal(await auth.validLogin(email, 'SuperHashedPwd'), false);
      assert.equal(await auth.validLogin(email, password), false);
      await database.execute('update users set hashed_password = null');
      for (const text of ['', 'null', password]) assert.equal(await auth.validLogin(email, text), false);
    });

    test('an unknown address costs a verification like a known one', async () => {
      const hasher = new CountingHasher();
      const { auth } = makeAuth({ hasher });
      const { hashedPassword } = await auth.registerUser(email, password);
      await auth.validLogin(email, 'wrong');
      await auth.validLogin('eve@example.org', 'wrong');
      assert.deepEqual(hasher.verified, [hashedPassword, undefined]);
      await hasher.close();
    });

    test('a bcrypt hash of another system verifies, and a login replaces it by an argon2id hash', async () => {
      const { auth, db } = makeAuth();
      const { id, passwordChangedAt } = await db.addUser(email, bcrypt.hashSync(password, 4));
      assert.equal(await auth.validLogin(email, 'wrong'), false);
      assert.match((await db.findUserBy({ id })).hashedPassword ?? '', /^\$2/);
      assert.equal(await auth.validLogin(email, password), true);
      const upgraded = await db.findUserBy({ id });
      assert.match(upgraded.hashedPassword ?? '', /^\$argon2id\$/);
      assert.equal(upgraded.passwordChangedAt, passwordChangedAt);
      assert.equal(await auth.validLogin(email, password), true);
    });

    test('a login replaces a hash of a lower cost than the current one, and keeps others', async () => {
      const { auth, db } = makeAuth();
      const { id, hashedPassword } = await auth.registerUser(email, password);
      await auth.validLogin(email, password);
      assert.equal((await db.findUserBy({ id })).hashedPassword, hashedPassword);
      const dearer = new Hasher({ ...cheapHashing, cost: { memoryKib: 16, passes: 2 } });
      assert.equal(await makeAuth({ hasher: dearer }).auth.validLogin(email, password), true);
      assert.match((await db.findUserBy({ id })).hashedPassword ?? '', /m=16,t=2,p=1/);
      await dearer.close();
    });
  });

  test('knows what every module stores about second factors, so that all of it is removed, whatever it offers', async () => {
    const { auth, database } = makeAuth();
    const { id } = await auth.registerUser(email, password);
    const names = modules.flatMap(({ storedFactors }) => storedFactors.map(({ name }) => name));
    const exported = await auth.identity.secondFactors.exportOf(database, id);
    assert.deepEqual(Object.keys(exported), names);
  });

  describe('setPassword and setDisabled of the operator', () => {
    test('reject a password that the rule rejects, and an unknown email', async () => {
      const { auth, db, database } = makeAuth();
      const { id } = await auth.registerUser(email, password);
      const before = await contentsOf(database);
      await assert.rejects(
        auth.setPassword(email, ''),
        (error) => isProblem(error, 'invalid_request') && error.fields[0]?.field === 'password',
      );
      const isUnknown = (error: unknown): boolean => isProblem(error, 'unknown_email');
      await assert.rejects(auth.setPassword('eve@example.org', 'new'), isUnknown);
      assert.deepEqual(await contentsOf(database), before);
      await auth.setDisabled(id, true);
      await assert.rejects(auth.setPassword(email, 'new'), isUnknown);
      assert.equal((await db.findUserBy({ id })).hashedPassword, before['users']?.map(hashOf)[0]);
    });

    test('a new password works immediately, also after many failed attempts', async () => {
      const { auth } = makeAuth();
      await auth.registerUser(email, password);
      for (let i = 0; i < 5; i += 1) await auth.validLogin(email, 'wrong');
      await assert.rejects(auth.validLogin(email, password), (error) =>
        isProblem(error, 'too_many_attempts'),
      );
      await auth.setPassword(email, 'new');
      assert.equal(await auth.validLogin(email, 'new'), true);
    });

    test('a new password revokes the mailed tokens of all modules, except those that undo a change', async () => {
      const { auth, db, database } = makeAuth();
      const { id } = await auth.registerUser(email, password);
      const { tokens } = auth.identity;
      const user = await db.findUserBy({ id });
      await database.transaction(async (tx) => {
        for (const kind of tokens.kinds) await tokens.issue(tx, user, { kind, target: email });
      });
      await auth.setPassword(email, 'new');
      const rows = await database.query((sql) => sql.selectFrom('one_time_tokens').select('kind'));
      const kept = tokens.kinds.filter(({ survivesPasswordChange }) => survivesPasswordChange);
      assert.ok(kept.length < tokens.kinds.length);
      assert.deepEqual(rows.map(({ kind }) => kind).toSorted(), kept.map(({ kind }) => kind).toSorted());
      for (const { tokenKinds } of modules)
        for (const kind of tokenKinds) assert.ok(tokens.kinds.includes(kind), kind.kind);
    });

    test('a new password ends what modules declare, after the sessions', () => {
      const { revokes, sessionEndings } = makeAuth().auth.identity.plugged;
      assert.equal(revokes[0]?.kind, 'sign_in');
      for (const declared of modules) {
        for (const one of declared.revokes) assert.ok(revokes.includes(one), declared.name);
        for (const one of declared.sessionEndings) assert.ok(sessionEndings.includes(one), declared.name);
      }
    });

    test('enabling a user who is not disabled ends no session', async () => {
      const { auth } = makeAuth();
      const { id } = await auth.registerUser(email, password);
      const session = await auth.createSession(email);
      assert.equal(await auth.setDisabled(id, false), true);
      assert.equal((await auth.getUserFromSessionId(session))?.id, id);
    });
  });

  test('with email confirmation, the password of a new account has the age of the account', async () => {
    const { auth, db, database, clock } = makeAuth({ emailConfirmation: true });
    const { id } = await auth.registerUser(email, password);
    const { createdAt, passwordChangedAt } = await db.findUserBy({ id });
    assert.deepEqual([createdAt, passwordChangedAt], [clock.now(), clock.now()]);
    assert.equal(await auth.createSession(email), undefined, 'and opens nothing yet');
    await database.query((sql) =>
      sql.updateTable('users').set({ email_verified_at: clock.now() }).where('id', '=', id),
    );
    assert.notEqual(await auth.createSession(email), undefined, 'but once it is confirmed');
  });

  describe('createSession, getUserFromSessionId and destroySession', () => {
    test('each session has its own id, which returns its user', async () => {
      const { auth, clock } = makeAuth();
      const user = await auth.registerUser(email, password);
      const [first, second] = [await auth.createSession(email), await auth.createSession(' BOB@example.org')];
      assert.notEqual(first, second);
      for (const sessionId of [first, second])
        assert.deepEqual(await auth.getUserFromSessionId(sessionId), { ...user, lastSignInAt: clock.now() });
    });

    test('no session is created for an unknown or malformed address', async () => {
      const { auth } = makeAuth();
      for (const address of ['eve@example.org', 'bob', '', null, undefined])
        assert.equal(await auth.createSession(untyped(address)), undefined);
    });

    test('null, empty, malformed and unknown ids return no user', async () => {
      const { auth, db } = makeAuth();
      const { id } = await auth.registerUser(email, password);
      await db.updateUser(id, { sessionId: 'chosen', resetToken: null });
      const real = (await auth.createSession(email)) ?? '';
      const [handle, secret = ''] = real.split('.');
      const none = [
        null,
        undefined,
        '',
        ' ',
        'chosen',
        '0',
        handle,
        secret,
        `${real} `,
        `${real}x`,
        real.toUpperCase(),
        crypto.randomUUID(),
        [real],
        { real },
      ];
      for (const sessionId of none)
        assert.equal(await auth.getUserFromSessionId(untyped(sessionId)), undefined, inspect(sessionId));
      assert.equal((await auth.getUserFromSessionId(real))?.id, id);
    });

    test('destroySession ends every session of the given user, and of no other', async () => {
      const { auth } = makeAuth();
      const bob = await auth.registerUser(email, password);
      await auth.registerUser('eve@example.org', password);
      const bobs = [await auth.createSession(email), await auth.createSession(email)];
      const eves = await auth.createSession('eve@example.org');
      await auth.destroySession(bob.id);
      for (const sessionId of bobs) assert.equal(await auth.getUserFromSessionId(sessionId), undefined);
      assert.equal((await auth.getUserFromSessionId(eves))?.email, 'eve@example.org');
    });

    test('destroySession of an unknown id does nothing', async () => {
      const { auth } = makeAuth();
      const { id } = await auth.registerUser(email, password);
      const sessionId = await auth.createSession(email);
      for (const unknown of [id + 1, 0, -1, id + 0.5, Number.NaN, 2 ** 70])
        await auth.destroySession(unknown);
      assert.equal((await auth.getUserFromSessionId(sessionId))?.id, id);
    });
  });

  test('the user of a session is read at each call, and undefined after its removal', async () => {
    const { auth } = makeAuth();
    const { id } = await auth.registerUser(email, password);
    const session = await auth.getSession(await auth.createSession(email));
    assert.ok(session);
    await auth.identity.accounts.setLanguage(id, 'fr');
    const { email: current, language } = await auth.identity.sessions.userOf(session);
    assert.deepEqual([current, language], [email, 'fr']);
    await auth.removeUser(id);
    await assert.rejects(auth.identity.sessions.userOf(session), (error) =>
      isProblem(error, 'session_required'),
    );
  });

  test('a password that is checked before it is set is rejected by the rule, with its field', async () => {
    const { auth } = makeAuth();
    await auth.identity.accounts.requireGoodPassword(password, email);
    await assert.rejects(
      auth.identity.accounts.requireGoodPassword('', email),
      (error) => isProblem(error, 'invalid_request') && error.fields[0]?.field === 'password',
    );
  });

  test('counters without an attempt for thirty days are purged, and others stay', async () => {
    const { auth, clock } = makeAuth();
    await auth.registerUser(email, password);
    // More than the free ones, whose counters are purged after a day.
    for (let i = 0; i < 5; i += 1) assert.equal(await auth.validLogin(email, 'wrong'), false);
    clock.advance(30 * dayMs);
    assert.equal(await auth.purge(), 0);
    clock.advance(1);
    assert.equal(await auth.purge(), 1);
    assert.equal(await auth.purge(), 0);
  });

  test('sessions that a program creates and ends are recorded', async () => {
    const { auth, audit } = makeAuth();
    const { id } = await auth.registerUser(email, password);
    const token = (await auth.createSession(email)) ?? '';
    const [handle = ''] = token.split('.');
    assert.equal(await auth.endSession(handle), true);
    assert.equal(await auth.endSession(handle), false, 'it has ended');
    await auth.createSession(email);
    await auth.destroySession(id);
    await auth.destroySession(id); // nothing is left to end
    const events = await audit.list({ userId: id, limit: 10 });
    assert.deepEqual(events.map(({ event, outcome, reason }) => [event, outcome, reason]).toReversed(), [
      ['user_created', 'success', 'account_created'],
      ['session_created', 'success', 'session_created'],
      ['session_expired', 'success', 'session_ended'],
      ['session_created', 'success', 'session_created'],
      ['session_expired', 'success', 'all_sessions_ended'],
    ]);
  });

  describe('getResetPasswordToken and updatePassword', () => {
    test('a token sets a new password and ends every session of the user, and of no other', async () => {
      const { auth } = makeAuth();
      await auth.registerUser(email, password);
      await auth.registerUser('eve@example.org', password);
      const sessions = [await auth.createSession(email), await auth.createSession(email)];
      const eves = await auth.createSession('eve@example.org');
      const token = await auth.getResetPasswordToken(email);
      const user = await auth.updatePassword(token, 't4rt1fl3tt3');
      assert.equal(user.email, email);
      assert.equal(await auth.validLogin(email, password), false);
      assert.equal(await auth.validLogin(email, 't4rt1fl3tt3'), true);
      for (const sessionId of sessions) assert.equal(await auth.getUserFromSessionId(sessionId), undefined);
      assert.notEqual(await auth.getUserFromSessionId(eves), undefined);
      assert.equal(await auth.validLogin('eve@example.org', password), true);
    });

    test('an issued token is recorded', async () => {
      const { auth, audit } = makeAuth();
      const { id } = await auth.registerUser(email, password);
      await auth.getResetPasswordToken(email);
      const events = await audit.list({ event: 'authn_token_created', limit: 10 });
      assert.deepEqual(
        events.map(({ outcome, reason, userId }) => [outcome, reason, userId]),
        [['success', 'reset_requested', id]],
      );
    });

    test('no token is issued for an unknown or malformed address', async () => {
      const { auth } = makeAuth();
      for (const address of ['eve@example.org', 'bob', '', null]) {
        await assert.rejects(auth.getResetPasswordToken(untyped(address)), (error) =>
          isProblem(error, 'unknown_email'),
        );
      }
    });

    test('a null, empty, malformed or unknown token changes nothing', async () => {
      const { auth, database } = makeAuth();
      await auth.registerUser(email, password);
      const real = await auth.getResetPasswordToken(email);
      const before = await contentsOf(database);
      const [handle = '', secret = ''] = real.split('.');
      const none = [
        null,
        undefined,
        '',
        'token',
        handle,
        secret,
        `${real}x`,
        `${crypto.randomUUID()}.${secret}`,
        `${handle}.rst_${'A'.repeat(43)}`,
        [real],
      ];
      for (const token of none) {
        await assert.rejects(
          auth.updatePassword(untyped(token), 'new'),
          (error) => isProblem(error, 'token_invalid'),
          String(token),
        );
      }
      assert.deepEqual(await contentsOf(database), before);
      await auth.updatePassword(real, 'new');
    });
  });
});
