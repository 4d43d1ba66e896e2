// The tables of clients, their secrets, and resources.
import type { Instant } from '../../../db/schema.ts';

interface ClientTable {
  /** The `client_id`. */
  id: string;
  name: string;
  kind: string;
  /** The other members of a client as a JSON object. */
  settings: string;
  managed_by: string | null;
  created_at: Instant;
  updated_at: Instant;
}

interface ClientSecretTable {
  id: string;
  client_id: string;
  /** SHA-256 of the whole secret. */
  secret_hash: Uint8Array;
  created_at: Instant;
  /** Null if it does not expire. */
  expires_at: Instant | null;
}

interface ResourceTable {
  identifier: string;
  name: string;
  /** The other members of a resource as a JSON object. */
  settings: string;
  managed_by: string | null;
  created_at: Instant;
  updated_at: Instant;
}

export interface ClientTables {
  oidc_clients: ClientTable;
  oidc_client_secrets: ClientSecretTable;
  oidc_resources: ResourceTable;
}
