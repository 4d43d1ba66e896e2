// The table `attempts`: consecutive attempts per subject and factor, counted before they are verified.
import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { Database, Sql, Statement } from '../../db/database.ts';
import { statementsFor } from '../../db/statement.ts';
import type { AttemptTables } from './schema.ts';

const { statement } = statementsFor<AttemptTables>();

/** A counter: the attempts of one factor on one subject. */
export interface AttemptKey {
  readonly subject: string;
  readonly factor: string;
}

/** Consecutive attempts from which on each must wait. */
export const freeAttempts = 5;
/** Wait of each further attempt. */
const waitsMs: readonly number[] = [1, 2, 4, 8, 15, 30, 60, 120, 240, 480, 900].map(
  (seconds) => seconds * 1000,
);
const longestWaitMs = 900_000;
/** Consecutive attempts after which the factor is blocked (NIST SP 800-63B-4 §3.2.2). */
export const maxAttempts = 100;

/**
 * Decides in the WHERE: counts the attempt if it is allowed, otherwise returns no row. So only the allowed number of
 * concurrent attempts is verified.
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
          // The first attempts set no instant: clocks of instances differ, so the later of two concurrent ones may
          // arrive first.
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

/** Counts an attempt and returns the number of consecutive ones; `undefined` if it is not allowed now. */
export async function addAttempt(tx: Database, key: AttemptKey, now: number): Promise<number | undefined> {
  return (await tx.first(countAttempt, { ...key, now }))?.failures;
}

/** As `addAttempt`, in a commit of its own that does not wait for the disk. */
export async function noteAttempt(db: Database, key: AttemptKey, now: number): Promise<number | undefined> {
  return (await db.note(countAttempt, { ...key, now }))?.failures;
}

const selectAttempts = statement((sql, p: AttemptKey) =>
  sql
    .selectFrom('attempts')
    .select(['failures', 'next_at'])
    .where('subject', '=', p.subject)
    .where('factor', '=', p.factor),
);

/** Returns a counter; `undefined` without attempts. `next_at`: the next attempt is allowed from this instant on. */
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

/** Uncounts an attempt that was not verified. */
export async function removeAttempt(db: Database, key: AttemptKey, now: number): Promise<void> {
  await db.run(uncountAttempt, { ...key, now });
}

const deleteAttempts = statement((sql, p: AttemptKey) =>
  sql.deleteFrom('attempts').where('subject', '=', p.subject).where('factor', '=', p.factor),
);

/** Resets the counter of a factor: after a success, or when the factor is replaced. */
export async function removeAttempts(db: Database, key: AttemptKey): Promise<void> {
  await db.run(deleteAttempts, key);
}

const deleteAttemptsOf = statement((sql, p: { subject: string }) =>
  sql.deleteFrom('attempts').where('subject', '=', p.subject).returning('factor'),
);

/** Removes the counters of all factors of a subject and returns their number. */
export async function removeAttemptsOf(db: Database, subject: string): Promise<number> {
  return (await db.run(deleteAttemptsOf, { subject })).length;
}

/** A counter of a subject. */
export interface AttemptCount extends AttemptKey {
  readonly failures: number;
  readonly last_at: number;
  readonly next_at: number;
}

/** Lists the counters of the subjects. */
export function listAttemptsOf(db: Database, subjects: readonly string[]): Promise<AttemptCount[]> {
  return db.query((sql: Sql<AttemptTables>) =>
    sql
      .selectFrom('attempts')
      .select(['subject', 'factor', 'failures', 'last_at', 'next_at'])
      .where('subject', 'in', subjects)
      .orderBy('subject')
      .orderBy('factor'),
  );
}

interface OldAttempts {
  /** Without an attempt since this instant. */
  readonly before: number;
  readonly limit: number;
}

/** Declares the removal of counters with few or with many failures; each has an index with this condition. */
function removalOf(
  operator: '<' | '>=',
  factors?: readonly string[],
): Statement<OldAttempts, { subject: string }> {
  return statement((sql, p: OldAttempts) => {
    const isOld = ({ eb, and }: ExpressionBuilder<AttemptTables, 'attempts'>): Expression<SqlBool> =>
      and([
        eb('last_at', '<', p.before),
        eb('failures', operator, eb.lit(freeAttempts)),
        ...(factors === undefined ? [] : [eb('factor', 'in', factors)]),
      ]);
    return sql
      .deleteFrom('attempts')
      .where('subject', 'in', (nested) =>
        nested.selectFrom('attempts').select('subject').where(isOld).limit(p.limit),
      )
      .where(isOld)
      .returning('subject');
  });
}

/** Factors that can be attempted on any address, with or without an account. */
const openFactors = ['password', 'email_code'];
const removals = {
  /** Counters of attempts on any address that are still free. */
  free: [removalOf('<', openFactors)],
  all: [removalOf('<'), removalOf('>=')],
} as const;

/**
 * Removes the counters without an attempt since the given instant of up to `limit` subjects, and returns how many: a
 * subject has one for each factor.
 */
export async function removeOldAttempts(
  db: Database,
  which: keyof typeof removals,
  { before, limit }: OldAttempts,
): Promise<number> {
  let removed = 0;
  for (const removal of removals[which])
    removed += (await db.run(removal, { before, limit: Math.max(0, limit - removed) })).length;
  return removed;
}
