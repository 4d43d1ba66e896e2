// Lists the encrypted columns of all modules.
import type { SealedColumn } from '../db/schema.ts';
import { signingKeyPrivate } from '../keys/schema.ts';
import { mailContent } from '../mail/schema.ts';
import { modules } from './modules.ts';

export const sealedColumns: readonly SealedColumn[] = [
  mailContent,
  signingKeyPrivate,
  ...modules.flatMap(({ sealed }) => sealed),
];
