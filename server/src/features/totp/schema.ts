// The table of authenticator apps.
import type { Instant, SealedColumn } from '../../db/schema.ts';

interface TotpAuthenticatorTable {
  id: string;
  user_id: number;
  /** Name given by the user. */
  name: string;
  /** Base32, encrypted and tied to the row. */
  seed: string;
  /** The session or pending authentication that began the enrollment; null for one that a program began. */
  begun_by: string | null;
  created_at: Instant;
  /** When its first code was verified; until then it is no factor. */
  confirmed_at: Instant | null;
  /** The newest step of 30 s whose code was accepted: codes of this and earlier steps are rejected. */
  last_step: number | null;
  last_used_at: Instant | null;
}

export interface TotpTables {
  totp_authenticators: TotpAuthenticatorTable;
}

/** The seeds of authenticator apps. */
export const totpSeed = {
  table: 'totp_authenticators',
  column: 'seed',
  purpose: 'totp',
  isTiedToRow: true,
} satisfies SealedColumn;
