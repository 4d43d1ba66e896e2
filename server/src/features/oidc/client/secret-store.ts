// Finds a client with its secrets in one look-up, as each request that a client authenticates needs it.
import type { Database } from '../../../db/database.ts';
import { statementsFor } from '../../../db/statement.ts';
import type { Client } from './client.ts';
import type { ClientTables } from './schema.ts';
import { toClient } from './store.ts';

const { lookup } = statementsFor<ClientTables>();

const selectWithSecrets = lookup((sql, isKey) =>
  sql
    .selectFrom('oidc_clients')
    .leftJoin('oidc_client_secrets', 'oidc_client_secrets.client_id', 'oidc_clients.id')
    .select([
      'oidc_clients.id as lookup_key',
      'oidc_clients.id as id',
      'kind',
      'name',
      'settings',
      'managed_by',
      'oidc_clients.created_at as created_at',
      'updated_at',
      'secret_hash',
      'expires_at',
    ])
    .where(isKey('oidc_clients.id')),
);

/** Finds a client and the digests of its secrets that have not expired; `undefined` if no client has the id. */
export async function findClientWithSecrets(
  db: Database,
  id: string,
  now: number,
): Promise<{ readonly client: Client; readonly secrets: readonly Uint8Array[] } | undefined> {
  const rows = await db.findAll(selectWithSecrets, id);
  const [first] = rows;
  if (first === undefined) return undefined;
  const secrets = rows.flatMap(({ secret_hash: hash, expires_at: expiresAt }) =>
    hash !== null && (expiresAt === null || expiresAt > now) ? [hash] : [],
  );
  return { client: toClient(first), secrets };
}
