// The only statements that delete rows of `sessions`. Call them through `endSessions`, which runs the contributions of
// modules.
import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { Database, Sql, Statement } from '../../db/database.ts';
import { statementsFor } from '../../db/statement.ts';
import type { EndedSession } from '../contribution.ts';
import type { SessionTables } from './schema.ts';

const { statement } = statementsFor<SessionTables>();

/** Sessions that end together. Both functions run inside a transaction. */
export interface SessionSet {
  /** Locks the sessions of the set until the transaction ends and returns them. */
  lock(tx: Database): Promise<EndedSession[]>;
  /** Removes the sessions of the set and returns them. */
  remove(tx: Database): Promise<EndedSession[]>;
}

type Sessions = ExpressionBuilder<SessionTables, 'sessions'>;

const columns = ['id', 'user_id as userId'] as const;

function setOf<P extends object>(
  parameters: P,
  { lock, remove }: { lock: Statement<P, EndedSession>; remove: Statement<P, EndedSession> },
): SessionSet {
  return { lock: (tx) => tx.run(lock, parameters), remove: (tx) => tx.run(remove, parameters) };
}

/**
 * Statements of a set. The sessions of one user are locked in the order of their age: transactions that end the same ones
 * wait for each other. A set of one session has no order, which would be a step of its plan.
 */
function statementsOf<P extends object>(
  matches: (sessions: Sessions, p: P) => Expression<SqlBool>,
  size: 'one' | 'many',
): { lock: Statement<P, EndedSession>; remove: Statement<P, EndedSession> } {
  return {
    lock: statement((sql, p: P) => {
      const set = sql
        .selectFrom('sessions')
        .select(columns)
        .where((sessions) => matches(sessions, p))
        .forUpdate();
      return size === 'one' ? set : set.orderBy('created_at').orderBy('id');
    }),
    remove: statement((sql, p: P) =>
      sql
        .deleteFrom('sessions')
        .where((sessions) => matches(sessions, p))
        .returning(columns),
    ),
  };
}

const one = statementsOf<{ id: string }>((sessions, p) => sessions('id', '=', p.id), 'one');

/** The session with this handle. */
export function oneSession(id: string): SessionSet {
  return setOf({ id }, one);
}

const own = statementsOf<{ id: string; userId: number }>(
  (sessions, p) => sessions.and([sessions('id', '=', p.id), sessions('user_id', '=', p.userId)]),
  'one',
);

/** The session of the user with this handle. */
export function ownSession(userId: number, id: string): SessionSet {
  return setOf({ userId, id }, own);
}

const ofUser = statementsOf<{ userId: number }>((sessions, p) => sessions('user_id', '=', p.userId), 'many');

/** All sessions of a user. */
export function sessionsOfUser(userId: number): SessionSet {
  return setOf({ userId }, ofUser);
}

const others = statementsOf<{ userId: number; kept: string }>(
  (sessions, p) => sessions.and([sessions('user_id', '=', p.userId), sessions('id', '<>', p.kept)]),
  'many',
);

/** All sessions of a user except one. */
export function otherSessions(userId: number, kept: string): SessionSet {
  return setOf({ userId, kept }, others);
}

const beyond = statementsOf<{ userId: number; newest: string; others: number }>(
  (sessions, p) =>
    sessions.and([
      sessions('user_id', '=', p.userId),
      sessions('id', '<>', p.newest),
      sessions(
        'id',
        'not in',
        sessions
          .selectFrom('sessions')
          .select('id')
          .where('user_id', '=', p.userId)
          .where('id', '<>', p.newest)
          .orderBy('created_at', 'desc')
          .orderBy('id', 'desc')
          .limit(p.others),
      ),
    ]),
  'many',
);

/** The oldest sessions of a user beyond the given number. Never the one named `newest`, even if the clock was set back. */
export function sessionsBeyond(userId: number, newest: string, kept: number): SessionSet {
  return setOf({ userId, newest, others: kept - 1 }, beyond);
}

/** Sessions whose instant in a column has passed; at most `limit` of them. */
function passed(column: 'expires_at' | 'last_seen_at'): {
  lock: Statement<{ until: number; limit: number }, EndedSession>;
  remove: Statement<{ until: number; limit: number }, EndedSession>;
} {
  return {
    lock: statement((sql, p: { until: number; limit: number }) =>
      sql
        .selectFrom('sessions')
        .select(columns)
        .where(column, '<=', p.until)
        .limit(p.limit)
        .forUpdate()
        // Another transaction is ending or using it. A purge never waits, so that it cannot deadlock.
        .skipLocked(),
    ),
    remove: statement((sql, p: { until: number; limit: number }) =>
      sql
        .deleteFrom('sessions')
        .where('id', 'in', (nested) =>
          nested.selectFrom('sessions').select('id').where(column, '<=', p.until).limit(p.limit),
        )
        // Decided again on the row itself: the session may be used while this statement waits for it.
        .where(column, '<=', p.until)
        .returning(columns),
    ),
  };
}

const expired = passed('expires_at');

/** Up to `limit` sessions that have reached their maximum age. */
export function expiredSessions(now: number, limit: number): SessionSet {
  return setOf({ until: now, limit }, expired);
}

const idle = passed('last_seen_at');

/** Up to `limit` sessions without a request since the given instant. */
export function idleSessions(since: number, limit: number): SessionSet {
  return setOf({ until: since, limit }, idle);
}

/** Removes sessions that were locked. */
export async function removeLocked(tx: Database, sessions: readonly EndedSession[]): Promise<void> {
  const ids = sessions.map(({ id }) => id);
  await tx.query((sql: Sql<SessionTables>) => sql.deleteFrom('sessions').where('id', 'in', ids));
}
