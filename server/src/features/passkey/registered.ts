// A verified passkey as text, while its registration waits for the confirmation of the address.
import type { PasskeyTable } from './schema.ts';

type Row = Omit<PasskeyTable, 'id' | 'user_id' | 'name' | 'created_at' | 'last_used_at'>;

/** The row as JSON; bytes are base64url. */
interface Registered extends Omit<Row, 'public_key'> {
  readonly public_key: string;
  readonly name: string;
}

/** Returns the text of a passkey with its name. */
export function registeredText(row: Row, name: string): string {
  const publicKey = Buffer.from(row.public_key).toString('base64url');
  return JSON.stringify({ ...row, public_key: publicKey, name } satisfies Registered);
}

/** Parses the text of a passkey. */
export function parseRegistered(text: string): { readonly row: Row; readonly name: string } {
  const { name, public_key: publicKey, ...row } = JSON.parse(text) as Registered; // registeredText() wrote it
  return { row: { ...row, public_key: Buffer.from(publicKey, 'base64url') }, name };
}
