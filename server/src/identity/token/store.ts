// The one_time_tokens table: secrets that may be spent once. One row per user and kind, so a newer request voids the
// older by taking its place.
import type { Database } from '../../db/database.ts';
import { statementsFor } from '../../db/statement.ts';
import type { NewToken, TokenParts } from '../../kit/secret.ts';
import type { TokenTables } from './schema.ts';
import type { UserTables } from '../../user/schema.ts';

/** The tables of the statements below. */
type Tables = TokenTables & UserTables;
const { statement } = statementsFor<Tables>();

type TokenRow = Pick<NewToken, 'id' | 'secretHash'> & {
  userId: number;
  kind: string;
  now: number;
  expiresAt: number;
  target: string | null;
  codeMac: string | null;
  codeExpiresAt: number | null;
  requestMac: string | null;
};

/** What a token proves or restores, and its code, are not in each. */
type NewOneTimeToken = Omit<TokenRow, Optional> & Partial<Pick<TokenRow, Optional>>;
type Optional = 'target' | 'codeMac' | 'codeExpiresAt' | 'requestMac';

const upsertToken = statement((sql, p: TokenRow) =>
  sql
    .insertInto('one_time_tokens')
    .columns([
      'id',
      'user_id',
      'kind',
      'secret_hash',
      'created_at',
      'expires_at',
      'target',
      'code_mac',
      'code_expires_at',
      'request_mac',
    ])
    .expression((from) =>
      from
        .selectFrom('users')
        .select(({ val }) => [
          val(p.id).as('id'),
          'users.id as user_id',
          val(p.kind).as('kind'),
          val(p.secretHash).as('secret_hash'),
          val(p.now).as('created_at'),
          val(p.expiresAt).as('expires_at'),
          val(p.target).as('target'),
          val(p.codeMac).as('code_mac'),
          val(p.codeExpiresAt).as('code_expires_at'),
          val(p.requestMac).as('request_mac'),
        ])
        .where('users.id', '=', p.userId),
    )
    .onConflict((conflict) =>
      conflict.columns(['user_id', 'kind']).doUpdateSet((row) => ({
        id: row.ref('excluded.id'),
        secret_hash: row.ref('excluded.secret_hash'),
        created_at: row.ref('excluded.created_at'),
        expires_at: row.ref('excluded.expires_at'),
        spent_at: row.ref('excluded.spent_at'),
        target: row.ref('excluded.target'),
        code_mac: row.ref('excluded.code_mac'),
        code_expires_at: row.ref('excluded.code_expires_at'),
        request_mac: row.ref('excluded.request_mac'),
        // Whoever asks for code after code gets no more tries by it, until one of them was right.
        code_tries: row
          .case()
          .when('one_time_tokens.spent_at', 'is', null)
          .then(row.ref('one_time_tokens.code_tries'))
          .else(0)
          .end(),
      })),
    ),
);

/** Adds a token in the place of the user's older one of that kind; none for nobody. */
export async function replaceToken(db: Database, token: NewOneTimeToken): Promise<void> {
  await db.run(upsertToken, { target: null, codeMac: null, codeExpiresAt: null, requestMac: null, ...token });
}

/** A token's row as far as it is told: whose it is, and whether it can be spent. */
export interface TokenState {
  readonly user_id: number;
  readonly created_at: number;
  readonly spent_at: number | null;
  readonly expires_at: number;
  readonly target: string | null;
  readonly request_mac: string | null;
}

const selectToken = statement((sql, p: TokenParts & { kind: string }) =>
  sql
    .selectFrom('one_time_tokens')
    .select(['user_id', 'created_at', 'spent_at', 'expires_at', 'target', 'request_mac'])
    .where('id', '=', p.id)
    .where('kind', '=', p.kind)
    .where('secret_hash', '=', p.secretHash),
);

/** A token's state. It may be spent a moment later: only `consumeToken` decides. */
export function findToken(db: Database, parts: TokenParts, kind: string): Promise<TokenState | undefined> {
  return db.first(selectToken, { ...parts, kind });
}

/** Codes that may be tried in all, whichever of them is the newest. */
const maxCodeAttempts = 10;

/** The token whose code is tried. */
export interface AttemptedCode {
  readonly id: string;
  readonly secret_hash: Uint8Array;
  readonly created_at: number;
  readonly target: string | null;
  readonly code_mac: string | null;
}

