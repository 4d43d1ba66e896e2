// Checks the query plans of requests, logins and purges: by an index, never a scan of a whole table.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  freshDatabase,
  onEachEngine,
  openPatiently,
  type FreshDatabase,
} from '../../test/support/engines.ts';
import { kits, type PlanStage } from '../../test/support/kit.ts';
import { planOf, scansOf } from '../../test/support/plan.ts';
import { Recorder } from '../../test/support/recorder.ts';
import { anyHash, sharedHasher } from '../../test/support/hashing.ts';
import { addEvent, listEventsBefore } from '../audit/store.ts';
import type { Database } from '../db/database.ts';
import { dayMs, hourMs, minuteMs } from '../kit/clock.ts';
import { generateUuid } from '../kit/id.ts';
import { createToken } from '../kit/secret.ts';
import { resetKind } from './password/reset.ts';
import { deviceKind, pendingAuthenticationKind, sessionKind } from './cookie-kinds.ts';
import { addMail } from '../mail/store.ts';
import { DB } from '../library/db.ts';
import { listUsers } from '../user/store.ts';
import { addAttempt } from './attempt/store.ts';
import { Auth } from '../library/auth.ts';
import { addRegistration } from './registration/store.ts';
import { addDevice } from './sign-in/device-store.ts';
import { addPendingAuthentication } from './sign-in/pending-store.ts';
import { listSessions } from './session/store.ts';

/** Enough rows that an engine prefers an index to a scan. */
const people = 1000;
const start = Date.UTC(2026, 0, 1);
const email = 'user7@example.org';

/** Names of primary keys and of indices in the plans of each engine. */
const sessionKey = /SEARCH sessions USING PRIMARY KEY \(id=\?\)|sessions_pkey/;
const tokenKey = /SEARCH one_time_tokens USING PRIMARY KEY \(id=\?\)|one_time_tokens_pkey/;
const userKey = /SEARCH users USING INTEGER PRIMARY KEY|users_pkey/;
const emailIndex = /users_by_email_key/;
const sessionsByUser = /sessions_by_user/;

/** Fills the tables with a user, session, token, device, counter, mail and event for each minute. */
async function fill(database: Database): Promise<void> {
  await database.transaction(async (tx) => {
    let now = start;
    const db = new DB(tx, () => now);
    for (let i = 0; i < people; i += 1) {
      now += minuteMs;
      const { id: userId } = await db.addUser(`user${i}@example.org`, anyHash);
      await db.updateUser(userId, {
        sessionId: createToken(sessionKind).token,
        resetToken: createToken(resetKind).token,
      });
      await addAttempt(tx, { subject: `user:${userId}`, factor: 'totp' }, now);
      const { id, secretHash } = createToken(deviceKind);
      await addPendingAuthentication(tx, {
        ...createToken(pendingAuthenticationKind),
        userId,
        demand: 'required',
        factors: '[]',
        passwordChangedAt: now,
        endsWithBrowser: 0,
        now,
        expiresAt: now + dayMs,
      });
      await addDevice(tx, { id, secretHash, userId, now, expiresAt: now + dayMs }, 20);
      const registered = {
        email: '',
        hashedPassword: null,
        factor: null,
        credential: null,
        browserHash: null,
      };
      await addRegistration(tx, { ...registered, id, userId, now, expiresAt: now + dayMs }, 100);
      const mail = { id: generateUuid(), kind: 'new_device', recipient: '', content: '' };
      await addMail(tx, {
        ...mail,
        userId,
        now,
        expiresAt: now + dayMs,
        dueAt: now,
        requestedBy: 'stranger',
        recipientHash: `${i}`,
        tokenId: null,
      });
      const event = { event: 'user_created', outcome: 'success', reason: 'account_created', facts: null };
      const actor = { actor: 'program', actor_id: null, user_id: userId, target_kind: null, target_id: null };
      const client = { address: null, device: null, request_id: null };
      const row = { ...event, ...actor, ...client, id: generateUuid(), at: now, form: 2 };
      await addEvent(tx, row, 'mac');
    }
  });
  await database.execute(`update users set provisional_until = created_at + ${30 * dayMs}`);
  // PostgreSQL collects statistics by itself after a while. SQLite never does, and must choose well without them.
  if (database.engine.name === 'postgres') await database.execute('analyze');
}

