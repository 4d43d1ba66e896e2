// The tables oidc_sessions and oidc_session_clients: how clients see a session.
import { ReferenceViolation, type Database, type Sql } from '../../../db/database.ts';
import { statementsFor } from '../../../db/statement.ts';
import type { GrantTables } from './schema.ts';

const { statement } = statementsFor<GrantTables>();

const insertSession = statement((sql, p: { uid: string; sessionId: string; now: number }) =>
  sql
    .insertInto('oidc_sessions')
    .values({ uid: p.uid, session_id: p.sessionId, created_at: p.now })
    .onConflict((conflict) => conflict.doNothing()),
);
const selectUid = statement((sql, p: { sessionId: string }) =>
  sql.selectFrom('oidc_sessions').select('uid').where('session_id', '=', p.sessionId),
);

/** Returns the uid of a session, and gives it one if it has none. Of concurrent calls all return the same. */
export async function uidOfSession(
  db: Database,
  session: { readonly uid: string; readonly sessionId: string; readonly now: number },
): Promise<string | undefined> {
  const found = await db.first(selectUid, session);
  if (found !== undefined) return found.uid;
  await db.run(insertSession, session);
  return (await db.first(selectUid, session))?.uid;
}

/** Returns the uid of a session; `undefined` if no request of a client has reached it. */
export async function findUid(db: Database, sessionId: string): Promise<string | undefined> {
  return (await db.first(selectUid, { sessionId }))?.uid;
}

/** A client that a session uses. */
export interface SessionClient {
  readonly clientId: string;
  readonly sid: string;
  readonly grantId: string | null;
}

const selectByUid = statement((sql, p: { uid: string }) =>
  sql
    .selectFrom('oidc_sessions')
    .leftJoin('oidc_session_clients', 'oidc_session_clients.uid', 'oidc_sessions.uid')
    .select([
      'oidc_sessions.session_id as sessionId',
      'oidc_session_clients.client_id as clientId',
      'oidc_session_clients.sid as sid',
      'oidc_session_clients.grant_id as grantId',
    ])
    .where('oidc_sessions.uid', '=', p.uid),
);

/** Returns the handle of the session with this uid, and the clients that it uses; `undefined` if it has ended. */
export async function findSessionByUid(
  db: Database,
  uid: string,
): Promise<{ readonly sessionId: string; readonly clients: readonly SessionClient[] } | undefined> {
  const rows = await db.run(selectByUid, { uid });
  const [first] = rows;
  if (first === undefined) return undefined;
  const clients = rows.flatMap(({ clientId, sid, grantId }) =>
    clientId === null || sid === null ? [] : [{ clientId, sid, grantId }],
  );
  return { sessionId: first.sessionId, clients };
}

const upsertClient = statement(
  (sql, p: { uid: string; clientId: string; sid: string; grantId: string | null }) =>
    sql
      .insertInto('oidc_session_clients')
      .values({ uid: p.uid, client_id: p.clientId, sid: p.sid, grant_id: p.grantId })
      .onConflict((conflict) => conflict.columns(['uid', 'client_id']).doUpdateSet({ grant_id: p.grantId })),
);

/** Stores that a session uses a client, with this grant. */
export async function saveSessionClient(
  db: Database,
  client: {
    readonly uid: string;
    readonly clientId: string;
    readonly sid: string;
    readonly grantId: string | null;
  },
): Promise<void> {
  await db.run(upsertClient, client);
}

const selectToHold = statement((sql, p: { uid: string }) =>
  sql.selectFrom('oidc_sessions').select('uid').where('uid', '=', p.uid).forKeyShare(),
);

/**
 * Keeps a session from ending until the transaction has ended. What writes grants and tokens of a session calls it
 * first: the end of a session locks it before its grants and tokens, and transactions with another order would
 * deadlock.
 * @throws {ReferenceViolation} if it has ended: a grant that outlives its session does not refer to it.
 */
export async function holdSession(tx: Database, uid: string): Promise<void> {
  if ((await tx.first(selectToHold, { uid })) === undefined)
    throw new ReferenceViolation('The session has ended');
}

/** A session that uses a client, as the logout of the client needs it. */
export interface SignedInClient {
  readonly sessionId: string;
  readonly clientId: string;
  readonly sid: string;
  readonly grantId: string | null;
}

/**
 * Lists the clients that sessions use. It locks the sessions first, so that no request adds a client to them until the
 * transaction ends.
 */
export async function clientsOfSessions(
  tx: Database,
  sessionIds: readonly string[],
): Promise<SignedInClient[]> {
  if (sessionIds.length === 0) return [];
  const locked = await tx.query((sql: Sql<GrantTables>) =>
    sql.selectFrom('oidc_sessions').select('uid').where('session_id', 'in', sessionIds).forUpdate(),
  );
  if (locked.length === 0) return [];
  return tx.query((sql: Sql<GrantTables>) =>
    sql
      .selectFrom('oidc_sessions')
      .innerJoin('oidc_session_clients', 'oidc_session_clients.uid', 'oidc_sessions.uid')
      .select([
        'oidc_sessions.session_id as sessionId',
        'oidc_session_clients.client_id as clientId',
        'oidc_session_clients.sid as sid',
        'oidc_session_clients.grant_id as grantId',
      ])
      .where('oidc_sessions.session_id', 'in', sessionIds),
  );
}

/** Ends the use of clients under grants, and returns what has ended. Locks the sessions, as their end does. */
export async function endUses(
  tx: Database,
  grantIds: readonly string[],
): Promise<{ readonly clientId: string; readonly sid: string }[]> {
  if (grantIds.length === 0) return [];
  const used = await tx.query((sql: Sql<GrantTables>) =>
    sql.selectFrom('oidc_session_clients').select('uid').where('grant_id', 'in', grantIds),
  );
  if (used.length === 0) return [];
  const uids = used.map(({ uid }) => uid);
  await tx.query((sql: Sql<GrantTables>) =>
    sql.selectFrom('oidc_sessions').select('uid').where('uid', 'in', uids).orderBy('uid').forUpdate(),
  );
  return tx.query((sql: Sql<GrantTables>) =>
    sql
      .deleteFrom('oidc_session_clients')
      .where('grant_id', 'in', grantIds)
      .returning(['client_id as clientId', 'sid']),
  );
}
