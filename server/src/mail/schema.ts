// Declares the table of the outbox.
import type { Instant, SealedColumn } from '../db/schema.ts';

export interface MailTable {
  id: string;
  user_id: number | null;
  kind: string;
  /** The stored address of the account, never one from a request. */
  recipient: string;
  /** Subject and text, encrypted, since they may contain a token; null once the mail was sent or given up. */
  content: string | null;
  created_at: Instant;
  /** The next attempt is due at this instant. */
  next_at: Instant;
  /** The mail is given up if it is not sent before this instant. */
  expires_at: Instant;
  tries: number;
  sent_at: Instant | null;
  given_up_at: Instant | null;
  last_error: string | null;
  /** Who requested it (`Requester`); null for a notice. */
  requested_by: string | null;
  /** Digest of the normal form of the recipient's address, for a requested mail. */
  recipient_hash: string | null;
  /** The one-time token in the mail. The mail is not sent once the token was revoked. */
  token_id: string | null;
  /** An instance may be sending it until this instant; null if none has claimed it. */
  leased_until: Instant | null;
}

interface MailPaceTable {
  /** Digest of the normal form of an address. It need not be the address of an account. */
  recipient_hash: string;
  /** JSON of `Paces`. */
  paces: string;
  expires_at: Instant;
}

/** All columns of mails, for statements that read whole rows: columns are named, never `*`. */
export const mailColumns = [
  'id',
  'user_id',
  'kind',
  'recipient',
  'content',
  'created_at',
  'next_at',
  'expires_at',
  'tries',
  'sent_at',
  'given_up_at',
  'last_error',
  'requested_by',
  'recipient_hash',
  'token_id',
  'leased_until',
] as const satisfies readonly (keyof MailTable)[];

export interface MailTables {
  mails: MailTable;
  mail_paces: MailPaceTable;
}

/** The texts of mails that are not sent yet. */
export const mailContent = {
  table: 'mails',
  column: 'content',
  purpose: 'mail',
  isTiedToRow: false,
} satisfies SealedColumn;
