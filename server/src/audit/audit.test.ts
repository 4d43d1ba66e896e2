import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { dayMs, minuteMs, secondMs } from '../kit/clock.ts';
import type { Database } from '../db/database.ts';
import { testClock, type TestClock } from '../../test/support/clock.ts';
import { StepDatabase } from '../../test/faults/step-database.ts';
import { onEachEngine, withDatabase, type EngineName } from '../../test/support/engines.ts';
import { Audit } from './audit.ts';
import { programSource, type AuditSource, type NewAuditEvent } from './event.ts';

const sign = (text: string): string => createHmac('sha256', 'key').update(text).digest('base64url');
const login: NewAuditEvent = {
  event: 'authn_login_success',
  outcome: 'success',
  reason: 'signed_in',
  userId: 1,
  facts: { factors: ['password', 'totp'] },
};
/** Rows in form 1, with the digests that the code of commit 4f8c6a4 created under the same key. */
const rowsOfForm1 = [
  {
    id: '01a22403-626f-7000-9532-ab974545d9b2',
    at: 1_700_000_000_000,
    event: 'authn_login_success',
    outcome: 'success',
    reason: 'password+totp',
    actor: 'anonymous',
    user_id: 7,
    address: '192.0.2.7',
    device: 'Mozilla/5.0 "x"',
    request_id: 'req-1',
    mac: 'QpmBHrFywY86Tql4R34zcmfbjzhCAJNZ0i78T0g_9y0',
    seal_number: 1,
    seal: '9ETz19T_kesFh05H06Jf8sre-Gh7DNJ-uVnYUoMFdKw',
  },
  {
    id: '01a22403-6271-7000-afaa-fce37f18b2c5',
    at: 1_700_000_000_001,
    event: 'sys_startup',
    outcome: 'success',
    reason: null,
    actor: 'service',
    user_id: null,
    address: null,
    device: null,
    request_id: null,
    mac: 'MoxWFwdmMl4RjpABofnLUhJR-llTFvsbggrtdJgxLeA',
    seal_number: 2,
    seal: 'duasBUE4ETSzbtgE5ed38tJCN7O5ZoSXVeTrhZrYT6k',
  },
  {
    id: '01a22403-6275-7000-8b6f-b69d13da9736',
    at: 1_700_000_000_002,
    event: 'user_updated',
    outcome: 'success',
    reason: 'totp_added',
    actor: 'user',
    user_id: 7,
    address: '192.0.2.7',
    device: null,
    request_id: null,
    mac: 'StWpqBSFoiq9BNWAyLANLCX0VB3VR9gDT6NK9eVwvgw',
    seal_number: null,
    seal: null,
  },
] as const;
/** The columns that form 1 does not have; `form` has the default of the column. */
const laterColumns = { facts: null, actor_id: null, target_kind: null, target_id: null, form: 1 };

const operator: AuditSource = { actor: 'operator', actorId: 'ops' };

interface Bench {
  readonly db: Database;
  readonly audit: Audit;
  readonly clock: TestClock;
}

function withAudit(engine: EngineName, work: (bench: Bench) => Promise<void>): Promise<void> {
  return withDatabase(engine, async (db) => {
    const clock = testClock();
    const mac = { sign, check: (text: string, given: string) => sign(text) === given };
    await work({ db, clock, audit: new Audit({ database: db, mac, clock: clock.now, keptDays: 10 }) });
  });
}

async function record(audit: Audit, db: Database, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) await audit.record(db, { ...login, userId: i }, programSource);
}

