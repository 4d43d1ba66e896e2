// The attempts table: consecutive tries of a factor, counted before they are verified.
import type { Database } from '../../db/database.ts';
import type { Sql } from '../../db/engine.ts';
import { statementsFor } from '../../db/statement.ts';
import type { AttemptTables } from './schema.ts';

const { statement } = statementsFor<AttemptTables>();

/** Tries of one factor on one subject. */
export interface AttemptKey {
  readonly subject: string;
  readonly factor: string;
}

/** Consecutive tries from which on each must wait, and how long the next one does, in milliseconds. */
export const freeAttempts = 5;
const waitsMs: readonly number[] = [1, 2, 4, 8, 15, 30, 60, 120, 240, 480, 900].map(
  (seconds) => seconds * 1000,
);
const longestWaitMs = 900_000;
/** Consecutive tries after which the factor is off (NIST SP 800-63B-4 §3.2.2). */
export const maxAttempts = 100;

/**
 * One statement decides: it counts the try if it is allowed and returns nothing if not, so that of many at once only
 * the allowed number is ever verified.
 */
const countAttempt = statement((sql, p: AttemptKey & { now: number }) =>
  sql
    .insertInto('attempts')
    .values({ subject: p.subject, factor: p.factor, failures: 1, last_at: p.now, next_at: 0 })
    .onConflict((conflict) =>
      conflict
        .columns(['subject', 'factor'])
        .doUpdateSet(({ ref, eb }) => {
          const after = (ms: number) => eb('excluded.last_at', '+', eb.lit(ms));
          // The free ones set no instant: clocks of instances differ, and of two tries at once the later may come first.
          let next = eb
            .case()
            .when('attempts.failures', '<', freeAttempts - 1)
            .then(ref('attempts.next_at'));
          for (const [i, ms] of waitsMs.entries())
            next = next.when('attempts.failures', '=', freeAttempts - 1 + i).then(after(ms));
          return {
            failures: eb('attempts.failures', '+', 1),
            last_at: ref('excluded.last_at'),
            next_at: next.else(after(longestWaitMs)).end(),
          };
        })
        .where('attempts.next_at', '<=', p.now)
        .where('attempts.failures', '<', maxAttempts),
    )
    .returning('failures'),
);

/** Counts a try; `undefined` when it must not be made now. */
export async function addAttempt(db: Database, key: AttemptKey, now: number): Promise<number | undefined> {
  return (await db.note(countAttempt, { ...key, now }))?.failures;
}

const selectAttempts = statement((sql, p: AttemptKey) =>
  sql
    .selectFrom('attempts')
    .select(['failures', 'next_at'])
    .where('subject', '=', p.subject)
    .where('factor', '=', p.factor),
);

export function findAttempts(
  db: Database,
  key: AttemptKey,
): Promise<{ failures: number; next_at: number } | undefined> {
  return db.first(selectAttempts, key);
}

const uncountAttempt = statement((sql, p: AttemptKey & { now: number }) =>
  sql
    .updateTable('attempts')
    .set((row) => ({ failures: row('failures', '-', 1), next_at: p.now }))
    .where('subject', '=', p.subject)
    .where('factor', '=', p.factor)
    .where('failures', '>', 0),
);

/** Takes back a try that was counted and not verified. */
export async function removeAttempt(db: Database, key: AttemptKey, now: number): Promise<void> {
  await db.run(uncountAttempt, { ...key, now });
}

const deleteAttempts = statement((sql, p: AttemptKey) =>
  sql.deleteFrom('attempts').where('subject', '=', p.subject).where('factor', '=', p.factor),
);

/** Forgets the tries of a factor: after a success, or when the factor is replaced. */
export async function removeAttempts(db: Database, key: AttemptKey): Promise<void> {
  await db.run(deleteAttempts, key);
}

const deleteAttemptsOf = statement((sql, p: { subject: string }) =>
  sql.deleteFrom('attempts').where('subject', '=', p.subject),
);

/** Forgets the tries of every factor on a subject. */
export async function removeAttemptsOf(db: Database, subject: string): Promise<void> {
  await db.run(deleteAttemptsOf, { subject });
}

/** What is counted against a subject. */
export interface AttemptCount extends AttemptKey {
  readonly failures: number;
  readonly last_at: number;
}

/** What is counted against each of the subjects. */
export function listAttemptsOf(db: Database, subjects: readonly string[]): Promise<AttemptCount[]> {
  return db.query((sql: Sql<AttemptTables>) =>
    sql
      .selectFrom('attempts')
      .select(['subject', 'factor', 'failures', 'last_at'])
      .where('subject', 'in', subjects)
      .orderBy('subject')
      .orderBy('factor'),
  );
}

const changeSubject = statement((sql, p: { from: string; to: string }) =>
  sql.updateTable('attempts').set({ subject: p.to }).where('subject', '=', p.from),
);

/** Counts the tries on one subject against another, which has none yet. */
export async function moveAttempts(db: Database, from: string, to: string): Promise<void> {
  await db.run(changeSubject, { from, to });
}

const deleteOld = statement((sql, p: { before: number; limit: number }) =>
  sql
    .deleteFrom('attempts')
    .where(({ eb, refTuple, selectFrom }) =>
      eb(
        refTuple('subject', 'factor'),
        'in',
        selectFrom('attempts')
          .select(['subject', 'factor'])
          .where('last_at', '<', p.before)
          .limit(p.limit)
          .$asTuple('subject', 'factor'),
      ),
    )
    .returning('subject'),
);

/** Removes up to `limit` counters without a try since the given instant, and says how many. */
export async function removeOldAttempts(db: Database, before: number, limit: number): Promise<number> {
  return (await db.run(deleteOld, { before, limit })).length;
}
