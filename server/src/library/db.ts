// Class DB of the contract: a user found and updated by its attributes. A thin face over the stores.
import type { Clock } from '../kit/clock.ts';
import { dayMs, hourMs, systemClock } from '../kit/clock.ts';
import { partsOfChosenText } from '../kit/secret.ts';
import type { Database } from '../db/database.ts';
import { UniqueViolation } from '../db/database.ts';
import { requireEmailAddress, toEmailAddress } from '../user/email-address.ts';
import { sessionKind } from '../identity/cookie-kinds.ts';
import { resetKind } from '../identity/password/reset.ts';
import {
  findUserBy,
  removeTokens,
  replaceResetToken,
  replaceSession,
  type UserFilter,
} from './attribute-store.ts';
import { addUser, updateUser, type UserChange } from '../user/store.ts';
import { InvalidRequest, NoResultFound, ValueError, type User } from '../user/user.ts';

/** Attributes by which a user is found. */
export interface UserFilters {
  id?: number | null | undefined;
  email?: string | null | undefined;
  sessionId?: string | null | undefined;
  resetToken?: string | null | undefined;
}

/** Attributes that can be updated. */
export interface UserFields {
  email?: string;
  hashedPassword?: string;
  /** Replaces the user's sessions by one with this id, for 30 days; null ends them. Only its digest is stored. */
  sessionId?: string | null;
  /** Replaces the reset token, for an hour; null voids it. Only its digest is stored. */
  resetToken?: string | null;
}

const filterNames = new Set(['id', 'email', 'sessionId', 'resetToken']);
const fieldNames = new Set(['email', 'hashedPassword', 'sessionId', 'resetToken']);

/** Lives of what `updateUser` writes; `Auth` has options of its own for what it creates. */
const sessionMs = 30 * dayMs;
const resetTokenMs = hourMs;

export class DB {
  /** For `Auth` and the other rooms; a caller of the library has no use for it. */
  readonly database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock = systemClock) {
    this.database = database;
    this.#clock = clock;
  }

  /**
   * Inserts a user and returns it with its id.
   * @throws {ValueError} `User <e-mail> already exists`, decided by the database's unique index; or for a hash that is no text.
   * @throws {Problem} invalid_request when the e-mail is none.
   */
  async addUser(email: string, hashedPassword: string): Promise<User> {
    const address = requireEmailAddress(email);
    if (!isText(hashedPassword)) throw new ValueError('The hashed password must be a string');
    const user = await addUser(this.database, address, hashedPassword, this.#clock());
    if (user === undefined) throw new ValueError(`User ${address.text} already exists`);
    return user;
  }

  /**
   * The first user for whom all given filters hold. A null or undefined value matches nobody.
   * @throws {NoResultFound} when there is none.
   * @throws {InvalidRequest} for a name that is no filter, or no filter at all.
   */
  async findUserBy(filters: UserFilters): Promise<User> {
    const names = Object.keys(filters);
    const stranger = names.find((name) => !filterNames.has(name));
    if (stranger !== undefined) throw new InvalidRequest(`Users cannot be found by ${stranger}`);
    if (names.length === 0) throw new InvalidRequest('No filter is given');
    const filter = toFilter(filters);
    const user = filter && (await findUserBy(this.database, filter, this.#clock()));
    if (user === undefined) throw new NoResultFound('No user has these attributes');
    return user;
  }

  /**
   * Sets attributes of a user, all or none. Another e-mail is unconfirmed, and voids the tokens sent to the old one.
   * @throws {ValueError} for a name that is no attribute, a value that it cannot hold, or a taken e-mail.
   * @throws {NoResultFound} when no user has this id.
   */
  async updateUser(userId: number, fields: UserFields): Promise<void> {
    const stranger = Object.keys(fields).find((name) => !fieldNames.has(name));
    if (stranger !== undefined) throw new ValueError(`A user's ${stranger} cannot be updated`);
    const change = toChange(fields);
    const { sessionId, resetToken } = fields;
    const now = this.#clock();
    if (!Number.isSafeInteger(userId)) throw new NoResultFound(`No user has the id ${String(userId)}`);
    try {
      await this.database.transaction(async (tx) => {
        if (!(await updateUser(tx, userId, change, now)))
          throw new NoResultFound(`No user has the id ${userId}`);
        if (change.email !== undefined) await removeTokens(tx, userId);
        if (sessionId !== undefined) {
          const parts = sessionId === null ? null : partsOfChosenText(sessionKind, sessionId);
          await replaceSession(tx, userId, parts, { now, expiresAt: now + sessionMs });
        }
        if (resetToken !== undefined) {
          const parts = resetToken === null ? null : partsOfChosenText(resetKind, resetToken);
          await replaceResetToken(tx, userId, parts, { now, expiresAt: now + resetTokenMs });
        }
      });
    } catch (error) {
      if (error instanceof UniqueViolation)
        throw new ValueError('Another user has this email, session id or reset token', { cause: error });
      throw error;
    }
  }

  /** Waits for what was begun, then closes the database. */
  close(): Promise<void> {
    return this.database.close();
  }
}

/** The store's filter; `undefined` when one of the values can match nobody: null, undefined, or of another type. */
function toFilter(filters: UserFilters): UserFilter | undefined {
  const { id, email, sessionId, resetToken } = filters;
  const filter: UserFilter = {
    ...(Number.isSafeInteger(id) && { id: Number(id) }),
    ...(toEmailAddress(email) && { emailKey: requireEmailAddress(email).key }),
    ...(isText(sessionId) && { session: partsOfChosenText(sessionKind, sessionId) }),
    ...(isText(resetToken) && { resetToken: partsOfChosenText(resetKind, resetToken) }),
  };
  // Each given name must have become a condition: a filter that is dropped would match everybody.
  return Object.keys(filter).length === Object.keys(filters).length ? filter : undefined;
}

/** @throws {ValueError} for a value that its attribute cannot hold. */
function toChange({ email, hashedPassword, sessionId, resetToken }: UserFields): UserChange {
  const address = email === undefined ? undefined : toEmailAddress(email);
  if (email !== undefined && address === undefined) throw new ValueError('The email is malformed');
  if (hashedPassword !== undefined && !isText(hashedPassword))
    throw new ValueError('The hashed password must be a string');
  for (const token of [sessionId, resetToken]) {
    if (token !== undefined && token !== null && !isText(token))
      throw new ValueError('A session id or reset token must be a string or null');
  }
  return { ...(address && { email: address }), ...(hashedPassword !== undefined && { hashedPassword }) };
}

/** True for text that either engine can store and find again: not empty, no NUL, no half of a surrogate pair. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0') && value.isWellFormed();
}
