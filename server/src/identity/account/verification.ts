// Confirms that the owner of an account receives mail at its address: sends and redeems confirmation tokens. Anyone may
// have registered the address, so the confirmation decides which registration takes effect.
import { isProblem, Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import { requireEmailAddress, type EmailAddress } from '../../user/email-address.ts';
import { updateSpelling } from '../../user/provisional-store.ts';
import { lockUser, lockUserByEmail, updatePasswordHash, updateVerified } from '../../user/store.ts';
import { noUserId, type User } from '../../user/user.ts';
import type { Attempt, Attempts } from '../attempt/attempts.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import type { SecondFactors } from '../factor/second-factor.ts';
import {
  registrationOfBrowser,
  type PendingRegistration,
  type PendingRegistrations,
} from '../registration/pending-registrations.ts';
import { tokenKind } from '../token/kinds.ts';
import type { LiveToken, OneTimeTokens } from '../token/one-time-token.ts';
import type { AccountAccess } from './access.ts';
import { accountEvents, emailVerificationMail, verificationHours } from './event.ts';
import './problem.ts';
import '../token/problem.ts';

/** Kind of token that confirms the address of an account. */
export const verificationKind = tokenKind({
  kind: 'verification',
  prefix: 'vrf',
  minutes: verificationHours * 60,
  page: { path: '/confirm', name: 'confirm', requestPath: '/confirm/again', codePath: '/confirm/code' },
  route: '/email_verification',
  namesAccount: true,
});

/** What shows, in addition to the mailed token, which registration is that of the owner of the mailbox. */
export interface RegistrationProof {
  /** The password of the registration: for another browser than the one that registered. */
  readonly password?: string | undefined;
  /** A new password, which replaces every registration: for an owner who does not know the password. */
  readonly newPassword?: string | undefined;
}

/**
 * What opens the account after the confirmation: a registration, a new password, or what opens it already, if the
 * operator or a program added the account and its own password was given.
 */
type Outcome = { readonly attempt?: Attempt } & (
  | { readonly by: 'registration'; readonly registration: PendingRegistration }
  | { readonly by: 'new_password'; readonly hashedPassword: string }
  | { readonly by: 'account'; readonly passwordChangedAt: number }
);

/** What opens an account after the operator has confirmed its address. */
export type MarkedAs = 'account' | 'registration' | 'nothing';

/** How the owner of the mailbox writes the address, and the language of their browser. */
interface ProvenOwner {
  readonly address: EmailAddress;
  readonly language: string | undefined;
}

/** A confirmed account. */
export interface ConfirmedAccount {
  readonly user: User;
  /**
   * `password`, or the factor of the registration, if this browser made the registration that takes effect: then the
   * token signs in as well. `undefined` in another browser.
   */
  readonly registeredBy: string | undefined;
}

export interface EmailVerificationNeeds {
  readonly access: AccountAccess;
  readonly attempts: Attempts;
  readonly registrations: PendingRegistrations;
  readonly secondFactors: SecondFactors;
  readonly tokens: OneTimeTokens;
}

/** Returns how this browser registered the account, if it did. */
function methodOfBrowser(outcome: Outcome): string | undefined {
  if (outcome.by !== 'registration' || outcome.attempt !== undefined) return undefined;
  return outcome.registration.factor ?? 'password';
}

/** Sends and redeems confirmation tokens. */
export class EmailVerification {
  readonly #context: AuthContext;
  readonly #needs: EmailVerificationNeeds;

  constructor(context: AuthContext, needs: EmailVerificationNeeds) {
    this.#context = context;
    this.#needs = needs;
  }

  /**
   * Mails a token to the user's address, now or after a pause. Constant work: without a user it stores nothing.
   * Inside a transaction.
   */
  async send(tx: Database, user: User | undefined, source: ClientSource): Promise<void> {
    const { registrations, tokens } = this.#needs;
    await registrations.extend(tx, user?.id ?? noUserId);
    await this.#context.events.send(tx, emailVerificationMail, {
      user,
      source,
      facts: (recipient, grant) => {
        const token = { kind: verificationKind, target: recipient?.email ?? '' };
        return tokens.issueRequested(tx, recipient, token, source, grant);
      },
    });
  }

  /**
   * Mails a new confirmation token to an account whose address is not confirmed. Constant work: other addresses look
   * and cost the same.
   */
  async request(address: EmailAddress, source: ClientSource): Promise<void> {
    const { db, events } = this.#context;
    await db.transaction(async (tx) => {
      const user = await lockUserByEmail(tx, address);
      const isAsked = user?.emailVerifiedAt === null && user.disabledAt === null;
      await this.send(tx, isAsked ? user : undefined, source);
      const { email_verification_requested: requested, email_verification_request_refused: refused } =
        accountEvents;
      await events.emit(tx, isAsked ? requested : refused, { user, source });
    });
  }

  /**
   * Confirms the address of the account and consumes the token. One registration takes effect, that of this browser or
   * that of the given password; or a new password replaces all of them. The others end, with all access from before.
   * @throws {Problem} token_invalid; invalid_request for a new password that the rule rejects.
   * @throws {Problem} password_required in another browser than the one that registered; same_browser_required instead if
   *   no registration has a password. The token can still be used, here with a new password.
   * @throws {Problem} password_wrong, too_many_attempts.
   */
  async redeem(
    address: EmailAddress,
    presented: string,
    source: ClientSource,
    proof: RegistrationProof = {},
  ): Promise<ConfirmedAccount> {
    const { db, clock, events } = this.#context;
    const { attempts, tokens } = this.#needs;
    // Found before a password is hashed, so that guessed tokens cost no hash (denial of service).
    const live = await tokens.find(verificationKind, presented, { email: address }, source);
    if (live.user.disabledAt !== null) throw new Problem('token_invalid');
    const outcome = await this.#choose(live, { ...proof, address }, source);
    return db.transaction(async (tx) => {
      const before = await lockUser(tx, live.user.id);
      await tokens.consume(tx, live);
      if (before?.emailVerifiedAt !== null) throw new Problem('token_invalid');
      await this.#settle(tx, before, outcome, { address, language: source.language });
      const user = await updateVerified(tx, before.id, clock());
      if (user === undefined) throw new Problem('token_invalid');
      if (outcome.attempt !== undefined) await attempts.succeed(tx, outcome.attempt);
      await events.emit(tx, accountEvents.email_verified, { user, source });
      if (outcome.by === 'new_password')
        await events.emit(tx, accountEvents.registrations_replaced, { user, source });
      return { user, registeredBy: methodOfBrowser(outcome) };
    });
  }

  /**
   * Marks the address of a user as confirmed, for the operator or a program. What opens the account is kept; of a
   * provisional account its only registration takes effect, and of several none: nothing shows which one is the owner's.
   * Returns what opens the account; `undefined` if no user has the id, or it is disabled or confirmed already.
   */
  async markVerified(userId: number, source: ClientSource): Promise<MarkedAs | undefined> {
    const { db, clock, events } = this.#context;
    return db.transaction(async (tx) => {
      const user = await lockUser(tx, userId);
      if (user === undefined || user.disabledAt !== null || user.emailVerifiedAt !== null) return undefined;
      const kept = await this.#settleMarked(tx, user);
      await updateVerified(tx, userId, clock());
      await events.emit(tx, accountEvents.email_marked_verified, { user, source });
      return kept;
    });
  }

  /** Settles without a proof of the owner, and returns what opens the account. Inside a transaction. */
  async #settleMarked(tx: Database, user: User): Promise<MarkedAs> {
    const owner = { address: requireEmailAddress(user.email), language: undefined };
    if (user.provisionalUntil === null) {
      const { passwordChangedAt } = user;
      await this.#settle(tx, user, { by: 'account', passwordChangedAt }, owner);
      return 'account';
    }
    const [registration, ...others] = await this.#needs.registrations.list(user.id, tx);
    if (registration !== undefined && others.length === 0) {
      await this.#settle(tx, user, { by: 'registration', registration }, owner);
      return 'registration';
    }
    await this.#replace(tx, user.id, null, owner);
    return 'nothing';
  }

  /** Decides what will open the account. Changes nothing but the count of attempts. */
  async #choose(
    { user }: LiveToken,
    { address, password, newPassword }: RegistrationProof & { address: EmailAddress },
    source: ClientSource,
  ): Promise<Outcome> {
    const { hasher, passwordRule } = this.#context;
    if (newPassword !== undefined) {
      await passwordRule(newPassword, { email: address.text, field: 'new_password' });
      return { by: 'new_password', hashedPassword: await hasher.hash(newPassword) };
    }
    const registrations = await this.#needs.registrations.list(user.id);
    if (password !== undefined)
      return this.#findByPassword(user, registrations, { address, password }, source);
    const registration = registrationOfBrowser(registrations, source.requestToken);
    if (registration !== undefined) return { by: 'registration', registration };
    const hasPassword =
      user.hashedPassword !== null || registrations.some((one) => one.hashed_password !== null);
    throw new Problem(hasPassword ? 'password_required' : 'same_browser_required');
  }

  /**
   * Counts the attempt and finds what the password opens. It has a counter of its own, which only the owner of the mailbox
   * reaches: failed logins of strangers must not prevent the confirmation.
   */
  async #findByPassword(
    user: User,
    registrations: readonly PendingRegistration[],
    given: { address: EmailAddress; password: string },
    source: ClientSource,
  ): Promise<Outcome> {
    const { db, events, hasher } = this.#context;
    const { attempts } = this.#needs;
    hasher.requireCapacity(); // before the attempt is counted: a rejection under load is not a wrong password
    const attempt = await attempts.begin({ userId: user.id }, 'registration');
    const found = await this.#match(user, registrations, given).catch(async (error: unknown) => {
      if (isProblem(error, 'too_busy')) await attempts.withdraw(attempt);
      throw error;
    });
    if (found !== undefined) return { ...found, attempt };
    await db.transaction((tx) =>
      events.emit(tx, accountEvents.registration_password_wrong, { user, source }),
    );
    throw new Problem('password_wrong');
  }

  async #match(
    user: User,
    registrations: readonly PendingRegistration[],
    { address, password }: { address: EmailAddress; password: string },
  ): Promise<Outcome | undefined> {
    const registration = await this.#needs.registrations.findByPassword(registrations, address, password);
    if (registration !== undefined) return { by: 'registration', registration };
    const { hashedPassword, passwordChangedAt } = user;
    if (hashedPassword === null) return undefined;
    const { matches } = await this.#context.hasher.verify(hashedPassword, password);
    return matches ? { by: 'account', passwordChangedAt } : undefined;
  }

  /** Makes one registration that of the account, and ends the others and the access from before. */
  async #settle(tx: Database, user: User, outcome: Outcome, proven: ProvenOwner): Promise<void> {
    const { access, registrations } = this.#needs;
    if (outcome.by === 'account') {
      if (user.passwordChangedAt > outcome.passwordChangedAt) throw new Problem('password_required');
      // Access from before the confirmation (while EMAIL_CONFIRMATION was off) may belong to an attacker who registered
      // the address.
      await access.revoke(tx, user.id, { kinds: ['sign_in', 'device', 'registration'] });
      return;
    }
    if (outcome.by === 'new_password') {
      await this.#replace(tx, user.id, outcome.hashedPassword, proven);
      return;
    }
    const { registration } = outcome;
    // It may have been replaced since it was read.
    if (!(await registrations.take(tx, registration))) throw new Problem('password_required');
    const { email, factor, credential } = registration;
    const address = requireEmailAddress(email);
    await this.#replace(tx, user.id, registration.hashed_password, { ...proven, address });
    if (factor === null || credential === null) return;
    if (!(await this.#needs.secondFactors.attach(tx, user.id, { factor, credential })))
      throw new Problem('password_required');
  }

  /** Replaces everything that opens the account: its password, factors and access, and all registrations. */
  async #replace(
    tx: Database,
    userId: number,
    hashedPassword: string | null,
    { address, language }: ProvenOwner,
  ): Promise<void> {
    const { access, secondFactors } = this.#needs;
    await updatePasswordHash(tx, userId, hashedPassword, this.#context.clock());
    await updateSpelling(tx, userId, address, language);
    await secondFactors.removeAll(tx, userId);
    await access.revoke(tx, userId, { since: 0 });
  }
}
