// Signs users in after the first factor was verified: creates a session, or, if a second factor is required, a
// pending authentication, which only allows giving that factor.
import { minuteMs } from '../../kit/clock.ts';
import { Problem } from '../../kit/problem.ts';
import { createToken, parseToken } from '../../kit/secret.ts';
import type { Database } from '../../db/database.ts';
import { findUserById, lockUser } from '../../user/store.ts';
import { noUserId, type User } from '../../user/user.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import { pendingAuthenticationKind } from '../cookie-kinds.ts';
import { ClosedAccountSignIn, type Reopening } from './closed-accounts.ts';
import type { KnownDevice } from './device-store.ts';
import type { Devices } from './devices.ts';
import type { Consume, GivenFactor, Requirement } from '../factor/factor.ts';
import { formatFactors, parseFactors, withFactor, type FactorUse } from '../factor/factor-use.ts';
import {
  addPendingAuthentication,
  consumePendingAuthentication,
  findPendingAuthentication,
  removeExpiredPendingAuthentications,
  removeOtherPendingAuthenticationsOf,
  removePendingAuthenticationsOf,
} from './pending-store.ts';
import type { SecondFactors } from '../factor/second-factor.ts';
import type { Sessions } from '../session/session.ts';
import type { Session } from '../session/session-entry.ts';
import { newDeviceMail, signInEvents } from './event.ts';
import type { PendingAuthentication } from './subject.ts';
import './problem.ts';

/** Result of a login: a session, or a pending authentication. */
export interface Login {
  /** Token of the new session; `undefined` while a second factor is required. */
  readonly token: string | undefined;
  /** The session ends with the browser. */
  readonly endsWithBrowser: boolean;
  /** Token of the device, if it was not known before. */
  readonly deviceToken: string | undefined;
  /** Token of the pending authentication, and its requirement. */
  readonly pending?: { readonly token: string; readonly requirement: Requirement };
  /** The account is closed: the user may keep it. */
  readonly reopening?: Reopening | undefined;
}

/** What the browser sends with a sign-in, beyond the factor. */
export interface SignInContext {
  /** Current session of the browser, which the sign-in replaces. */
  readonly replaced: Session | undefined;
  /** The device, if the user has signed in on it before. */
  readonly device: KnownDevice | undefined;
  readonly source: ClientSource;
}

/** Life of a pending authentication: long enough to look for the phone. */
export const pendingMs = 10 * minuteMs;

export interface SignInNeeds {
  readonly sessions: Sessions;
  readonly secondFactors: SecondFactors;
  readonly devices: Devices;
  /** Contributed by the feature that closes accounts. */
  readonly closedAccounts: ConstructorParameters<typeof ClosedAccountSignIn>[1];
}

/** Also the `Revocable` and the `Purgeable` of the pending authentications. */
export class SignIn {
  readonly name = 'pending authentications';
  readonly kind = 'sign_in';
  readonly #context: AuthContext;
  readonly #needs: SignInNeeds;
  readonly closedAccounts: ClosedAccountSignIn;

  constructor(context: AuthContext, needs: SignInNeeds) {
    this.#context = context;
    this.#needs = needs;
    this.closedAccounts = new ClosedAccountSignIn(context.clock, needs.closedAccounts);
  }

  /** Reads the context of a sign-in. Constant work: runs the same statements for an unknown user. */
  async signInContextOf(user: User | undefined, source: ClientSource): Promise<SignInContext> {
    const { sessions, devices } = this.#needs;
    const replaced = await sessions.find(source.sessionToken);
    return { replaced, device: await devices.find(user, source.deviceToken), source };
  }

