// Interprets errors of PostgreSQL: for the caller, for the connection, and whether the same work may run again. The codes
// are SQLSTATEs (PostgreSQL, appendix A).
import pg from 'pg';
import { Problem } from '../../kit/problem.ts';
import { DatabaseRefused, ReferenceViolation, UniqueViolation } from '../database.ts';
import { readOnlyRemedy } from '../problem.ts';

const uniqueViolation = '23505';
const referenceViolation = '23503';
/** A statement on a table of another role, in a schema without the right to create, and the like. */
const insufficientPrivilege = '42501';
/** A change in a read-only transaction: the server is a standby, or was made read-only. */
const readOnlyTransaction = '25006';
/** A prepared statement was discarded, or exists already: another client's connection, given to us by a pooler. */
const foreignStatement = new Set(['26000', '42P05']);
/** A prepared statement whose result has other columns since another instance migrated ("cached plan must not change"). */
const staleStatement = '0A000';

/** Classes of temporary faults: connection, resources, operator intervention, system, transaction rollback. */
const temporaryClasses = new Set(['08', '53', '57', '58', '40', '25']);
/** Answers after which the connection is discarded, by code or class. */
const discardingCodes = new Set([readOnlyTransaction, staleStatement, ...foreignStatement, '25P03', '25P04']);
const discardingClasses = new Set(['08', '58']);
const discardingSubclass = '57P'; // the server shuts down, crashed, starts, or ended this connection

/**
 * Answers after which nothing was committed, and another run on another connection can succeed: serialization failure,
 * deadlock, and what concerns only this connection.
 */
const repeatableCodes = new Set(['40001', '40P01', readOnlyTransaction, staleStatement, '26000']);

/** Returns the SQLSTATE that the server answered; `undefined` if the error is another one. */
function answerOf(error: unknown): string | undefined {
  if (error instanceof pg.DatabaseError) return error.code;
  return error instanceof Error && error.cause instanceof pg.DatabaseError ? error.cause.code : undefined;
}

/** Returns whether the connection may be used after this error of a statement. */
export function leavesConnection(error: unknown): boolean {
  const code = answerOf(error);
  return (
    code !== undefined &&
    !discardingCodes.has(code) &&
    !discardingClasses.has(code.slice(0, 2)) &&
    !code.startsWith(discardingSubclass)
  );
}

/** Returns whether the work may run a second time: the server answered that nothing of it was done. */
export function mayRunAgain(error: unknown): boolean {
  return repeatableCodes.has(answerOf(error) ?? '');
}

/** Returns whether another server may be reached instead: this one does not respond, starts, or has no connection left. */
export function isOfServer(error: unknown): boolean {
  const code = answerOf(error);
  return code === undefined || /^(?:08|53|57P)/.test(code);
}

/**
 * Returns the error for the caller: a problem for a temporary fault, `UniqueViolation`, `ReferenceViolation`,
 * `DatabaseRefused` for a missing right, or the error itself.
 */
export function toError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Problem) return error;
  const code = answerOf(error);
  const details = { cause: error, retryAfterSeconds: 2 };
  if (code === uniqueViolation) return new UniqueViolation(error.message, { cause: error });
  if (code === referenceViolation) return new ReferenceViolation(error.message, { cause: error });
  if (code === insufficientPrivilege)
    return new DatabaseRefused(
      `PostgreSQL: ${error.message}. The user in DATABASE_URL must own the database and the tables of the service in it.`,
      { cause: error },
    );
  if (code === readOnlyTransaction)
    return new Problem('database_read_only', {
      ...details,
      message: `PostgreSQL: ${error.message}. ${readOnlyRemedy}`,
    });
  if (code !== undefined && foreignStatement.has(code))
    return new Problem('unavailable', {
      ...details,
      message: `PostgreSQL: ${error.message}. A pooler in transaction mode is in between: set DATABASE_POOLER=transaction`,
    });
  if (code === undefined || temporaryClasses.has(code.slice(0, 2)))
    return new Problem('unavailable', { ...details, message: `PostgreSQL: ${error.message}` });
  return error;
}
