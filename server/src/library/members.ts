// Checks the objects that programs pass to the library. A program without types may pass anything, and a member that
// is ignored, such as a misspelled `emailVerified`, is noticed only when users cannot sign in.
import type { Service } from '../app/service.ts';
import { fieldProblem } from '../kit/problem.ts';
import { nearest } from '../kit/text/near-name.ts';
import type { PasswordContext } from '../user/password-rule.ts';

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

/**
 * Requires an opened service. Programs without types may pass anything, such as the promise of a service.
 * @param what begins the message.
 * @throws {TypeError} that says what to pass.
 */
export function requireService(what: string, service: unknown): asserts service is Service {
  if ((service as Partial<Service> | null | undefined)?.core === undefined)
    throw new TypeError(`${what} needs an opened service: await openService({ … })`);
}

/** Returns true for text that both engines can store and find: not empty, without NUL and lone surrogates. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0') && value.isWellFormed();
}

/** Returns true for a whole number that JavaScript stores exactly, as every id of a user is. */
export function isUserId(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/**
 * Returns a password to set.
 * @throws {Problem} invalid_request for the field if it is not a string.
 */
export function requirePassword(password: unknown, field: PasswordContext['field']): string {
  if (typeof password === 'string') return password;
  throw fieldProblem(field, password === undefined || password === null ? 'is missing' : 'must be a text');
}

/** Returns a password to verify. Another value becomes one that no account has, so that it costs the same. */
export function anyPasswordText(password: unknown): string {
  return typeof password === 'string' ? password : crypto.randomUUID();
}
