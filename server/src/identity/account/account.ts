// Creates, disables and removes accounts, and replaces passwords. A new password ends access by way of AccountAccess.
import { Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import { keyOfAddress, type EmailAddress } from '../../user/email-address.ts';
import {
  addUser,
  findUserByEmail,
  lockUserByEmail,
  removeUser,
  updateDisabled,
  updateLanguage,
  updatePasswordHash,
} from '../../user/store.ts';
import type { NoFacts } from '../../mail/mail-kind.ts';
import { noUserId, ValueError, type User } from '../../user/user.ts';
import type { Attempts } from '../attempt/attempts.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import type { PlainEvent } from '../event.ts';
import type { SecondFactors } from '../factor/second-factor.ts';
import type { AccountAccess } from './access.ts';
import { accountEvents, alreadyRegisteredMail } from './event.ts';
import './problem.ts';

/** Event and source of a new password, and the session that stays. */
export interface Replacement {
  readonly event: PlainEvent<NoFacts>;
  readonly source: ClientSource;
  /** Handle of the session in which it is changed; all others end. */
  readonly keptSession?: string;
}

/**
 * Adds the first authenticator of an account without a password. Constant work: for a taken address it runs with
 * `noUserId` and stores nothing. Inside the transaction that creates the account.
 */
export type Attach = (tx: Database, userId: number) => Promise<unknown>;

/** The first authenticator of a new account: a password, or what `attach` adds. */
interface FirstAuthenticator {
  readonly hashedPassword: string | null;
  readonly attach?: Attach;
}

/** Mails confirmation tokens. The class EmailVerification does it. */
interface VerificationSender {
  /** Constant work: without a user it stores nothing. Inside a transaction. */
  send(tx: Database, user: User | undefined, source: ClientSource): Promise<void>;
}

export interface AccountNeeds {
  readonly access: AccountAccess;
  readonly attempts: Attempts;
  readonly secondFactors: SecondFactors;
  readonly emailVerification: VerificationSender;
}

/** Creates, disables and removes accounts. */
export class Accounts {
  readonly #context: AuthContext;
  readonly #access: AccountAccess;
  readonly #attempts: Attempts;
  readonly #secondFactors: SecondFactors;
  readonly #emailVerification: VerificationSender;

  constructor(context: AuthContext, { access, attempts, secondFactors, emailVerification }: AccountNeeds) {
    this.#context = context;
    this.#access = access;
    this.#attempts = attempts;
    this.#secondFactors = secondFactors;
    this.#emailVerification = emailVerification;
  }

  /**
   * Adds a user with this address and password.
   * @throws {ValueError} `User <email> already exists`, decided by the unique index of the database.
   * @throws {Problem} invalid_request if a rule rejects the address or the password.
   */
  async register(address: EmailAddress, password: string, source: ClientSource): Promise<User> {
    const { db, hasher, addressRule, passwordRule } = this.#context;
    await addressRule(address);
    await passwordRule(password, { email: address.text, field: 'password' });
    // Constant work: hashed before the address is looked up, so that a taken one takes the same time.
    const hashedPassword = await hasher.hash(password);
    const user = await db.transaction((tx) => this.#add(tx, address, { hashedPassword }, source));
    if (user === undefined) throw new ValueError(`User ${address.text} already exists`);
    return user;
  }

  /**
   * Adds a user without a password; `attach` adds the first authenticator in the same transaction. For an account whose
   * address is not confirmed yet, `attach` replaces its factors. For a taken address it stores nothing.
   * @throws {ValueError} `User <email> already exists`.
   * @throws {Problem} invalid_request if a rule rejects the address; also what `attach` throws.
   */
  async registerWith(address: EmailAddress, attach: Attach, source: ClientSource): Promise<User> {
    const { db, addressRule } = this.#context;
    await addressRule(address);
    const authenticator = { hashedPassword: null, attach };
    const user = await db.transaction((tx) => this.#add(tx, address, authenticator, source));
    if (user === undefined) throw new ValueError(`User ${address.text} already exists`);
    return user;
  }

  /**
   * Sets a password for the operator: ends all sessions and revokes the pending tokens.
   * @throws {Problem} unknown_email, also for a disabled user; invalid_request if the rule rejects the password.
   */
  async setPassword(address: EmailAddress, password: string, source: ClientSource): Promise<User> {
    const { db, hasher, passwordRule } = this.#context;
    await passwordRule(password, { email: address.text, field: 'password' });
    const hashedPassword = await hasher.hash(password);
    return db.transaction(async (tx) => {
      const found = await findUserByEmail(tx, address);
      const user =
        found &&
        (await this.replacePassword(tx, found.id, hashedPassword, {
          event: accountEvents.password_set,
          source,
        }));
      if (user === undefined) throw new Problem('unknown_email');
      return user;
    });
  }

  /**
   * Disables a user and ends all access, or enables the user again, also one who has closed the account. Returns false
   * if no user has the id.
   */
  setDisabled(userId: number, disabled: boolean, source: ClientSource): Promise<boolean> {
    const { db, clock, events } = this.#context;
    return db.transaction(async (tx) => {
      if (!(await updateDisabled(tx, userId, disabled ? clock() : null))) return false;
      if (disabled) await this.#access.revoke(tx, userId);
      const { account_disabled, account_enabled } = accountEvents;
      await events.emit(tx, disabled ? account_disabled : account_enabled, { user: { id: userId }, source });
      return true;
    });
  }

  /** Removes a user with all data of the account; returns false if no user has the id. */
  remove(userId: number, source: ClientSource): Promise<boolean> {
    const { db, events } = this.#context;
    return db.transaction(async (tx) => {
      if (!(await removeUser(tx, userId))) return false;
      await this.#attempts.forgetAll(tx, userId);
      await events.emit(tx, accountEvents.account_removed, { user: { id: userId }, source });
      return true;
    });
  }

  /** Stores the language that the user reads; mails are written in it. */
  async setLanguage(userId: number, language: string): Promise<void> {
    await updateLanguage(this.#context.db, userId, language);
  }

  /**
   * Requires that a password may be set.
   * @throws {Problem} invalid_request with the reason, for the field `password`.
   */
  requireGoodPassword(password: string, email: string): Promise<void> {
    return this.#context.passwordRule(password, { email, field: 'password' });
  }

  /**
   * Stores a new password, ends the access of the previous one, resets its attempts and notifies the user. Returns
   * `undefined` for an unknown or disabled user. Inside a transaction.
   */
  async replacePassword(
    tx: Database,
    userId: number,
    hashedPassword: string,
    { event, source, keptSession }: Replacement,
  ): Promise<User | undefined> {
    const { clock, events } = this.#context;
    const user = await updatePasswordHash(tx, userId, hashedPassword, clock());
    if (user === undefined) return undefined;
    await this.#access.revoke(tx, userId, { except: keptSession });
    await this.#attempts.forget(tx, { emailKey: keyOfAddress(user.email) }, 'password');
    await events.emit(tx, event, { user, source });
    return user;
  }

  /**
   * Undoes a takeover since an instant: removes the password, ends all access and removes second factors that were
   * added since. Earlier ones stay. Inside a transaction that has locked the user.
   */
  async revokeAccessSince(tx: Database, userId: number, since: number): Promise<void> {
    await updatePasswordHash(tx, userId, null, this.#context.clock());
    await this.#access.revoke(tx, userId);
    await this.#secondFactors.removeSince(tx, userId, since);
  }

  async #add(
    tx: Database,
    address: EmailAddress,
    authenticator: FirstAuthenticator,
    source: ClientSource,
  ): Promise<User | undefined> {
    const { clock, events, emailConfirmation } = this.#context;
    const added = await addUser(tx, address, authenticator.hashedPassword, clock(), source.language);
    const owner = await lockUserByEmail(tx, address);
    const { account_created, email_taken } = accountEvents;
    await events.emit(tx, added === undefined ? email_taken : account_created, {
      user: added ?? owner,
      source,
    });
    if (owner === undefined) return undefined;
    if (emailConfirmation) await this.#sendVerificationOrNotice(tx, owner, { added, authenticator }, source);
    else {
      await authenticator.attach?.(tx, added?.id ?? noUserId);
      await this.#notifyOwner(tx, added === undefined ? owner : undefined, source);
    }
    return added;
  }

  /**
   * Mails a confirmation token, or a notice that the address is taken. Until an address is confirmed, the newest
   * registration replaces the account's password, factors, sessions and tokens, so that an attacker who registered the
   * address first keeps no access (account pre-hijacking). Constant work.
   */
  async #sendVerificationOrNotice(
    tx: Database,
    owner: User,
    { added, authenticator }: { added: User | undefined; authenticator: FirstAuthenticator },
    source: ClientSource,
  ): Promise<void> {
    const isOpen = owner.emailVerifiedAt === null && owner.disabledAt === null;
    const replaced = isOpen && added === undefined ? owner.id : noUserId;
    await updatePasswordHash(tx, replaced, authenticator.hashedPassword, this.#context.clock());
    await this.#access.revoke(tx, replaced);
    await this.#secondFactors.removeAll(tx, replaced);
    await authenticator.attach?.(tx, added?.id ?? replaced);
    await this.#emailVerification.send(tx, isOpen ? owner : undefined, source);
    await this.#notifyOwner(tx, isOpen ? undefined : owner, source);
  }

  /** Mails the user of a taken address that it was registered again. Constant work: without a user nothing is sent. */
  async #notifyOwner(tx: Database, owner: User | undefined, source: ClientSource): Promise<void> {
    await this.#context.events.send(tx, alreadyRegisteredMail, { user: owner, source });
  }

  /**
   * Removes the second factors of an account whose address was never confirmed, before the owner of the mailbox signs
   * in: an attacker may have added them (account pre-hijacking). Inside a transaction.
   */
  async removeFactorsOfUnverifiedAccount(
    tx: Database,
    { id, emailVerifiedAt, hashedPassword }: User,
  ): Promise<void> {
    if (this.#context.emailConfirmation && emailVerifiedAt === null && hashedPassword === null)
      await this.#secondFactors.removeAll(tx, id);
  }
}
