// The table oidc_consents: what users have allowed clients, and need not be asked again.
import { ReferenceViolation, type Database } from '../../../db/database.ts';
import { statementsFor } from '../../../db/statement.ts';
import { removeGrantsAt } from './grant-store.ts';
import type { GrantTables } from './schema.ts';

const { statement } = statementsFor<GrantTables>();

export interface Consent {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly createdAt: number;
  readonly lastUsedAt: number;
}

const consentColumns = [
  'client_id as clientId',
  'scopes',
  'created_at as createdAt',
  'last_used_at as lastUsedAt',
] as const;

const selectConsent = statement((sql, p: { userId: number; clientId: string }) =>
  sql
    .selectFrom('oidc_consents')
    .select(consentColumns)
    .where('user_id', '=', p.userId)
    .where('client_id', '=', p.clientId),
);

/** Returns what a user has allowed a client; `undefined` if nothing. */
export async function findConsent(
  db: Database,
  userId: number,
  clientId: string,
): Promise<Consent | undefined> {
  const row = await db.first(selectConsent, { userId, clientId });
  return row && { ...row, scopes: parseScopes(row.scopes) };
}

const selectConsents = statement((sql, p: { userId: number }) =>
  sql.selectFrom('oidc_consents').select(consentColumns).where('user_id', '=', p.userId),
);

/** Lists what a user has allowed, in any order. */
export async function listConsents(db: Database, userId: number): Promise<Consent[]> {
  const rows = await db.run(selectConsents, { userId });
  return rows.map((row) => ({ ...row, scopes: parseScopes(row.scopes) }));
}

type NewConsent = { userId: number; clientId: string; scopes: string; now: number };

const upsertConsent = statement((sql, p: NewConsent) =>
  sql
    .insertInto('oidc_consents')
    .values({
      user_id: p.userId,
      client_id: p.clientId,
      scopes: p.scopes,
      created_at: p.now,
      last_used_at: p.now,
    })
    .onConflict((conflict) =>
      conflict.columns(['user_id', 'client_id']).doUpdateSet({ scopes: p.scopes, last_used_at: p.now }),
    ),
);

/** Stores what a user has allowed a client, instead of what was stored before. */
export async function saveConsent(
  db: Database,
  {
    scopes,
    ...consent
  }: {
    readonly userId: number;
    readonly clientId: string;
    readonly scopes: readonly string[];
    readonly now: number;
  },
): Promise<void> {
  await db.run(upsertConsent, { ...consent, scopes: JSON.stringify(scopes) });
}

const touchConsent = statement((sql, p: { userId: number; clientId: string; now: number; before: number }) =>
  sql
    .updateTable('oidc_consents')
    .set({ last_used_at: p.now })
    .where('user_id', '=', p.userId)
    .where('client_id', '=', p.clientId)
    .where('last_used_at', '<', p.before),
);

/** Stores that a client used its consent, unless that was stored since `before` (Unix milliseconds). */
export async function noteConsentUse(
  db: Database,
  use: { readonly userId: number; readonly clientId: string; readonly now: number; readonly before: number },
): Promise<void> {
  await db.run(touchConsent, use);
}

function parseScopes(text: string): readonly string[] {
  return JSON.parse(text) as string[]; // written by saveConsent
}

const deleteConsent = statement((sql, p: { userId: number; clientId: string }) =>
  sql
    .deleteFrom('oidc_consents')
    .where('user_id', '=', p.userId)
    .where('client_id', '=', p.clientId)
    .returning('client_id'),
);

const selectConsentToHold = statement((sql, p: { userId: number; clientId: string }) =>
  sql
    .selectFrom('oidc_consents')
    .select('client_id')
    .where('user_id', '=', p.userId)
    .where('client_id', '=', p.clientId)
    .forKeyShare(),
);

/**
 * Keeps a consent from being removed until the transaction has ended: what is granted because of it is removed with it.
 * @throws {ReferenceViolation} if it was removed.
 */
export async function holdConsent(tx: Database, userId: number, clientId: string): Promise<void> {
  if ((await tx.first(selectConsentToHold, { userId, clientId })) === undefined)
    throw new ReferenceViolation('The consent was removed');
}

/**
 * Removes the consent and grants that a user gave to a client; returns false if there were none. The consent first: a
 * transaction that holds it has then written its grant.
 */
export async function removeAccess(tx: Database, userId: number, clientId: string): Promise<boolean> {
  const consent = await tx.first(deleteConsent, { userId, clientId });
  const hadGrants = await removeGrantsAt(tx, userId, clientId);
  return hadGrants || consent !== undefined;
}

const deleteSince = statement((sql, p: { userId: number; since: number }) =>
  sql.deleteFrom('oidc_consents').where('user_id', '=', p.userId).where('last_used_at', '>=', p.since),
);

/**
 * Removes the consents of a user that were given, extended or used since an instant (Unix milliseconds). An extension
 * does not show when it was made, so the clients that were only used ask again.
 */
export async function removeConsentsSince(tx: Database, userId: number, since: number): Promise<void> {
  await tx.run(deleteSince, { userId, since });
}
