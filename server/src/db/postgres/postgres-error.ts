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

const tooManyConnections = '53300';
/** Code of everything that a pooler answers to a new connection, where PostgreSQL has codes of their own. */
const protocolViolation = '08P01';
/** Answers of PgBouncer that waiting does not change. */
const lastingAnswers =
  /authentication failed|does not exist|no such (?:database|user)|startup parameter|login rejected|SSL required|not allowed/;

const checkAddress = 'Check host and port in DATABASE_URL, and whether the server runs';
const trustAuthority =
  'Set sslrootcert in DATABASE_URL to the PEM file of the authority that issued the certificate of the server';

/** What to do about a server that cannot be connected to, by the code or the message of the error. */
const remedies: readonly (readonly [when: RegExp, remedy: string])[] = [
  [/^(?:ECONNREFUSED|ENOENT connect)\b/, checkAddress],
  [
    /^(?:ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)\b|due to connection timeout/,
    `${checkAddress} and is not behind a firewall`,
  ],
  [/^(?:ENOTFOUND|EAI_AGAIN)\b/, 'Check the host in DATABASE_URL, and the name resolution of this machine'],
  [/^(?:ENOENT|EACCES|EISDIR) /, 'Correct sslrootcert, sslcert or sslkey in DATABASE_URL'],
  [
    /does not support SSL/,
    'Turn on ssl in its postgresql.conf, or write sslmode=disable if you trust the network',
  ],
  [/^ERR_TLS_CERT_ALTNAME_INVALID\b/, 'Write a host that its certificate names into DATABASE_URL'],
  [/^CERT_(?:HAS_EXPIRED|NOT_YET_VALID)\b/, 'Renew the certificate of the server, and check the clock'],
  [/^(?:\w*SELF_SIGNED_CERT\w*|UNABLE_TO_(?:VERIFY|GET_ISSUER)\w*)\b/, trustAuthority],
  [
    new RegExp(`^${tooManyConnections}\\b`),
    'Lower DATABASE_CONNECTIONS, or raise the limit: max_connections of the server, or the connection limit of the role or the database',
  ],
];

/** Returns the message of an error of the driver, and what to do about it. */
function explained({ message, code = '' }: Error & { readonly code?: string }): string {
  const remedy = remedies.find(([when]) => when.test(`${code} ${message}`))?.[1];
  // Node.js recommends one of its own options, which this service has no use for.
  const says = message.replace(/; if the root CA is installed locally, .*/, '');
  return `PostgreSQL: ${says}${remedy === undefined ? '' : `. ${remedy}`}`;
}

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
    return new Problem('unavailable', { ...details, message: explained(error) });
  return error;
}

/**
 * Returns the sentence about an answer with which PostgreSQL or a pooler rejects a connection, and which waiting does not
 * change: a wrong password, a missing database, a wrong option. `undefined` for any other error.
 */
export function rejectionOf(error: unknown): string | undefined {
  const answer = error instanceof Problem ? error.cause : error;
  if (!(answer instanceof pg.DatabaseError)) return undefined;
  const { code = '', message } = answer;
  const isLasting =
    code === insufficientPrivilege ||
    (code === protocolViolation ? lastingAnswers.test(message) : !(toError(answer) instanceof Problem));
  if (!isLasting) return undefined;
  const [, parameter] = /unsupported startup parameter: (\w+)/.exec(message) ?? [];
  const remedy =
    parameter === undefined
      ? 'Check user, password, database and options in DATABASE_URL.'
      : `A pooler takes no such parameter: remove ${parameter} from DATABASE_URL, and run: alter role … set ${parameter === 'options' ? 'search_path' : parameter} = …, in place of it.`;
  return `PostgreSQL rejects the connection: ${message}. ${remedy}`;
}

/**
 * Returns the error of a failed connection for the caller. A connection that is rejected while the service runs is a
 * problem too, for example after a change of the password: the remedy is the operator's, and the service recovers.
 */
export function toConnectionError(error: unknown): unknown {
  const message = rejectionOf(error);
  if (message === undefined) return toError(error);
  return new Problem('unavailable', { message, cause: error, retryAfterSeconds: 2 });
}
