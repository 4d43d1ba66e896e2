// Class DB of the contract: finds and updates users by attributes, on top of the stores.
import { type Clock, dayMs, hourMs, systemClock } from '../kit/clock.ts';
import { type Database, UniqueViolation } from '../db/database.ts';
import { readHash } from '../hash/format.ts';
import { UnreadableHash } from '../hash/stored-hash.ts';
import { requireEmailAddress, toEmailAddress } from '../user/email-address.ts';
import type { SessionEnding } from '../identity/contribution.ts';
import { removeAllTokens } from '../identity/token/chosen-store.ts';
import { isText, isUserId, requireMembers, type Members } from './members.ts';
import { findUserBy, setResetToken, setSessionId, type UserFilter } from './attribute-store.ts';
import { endSessionsOf, releaseAddress } from './ending.ts';
import { modules } from '../app/modules.ts';
import { endProvision } from '../user/provisional-store.ts';
import { requireExternalId, requireName, requireSubject } from '../user/details.ts';
import { addUser, type NewUserOptions } from '../user/new-user-store.ts';
import { updateUser, type UserChange } from '../user/store.ts';
import { InvalidRequest, NoResultFound, ValueError, type User } from '../user/user.ts';

/** Attributes by which a user is found. */
export interface UserFilters {
  id?: number | null | undefined;
  email?: string | null | undefined;
  subject?: string | null | undefined;
  externalId?: string | null | undefined;
  sessionId?: string | null | undefined;
  resetToken?: string | null | undefined;
}

/** Attributes that can be updated. */
export interface UserFields {
  email?: string;
  hashedPassword?: string;
  /** Replaces the user's sessions by one with this id, for 30 days; null ends them. Only its digest is stored. */
  sessionId?: string | null;
  /** Replaces the reset token, for an hour; null revokes it. Only its digest is stored. */
  resetToken?: string | null;
}

/** How a hash is stored. */
export interface HashOptions {
  /** Stores any text as hash. The user can sign in only after a password reset. */
  readonly allowsUnknownHash?: boolean;
}

/** How a user is added. */
export interface AddUserOptions extends HashOptions {
  /** The address counts as confirmed: the product that the user comes from has confirmed it. False by default. */
  readonly emailVerified?: boolean;
  /** Identifier for applications that another provider has issued; a new one by default. */
  readonly subject?: string;
  /** Identifier that another system gave to the user. `updateUser` does not change it: `Auth.setDetails` does. */
  readonly externalId?: string;
  readonly name?: string;
}

/** The contributions of the modules of this release. */
const sessionEndings: readonly SessionEnding[] = modules.flatMap((each) => each.sessionEndings);

const hashOptions: Members<HashOptions> = { allowsUnknownHash: 'boolean' };
const addUserOptions: Members<AddUserOptions> = {
  ...hashOptions,
  emailVerified: 'boolean',
  subject: 'string',
  externalId: 'string',
  name: 'string',
};
const filterNames = new Set(['id', 'email', 'subject', 'externalId', 'sessionId', 'resetToken']);
const fieldNames = new Set(['email', 'hashedPassword', 'sessionId', 'resetToken']);

/** Lifetimes of what `updateUser` writes. `Auth` has its own options for what it creates. */
const sessionMs = 30 * dayMs;
const resetTokenMs = hourMs;

/** Finds and updates users by attributes. */
export class DB {
  /** For `Auth` and the modules of the service. @internal */
  readonly database: Database;
  /** Run when sessions end. @internal */
  readonly sessionEndings: readonly SessionEnding[];
  readonly #clock: Clock;
  #closing: Promise<void> | undefined;

  /** Use `openDb`, which also migrates the database. @internal */
  constructor(
    database: Database,
    clock: Clock = systemClock,
    endings: readonly SessionEnding[] = sessionEndings,
  ) {
    this.database = database;
    this.#clock = clock;
    this.sessionEndings = endings;
  }

