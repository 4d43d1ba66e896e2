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
] as const satisfies readonly (keyof MailTable)[];

export interface MailTables {
  mails: MailTable;
}

/** The texts of mails that are not sent yet. */
export const mailContent = {
  table: 'mails',
  column: 'content',
  purpose: 'mail',
  isTiedToRow: false,
} satisfies SealedColumn;
