// Reads and writes clients, their secrets, and resources.
import { generateUuid } from '../../../kit/id.ts';
import type { Database } from '../../../db/database.ts';
import { statementsFor } from '../../../db/statement.ts';
import type { Client, ClientKind, NewClient, NewResource, Resource } from './client.ts';
import type { ClientTables } from './schema.ts';

const { lookup, statement } = statementsFor<ClientTables>();

/** Who manages a row, and when it is written. */
export interface RowFacts {
  readonly managedBy: string | null;
  /** Unix milliseconds. */
  readonly now: number;
}

type Row<Key extends string> = Readonly<Record<Key, string>> & {
  readonly name: string;
  readonly settings: string;
  readonly managed_by: string | null;
  readonly created_at: number;
  readonly updated_at: number;
};

const columns = ['name', 'settings', 'managed_by', 'created_at', 'updated_at'] as const;

function factsOf({ managed_by: managedBy, created_at: createdAt, updated_at: updatedAt }: Row<never>): {
  managedBy: string | null;
  createdAt: number;
  updatedAt: number;
} {
  return { managedBy, createdAt, updatedAt };
}

/** Converts a row to a client. */
export function toClient({ id, kind, settings, ...row }: Row<'id' | 'kind'>): Client {
  const rest = JSON.parse(settings) as Omit<NewClient, 'id' | 'name' | 'kind'>; // settingsOf() wrote it
  return { id, name: row.name, kind: kind as ClientKind, ...rest, ...factsOf({ settings, ...row }) };
}

function settingsOf({ id: _id, name: _name, kind: _kind, ...settings }: NewClient): string {
  return JSON.stringify(settings);
}

const selectClient = statement((sql, p: { id: string }) =>
  sql
    .selectFrom('oidc_clients')
    .select(['id', 'kind', ...columns])
    .where('id', '=', p.id),
);

/** Finds a client by its `client_id`. */
export async function findClient(db: Database, id: string): Promise<Client | undefined> {
  const row = await db.first(selectClient, { id });
  return row && toClient(row);
}

const selectForChange = statement((sql, p: { id: string }) =>
  sql
    .selectFrom('oidc_clients')
    .select(['id', 'kind', ...columns])
    .where('id', '=', p.id)
    .forNoKeyUpdate(),
);

/** Finds a client and locks its row until the end of the transaction, so that changes follow each other. */
export async function lockClient(tx: Database, id: string): Promise<Client | undefined> {
  const row = await tx.first(selectForChange, { id });
  return row && toClient(row);
}

const selectClients = statement((sql) =>
  sql
    .selectFrom('oidc_clients')
    .select(['id', 'kind', ...columns])
    .orderBy('id'),
);

/** Returns all clients, by id. */
export async function listClients(db: Database): Promise<readonly Client[]> {
  return (await db.run(selectClients, {})).map(toClient);
}

type ClientRow = {
  id: string;
  name: string;
  kind: string;
  settings: string;
  managedBy: string | null;
  now: number;
};

const insertClient = statement((sql, p: ClientRow) =>
  sql.insertInto('oidc_clients').values({
    id: p.id,
    name: p.name,
    kind: p.kind,
    settings: p.settings,
    managed_by: p.managedBy,
    created_at: p.now,
    updated_at: p.now,
  }),
);

/**
 * Adds a client.
 * @throws {UniqueViolation} if a client has this id.
 */
export async function addClient(tx: Database, client: NewClient, facts: RowFacts): Promise<void> {
  await tx.run(insertClient, rowOf(client, facts));
}

function rowOf(client: NewClient, facts: RowFacts): ClientRow {
  const { id, name, kind } = client;
  return { id, name, kind, settings: settingsOf(client), ...facts };
}

const updateClientRow = statement((sql, p: ClientRow) =>
  sql
    .updateTable('oidc_clients')
    .set({ name: p.name, kind: p.kind, settings: p.settings, managed_by: p.managedBy, updated_at: p.now })
    .where('id', '=', p.id)
    .returning('id'),
);

/** Replaces a client; false if no client has this id. */
export async function updateClient(tx: Database, client: NewClient, facts: RowFacts): Promise<boolean> {
  return (await tx.first(updateClientRow, rowOf(client, facts))) !== undefined;
}

const deleteClient = statement((sql, p: { id: string }) =>
  sql.deleteFrom('oidc_clients').where('id', '=', p.id).returning('id'),
);

/** Removes a client. Its secrets, grants and tokens are removed by foreign keys. False if no client has this id. */
export async function removeClient(tx: Database, id: string): Promise<boolean> {
  return (await tx.first(deleteClient, { id })) !== undefined;
}

