// Creates, disables and removes accounts, and replaces passwords. A new password ends access by way of AccountAccess.
import { fieldProblem, Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import { keyOfAddress, type EmailAddress } from '../../user/email-address.ts';
import { addOrLockUser, endProvision, provisionalMs, updateSpelling } from '../../user/provisional-store.ts';
import {
  findUserByEmail,
  lockUserToRemove,
  updateDisabled,
  updateLanguage,
  updatePasswordHash,
} from '../../user/store.ts';
import type { NoFacts } from '../../mail/mail-kind.ts';
import { isProvisional, noUserId, ValueError, type User } from '../../user/user.ts';
import type { Attempts } from '../attempt/attempts.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import type { PlainEvent } from '../event.ts';
import type { SecondFactors } from '../factor/second-factor.ts';
import type { PendingRegistrations, RegisteredAuthenticator } from '../registration/pending-registrations.ts';
import { removeAccount } from '../removal.ts';
import { endsWithPassword, type AccountAccess } from './access.ts';
import { accountEvents, alreadyRegisteredMail } from './event.ts';
import { requireSignUpOpen, type ChosenAuthenticator, type NewAccount } from './registration.ts';

/** Event and source of a new password, and the session that stays. */
export interface Replacement {
  readonly event: PlainEvent<NoFacts>;
  readonly source: ClientSource;
  /** Handle of the session in which it is changed; all others end. */
  readonly keptSession?: string;
  /** The other sessions and the access of programs stay. */
  readonly keepsOthers?: boolean;
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
  readonly registrations: PendingRegistrations;
}

/** Creates, disables and removes accounts. */
export class Accounts {
  readonly #context: AuthContext;
  readonly #access: AccountAccess;
  readonly #attempts: Attempts;
  readonly #secondFactors: SecondFactors;
  readonly #emailVerification: VerificationSender;
  readonly #registrations: PendingRegistrations;

  constructor(context: AuthContext, needs: AccountNeeds) {
    this.#context = context;
    this.#access = needs.access;
    this.#attempts = needs.attempts;
    this.#secondFactors = needs.secondFactors;
    this.#emailVerification = needs.emailVerification;
    this.#registrations = needs.registrations;
  }

  /**
   * Adds a user with this address and password, for the operator or a program. A provisional account with the address is
   * removed. With `emailVerified` the address counts as confirmed, and no mail asks for it.
   * @throws {ValueError} `User <email> already exists`, decided by the unique index of the database.
   * @throws {Problem} invalid_request if a rule rejects the address or the password.
   */
  async register(
    address: EmailAddress,
    password: string,
    source: ClientSource,
    { emailVerified = false } = {},
  ): Promise<User> {
    return this.#register(address, { password }, { isPublic: false, emailVerified }, source);
  }

  /**
   * As `register`, for any client. If addresses must be confirmed, the account is provisional and its authenticator that
   * of a pending registration: the confirmation decides which one takes effect.
   * @throws {ValueError} `User <email> already exists`.
   * @throws {Problem} sign_up_closed; invalid_request if a rule rejects the address or the password, or the credential
   *   was registered since it was verified.
   */
  async signUp(address: EmailAddress, chosen: ChosenAuthenticator, source: ClientSource): Promise<User> {
    requireSignUpOpen(this.#context);
    return this.#register(address, chosen, { isPublic: true, emailVerified: false }, source);
  }

  async #register(
    address: EmailAddress,
    chosen: ChosenAuthenticator,
    by: Pick<NewAccount, 'isPublic' | 'emailVerified'>,
    source: ClientSource,
  ): Promise<User> {
    const { db, addressRule } = this.#context;
    await addressRule(address);
    const authenticator =
      'password' in chosen
        ? { hashedPassword: await this.#hash(address, chosen.password, by.isPublic) }
        : { hashedPassword: null, ...chosen };
    const account = { address, authenticator, ...by };
    const user = await db.transaction((tx) => this.#add(tx, account, source));
    if (user === undefined) throw new ValueError(`User ${address.text} already exists`);
    return user;
  }

  /** Constant work: hashes before the address is looked up, so that a taken one takes the same time. */
  async #hash(address: EmailAddress, password: string, isPublic: boolean): Promise<string> {
    const { hasher, passwordRule, emailConfirmation } = this.#context;
    await passwordRule(password, { email: address.text, field: 'password' });
    return emailConfirmation && isPublic
      ? this.#registrations.hash(address, password)
      : hasher.hash(password);
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
      await endProvision(tx, user.id);
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
      if (!(await lockUserToRemove(tx, userId))) return false;
      await removeAccount(tx, userId, { access: this.#access, attempts: this.#attempts });
      await events.emit(tx, accountEvents.account_removed, { user: { id: userId }, source });
      return true;
    });
  }

  /**
   * Removes the provisional account that has this address, because its owner has proved that another account gets it. Any
   * other account stays. Inside a transaction.
   */
  releaseAddress(tx: Database, address: EmailAddress, source: ClientSource): Promise<void> {
    return this.#registrations.release(tx, address, source);
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
   * Stores a new password, ends the access of the previous one unless it stays, resets its attempts and notifies the
   * user. Returns `undefined` for an unknown or disabled user. Inside a transaction.
   */
  async replacePassword(
    tx: Database,
    userId: number,
    hashedPassword: string,
    { event, source, keptSession, keepsOthers = false }: Replacement,
  ): Promise<User | undefined> {
    const { clock, events } = this.#context;
    const user = await updatePasswordHash(tx, userId, hashedPassword, clock());
    if (user === undefined) return undefined;
    await this.#access.revoke(tx, userId, keepsOthers ? endsWithPassword : { except: keptSession });
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
    await this.#access.revoke(tx, userId, { since });
    await this.#secondFactors.removeSince(tx, userId, since);
  }

  /** Returns the user if one was added. */
  async #add(tx: Database, account: NewAccount, source: ClientSource): Promise<User | undefined> {
    const { clock, events, emailConfirmation } = this.#context;
    const { address, authenticator, emailVerified } = account;
    const now = clock();
    const isUnproved = emailConfirmation && account.isPublic;
    if (!isUnproved) await this.#registrations.release(tx, address, source);
    const { added, owner } = await addOrLockUser(tx, address, now, {
      hashedPassword: isUnproved ? null : authenticator.hashedPassword,
      language: source.language,
      emailVerified,
      provisionalUntil: isUnproved ? now + provisionalMs : undefined,
    });
    const { account_created, email_taken, email_marked_verified } = accountEvents;
    const event = added === undefined ? email_taken : account_created;
    await events.emit(tx, event, { user: added ?? owner, source });
    if (owner === undefined) return undefined;
    if (emailVerified && added !== undefined)
      await events.emit(tx, email_marked_verified, { user: added, source });
    if (!emailConfirmation || emailVerified) {
      await this.#attach(tx, added?.id ?? noUserId, authenticator);
      await this.#notifyOwner(tx, added === undefined ? owner : undefined, source);
    } else {
      const isPending = isUnproved || added === undefined;
      await this.#sendVerificationOrNotice(tx, owner, isPending ? account : undefined, source);
    }
    return added;
  }

  /**
   * Mails a confirmation token, or a notice that the address is taken. While an address is not confirmed, each
   * registration of it is pending, and none changes what another one opens. The newest sets the spelling of the address
   * of a provisional account, and its language. Constant work.
   */
  async #sendVerificationOrNotice(
    tx: Database,
    owner: User,
    pending: NewAccount | undefined,
    source: ClientSource,
  ): Promise<void> {
    const isOpen = owner.emailVerifiedAt === null && owner.disabledAt === null;
    let { email, language } = owner;
    if (pending !== undefined) {
      const { address, authenticator } = pending;
      const registration = { address, authenticator, requestToken: source.requestToken };
      await this.#registrations.add(tx, isOpen ? owner.id : noUserId, registration);
      const isRespelled = isOpen && isProvisional(owner);
      await updateSpelling(tx, isRespelled ? owner.id : noUserId, address, source.language);
      if (isRespelled) [email, language] = [address.text, source.language ?? language];
    }
    await this.#emailVerification.send(tx, isOpen ? { ...owner, email, language } : undefined, source);
    await this.#notifyOwner(tx, isOpen ? undefined : owner, source);
  }

  /** Adds the authenticator of a registration without a password. Constant work: `noUserId` stores nothing. */
  async #attach(tx: Database, userId: number, chosen: RegisteredAuthenticator): Promise<void> {
    const { factor, credential } = chosen;
    if (factor === undefined || credential === undefined) return;
    const isAttached = await this.#secondFactors.attach(tx, userId, { factor, credential });
    if (!isAttached && userId !== noUserId)
      throw fieldProblem('credential', 'is already registered', 'registered_already');
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