onEachEngine('the audit log', (engine) => {
  test('is valid if it is unchanged, sealed or not', () =>
    withAudit(engine, async ({ db, audit }) => {
      await record(audit, db, 5);
      assert.deepEqual((await audit.verify()).faults, []);
      assert.equal(await audit.seal(), 5);
      await record(audit, db, 2);
      const verdict = await audit.verify();
      assert.deepEqual([verdict.faults, verdict.sealed, verdict.unsealed, verdict.lastNumber], [[], 5, 2, 5]);
    }));

  test('records an event together with its action or not at all', () =>
    withAudit(engine, async ({ db, audit }) => {
      const failing = db.transaction(async (tx) => {
        await audit.record(tx, login, programSource);
        throw new Error('the action failed');
      });
      await assert.rejects(failing, /the action failed/);
      assert.deepEqual(await audit.list({ limit: 10 }), []);
    }));

  for (const sealed of [true, false]) {
    test(`detects a changed row, ${sealed ? 'sealed' : 'unsealed'}`, () =>
      withAudit(engine, async ({ db, audit }) => {
        await record(audit, db, 3);
        if (sealed) await audit.seal();
        await db.query((sql) =>
          sql.updateTable('audit_events').set({ outcome: 'failure' }).where('user_id', '=', 1),
        );
        const { faults } = await audit.verify();
        assert.equal(faults.length, 1);
        assert.match(faults[0] ?? '', /was changed or inserted/);
      }));
  }

  test('stores actor, target and facts of an event', () =>
    withAudit(engine, async ({ db, audit }) => {
      await audit.record(db, { ...login, target: { kind: 'session', id: 's' } }, operator);
      const [event] = await audit.list({ limit: 1 });
      assert.deepEqual(
        [event?.actor, event?.actorId, event?.userId, event?.target, event?.reason, event?.facts],
        ['operator', 'ops', 1, { kind: 'session', id: 's' }, 'signed_in', { factors: ['password', 'totp'] }],
      );
    }));

  for (const change of [
    { form: 1 },
    { form: 3 },
    { facts: '{"factors":["password"]}' },
    { facts: 'no JSON' },
    { facts: null },
    { actor: 'user' },
    { actor_id: '8' },
    { actor_id: null },
    { reason: 'another' },
    { target_kind: 'device' },
    { target_id: null },
  ] as const)
    test(`detects a row that was changed to ${JSON.stringify(change)}`, () =>
      withAudit(engine, async ({ db, audit }) => {
        await audit.record(db, { ...login, target: { kind: 'session', id: 's' } }, operator);
        await db.query((sql) => sql.updateTable('audit_events').set(change));
        assert.match((await audit.verify()).faults.join(), /^Row \S+ was changed or inserted$/);
        assert.equal((await audit.list({ limit: 1 })).length, 1, 'it is still listed');
      }));

  describe('with rows of release 4f8c6a4', () => {
    const withOldRows = (work: (bench: Bench) => Promise<void>): Promise<void> =>
      withAudit(engine, async (bench) => {
        const { db } = bench;
        for (const row of rowsOfForm1)
          await db.query((sql) => sql.insertInto('audit_events').values({ ...row, ...laterColumns }));
        const { seal, seal_number: last } = rowsOfForm1[1];
        await db.query((sql) => sql.updateTable('audit_chain').set({ last_number: last, last_seal: seal }));
        await work(bench);
      });

    test('is valid, sealed and unsealed, with newer rows after them', () =>
      withOldRows(async ({ db, audit }) => {
        await record(audit, db, 2);
        assert.deepEqual((await audit.verify()).faults, []);
        assert.equal(await audit.seal(), 3);
        const verdict = await audit.verify();
        assert.deepEqual([verdict.faults, verdict.sealed, verdict.lastNumber], [[], 5, 5]);
      }));

    for (const change of [
      { form: 2 },
      { facts: '{}' },
      { actor_id: '7' },
      { target_kind: 'session' },
      { target_id: 's' },
      { reason: 'password' },
    ])
      test(`detects one that was changed to ${JSON.stringify(change)}`, () =>
        withOldRows(async ({ db, audit }) => {
          const { id } = rowsOfForm1[2];
          await db.query((sql) => sql.updateTable('audit_events').set(change).where('id', '=', id));
          assert.deepEqual((await audit.verify()).faults, [`Row ${id} was changed or inserted`]);
        }));
  });

  for (const [where, userId] of [
    ['beginning', 0],
    ['middle', 1],
    ['end', 2],
  ] as const) {
    test(`detects a removed row at the ${where}`, () =>
      withAudit(engine, async ({ db, audit }) => {
        await record(audit, db, 3);
        await audit.seal();
        await db.query((sql) => sql.deleteFrom('audit_events').where('user_id', '=', userId));
        assert.match((await audit.verify()).faults.join(), /removed/);
      }));
  }

  test('detects a row that was inserted without the key, also after it was sealed', () =>
    withAudit(engine, async ({ db, audit }) => {
      await record(audit, db, 2);
      await audit.seal();
      const [real] = await db.query((sql) => sql.selectFrom('audit_events').selectAll().limit(1));
      assert(real);
      const forged = { ...real, id: crypto.randomUUID(), seal_number: null, seal: null };
      await db.query((sql) => sql.insertInto('audit_events').values(forged));
      assert.match((await audit.verify()).faults.join(), /inserted/);
      await audit.seal();
      assert.match((await audit.verify()).faults.join(), /inserted/);
    }));

  test('detects two rows that were exchanged', () =>
    withAudit(engine, async ({ db, audit }) => {
      await record(audit, db, 3);
      await audit.seal();
      const move = (from: number, to: number): Promise<unknown> =>
        db.query((sql) =>
          sql.updateTable('audit_events').set({ seal_number: to }).where('seal_number', '=', from),
        );
      await move(1, 99);
      await move(2, 1);
      await move(99, 2);
      assert.match((await audit.verify()).faults.join(), /does not follow/);
    }));

  test('has one chain without a gap after concurrent recording and sealing', () =>
    withAudit(engine, async ({ db, audit }) => {
      const actions = Array.from({ length: 60 }, () =>
        db.transaction((tx) => audit.record(tx, login, programSource)),
      );
      const seals = Array.from({ length: 5 }, () => audit.seal());
      await Promise.all([...actions, ...seals]);
      await audit.seal();
      const verdict = await audit.verify();
      assert.deepEqual([verdict.faults, verdict.sealed, verdict.lastNumber], [[], 60, 60]);
    }));

  test('removes old events from the start of the chain, and the rest is still valid', () =>
    withAudit(engine, async ({ db, audit, clock }) => {
      await record(audit, db, 300);
      await audit.seal();
      clock.advance(11 * dayMs);
      await record(audit, db, 3);
      await audit.seal();
      assert.equal(await audit.purge(), 300);
      const verdict = await audit.verify();
      assert.deepEqual([verdict.faults, verdict.sealed, verdict.lastNumber], [[], 3, 303]);
      await db.query((sql) => sql.deleteFrom('audit_events').where('seal_number', '=', 301));
      assert.match((await audit.verify()).faults.join(), /removed/, 'the new start is protected too');
    }));

  for (const { kept, title } of [
    { kept: 3, title: 'some rows' },
    { kept: 0, title: 'all rows' },
  ])
    test(`is valid while a purge removes ${title}`, () =>
      withAudit(engine, async ({ db, audit, clock }) => {
        for (const steps of [2, 3, 4]) {
          await record(audit, db, 300);
          await audit.seal();
          clock.advance(11 * dayMs);
          await record(audit, db, kept);
          await audit.seal();
          const countdown = { steps, act: async () => void (await audit.purge()) };
          const mac = { sign, check: (text: string, given: string) => sign(text) === given };
          const database = new StepDatabase(db, countdown);
          const verifying = new Audit({ database, mac, clock: clock.now, keptDays: 10 });
          assert.deepEqual((await verifying.verify()).faults, [], `step ${steps}`);
          assert.equal(countdown.steps, 0, 'the purge ran');
        }
      }));

  describe('with repeated refusals', () => {
    const refused: NewAuditEvent = {
      event: 'authn_login_fail',
      outcome: 'failure',
      reason: 'unknown_user',
      isRepeatable: true,
    };
    let requests = 0;
    const from = (network: string): AuditSource => ({
      actor: 'anonymous',
      address: network,
      network,
      device: 'a browser',
      requestId: `request-${(requests += 1)}`,
    });
    const rowsOf = async (db: Database): Promise<unknown[]> => {
      const rows = await db.query((sql) =>
        sql.selectFrom('audit_events').select(['reason', 'user_id', 'address', 'facts']).orderBy('id'),
      );
      return rows.map(({ reason, user_id, address, facts }) => [reason, user_id, address, facts]);
    };

    test('records the first immediately, and those of the next minute as one row with their number', () =>
      withAudit(engine, async ({ db, audit, clock }) => {
        for (let i = 0; i < 30; i += 1) {
          await audit.record(db, refused, from('a'));
          clock.advance(secondMs);
        }
        assert.deepEqual(await rowsOf(db), [['unknown_user', null, 'a', null]]);
        await audit.seal();
        assert.equal((await rowsOf(db)).length, 1, 'the minute is not over');
        clock.advance(minuteMs);
        assert.equal(await audit.seal(), 1);
        assert.deepEqual((await rowsOf(db)).slice(1), [['unknown_user', null, 'a', '{"count":29}']]);
        assert.deepEqual((await audit.verify()).faults, []);
        await audit.record(db, refused, from('a'));
        assert.equal((await rowsOf(db)).length, 3, 'the next minute begins with a row');
      }));

    test('decides by network and name of the event, not by account, reason or facts', () =>
      withAudit(engine, async ({ db, audit }) => {
        const written = async (event: NewAuditEvent, network: string): Promise<number> => {
          const before = (await rowsOf(db)).length;
          await audit.record(db, event, from(network));
          return (await rowsOf(db)).length - before;
        };
        const wrong: NewAuditEvent = { ...refused, reason: 'wrong_password', userId: 7 };
        for (const order of [
          [refused, wrong, { ...wrong, userId: 8 }],
          [wrong, refused, { ...wrong, facts: { kind: 'reset' } }],
        ]) {
          const network = crypto.randomUUID();
          const counts: number[] = [];
          for (const event of order) counts.push(await written(event, network));
          assert.deepEqual(counts, [1, 0, 0]);
        }
        assert.equal(await written({ ...refused, event: 'authn_token_reuse' }, 'a'), 1);
        assert.equal(await written(refused, 'a'), 1);
      }));

    test('lists them to the account without delay, and keeps accounts and reasons apart', () =>
      withAudit(engine, async ({ db, audit }) => {
        await audit.record(db, refused, from('a'));
        for (let i = 0; i < 5; i += 1)
          await audit.record(db, { ...refused, reason: 'wrong_password', userId: 7 }, from('a'));
        await audit.record(db, { ...refused, reason: 'wrong_password', userId: 8 }, from('a'));
        const [event, ...others] = await audit.list({ userId: 7, limit: 10 });
        assert.deepEqual(
          [event?.reason, event?.facts, event?.address],
          ['wrong_password', { count: 5 }, 'a'],
        );
        assert.deepEqual(others, []);
        assert.equal((await rowsOf(db)).length, 2, 'the other account is not read');
        assert.deepEqual(
          (await audit.list({ userId: 8, limit: 10 })).map(({ facts }) => facts),
          [null],
        );
        const page = await audit.listOf({ userId: 7, at: 0, id: '', limit: 10 });
        assert.equal(page.length, 1);
      }));

    test('counts a request once, although its transaction runs again', () =>
      withAudit(engine, async ({ db, audit }) => {
        const [first, second] = [from('a'), from('a')];
        for (const source of [first, second]) {
          await assert.rejects(
            db.transaction(async (tx) => {
              await audit.record(tx, refused, source);
              throw new Error('rolled back');
            }),
          );
          await audit.record(db, refused, source);
        }
        await audit.recordRefusals('all');
        const expected = ['unknown_user', null, 'a', null];
        assert.deepEqual(await rowsOf(db), [expected, expected]);
      }));

    test('never collects a success, a failure that stands for one, or an event of a program', () =>
      withAudit(engine, async ({ db, audit }) => {
        const { isRepeatable: _, ...each } = refused;
        for (let i = 0; i < 3; i += 1) {
          await audit.record(db, login, from('a'));
          await audit.record(db, each, from('a'));
          await audit.record(db, refused, programSource);
        }
        assert.equal((await rowsOf(db)).length, 9);
      }));

    test('writes a bounded number of rows for many networks, and one for each account', () =>
      withAudit(engine, async ({ db, audit, clock }) => {
        for (let i = 0; i < 1000; i += 1) {
          const known = i % 10 === 0 ? { userId: (i % 20) + 1 } : {};
          await audit.record(db, { ...refused, ...known }, from(`network ${i}`));
        }
        assert.equal((await rowsOf(db)).length, 200);
        clock.advance(minuteMs);
        await audit.seal();
        const added = new Set((await rowsOf(db)).slice(200).map((row) => JSON.stringify(row)));
        const expected = [
          ['unknown_user', null, null, '{"count":720}'],
          ['unknown_user', 1, 'network 200', '{"count":40}'],
          ['unknown_user', 11, 'network 210', '{"count":40}'],
        ];
        assert.deepEqual(added, new Set(expected.map((row) => JSON.stringify(row))));
        await audit.record(db, refused, from('network 999'));
        assert.equal((await rowsOf(db)).length, 204, 'a new minute');
      }));

    test('keeps them if they cannot be written', () =>
      withAudit(engine, async ({ db, audit }) => {
        for (let i = 0; i < 3; i += 1) await audit.record(db, refused, from('a'));
        await db.execute('alter table audit_events rename to hidden');
        await assert.rejects(audit.recordRefusals('all'));
        await audit.record(db, refused, from('a'));
        await db.execute('alter table hidden rename to audit_events');
        await audit.recordRefusals('all');
        assert.deepEqual((await rowsOf(db)).at(-1), ['unknown_user', null, 'a', '{"count":3}']);
      }));
  });

  test('keeps a bounded number of events: removes the oldest, and the rest is still valid', () =>
    withAudit(engine, async ({ db, clock }) => {
      const mac = { sign, check: (text: string, given: string) => sign(text) === given };
      const audit = new Audit({ database: db, mac, clock: clock.now, keptDays: 10, maxEvents: 50 });
      await record(audit, db, 450);
      await audit.seal();
      await record(audit, db, 10);
      assert.equal(await audit.purge(), 400);
      const verdict = await audit.verify();
      assert.deepEqual(
        [verdict.faults, verdict.sealed, verdict.unsealed, verdict.lastNumber],
        [[], 50, 10, 450],
      );
      assert.equal(await audit.purge(), 0);
    }));

  test('truncates a hostile user agent and removes NUL and lone surrogates', () =>
    withAudit(engine, async ({ db, audit }) => {
      await audit.record(db, login, { actor: 'anonymous', device: `a\0b\ud800\n${'x'.repeat(500)}` });
      const [event] = await audit.list({ limit: 1 });
      assert.equal(event?.device?.startsWith('ab\ufffd\n'), true);
      assert.equal((event?.device?.length ?? 0) <= 200, true);
      assert.deepEqual((await audit.verify()).faults, []);
    }));
});
