import crypto from 'node:crypto'; // an older Node.js has no export `randomUUIDv7`: library/require-node.ts says what to do

/**
 * Offsets in the text of a UUID: the end of the milliseconds (§5.7), and the first character after the 12 bits of
 * `rand_a`.
 */
const [millisecondsEnd, restBegin] = [13, 18];
const counterDigits = 3;
const maxCount = 16 ** counterDigits - 1;

let [newest, count] = ['', 0];

/**
 * Returns a new UUID of version 7 as text (RFC 9562 §5.7). Its leading milliseconds place new rows at the end of a
 * primary key's index; a counter after them (§6.2, method 1) orders the UUIDs that this process creates in one
 * millisecond. A UUID is a public handle, never a secret.
 */
export function generateUuid(): string {
  const uuid = crypto.randomUUIDv7();
  const milliseconds = uuid.slice(0, millisecondsEnd);
  count = milliseconds === newest ? Math.min(count + 1, maxCount) : 0;
  newest = milliseconds;
  return `${milliseconds}-7${count.toString(16).padStart(counterDigits, '0')}${uuid.slice(restBegin)}`;
}
