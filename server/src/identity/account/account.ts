// Accounts: made, given a new password, closed, removed. What a new password ends is decided here, once.
import { Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import type { EmailAddress } from '../../user/email-address.ts';
import {
  addUser,
  findUserByEmail,
  lockUserByEmail,
  removeUser,
  updateDisabled,
  updateLanguage,
  updatePasswordHash,
} from '../../user/store.ts';
import { noUserId, ValueError, type User } from '../../user/user.ts';
import type { Attempts } from '../attempt/attempts.ts';
import { idOf, type AuthContext, type ClientSource } from '../context.ts';
import { isFlooded, notify } from '../notice.ts';
import type { SecondFactors } from '../factor/second-factor.ts';
import type { AccountAccess } from './access.ts';
import type { EmailVerification } from './verification.ts';

/** Why a password is replaced, by whose deed, and which session lives on. */
export interface Replacement {
  readonly reason: 'set' | 'reset' | 'changed';
  readonly source: ClientSource;
  /** Handle of the session in which it is changed; all others end. */
  readonly keptSession?: string;
}

/**
 * Gives a new account its first way in, where that is no password; for nobody, in the place of a taken one, it does as
 * much and writes nothing. Inside the transaction that makes the account.
 */
export type Attach = (tx: Database, userId: number) => Promise<unknown>;

/** What a new account is opened by: a password, or what is attached to it. */
interface Opening {
  readonly hashedPassword: string | null;
  readonly attach?: Attach;
}

export interface AccountNeeds {
  readonly access: AccountAccess;
  readonly attempts: Attempts;
  readonly secondFactors: SecondFactors;
  readonly emailVerification: EmailVerification;
}

export class Accounts {
  readonly #context: AuthContext;
  readonly #access: AccountAccess;
  readonly #attempts: Attempts;
  readonly #secondFactors: SecondFactors;
  readonly #emailVerification: EmailVerification;

  constructor(context: AuthContext, { access, attempts, secondFactors, emailVerification }: AccountNeeds) {
    this.#context = context;
    this.#access = access;
    this.#attempts = attempts;
    this.#secondFactors = secondFactors;
    this.#emailVerification = emailVerification;
  }

  /**
   * Adds a user with this address and password.
   * @throws {ValueError} `User <e-mail> already exists`, decided by the unique index of the database.
   * @throws {Problem} invalid_request for an address or a password that the rules refuse.
   */
  async register(address: EmailAddress, password: string, source: ClientSource): Promise<User> {
    const { db, hasher, addressRule, passwordRule } = this.#context;
    await addressRule(address);
    await passwordRule(password, { email: address.text, field: 'password' });
    // Before the address is tried, so that a taken one takes the same time as a free one.
    const hashedPassword = await hasher.hash(password);
    const user = await db.transaction((tx) => this.#add(tx, address, { hashedPassword }, source));
    if (user === undefined) throw new ValueError(`User ${address.text} already exists`);
    return user;
  }

  /**
   * Adds a user without a password: `attach` gives the account its way in, inside the same transaction. It also runs for an
   * account whose address is not confirmed yet, whose older factors are removed then, and for no user if it is taken.
   * @throws {ValueError} `User <e-mail> already exists`.
   * @throws {Problem} invalid_request for an address that the rules refuse; whatever `attach` throws.
   */
  async registerWith(address: EmailAddress, attach: Attach, source: ClientSource): Promise<User> {
    const { db, addressRule } = this.#context;
    await addressRule(address);
    const opening = { hashedPassword: null, attach };
    const user = await db.transaction((tx) => this.#add(tx, address, opening, source));
    if (user === undefined) throw new ValueError(`User ${address.text} already exists`);
    return user;
  }

  /**
   * Sets a password for the operator: ends all sessions and revokes the pending tokens.
   * @throws {Problem} unknown_email, also for a disabled user; invalid_request for a password that the rule refuses.
   */
  async setPassword(address: EmailAddress, password: string, source: ClientSource): Promise<User> {
    const { db, hasher, passwordRule } = this.#context;
    await passwordRule(password, { email: address.text, field: 'password' });
    const hashedPassword = await hasher.hash(password);
    return db.transaction(async (tx) => {
      const found = await findUserByEmail(tx, address);
      const user =
        found && (await this.replacePassword(tx, found.id, hashedPassword, { reason: 'set', source }));
      if (user === undefined) throw new Problem('unknown_email');
      return user;
    });
  }

  /** See Auth.setDisabled. */
  setDisabled(userId: number, disabled: boolean, source: ClientSource): Promise<boolean> {
    const { db, clock, audit } = this.#context;
    return db.transaction(async (tx) => {
      if (!(await updateDisabled(tx, userId, disabled ? clock() : null))) return false;
      if (disabled) await this.#access.revoke(tx, userId);
      const reason = disabled ? 'disabled' : 'enabled';
      await audit.record(tx, { event: 'user_updated', outcome: 'success', reason, userId }, source);
      return true;
    });
  }

  /** See Auth.removeUser. */
  remove(userId: number, source: ClientSource): Promise<boolean> {
    const { db, audit } = this.#context;
    return db.transaction(async (tx) => {
      if (!(await removeUser(tx, userId))) return false;
      await this.#attempts.forgetAll(tx, userId);
      await audit.record(tx, { event: 'user_deleted', outcome: 'success', userId }, source);
      return true;
    });
  }

  /** Stores the language that the user reads; mails are written in it. */
  async setLanguage(userId: number, language: string): Promise<void> {
    await updateLanguage(this.#context.db, userId, language);
  }

  /** Checks that a password may be set. @throws {Problem} invalid_request with the reason, naming `password`. */
  requireGoodPassword(password: string, email: string): Promise<void> {
    return this.#context.passwordRule(password, { email, field: 'password' });
  }

  /**
   * Stores a new password, ends whatever the old one opened, forgets its wrong tries and tells the owner. `undefined`
   * when there is no such user, or it is disabled. Runs inside a transaction.
   */
  async replacePassword(
    tx: Database,
    userId: number,
    hashedPassword: string,
    { reason, source, keptSession }: Replacement,
  ): Promise<User | undefined> {
    const { clock, audit } = this.#context;
    const user = await updatePasswordHash(tx, userId, hashedPassword, clock());
    if (user === undefined) return undefined;
    await this.#access.revoke(tx, userId, { except: keptSession });
    await this.#attempts.forget(tx, userId, 'password');
    await audit.record(tx, { event: 'authn_password_change', outcome: 'success', reason, userId }, source);
    await notify(this.#context, tx, user, { kind: 'password_changed', facts: {}, source });
    return user;
  }

  /**
   * Puts whoever came in by what changed at an instant out again: the password is void, what is open ends, and factors
   * that were set up since are gone. What was set up before stays. Inside a transaction that has locked the user.
   */
  async revokeAccessSince(tx: Database, userId: number, since: number): Promise<void> {
    await updatePasswordHash(tx, userId, null, this.#context.clock());
    await this.#access.revoke(tx, userId);
    await this.#secondFactors.removeSince(tx, userId, since);
  }

  async #add(
    tx: Database,
    address: EmailAddress,
    opening: Opening,
    source: ClientSource,
  ): Promise<User | undefined> {
    const { clock, audit, confirmEmail } = this.#context;
    const added = await addUser(tx, address, opening.hashedPassword, clock(), source.language);
    const owner = await lockUserByEmail(tx, address);
    const deed =
      added === undefined
        ? ({ event: 'user_created', outcome: 'failure', reason: 'email_taken', ...idOf(owner) } as const)
        : ({ event: 'user_created', outcome: 'success', userId: added.id } as const);
    await audit.record(tx, deed, source);
    if (owner === undefined) return undefined;
    await this.#attempts.inherit(tx, owner.id, address.key);
    if (added !== undefined) await opening.attach?.(tx, added.id);
    if (confirmEmail) await this.#askOrTell(tx, owner, added === undefined ? opening : undefined, source);
    else await this.#tellOwner(tx, added === undefined ? owner : undefined, source);
    return added;
  }

  /**
   * Asks for a confirmation of the address, or tells its owner that it is taken. Nobody has proved yet to own an
   * unconfirmed one: the newest registration counts, and whoever registered a stranger's address beforehand has neither
   * its password, nor a factor, nor a live token once the owner comes (pre-hijacking). Does as much for every address.
   */
  async #askOrTell(
    tx: Database,
    owner: User,
    newest: Opening | undefined,
    source: ClientSource,
  ): Promise<void> {
    const isOpen = owner.emailVerifiedAt === null && owner.disabledAt === null;
    const replaced = isOpen && newest !== undefined ? owner.id : noUserId;
    await updatePasswordHash(tx, replaced, newest?.hashedPassword ?? null, this.#context.clock());
    await this.#access.revoke(tx, replaced);
    await this.#secondFactors.removeAll(tx, replaced);
    await newest?.attach?.(tx, replaced);
    await this.#emailVerification.send(tx, isOpen ? owner : undefined, source);
    await this.#tellOwner(tx, isOpen ? undefined : owner, source);
  }

  /** Tells the owner of a taken address that somebody tried to register it; without one does as much and writes nothing. */
  async #tellOwner(tx: Database, owner: User | undefined, source: ClientSource): Promise<void> {
    const isFlood = await isFlooded(this.#context, tx, owner, 'already_registered');
    await notify(this.#context, tx, isFlood ? undefined : owner, {
      kind: 'already_registered',
      facts: {},
      source,
    });
  }

  /**
   * Whoever proves an address that the account's maker has not takes it over, without the factor by which it was made:
   * that is a stranger's. Inside a transaction.
   */
  async removeFactorsOfUnverifiedAccount(
    tx: Database,
    { id, emailVerifiedAt, hashedPassword }: User,
  ): Promise<void> {
    if (this.#context.confirmEmail && emailVerifiedAt === null && hashedPassword === null)
      await this.#secondFactors.removeAll(tx, id);
  }
}
