// Every column of encrypted texts that the modules declare.
import type { SealedColumn } from '../db/sealed-column.ts';
import { totpSeed } from '../features/totp/schema.ts';
import { mailContent } from '../mail/schema.ts';

export const sealedColumns: readonly SealedColumn[] = [totpSeed, mailContent];
