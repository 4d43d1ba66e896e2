// Where a proof becomes a session, whichever door it came through: a first factor gives a session where no second is
// asked for, and otherwise a pending login, which opens nothing but the door of the second.
import { minuteMs } from '../../kit/clock.ts';
import { Problem } from '../../kit/problem.ts';
import { createToken, parseToken } from '../../kit/secret.ts';
import type { Database } from '../../db/database.ts';
import { findUserById, lockUser } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import { idOf, type AuthContext, type ClientSource } from '../context.ts';
import { deviceKind, pendingAuthenticationKind } from '../cookie-kinds.ts';
import type { KnownDevice } from './device-store.ts';
import type { Devices } from './devices.ts';
import {
  formatFactors,
  parseFactors,
  withFactor,
  type FactorUse,
  type FirstFactor,
  type Consume,
} from '../factor/factor.ts';
import { notify } from '../notice.ts';
import {
  addPendingAuthentication,
  consumePendingAuthentication,
  findPendingAuthentication,
  removeExpiredPendingAuthentications,
  removeOtherPendingAuthenticationsOf,
  removePendingAuthenticationsOf,
} from './pending-store.ts';
import type { Requirement, SecondFactors } from '../factor/second-factor.ts';
import { removeSession } from '../session/store.ts';
import type { Session, Sessions } from '../session/session.ts';

/** What a login gives its holder: a session, or what awaits the second factor. */
export interface Login {
  /** Token of the new session; `undefined` while a second factor is owed. */
  readonly token: string | undefined;
  /** Token of the device, when it was not known before. */
  readonly deviceToken: string | undefined;
  /** What is owed, and the token of whoever owes it. */
  readonly pending?: { readonly token: string; readonly demand: Requirement };
}

/** Somebody who gave a first factor and owes the second. */
export interface PendingAuthentication {
  readonly id: string;
  readonly userId: number;
  readonly kind: Requirement['kind'];
  readonly factors: readonly FactorUse[];
  /** Of the user when the first factor was verified. */
  readonly passwordChangedAt: number;
}

/** What comes with a proof. */
export interface SignInContext {
  /** The session that the browser holds already. */
  readonly replaced: Session | undefined;
  /** The device, if the user was signed in on it before. */
  readonly device: KnownDevice | undefined;
  readonly source: ClientSource;
}

/** Life of a pending login: long enough to look for the phone. */
export const pendingMs = 10 * minuteMs;

export interface SignInNeeds {
  readonly sessions: Sessions;
  readonly secondFactors: SecondFactors;
  readonly devices: Devices;
}

/** Also the `Revocable` and the `Purgeable` of the pending authentications. */
export class SignIn {
  readonly name = 'pending authentications';
  readonly kind = 'sign_in';
  readonly #context: AuthContext;
  readonly #needs: SignInNeeds;

  constructor(context: AuthContext, needs: SignInNeeds) {
    this.#context = context;
    this.#needs = needs;
  }

  /** What comes with the requests of a browser for this user; the looks are taken for an unknown user too. */
  async signInContextOf(user: User | undefined, source: ClientSource): Promise<SignInContext> {
    const { sessions, devices } = this.#needs;
    const replaced = await sessions.find(source.sessionToken);
    return { replaced, device: await devices.find(user, source.deviceToken), source };
  }