/** A stored secret of a client. */
export interface StoredSecret {
  readonly id: string;
  readonly hash: Uint8Array;
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

const insertSecret = statement(
  (sql, p: { id: string; clientId: string; hash: Uint8Array; now: number; expiresAt: number | null }) =>
    sql.insertInto('oidc_client_secrets').values({
      id: p.id,
      client_id: p.clientId,
      secret_hash: p.hash,
      created_at: p.now,
      expires_at: p.expiresAt,
    }),
);

/** Adds a secret of a client. */
export async function addSecret(
  tx: Database,
  clientId: string,
  secret: { readonly hash: Uint8Array; readonly now: number; readonly expiresAt?: number | null },
): Promise<void> {
  await tx.run(insertSecret, { id: generateUuid(), clientId, expiresAt: null, ...secret });
}

const selectSecrets = statement((sql, p: { clientId: string; now: number }) =>
  sql
    .selectFrom('oidc_client_secrets')
    .select(['id', 'secret_hash', 'created_at', 'expires_at'])
    .where('client_id', '=', p.clientId)
    .where(({ eb, or }) => or([eb('expires_at', 'is', null), eb('expires_at', '>', p.now)]))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc'),
);

/** Returns the secrets of a client that have not expired, the newest first. */
export async function listSecrets(db: Database, clientId: string, now: number): Promise<StoredSecret[]> {
  const rows = await db.run(selectSecrets, { clientId, now });
  return rows.map(({ id, secret_hash: hash, created_at: createdAt, expires_at: expiresAt }) => ({
    id,
    hash,
    createdAt,
    expiresAt,
  }));
}

/** Returns the digests of the secrets of a client that have not expired, the newest first. */
export async function listLiveSecrets(
  db: Database,
  clientId: string,
  now: number,
): Promise<readonly Uint8Array[]> {
  return (await listSecrets(db, clientId, now)).map(({ hash }) => hash);
}

const setExpiry = statement((sql, p: { id: string; expiresAt: number }) =>
  sql.updateTable('oidc_client_secrets').set({ expires_at: p.expiresAt }).where('id', '=', p.id),
);

/** Sets when a secret expires (Unix milliseconds). */
export async function expireSecret(tx: Database, id: string, expiresAt: number): Promise<void> {
  await tx.run(setExpiry, { id, expiresAt });
}

const deleteSecret = statement((sql, p: { id: string }) =>
  sql.deleteFrom('oidc_client_secrets').where('id', '=', p.id),
);

export async function removeSecret(tx: Database, id: string): Promise<void> {
  await tx.run(deleteSecret, { id });
}

const deleteExpired = statement((sql, p: { clientId: string; now: number }) =>
  sql.deleteFrom('oidc_client_secrets').where('client_id', '=', p.clientId).where('expires_at', '<=', p.now),
);

/** Removes the expired secrets of a client. */
export async function removeExpiredSecrets(tx: Database, clientId: string, now: number): Promise<void> {
  await tx.run(deleteExpired, { clientId, now });
}

function toResource({ identifier, settings, ...row }: Row<'identifier'>): Resource {
  const rest = JSON.parse(settings) as Omit<NewResource, 'identifier' | 'name'>; // addResource() wrote it
  return { identifier, name: row.name, ...rest, ...factsOf({ settings, ...row }) };
}

const selectResource = lookup((sql, isKey) =>
  sql
    .selectFrom('oidc_resources')
    .select(['identifier as lookup_key', 'identifier', ...columns])
    .where(isKey('identifier')),
);

/** Finds a resource by its identifier, which may be any text of a request. */
export async function findResource(db: Database, identifier: string): Promise<Resource | undefined> {
  const row = await db.find(selectResource, identifier);
  return row && toResource(row);
}

const selectResources = statement((sql) =>
  sql
    .selectFrom('oidc_resources')
    .select(['identifier', ...columns])
    .orderBy('identifier'),
);

/** Returns all resources, by identifier. */
export async function listResources(db: Database): Promise<readonly Resource[]> {
  return (await db.run(selectResources, {})).map(toResource);
}

type ResourceRow = {
  identifier: string;
  name: string;
  settings: string;
  managedBy: string | null;
  now: number;
};

const upsertResource = statement((sql, p: ResourceRow) =>
  sql
    .insertInto('oidc_resources')
    .values({
      identifier: p.identifier,
      name: p.name,
      settings: p.settings,
      managed_by: p.managedBy,
      created_at: p.now,
      updated_at: p.now,
    })
    .onConflict((conflict) =>
      conflict.column('identifier').doUpdateSet({
        name: p.name,
        settings: p.settings,
        managed_by: p.managedBy,
        updated_at: p.now,
      }),
    ),
);

/** Adds a resource, or replaces the one with its identifier. */
export async function putResource(tx: Database, resource: NewResource, facts: RowFacts): Promise<void> {
  const { identifier, name, ...settings } = resource;
  await tx.run(upsertResource, { identifier, name, settings: JSON.stringify(settings), ...facts });
}

const deleteResource = statement((sql, p: { identifier: string }) =>
  sql.deleteFrom('oidc_resources').where('identifier', '=', p.identifier).returning('identifier'),
);

/** Removes a resource; false if no resource has this identifier. */
export async function removeResource(tx: Database, identifier: string): Promise<boolean> {
  return (await tx.first(deleteResource, { identifier })) !== undefined;
}
