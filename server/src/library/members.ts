// Checks the values that programs pass to the library. A program without types may pass anything.
import type { Service } from '../app/service.ts';
import { fieldProblem } from '../kit/problem.ts';
import type { PasswordContext } from '../user/password-rule.ts';

export { requireMembers, type Members } from '../kit/text/members.ts';

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
