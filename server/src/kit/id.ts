import { randomUUIDv7 } from 'node:crypto';

/** Where the milliseconds end (§5.7), and what follows the version and its twelve bits. */
const [millisecondsEnd, restBegin] = [13, 18];
const counterDigits = 3;
const highestCount = 16 ** counterDigits - 1;

let [newest, count] = ['', 0];

/**
 * A new UUID as text. Version 7 (RFC 9562 §5.7): its leading milliseconds keep inserts into a primary key at the
 * index's end, and the counter behind them (§6.2, method 1) keeps what this process does in one millisecond in order. It
 * is a public handle and never a secret.
 */
export function generateUuid(): string {
  const uuid = randomUUIDv7();
  const milliseconds = uuid.slice(0, millisecondsEnd);
  count = milliseconds === newest ? Math.min(count + 1, highestCount) : 0;
  newest = milliseconds;
  return `${milliseconds}-7${count.toString(16).padStart(counterDigits, '0')}${uuid.slice(restBegin)}`;
}
