// The tables of the clients files that were applied.
import type { Instant } from '../../../db/schema.ts';

interface ClientsFileTable {
  /** `file:<name>`, as in `managed_by`. */
  name: string;
  /** SHA-256 of the content that is in effect. */
  digest: Uint8Array;
  applied_at: Instant;
}

/** Contents that another one replaced. */
interface ReplacedFileTable {
  name: string;
  digest: Uint8Array;
  replaced_at: Instant;
}

export interface RegistryTables {
  oidc_clients_files: ClientsFileTable;
  oidc_replaced_files: ReplacedFileTable;
}