  /**
   * Signs in a user whose first factor was verified: creates a session, which replaces the browser's, or a pending
   * authentication. Returns `undefined` if the password has changed since, or the user was removed or disabled. Inside
   * a transaction that has locked the user.
   */
  async admit(
    tx: Database,
    user: User,
    first: GivenFactor,
    signInContext: SignInContext,
  ): Promise<Login | undefined> {
    if (!(await this.closedAccounts.admits(tx, user, signInContext.source))) return undefined;
    const uses = [{ ...first, at: this.#context.clock() }];
    const requirement = first.isMultiFactor
      ? undefined
      : await this.#needs.secondFactors.requirementOf(tx, user.id);
    const isRemembered =
      requirement?.kind === 'second_factor' &&
      (await this.#needs.devices.isRememberedStill(tx, user, signInContext));
    const isEnough = requirement === undefined || isRemembered;
    if (user.disabledAt !== null && (isEnough || requirement.kind === 'enrollment'))
      return this.#reopening(tx, user, signInContext.source);
    return isEnough
      ? this.#createSession(tx, user, uses, signInContext)
      : this.#addPending(tx, user, uses, requirement, signInContext.source);
  }

  /**
   * As `admit`, in a transaction of its own: `user` is the account as it was when the first factor was verified.
   */
  async admitVerified(user: User, first: GivenFactor, source: ClientSource): Promise<Login | undefined> {
    const signInContext = await this.signInContextOf(user, source);
    return this.#context.db.transaction(async (tx) => {
      await lockUser(tx, user.id);
      return this.admit(tx, user, first, signInContext);
    });
  }

  /**
   * Signs in a user after a feature verified the first factor. Pass `consume: undefined` if verification failed and
   * `user: undefined` if the credential belongs to no account. Returns `undefined` in these cases, if the credential
   * was already consumed, and for an address that must be confirmed first. Constant work.
   */
  async enter(
    user: User | undefined,
    { consume, ...first }: GivenFactor & { readonly consume: Consume | undefined },
    source: ClientSource,
  ): Promise<Login | undefined> {
    const { db, events } = this.#context;
    const signInContext = await this.signInContextOf(user, source);
    return db.transaction(async (tx) => {
      const locked = await lockUser(tx, user?.id ?? noUserId);
      const login =
        locked && consume && (await this.#enter(tx, locked, { ...first, consume }, signInContext));
      const facts = { factor: first.factor };
      if (login === undefined)
        await events.emit(tx, signInEvents.first_factor_refused, { user, facts, source });
      return login;
    });
  }

  /** Returns the live pending authentication of a token. */
  async findPending(token: string | undefined): Promise<PendingAuthentication | undefined> {
    const parts = parseToken(pendingAuthenticationKind, token);
    if (parts === undefined) return undefined;
    const row = await findPendingAuthentication(this.#context.db, parts, this.#context.clock());
    return (
      row && {
        id: row.id,
        userId: row.user_id,
        email: row.email,
        kind: row.demand as Requirement['kind'], // written by #addPending
        factors: parseFactors(row.factors),
        passwordChangedAt: row.password_changed_at,
        endsWithBrowser: row.ends_with_browser === 1,
      }
    );
  }

  /**
   * Verifies the second factor and signs the user in. With `remembersDevice` the device needs no second factor for some
   * days, if the service allows it.
   * @throws {Problem} factor_invalid, too_many_attempts; pending_authentication_required if the authentication has ended.
   */
  async complete(
    pending: PendingAuthentication,
    given: { factor: string; proof: string; remembersDevice?: boolean },
    source: ClientSource,
  ): Promise<{ user: User; login: Login }> {
    const { db } = this.#context;
    const { secondFactors } = this.#needs;
    const user = await findUserById(db, pending.userId);
    if (user === undefined || pending.kind !== 'second_factor')
      throw new Problem('pending_authentication_required');
    const signInContext = await this.signInContextOf(user, source);
    const purpose = { purpose: 'second_factor', subjectId: pending.id } as const;
    const deviceId = signInContext.device?.id;
    const verified = await secondFactors.verify(user, given, purpose, { deviceId, source });
    return db.transaction(async (tx) => {
      const locked = (await lockUser(tx, user.id)) ?? user;
      const second = await secondFactors.consume(tx, verified, source);
      const login = await this.finish(tx, locked, pending, { given: second, signInContext });
      if (!given.remembersDevice || login.token === undefined || !this.#needs.devices.canRemember)
        return { user, login };
      const deviceToken = await this.#needs.devices.rememberOf(tx, user.id, signInContext, login.deviceToken);
      return { user, login: { ...login, deviceToken } };
    });
  }

  /**
   * Consumes a pending authentication and opens its session. Inside the transaction that meets its requirement, which
   * has locked the user.
   * @throws {Problem} pending_authentication_required if it has ended, or the password has changed since.
   */
  async finish(
    tx: Database,
    user: User,
    pending: PendingAuthentication,
    { given, signInContext }: { given: GivenFactor; signInContext: SignInContext },
  ): Promise<Login> {
    const now = this.#context.clock();
    if (!(await consumePendingAuthentication(tx, pending.id, now)))
      throw new Problem('pending_authentication_required');
    const uses = withFactor(pending.factors, { ...given, at: now });
    const asVerified = { ...user, passwordChangedAt: pending.passwordChangedAt };
    const { endsWithBrowser } = pending;
    if (!(await this.closedAccounts.admits(tx, user, signInContext.source)))
      throw new Problem('pending_authentication_required');
    if (user.disabledAt !== null) return this.#reopening(tx, user, signInContext.source);
    const source = { ...signInContext.source, endsWithBrowser };
    const login = await this.#createSession(tx, asVerified, uses, { ...signInContext, source });
    if (login === undefined) throw new Problem('pending_authentication_required');
    return login;
  }

  /** Ends the user's pending authentications. Inside a transaction. */
  async revokeAll(
    tx: Database,
    userId: number,
    { except }: { except?: string | undefined } = {},
  ): Promise<void> {
    if (except === undefined) await removePendingAuthenticationsOf(tx, userId);
    else await removeOtherPendingAuthenticationsOf(tx, userId, except);
  }

  /** Removes up to `limit` expired pending authentications and returns how many. */
  purge(limit: number): Promise<number> {
    const { db, clock } = this.#context;
    return removeExpiredPendingAuthentications(db, clock(), limit);
  }

  async #enter(
    tx: Database,
    locked: User,
    { consume, ...first }: GivenFactor & { readonly consume: Consume },
    signInContext: SignInContext,
  ): Promise<Login | undefined> {
    // Before it is consumed: otherwise the state of the token would reveal an address that is not confirmed yet.
    if (this.#context.emailConfirmation && locked.emailVerifiedAt === null) return undefined;
    return (await consume(tx)) ? this.admit(tx, locked, first, signInContext) : undefined;
  }

  /** Offers to reopen a closed account, instead of a session. */
  async #reopening(tx: Database, user: User, source: ClientSource): Promise<Login> {
    const reopening = await this.closedAccounts.offer(tx, user, source);
    return { token: undefined, endsWithBrowser: false, deviceToken: undefined, reopening };
  }

  async #createSession(
    tx: Database,
    user: User,
    uses: readonly FactorUse[],
    { replaced, device, source }: SignInContext,
  ): Promise<Login | undefined> {
    const { events } = this.#context;
    const { sessions, devices } = this.#needs;
    const userId = user.id;
    const token = await sessions.add(tx, user, { uses, replaced, source });
    if (token === undefined) return undefined;
    const factors = uses.map(({ factor }) => factor);
    await events.emit(tx, signInEvents.signed_in, { user, facts: { factors }, source });
    await sessions.recordCreation(tx, user, source);
    const { endsWithBrowser = false } = source;
    if (device !== undefined || !devices.knowsAll) return { token, endsWithBrowser, deviceToken: undefined };
    if (await devices.hasAny(tx, userId)) await events.send(tx, newDeviceMail, { user, source });
    return { token, endsWithBrowser, deviceToken: (await devices.add(tx, userId)).token };
  }

  async #addPending(
    tx: Database,
    user: User,
    uses: readonly FactorUse[],
    requirement: Requirement,
    { endsWithBrowser = false }: ClientSource,
  ): Promise<Login | undefined> {
    const { id, secretHash, token } = createToken(pendingAuthenticationKind);
    const now = this.#context.clock();
    const isAdded = await addPendingAuthentication(tx, {
      id,
      secretHash,
      userId: user.id,
      demand: requirement.kind,
      factors: formatFactors(uses),
      passwordChangedAt: user.passwordChangedAt,
      endsWithBrowser: Number(endsWithBrowser),
      now,
      expiresAt: now + pendingMs,
    });
    return isAdded
      ? { token: undefined, endsWithBrowser, deviceToken: undefined, pending: { token, requirement } }
      : undefined;
  }
}