const countCodeAttempt = statement((sql, p: { userId: number; kind: string; now: number }) =>
  sql
    .updateTable('one_time_tokens')
    .set((row) => ({ code_tries: row('code_tries', '+', 1) }))
    .where('user_id', '=', p.userId)
    .where('kind', '=', p.kind)
    .where('spent_at', 'is', null)
    .where('code_expires_at', '>', p.now)
    .where('code_tries', '<', maxCodeAttempts)
    .returning(['id', 'secret_hash', 'created_at', 'target', 'code_mac']),
);

/** Counts a try of a user's code and hands out what it is compared with; `undefined` when none may be tried. */
export function beginCodeAttempt(
  db: Database,
  userId: number,
  kind: string,
  now: number,
): Promise<AttemptedCode | undefined> {
  return db.first(countCodeAttempt, { userId, kind, now });
}

const consume = statement((sql, p: TokenParts & { kind: string; now: number }) =>
  sql
    .updateTable('one_time_tokens')
    .set({ spent_at: p.now })
    .where('id', '=', p.id)
    .where('kind', '=', p.kind)
    .where('secret_hash', '=', p.secretHash)
    .where('spent_at', 'is', null)
    .where('expires_at', '>', p.now)
    .returning('user_id'),
);

/** Spends a live token, once and atomically, and says whose it was. */
export async function consumeToken(
  db: Database,
  parts: TokenParts,
  kind: string,
  now: number,
): Promise<number | undefined> {
  return (await db.first(consume, { ...parts, kind, now }))?.user_id;
}

const deleteById = statement((sql, p: { id: string }) =>
  sql.deleteFrom('one_time_tokens').where('id', '=', p.id),
);

/** Removes a token. */
export async function removeToken(db: Database, id: string): Promise<void> {
  await db.run(deleteById, { id });
}

const deleteUnused = statement((sql, p: { userId: number }) =>
  sql
    .deleteFrom('one_time_tokens')
    .where('user_id', '=', p.userId)
    .where('spent_at', 'is', null)
    .where('kind', 'not in', ['email_undo', 'factor_undo']),
);

/**
 * Voids the pending tokens of a user. A spent one stays, so that its reuse is noticed, and so does the undoing of a
 * change of address or of a first factor: whoever took an account over by that would else void it by another password,
 * and so would its owner.
 */
export async function removePendingTokensOf(db: Database, userId: number): Promise<void> {
  await db.run(deleteUnused, { userId });
}

const selectPending = statement((sql, p: { userId: number; kind: string; now: number }) =>
  sql
    .selectFrom('one_time_tokens')
    .select('request_mac')
    .where('user_id', '=', p.userId)
    .where('kind', '=', p.kind)
    .where('spent_at', 'is', null)
    .where('expires_at', '>', p.now),
);

/** The user's live token of the kind, as far as it is told: who asked for it. */
export function findPendingToken(
  db: Database,
  userId: number,
  kind: string,
  now: number,
): Promise<{ request_mac: string | null } | undefined> {
  return db.first(selectPending, { userId, kind, now });
}

/** A token without its secret, for its owner. */
export interface TokenSummary {
  readonly kind: string;
  readonly target: string | null;
  readonly created_at: number;
  readonly expires_at: number;
}

const selectLive = statement((sql, p: { userId: number; now: number }) =>
  sql
    .selectFrom('one_time_tokens')
    .select(['kind', 'target', 'created_at', 'expires_at'])
    .where('user_id', '=', p.userId)
    .where('spent_at', 'is', null)
    .where('expires_at', '>', p.now)
    .orderBy('kind'),
);

/** The tokens of a user that can be spent. */
export function listPendingTokens(db: Database, userId: number, now: number): Promise<TokenSummary[]> {
  return db.run(selectLive, { userId, now });
}

const deleteExpired = statement((sql, p: { now: number; limit: number }) =>
  sql
    .deleteFrom('one_time_tokens')
    .where('id', 'in', (nested) =>
      nested.selectFrom('one_time_tokens').select('id').where('expires_at', '<=', p.now).limit(p.limit),
    )
    .returning('id'),
);

/** Removes up to `limit` expired tokens, spent or not, and says how many. */
export async function removeExpiredTokens(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}
