// A month of logins: the purge removes what expired and keeps what is valid, and does not block the writer for long.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { dayMs } from '../../src/kit/clock.ts';
import { silentLog } from '../../src/kit/log.ts';
import type { Database } from '../../src/db/database.ts';
import { Audit } from '../../src/audit/audit.ts';
import { Outbox } from '../../src/mail/outbox.ts';
import { Auth } from '../../src/library/auth.ts';
import { DB } from '../../src/library/db.ts';
import { testClock } from '../support/clock.ts';
import { onEachEngine, withDatabase } from '../support/engines.ts';
import { sharedHasher } from '../support/hashing.ts';
import { Stopwatch } from './stopwatch.ts';

/** This many of a thousand actions may take longer, because the machine runs other programs as well. */
const grace = 0.01;
/** Rows written by one statement of the preparation. */
const chunk = 2000;
/** Sessions, devices and mails of one account. */
const perUser = 50;

/** Values for some rows of a table, as SQL. */
type Rows = (n: number, userId: number) => string;

const uuid = (n: number, kind: number): string =>
  `${kind.toString(16).padStart(8, '0')}-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;

/** Adds rows to a table, `perUser` of them for each user in turn. */
async function fill(database: Database, into: string, count: number, row: Rows): Promise<void> {
  for (let from = 0; from < count; from += chunk) {
    const rows = Array.from({ length: Math.min(chunk, count - from) }, (_, i) =>
      row(from + i, Math.floor((from + i) / perUser) + 1),
    );
    await database.execute(`insert into ${into} values ${rows.map((values) => `(${values})`).join()}`);
  }
}

async function countOf(
  database: Database,
  table: 'sessions' | 'one_time_tokens' | 'known_devices' | 'attempts' | 'mails' | 'audit_events',
): Promise<number> {
  const [row] = await database.query((sql) =>
    sql.selectFrom(table).select((e) => e.fn.countAll<number>().as('n')),
  );
  return Number(row?.n);
}

export interface Growth {
  /** Rows of each kind that expire. */
  readonly rows: number;
  readonly events: number;
  /** The longest time, in milliseconds, for which one action of the purge may hold the writer. */
  readonly longestMs: number;
}

export function declareGrowth({ rows, events, longestMs }: Growth): void {
  onEachEngine('the purge after a month', (engine) => {
    test(`removes all of ${rows} expired rows of each kind, and holds the writer for at most ${longestMs} ms each time`, (t) =>
      withDatabase(engine, async (database) => {
        const clock = testClock();
        const start = clock.now();
        const secret = engine === 'sqlite' ? "x'00'" : "'\\x00'";
        const users = Math.ceil(rows / perUser);
        await fill(
          database,
          'users (email, email_key, hashed_password, created_at, password_changed_at)',
          users,
          (n) => `'u${n}@example.org', 'u${n}@example.org', null, ${start}, ${start}`,
        );
        const ends = start + dayMs;
        await fill(
          database,
          'sessions (id, user_id, secret_hash, created_at, last_seen_at, expires_at)',
          rows,
          (n, user) => `'${uuid(n, 1)}', ${user}, ${secret}, ${start}, ${start}, ${ends}`,
        );
        await fill(
          database,
          'known_devices (id, user_id, secret_hash, created_at, expires_at)',
          rows,
          (n, user) => `'${uuid(n, 2)}', ${user}, ${secret}, ${start}, ${ends}`,
        );
        // A user has one token of a kind.
        await fill(
          database,
          'one_time_tokens (id, user_id, kind, secret_hash, created_at, expires_at, spent_at)',
          rows,
          (n, user) => `'${uuid(n, 3)}', ${user}, 'kind${n % perUser}', ${secret}, ${start}, ${ends}, null`,
        );
        await fill(database, 'attempts', rows, (n) => `'email:${n}', 'password', 3, ${start}, 0`);
        await fill(
          database,
          'mails (id, user_id, kind, recipient, content, created_at, next_at, expires_at, tries, sent_at, given_up_at, last_error)',
          rows,
          (n, user) =>
            `'${uuid(n, 4)}', ${user}, 'reset_password', 'u@example.org', null, ${start}, ${start}, ${ends}, 1, ${start}, null, null`,
        );

        const stopwatch = new Stopwatch(database);
        const sign = (text: string): string => createHmac('sha256', 'key').update(text).digest('base64url');
        const audit = new Audit({
          database: stopwatch,
          clock: clock.now,
          keptDays: 30,
          mac: { sign, check: (text, mac) => sign(text) === mac },
        });
        for (let i = 0; i < events; i += chunk) {
          await database.transaction(async (tx) => {
            for (let n = i; n < Math.min(i + chunk, events); n += 1) {
              await audit.record(
                tx,
                { event: 'authn_login_success', outcome: 'success', reason: 'signed_in', userId: 1 },
                { actor: 'user' },
              );
            }
          });
        }
        await audit.seal();
        const sealed = stopwatch.takeMs();

        clock.advance(31 * dayMs);
        const auth = new Auth({
          db: new DB(stopwatch, clock.now),
          hasher: sharedHasher,
          clock: clock.now,
        });
        const outbox = new Outbox({
          database: stopwatch,
          clock: clock.now,
          cipher: { encrypt: (text) => text, decrypt: (text) => text },
          transport: { send: async () => {}, close: () => {} },
          log: silentLog,
          domain: 'example.org',
          sender: { productName: 'Bienvenue', publicUrl: 'https://example.org', color: '#1a56c4' },
        });
        // A user is active at this time.
        await auth.registerUser('live@example.org', 'a password');
        const live = (await auth.createSession('live@example.org')) ?? '';
        await auth.getResetPasswordToken('live@example.org');
        await auth.validLogin('nobody@example.org', 'guess');
        await audit.record(
          database,
          { event: 'session_created', outcome: 'success', reason: 'session_created' },
          { actor: 'user' },
        );
        stopwatch.takeMs();

        const begun = performance.now();
        await auth.purge();
        await audit.purge();
        await outbox.purge();
        const totalMs = Math.round(performance.now() - begun);
        const purged = stopwatch.takeMs();

        const left = await Promise.all(
          (
            ['sessions', 'one_time_tokens', 'known_devices', 'attempts', 'mails', 'audit_events'] as const
          ).map((table) => countOf(database, table)),
        );
        assert.deepEqual(left, [1, 1, 0, 1, 0, 1], 'only valid rows are left');
        assert.ok((await auth.getSession(live)) !== undefined);
        assert.deepEqual((await audit.verify()).faults, []);
        const measured: [string, number[]][] = [['purging', purged]];
        // On PostgreSQL, sealing holds a lock that nothing else waits for.
        if (engine === 'sqlite') measured.push(['sealing', sealed]);
        for (const [what, all] of measured) {
          const slow = all.filter((ms) => ms > longestMs);
          t.diagnostic(
            `${what}: ${all.length} actions, the longest ${Math.max(...all).toFixed(1)} ms, ${slow.length} over ${longestMs} ms`,
          );
          assert.ok(
            slow.length <= Math.ceil(all.length * grace),
            `${what}: ${slow.map(Math.round).join()} ms`,
          );
        }
        t.diagnostic(`the purge took ${totalMs} ms`);
        await auth.close();
      }));
  });
}
