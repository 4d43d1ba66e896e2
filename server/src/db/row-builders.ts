// Builds statements that several stores share: inserting a row of an existing user, removing the oldest rows of a user,
// and removing expired rows.
import type { Insertable, InsertQueryBuilder, InsertResult, SelectQueryBuilder } from 'kysely';
import type { Sql, Statement } from './database.ts';
import { statementsFor } from './statement.ts';

/** The columns of users that are used here. */
interface UserReference {
  users: { id: number; password_changed_at: number; disabled_at: number | null; delete_at: number | null };
}

/** A table whose rows belong to users and expire. A table need not have all of these columns. */
type AnyTables = Record<
  string,
  { id: string; user_id: number; created_at: number; expires_at: number } & Record<string, unknown>
>;

interface RowForUser<Row> {
  readonly userId: number;
  readonly values: Omit<Insertable<Row>, 'user_id'>;
  /**
   * If set, the row is added only if the user's password is still the one that was verified and the user is not disabled.
   * The statement waits for an uncommitted change of the password and then checks again.
   */
  readonly passwordChangedAt?: number;
  /** With `passwordChangedAt`: also a user whose account is closed and removed after this instant. */
  readonly closedAfter?: number;
  readonly isUnowned?: true; // the table has no column `user_id`
}

/** Builds the insert of a row that belongs to a user. It adds nothing if no user has the id. */
export function insertForUser<Tables, Table extends keyof Tables & string>(
  sql: Sql<Tables>,
  table: Table,
  { userId, values, passwordChangedAt, closedAfter, isUnowned }: RowForUser<Tables[Table]>,
): InsertQueryBuilder<Tables, Table, InsertResult> {
  const columns = Object.entries(values); // their type checks the names, which here are those of any table
  const untyped = sql as unknown as Sql<AnyTables & UserReference>;
  const query = untyped
    .insertInto<string>(table)
    .columns([...(isUnowned ? [] : ['user_id']), ...columns.map(([name]) => name)])
    .expression((from) => {
      const row = from
        .selectFrom('users')
        .select((users) => [
          ...(isUnowned ? [] : (['users.id as user_id'] as const)),
          ...columns.map(([name, value]) => users.val(value).as(name)),
        ])
        .where('users.id', '=', userId);
      return passwordChangedAt === undefined ? row : unchanged(row, passwordChangedAt, closedAfter);
    });
  return query as unknown as InsertQueryBuilder<Tables, Table, InsertResult>;
}

type Users<Row> = SelectQueryBuilder<AnyTables & UserReference, 'users', Row>;

function unchanged<Row>(
  users: Users<Row>,
  passwordChangedAt: number,
  closedAfter: number | undefined,
): Users<Row> {
  return users
    .where('users.password_changed_at', '=', passwordChangedAt)
    .where((row) => {
      const isEnabled = row('users.disabled_at', 'is', null);
      return closedAfter === undefined
        ? isEnabled
        : row.or([isEnabled, row('users.delete_at', '>', closedAfter)]);
    })
    .forNoKeyUpdate();
}

const { statement } = statementsFor<AnyTables>();

/**
 * Declares a statement that keeps the row `newest` and the `others` newest rows of a user, and removes all older ones.
 * The newest row is passed by id, because a clock may be set back.
 */
export function removeOldest(
  table: string,
): Statement<{ userId: number; newest: string; others: number }, unknown> {
  return statement((sql, p: { userId: number; newest: string; others: number }) =>
    sql
      .deleteFrom(table)
      .where('user_id', '=', p.userId)
      .where('id', '<>', p.newest)
      .where('id', 'not in', (nested) =>
        nested
          .selectFrom(table)
          .select('id')
          .where('user_id', '=', p.userId)
          .where('id', '<>', p.newest)
          .orderBy('created_at', 'desc')
          .orderBy('id', 'desc')
          .limit(p.others),
      ),
  );
}

/** Declares a statement that removes up to `limit` rows whose `expires_at` has passed and returns their ids. */
export function removeExpired(table: string): Statement<{ now: number; limit: number }, { id: string }> {
  return statement((sql, p: { now: number; limit: number }) =>
    sql
      .deleteFrom(table)
      .where('id', 'in', (nested) =>
        nested.selectFrom(table).select('id').where('expires_at', '<=', p.now).limit(p.limit),
      )
      .returning('id'),
  );
}