onEachEngine('query plans among thousands of rows', (engine) => {
  let fresh: FreshDatabase;
  let database: Database;
  let recorder: Recorder;
  let db: DB;
  let auth: Auth;
  /** With a module that hears of the end of sessions. */
  let watched: Auth;
  let now = start + people * minuteMs;

  before(async () => {
    fresh = await freshDatabase(engine);
    database = await openPatiently(fresh.url);
    await fill(database);
    recorder = new Recorder(database);
    db = new DB(recorder, () => now);
    auth = new Auth({ db, hasher: sharedHasher, clock: () => now, knownDeviceDays: 30 });
    const heard = new DB(recorder, () => now, [async () => {}]);
    watched = new Auth({ db: heard, hasher: sharedHasher, clock: () => now });
    await auth.setPassword(email, 'b4l0u');
  });
  after(async () => {
    await database.close();
    await fresh.drop();
  });

  /** Actions that must not scan a table, and the indices that they use, if worth naming. */
  const works: [title: string, work: () => Promise<unknown>, ...indices: RegExp[]][] = [
    ['a session check', () => auth.getSession(createToken(sessionKind).token), sessionKey, userKey],
    [
      'the user of a session',
      async () => auth.getUserFromSessionId(await auth.createSession(email)),
      sessionKey,
      userKey,
    ],
    ['a login', () => auth.logIn(email, 'b4l0u'), emailIndex],
    ['a login that fails', () => auth.validLogin('nobody@example.org', 'b4l0u'), emailIndex],
    ['a registration', () => auth.registerUser('new@example.org', 'b4l0u')],
    [
      'a registration of a taken address',
      () => auth.registerUser('user8@example.org', 'b4l0u').catch(() => {}),
      emailIndex,
    ],
    ['a new session', () => auth.createSession(email), emailIndex, sessionsByUser],
    ['the end of one session', async () => auth.endSession(createToken(sessionKind).id), sessionKey],
    ['the end of a user’s sessions', () => auth.destroySession(7), sessionsByUser],
    ['a request for a reset token', () => auth.getResetPasswordToken(email), emailIndex],
    [
      'finding a reset token',
      () => auth.updatePassword(createToken(resetKind).token, 'x').catch(() => {}),
      tokenKey,
    ],
    [
      'setting a password by a reset token',
      async () => auth.updatePassword(await auth.getResetPasswordToken(email), 'x'),
      tokenKey,
      userKey,
      sessionsByUser,
    ],
    [
      'disabling and removing a user',
      async () => [await auth.setDisabled(9, true), await auth.removeUser(9)],
      userKey,
    ],
    [
      'finding a user by all attributes',
      () => db.findUserBy({ id: 7, email, sessionId: 'x', resetToken: 'y' }).catch(() => {}),
    ],
    ['a user by a session id', () => db.findUserBy({ sessionId: 'x' }).catch(() => {}), sessionKey],
    ['a user by a reset token', () => db.findUserBy({ resetToken: 'x' }).catch(() => {}), tokenKey],
    [
      'updating a user',
      () =>
        db.updateUser(11, {
          email: 'moved@example.org',
          hashedPassword: anyHash,
          sessionId: 'x',
          resetToken: 'y',
        }),
      userKey,
    ],
    ['a page of users', () => listUsers(recorder, 100, 20), userKey],
    [
      'a page of a user’s sessions',
      () => listSessions(recorder, { userId: 100, now, seenSince: 0, limit: 20 }),
      sessionsByUser,
    ],
    [
      'a page of a user’s events',
      () =>
        listEventsBefore(recorder, {
          userId: 100,
          before: { at: now, id: 'x' },
          excluded: ['session_created'],
          limit: 50,
        }),
      /audit_events_by_user/,
    ],
    [
      'the registrations of an address',
      () => auth.identity.registrations.list(7),
      /pending_registrations_by_(?:browser|user)/,
    ],
    ['sessions seen', seenSessions, sessionKey],
    [
      'the end of one session that a module hears of',
      async () => watched.endSession(await sessionId()),
      sessionKey,
    ],
    ['the end of all sessions that a module hears of', () => watched.destroySession(8), sessionsByUser],
    [
      'a purge that a module hears of',
      async () => {
        now = start + hourMs + 4 * minuteMs;
        await watched.purge();
      },
      /sessions_by_expiry/,
      /sessions_by_last_use/,
    ],
    [
      'a purge, when few rows have expired',
      purge,
      /sessions_by_expiry/,
      /sessions_by_last_use/,
      /one_time_tokens_by_expiry/,
      /known_devices_by_expiry/,
      /attempts_few_by_age/,
      /attempts_many_by_age/,
      /pending_logins_by_expiry/,
      /users_by_provision/,
      /pending_registrations_by_expiry/,
    ],
  ];

  async function sessionId(): Promise<string> {
    return (await auth.createSession(email))?.slice(0, 36) ?? '';
  }

  async function seenSessions(): Promise<void> {
    const token = await auth.createSession(email);
    now += hourMs;
    await auth.getSession(token);
    await auth.flushSeen();
  }

  async function purge(): Promise<void> {
    now = start + hourMs + 3 * minuteMs;
    await auth.purge();
  }

  const stage: PlanStage = {
    user: async (id) => {
      const known = `user${id}@example.org`;
      await auth.setPassword(known, 'b4l0u');
      const session = await auth.getSession((await auth.logIn(known, 'b4l0u'))?.token);
      return session ?? assert.fail('the login succeeds');
    },
    auth: () => auth,
    database: () => database,
    now: () => now,
  };
  for (const { plans = [] } of kits)
    for (const { title, work, indices } of plans) works.push([title, () => work(stage), ...indices]);

  for (const [title, work, ...indices] of works) {
    test(title, async () => {
      const from = recorder.recorded.length;
      await work();
      const recorded = recorder.recorded.slice(from);
      const plans = await Promise.all(recorded.map((one) => planOf(fresh.url, one)));
      // Tables without rows are read as a whole unless indices are preferred.
      const sparing = await Promise.all(
        recorded.map((one) => planOf(fresh.url, one, { prefersIndices: true })),
      );
      assert.ok(plans.length > 0);
      for (const [i, plan] of sparing.entries()) {
        assert.deepEqual(scansOf(plan), [], `${recorded[i]?.compiled.text}\n${plan.join('\n')}`);
      }
      // It reads all rows of a table for those with the keys of a batch.
      for (const [i, plan] of plans.entries())
        if (/^(?:delete|update) .* limit /.test(recorded[i]?.compiled.text ?? ''))
          assert.doesNotMatch(plan.join('\n'), /Semi Join/, recorded[i]?.compiled.text);
      const steps = plans.flat().join('\n');
      for (const index of indices) assert.match(steps, index);
    });
  }
});
