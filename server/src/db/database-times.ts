// How long the service waits for its database.

/** Limits in milliseconds. For those of statements and queries, 0 means no limit. */
export interface DatabaseTimes {
  /** PostgreSQL: limit of the server for a statement, which includes its waits for locks, and for an idle transaction. */
  readonly statementMs: number;
  /** PostgreSQL: limit of the client, for a server that does not respond, and for statements without a limit of the server. */
  readonly queryMs: number;
  /** PostgreSQL: limit for opening a connection, and for waiting until one is free. */
  readonly connectMs: number;
  /** PostgreSQL: limit for opening a connection if there are other servers to try. */
  readonly connectToOneOfManyMs: number;
  /** SQLite: how long a write waits for another process that locks the file, such as a command of the operator. */
  readonly lockMs: number;
}

/** The limits of the service. No statement of it takes as long. */
export const serviceTimes: DatabaseTimes = {
  statementMs: 3000,
  queryMs: 3500,
  connectMs: 3000,
  connectToOneOfManyMs: 1000,
  lockMs: 5000,
};

/** The limits of migrations, whose statements wait for each other, and may move much data. */
export function migrationTimes(times: DatabaseTimes = serviceTimes): DatabaseTimes {
  return { ...times, statementMs: 0, queryMs: 0 };
}
