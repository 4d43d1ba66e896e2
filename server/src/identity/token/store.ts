// Statements of the table `one_time_tokens`. A user has a few rows of a kind: three that can be consumed, and a consumed
// one, to notice its reuse.
import type { Database } from '../../db/database.ts';
import { insertForUser, removeExpired } from '../../db/row-builders.ts';
import { statementsFor } from '../../db/statement.ts';
import type { NewToken, TokenParts } from '../../kit/secret.ts';
import { extendProvision, provisionalMs } from '../../user/provisional-store.ts';
import type { TokenTables } from './schema.ts';

const { statement } = statementsFor<TokenTables>();

type TokenRow = Pick<NewToken, 'id' | 'secretHash'> & {
  userId: number;
  kind: string;
  now: number;
  expiresAt: number;
  target: string | null;
  codeMac: string | null;
  codeExpiresAt: number | null;
  codeTries: number;
};

/** A new row. Not every kind has a target or a code. */
type NewOneTimeToken = Omit<TokenRow, Optional> & Partial<Pick<TokenRow, Optional>>;
type Optional = 'target' | 'codeMac' | 'codeExpiresAt' | 'codeTries';

const insertToken = statement((sql, p: TokenRow) =>
  insertForUser(sql, 'one_time_tokens', {
    userId: p.userId,
    values: {
      id: p.id,
      kind: p.kind,
      secret_hash: p.secretHash,
      created_at: p.now,
      expires_at: p.expiresAt,
      target: p.target,
      code_mac: p.codeMac,
      code_expires_at: p.codeExpiresAt,
      code_tries: p.codeTries,
    },
  }),
);

/** Adds a token, and keeps a provisional account longer than the token. Adds nothing if no user has the id. */
export async function addToken(tx: Database, token: NewOneTimeToken): Promise<void> {
  await tx.run(insertToken, {
    target: null,
    codeMac: null,
    codeExpiresAt: null,
    codeTries: 0,
    ...token,
  });
  await extendProvision(tx, token.userId, Math.max(token.now + provisionalMs, token.expiresAt));
}

/** A row of a kind of a user, consumed, expired or neither. */
export interface StoredToken {
  readonly id: string;
  readonly expires_at: number;
  readonly spent_at: number | null;
  readonly code_tries: number;
}

const selectOfKind = statement((sql, p: { userId: number; kind: string }) =>
  sql
    .selectFrom('one_time_tokens')
    .select(['id', 'expires_at', 'spent_at', 'code_tries'])
    .where('user_id', '=', p.userId)
    .where('kind', '=', p.kind)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc'),
);

/** Lists the rows of a kind of a user, newest first. Inside a transaction that has locked the user. */
export function listTokensOfKind(tx: Database, userId: number, kind: string): Promise<StoredToken[]> {
  return tx.run(selectOfKind, { userId, kind });
}

const deleteOthers = statement(
  (sql, p: { userId: number; kind: string; first: string; second: string; third: string }) =>
    sql
      .deleteFrom('one_time_tokens')
      .where('user_id', '=', p.userId)
      .where('kind', '=', p.kind)
      .where('id', 'not in', [p.first, p.second, p.third]),
);

/** Removes the rows of a kind of a user, except up to three. */
export async function keepTokens(
  tx: Database,
  userId: number,
  kind: string,
  [first = '', second = '', third = '']: readonly string[],
): Promise<void> {
  await tx.run(deleteOthers, { userId, kind, first, second, third });
}

/** The user of a token, and whether it can be consumed. */
export interface TokenState {
  readonly user_id: number;
  readonly created_at: number;
  readonly spent_at: number | null;
  readonly expires_at: number;
  readonly target: string | null;
}

const selectToken = statement((sql, p: TokenParts & { kind: string }) =>
  sql
    .selectFrom('one_time_tokens')
    .select(['user_id', 'created_at', 'spent_at', 'expires_at', 'target'])
    .where('id', '=', p.id)
    .where('kind', '=', p.kind)
    .where('secret_hash', '=', p.secretHash),
);

