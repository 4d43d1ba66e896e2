// Checks the objects that programs pass to the library. A program without types may pass anything, and a member that
// is ignored, such as a misspelled `emailVerified`, is noticed only when users cannot sign in.
import { nearest } from './near-name.ts';

/** Type of a member, as `typeof` names it. */
type Expected = 'boolean' | 'function' | 'number' | 'object' | 'string';

/** Every member of an object, with its type. */
export type Members<T> = Readonly<Record<keyof T, Expected>>;

/**
 * Requires that an object has no unknown member, and that each value has its type, or is null or undefined.
 * @param what begins the message, as `addUser`.
 * @throws {TypeError} that names the member, without its value.
 */
export function requireMembers<T extends object>(what: string, given: T, members: Members<T>): void {
  if (typeof given !== 'object' || given === null)
    throw new TypeError(`${what} needs an object with options`);
  const known = new Map<string, Expected>(Object.entries<Expected>(members));
  for (const [name, value] of Object.entries(given) as [string, unknown][]) {
    const expected = known.get(name);
    if (expected === undefined) {
      const meant = nearest(name, known.keys(), 1);
      const hint = meant === undefined ? `It has ${[...known.keys()].join(', ')}.` : `Did you mean ${meant}?`;
      throw new TypeError(`${what} has no option ${name}. ${hint}`);
    }
    if (value !== undefined && value !== null && typeof value !== expected)
      throw new TypeError(
        `The option ${name} of ${what} must be ${named(expected)}, not ${named(typeof value)}`,
      );
  }
}

function named(type: string): string {
  return type === 'object' ? 'an object' : `a ${type}`;
}