  /**
   * Inserts a user and returns it with its id. `hashedPassword` is a hash of this service, or one of another product in
   * a format that `isKnownHash` accepts.
   * @throws {ValueError} `User <email> already exists`, decided by the database's unique index; also if the hash cannot
   *   be verified, or another user has the subject or external id.
   * @throws {Problem} invalid_request if the email address or a detail is malformed.
   * @throws {TypeError} if an option is unknown or of another type.
   */
  async addUser(email: string, hashedPassword: string, options: AddUserOptions = {}): Promise<User> {
    requireMembers('addUser', options, addUserOptions);
    const address = requireEmailAddress(email);
    requireHash(hashedPassword, options);
    const details = toDetails(options);
    const user = await this.database
      .transaction(async (tx) => {
        await releaseAddress(tx, address, this.#ending());
        return addUser(tx, address, hashedPassword, this.#clock(), details);
      })
      .catch((error: unknown) => {
        if (!(error instanceof UniqueViolation)) throw error;
        throw new ValueError('Another user has this subject or external id', { cause: error });
      });
    if (user === undefined) throw new ValueError(`User ${address.text} already exists`);
    return user;
  }

  /**
   * Returns the first user who matches all given filters. A null or undefined value matches no user.
   * @throws {NoResultFound} if no user matches.
   * @throws {InvalidRequest} if a filter is unknown, or no filter is given.
   */
  async findUserBy(filters: UserFilters): Promise<User> {
    if (typeof filters !== 'object' || filters === null)
      throw new InvalidRequest('Users are found by an object with filters: findUserBy({ email })');
    const names = Object.keys(filters);
    const unknownName = names.find((name) => !filterNames.has(name));
    if (unknownName !== undefined) throw new InvalidRequest(`Users cannot be found by ${unknownName}`);
    if (names.length === 0) throw new InvalidRequest('No filter is given');
    const filter = toFilter(filters);
    const user = filter && (await findUserBy(this.database, filter, this.#clock()));
    if (user === undefined) throw new NoResultFound('No user has these attributes');
    return user;
  }

  /**
   * Sets attributes of a user, all or none. A new email is unconfirmed and revokes the tokens mailed to the previous
   * one.
   * @throws {ValueError} if an attribute is unknown, its value is invalid, the hash cannot be verified, or the email is
   *   taken.
   * @throws {NoResultFound} if no user has this id.
   * @throws {TypeError} if an option is unknown or of another type.
   */
  async updateUser(userId: number, fields: UserFields, options: HashOptions = {}): Promise<void> {
    requireMembers('updateUser', options, hashOptions);
    if (typeof fields !== 'object' || fields === null)
      throw new ValueError('A user is updated by an object with fields: updateUser(userId, { email })');
    const unknownName = Object.keys(fields).find((name) => !fieldNames.has(name));
    if (unknownName !== undefined) throw new ValueError(`A user's ${unknownName} cannot be updated`);
    const change = toChange(fields, options);
    const { sessionId, resetToken } = fields;
    const now = this.#clock();
    if (!isUserId(userId))
      throw new NoResultFound(
        `No user has ${typeof userId === 'number' ? `the id ${String(userId)}` : 'this id'}`,
      );
    try {
      await this.database.transaction(async (tx) => {
        await endProvision(tx, userId); // the program has taken the account over
        if (change.email !== undefined) await releaseAddress(tx, change.email, this.#ending());
        if (!(await updateUser(tx, userId, change, now)))
          throw new NoResultFound(`No user has the id ${userId}`);
        if (change.email !== undefined) await removeAllTokens(tx, userId);
        if (sessionId !== undefined) {
          await endSessionsOf(tx, userId, { ...this.#ending(), reason: 'replaced' });
          if (sessionId !== null)
            await setSessionId(tx, userId, sessionId, { now, expiresAt: now + sessionMs });
        }
        if (resetToken !== undefined)
          await setResetToken(tx, userId, resetToken, { now, expiresAt: now + resetTokenMs });
      });
    } catch (error) {
      if (error instanceof UniqueViolation)
        throw new ValueError('Another user has this email, session id or reset token', { cause: error });
      throw error;
    }
  }

  #ending(): { readonly at: number; readonly endings: readonly SessionEnding[] } {
    return { at: this.#clock(), endings: this.sessionEndings };
  }

  /** Waits for running statements, then closes the database. A second call waits for the first one. */
  close(): Promise<void> {
    this.#closing ??= this.database.close();
    return this.#closing;
  }
}

/** Returns the store's filter; `undefined` if a value cannot match any user: null, undefined, or of another type. */
function toFilter(filters: UserFilters): UserFilter | undefined {
  const { id, email, subject, externalId, sessionId, resetToken } = filters;
  const filter: UserFilter = {
    ...(isUserId(id) && { id }),
    ...(toEmailAddress(email) && { emailKey: requireEmailAddress(email).key }),
    ...(isText(subject) && { subject }),
    ...(isText(externalId) && { externalId }),
    ...(isText(sessionId) && { sessionId }),
    ...(isText(resetToken) && { resetToken }),
  };
  // Fails closed: each given name must have become a condition, because a dropped filter would match every user.
  return Object.keys(filter).length === Object.keys(filters).length ? filter : undefined;
}

/** Validates the details of a new user. @throws {Problem} invalid_request. */
function toDetails({ emailVerified, externalId, name, ...options }: AddUserOptions): NewUserOptions {
  const subject = options.subject ?? undefined; // null in a program without types, as a column of another product has it
  return {
    emailVerified,
    subject: subject === undefined ? undefined : requireSubject(subject),
    externalId: requireExternalId(externalId ?? '') ?? undefined,
    name: requireName(name ?? '') ?? undefined,
  };
}

/** Validates new attributes. @throws {ValueError} if a value is invalid. */
function toChange(
  { email, hashedPassword, sessionId, resetToken }: UserFields,
  options: HashOptions,
): UserChange {
  const address = email === undefined ? undefined : toEmailAddress(email);
  if (email !== undefined && address === undefined) throw new ValueError('The email is malformed');
  if (hashedPassword !== undefined) requireHash(hashedPassword, options);
  for (const token of [sessionId, resetToken]) {
    if (token !== undefined && token !== null && !isText(token))
      throw new ValueError('A session id or reset token must be a string or null');
  }
  return { ...(address && { email: address }), ...(hashedPassword !== undefined && { hashedPassword }) };
}

/** @throws {ValueError} if the hash is no text or cannot be verified. */
function requireHash(hashedPassword: unknown, { allowsUnknownHash = false }: HashOptions): void {
  if (!isText(hashedPassword)) throw new ValueError('The hashed password must be a string that is not empty');
  if (allowsUnknownHash) return;
  try {
    readHash(hashedPassword);
  } catch (error) {
    if (!(error instanceof UnreadableHash)) throw error;
    throw new ValueError(
      `${error.message}, so the user could not sign in with it. Pass { allowsUnknownHash: true } to store it anyway`,
      { cause: error },
    );
  }
}