/** Returns the state of a token. It may change at any time: only `consumeToken` decides. */
export function findToken(db: Database, parts: TokenParts, kind: string): Promise<TokenState | undefined> {
  return db.first(selectToken, { ...parts, kind });
}

/** Attempts at the codes of a user's tokens of a kind, however many codes were requested. */
const maxCodeAttempts = 10;

/** A token whose code is attempted. */
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

/**
 * Counts an attempt at the user's codes of a kind and returns what to compare it with: one row for each live code, none
 * if no attempt is left.
 */
export function beginCodeAttempt(
  db: Database,
  userId: number,
  kind: string,
  now: number,
): Promise<AttemptedCode[]> {
  return db.run(countCodeAttempt, { userId, kind, now });
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

/** Consumes a live token, once and atomically, and returns the id of its user. */
export async function consumeToken(
  db: Database,
  parts: TokenParts,
  kind: string,
  now: number,
): Promise<number | undefined> {
  return (await db.first(consume, { ...parts, kind, now }))?.user_id;
}

const deleteByIds = statement((sql, p: { first: string; second: string; third: string }) =>
  sql.deleteFrom('one_time_tokens').where('id', 'in', [p.first, p.second, p.third]),
);

/** Removes tokens, of any user. Runs the same statement for up to three (constant work). */
export async function removeTokens(db: Database, ids: readonly string[]): Promise<void> {
  for (let i = 0; i === 0 || i < ids.length; i += 3) {
    const [first = '', second = '', third = ''] = ids.slice(i);
    await db.run(deleteByIds, { first, second, third });
  }
}

/** Statements by the kinds that they keep, because the number of kinds is part of the text. */
const deletePending = new Map<string, ReturnType<typeof deletePendingExcept>>();

function deletePendingExcept(kept: readonly string[]) {
  return statement((sql, p: { userId: number }) => {
    const pending = sql
      .deleteFrom('one_time_tokens')
      .where('user_id', '=', p.userId)
      .where('spent_at', 'is', null);
    return kept.length === 0 ? pending : pending.where('kind', 'not in', kept);
  });
}

/**
 * Removes the pending tokens of a user, except those of the kinds `kept`. A consumed token stays, to notice its reuse.
 */
export async function removePendingTokensOf(
  db: Database,
  userId: number,
  kept: readonly string[],
): Promise<void> {
  const key = kept.join(' ');
  const removal = deletePending.get(key) ?? deletePendingExcept(kept);
  deletePending.set(key, removal);
  await db.run(removal, { userId });
}

const selectPending = statement((sql, p: { userId: number; kind: string; now: number }) =>
  sql
    .selectFrom('one_time_tokens')
    .select('id')
    .where('user_id', '=', p.userId)
    .where('kind', '=', p.kind)
    .where('spent_at', 'is', null)
    .where('expires_at', '>', p.now),
);

/** Returns whether the user has a live token of the kind. */
export async function hasPendingToken(
  db: Database,
  userId: number,
  kind: string,
  now: number,
): Promise<boolean> {
  return (await db.run(selectPending, { userId, kind, now })).length > 0;
}

const selectLiveId = statement((sql, p: { id: string; now: number }) =>
  sql
    .selectFrom('one_time_tokens')
    .select('id')
    .where('id', '=', p.id)
    .where('spent_at', 'is', null)
    .where('expires_at', '>', p.now),
);

/** Returns whether a token can still be consumed. */
export async function isLiveToken(db: Database, id: string, now: number): Promise<boolean> {
  return (await db.first(selectLiveId, { id, now })) !== undefined;
}

/** A token without its secret, as its user may see it. */
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
    .orderBy('kind')
    .orderBy('created_at')
    .orderBy('id'),
);

/** Lists the tokens of a user that can be consumed. */
export function listPendingTokens(db: Database, userId: number, now: number): Promise<TokenSummary[]> {
  return db.run(selectLive, { userId, now });
}

const deleteExpired = removeExpired('one_time_tokens');

/** Removes up to `limit` expired tokens, consumed or not, and returns how many. */
export async function removeExpiredTokens(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}
