// Finds a client with its secrets in one statement, as each request that a client authenticates needs it.
import type { Database } from '../../../db/database.ts';
import { statementsFor } from '../../../db/statement.ts';
import type { Client } from './client.ts';
import type { ClientTables } from './schema.ts';
import { toClient } from './store.ts';

const { statement } = statementsFor<ClientTables>();

const selectWithSecrets = statement((sql, p: { id: string; now: number }) =>
  sql
    .selectFrom('oidc_clients')
    .leftJoin('oidc_client_secrets', (join) =>
      join
        .onRef('oidc_client_secrets.client_id', '=', 'oidc_clients.id')
        .on(({ eb, or }) => or([eb('expires_at', 'is', null), eb('expires_at', '>', p.now)])),
    )
    .select([
      'oidc_clients.id as id',
      'kind',
      'name',
      'settings',
      'managed_by',
      'oidc_clients.created_at as created_at',
      'updated_at',
      'secret_hash',
    ])
    .where('oidc_clients.id', '=', p.id),
);

/** Finds a client and the digests of its secrets that have not expired; `undefined` if no client has the id. */
export async function findClientWithSecrets(
  db: Database,
  id: string,
  now: number,
): Promise<{ readonly client: Client; readonly secrets: readonly Uint8Array[] } | undefined> {
  const rows = await db.run(selectWithSecrets, { id, now });
  const [first] = rows;
  if (first === undefined) return undefined;
  return { client: toClient(first), secrets: rows.flatMap(({ secret_hash: hash }) => hash ?? []) };
}
