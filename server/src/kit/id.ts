import { randomUUIDv7 } from 'node:crypto';

/**
 * A new UUID as text. Version 7 (RFC 9562 §5.7): its leading milliseconds keep inserts into a primary key at the
 * index's end. It is a public handle and never a secret.
 */
export function generateUuid(): string {
  return randomUUIDv7();
}