  /**
   * Gives a user whose first factor was verified a session, in the place of the one that the browser holds, or a pending
   * login; `undefined` when the proof no longer counts. Inside a transaction.
   */
  async admit(
    tx: Database,
    user: User,
    factor: FirstFactor,
    signInContext: SignInContext,
  ): Promise<Login | undefined> {
    const uses = [{ factor, at: this.#context.clock() }];
    // A passkey that verified its user is two factors by itself: the device, and what unlocks it.
    const demand =
      factor === 'passkey' ? undefined : await this.#needs.secondFactors.requirementOf(tx, user.id);
    const isSpared = demand?.kind === 'second_factor' && (await this.#isRemembered(tx, user, signInContext));
    return demand === undefined || isSpared
      ? this.#open(tx, user, uses, signInContext)
      : this.#await(tx, user, uses, demand);
  }

  /**
   * Signs a user in whose first factor was verified by its own room: what spends it is missing where it was wrong, and so
   * is the user where it was nobody's. `undefined` then, when it was spent meanwhile, and when it opens nothing: as for a
   * password, an address that nobody has confirmed is no reason that is told.
   */
  async enter(
    user: User | undefined,
    { factor, consume }: { factor: FirstFactor; consume: Consume | undefined },
    source: ClientSource,
  ): Promise<Login | undefined> {
    const { db, audit } = this.#context;
    const login = user && consume && (await this.#enter(user, factor, consume, source));
    if (login === undefined) {
      const deed = { event: 'authn_login_fail', outcome: 'failure', reason: `refused_${factor}` } as const;
      await db.transaction((tx) => audit.record(tx, { ...deed, ...idOf(user) }, source));
    }
    return login;
  }

  /** The live pending login of a token. */
  async findPending(token: string | undefined): Promise<PendingAuthentication | undefined> {
    const parts = parseToken(pendingAuthenticationKind, token);
    if (parts === undefined) return undefined;
    const row = await findPendingAuthentication(this.#context.db, parts, this.#context.clock());
    return (
      row && {
        id: row.id,
        userId: row.user_id,
        kind: row.demand as Requirement['kind'], // written by #await
        factors: parseFactors(row.factors),
        passwordChangedAt: row.password_changed_at,
      }
    );
  }

  /**
   * The session of whoever gives the second factor that was owed. Whoever wishes it is not asked again on this device
   * for a while, where the options have that.
   * @throws {Problem} factor_invalid, too_many_attempts; pending_login_required when the login is over.
   */
  async complete(
    pending: PendingAuthentication,
    given: { factor: string; proof: string; remembersDevice?: boolean },
    source: ClientSource,
  ): Promise<{ user: User; login: Login }> {
    const { db } = this.#context;
    const { secondFactors } = this.#needs;
    const user = await findUserById(db, pending.userId);
    if (user === undefined || pending.kind !== 'second_factor') throw new Problem('pending_login_required');
    const signInContext = await this.signInContextOf(user, source);
    const occasion = { purpose: 'second_factor', subjectId: pending.id } as const;
    const deviceId = signInContext.device?.id;
    const verified = await secondFactors.verify(user, given, occasion, { deviceId, source });
    return db.transaction(async (tx) => {
      await lockUser(tx, user.id);
      await secondFactors.consume(tx, verified, source);
      const login = await this.finish(tx, user, pending, { use: given.factor, signInContext });
      if (!given.remembersDevice || !this.#needs.devices.canRemember) return { user, login };
      const deviceToken = await this.#remember(tx, user.id, signInContext, login.deviceToken);
      return { user, login: { ...login, deviceToken } };
    });
  }

  /**
   * The session of a pending login whose demand is met. Inside the transaction in which it is, which has locked the user.
   * @throws {Problem} pending_login_required when it is over, or the password has changed since.
   */
  async finish(
    tx: Database,
    user: User,
    pending: PendingAuthentication,
    { use, signInContext }: { use: string; signInContext: SignInContext },
  ): Promise<Login> {
    const now = this.#context.clock();
    if (!(await consumePendingAuthentication(tx, pending.id, now)))
      throw new Problem('pending_login_required');
    const uses = withFactor(pending.factors, { factor: use, at: now });
    const asVerified = { ...user, passwordChangedAt: pending.passwordChangedAt };
    const login = await this.#open(tx, asVerified, uses, signInContext);
    if (login === undefined) throw new Problem('pending_login_required');
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
    user: User,
    factor: FirstFactor,
    consume: Consume,
    source: ClientSource,
  ): Promise<Login | undefined> {
    const { db, confirmEmail } = this.#context;
    const signInContext = await this.signInContextOf(user, source);
    return db.transaction(async (tx) => {
      const locked = await lockUser(tx, user.id);
      // Before it is spent: what becomes of the proof would tell of an address that waits for its confirmation.
      if (locked === undefined || (confirmEmail && locked.emailVerifiedAt === null)) return undefined;
      return (await consume(tx)) ? this.admit(tx, locked, factor, signInContext) : undefined;
    });
  }

  async #open(
    tx: Database,
    user: User,
    uses: readonly FactorUse[],
    { replaced, device, source }: SignInContext,
  ): Promise<Login | undefined> {
    const { audit } = this.#context;
    const { sessions, devices } = this.#needs;
    const userId = user.id;
    const token = await sessions.add(tx, user, { uses, device: source.device });
    if (token === undefined) return undefined;
    if (replaced !== undefined && (await removeSession(tx, replaced.id)) !== undefined) {
      const deed = { event: 'session_expired', outcome: 'success', reason: 'replaced' } as const;
      await audit.record(tx, { ...deed, userId: replaced.userId }, source);
    }
    const reason = uses.map(({ factor }) => factor).join('+');
    await audit.record(tx, { event: 'authn_login_success', outcome: 'success', reason, userId }, source);
    await audit.record(tx, { event: 'session_created', outcome: 'success', userId }, source);
    if (device !== undefined || !devices.knowsAll) return { token, deviceToken: undefined };
    if (await devices.hasAny(tx, userId))
      await notify(this.#context, tx, user, { kind: 'new_device', facts: {}, source });
    return { token, deviceToken: (await devices.add(tx, userId)).token };
  }

  async #await(
    tx: Database,
    user: User,
    uses: readonly FactorUse[],
    demand: Requirement,
  ): Promise<Login | undefined> {
    const { id, secretHash, token } = createToken(pendingAuthenticationKind);
    const now = this.#context.clock();
    const isAdded = await addPendingAuthentication(tx, {
      id,
      secretHash,
      userId: user.id,
      demand: demand.kind,
      factors: formatFactors(uses),
      passwordChangedAt: user.passwordChangedAt,
      now,
      expiresAt: now + pendingMs,
    });
    return isAdded ? { token: undefined, deviceToken: undefined, pending: { token, demand } } : undefined;
  }

  /**
   * True if the device needs no second factor. Read again in the transaction: since the context was built, the password
   * was verified, and meanwhile an added authenticator may have made the service forget the device.
   */
  async #isRemembered(tx: Database, user: User, { device, source }: SignInContext): Promise<boolean> {
    const { devices } = this.#needs;
    return (
      devices.isRemembered(device) && devices.isRemembered(await devices.find(user, source.deviceToken, tx))
    );
  }

  /** Remembers the device of the sign-in, or a new one, and returns the token of a new one. */
  async #remember(
    tx: Database,
    userId: number,
    { device, source }: SignInContext,
    added: string | undefined,
  ): Promise<string | undefined> {
    const known = device?.id ?? parseToken(deviceKind, added)?.id;
    const { devices } = this.#needs;
    const { id, token } = known === undefined ? await devices.add(tx, userId) : { id: known, token: added };
    await devices.remember(tx, id, source.device);
    return token;
  }
}
