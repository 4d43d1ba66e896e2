// Decides which second factors sign-in requires of a user, and verifies them. Each kind is a feature.
import { Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import type { User } from '../../user/user.ts';
import type { Attempt, Attempts } from '../attempt/attempts.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import { factorEvents } from './event.ts';
import type {
  FactorPurpose,
  GivenFactor,
  Requirement,
  SecondFactor,
  SecondFactorPolicy,
  StoredFactor,
  VerifiedOutput,
} from './factor.ts';
import { newestUse, type FactorType, type FactorUse } from './factor-use.ts';
import './problem.ts';

/** A verified second factor. `consume` it inside the transaction that uses it. */
export interface VerifiedFactor extends VerifiedOutput {
  readonly user: User;
  readonly attempt: Attempt;
  readonly factor: SecondFactor;
}

export interface SecondFactorsOptions {
  /** Factors that sign-in accepts. */
  readonly factors: readonly SecondFactor[];
  /** Factors of all modules. Those that are not among `factors` are still removed, exported and counted. */
  readonly stored: readonly StoredFactor[];
  readonly policy: SecondFactorPolicy;
}

interface Method {
  readonly amr: readonly string[];
  /** Absent if it is no factor. */
  readonly type?: FactorType;
}

/**
 * Values of RFC 8176 for first factors. It registers no value for an email link, which is no factor either (NIST SP
 * 800-63B-4 §3.1.3.1: email proves no possession of a device).
 */
const firstFactors: Readonly<Record<string, Method>> = {
  password: { amr: ['pwd'], type: 'knowledge' },
  email: { amr: ['email'] },
};

/** The second factors of the service. */
export class SecondFactors {
  readonly name = 'second factors';
  readonly policy: SecondFactorPolicy;
  readonly #context: AuthContext;
  readonly #attempts: Attempts;
  readonly #enabled: readonly SecondFactor[];
  readonly #stored: readonly StoredFactor[];

  /** The lists are read at each call, because modules add to them before the first request. */
  constructor(context: AuthContext, attempts: Attempts, { factors, stored, policy }: SecondFactorsOptions) {
    this.#context = context;
    this.#attempts = attempts;
    this.#enabled = factors;
    this.#stored = stored;
    this.policy = policy;
  }

  /** Factors that sign-in accepts, backups last. */
  get #factors(): readonly SecondFactor[] {
    if (this.policy === 'off') return [];
    return this.#enabled.toSorted((a, b) => Number(a.isBackup) - Number(b.isBackup));
  }

  /** A requirement of a request: any second factor, or one of those that can be enrolled. */
  get requirable(): readonly string[] {
    const names = this.#factors.filter(({ isBackup }) => !isBackup).map(({ name }) => name);
    return names.length === 0 ? [] : ['second', ...names];
  }

  /** Factors that may be stored, whether sign-in accepts them or not. */
  get #all(): readonly StoredFactor[] {
    const enabled = new Set(this.#enabled.map(({ name }) => name));
    return [...this.#enabled, ...this.#stored.filter(({ name }) => !enabled.has(name))];
  }

  /**
   * Returns the authentication method references of a session (RFC 8176 §2): each one time, and `mfa` last if factors of
   * two types were given, or one of them proved two types by itself. Email and unknown factors have no type.
   */
  methodsOf(uses: readonly FactorUse[]): string[] {
    const used = uses.map(({ factor }) => this.#methodOf(factor));
    const methods = new Set(used.flatMap(({ amr }) => amr));
    const types = new Set(used.flatMap(({ type }) => type ?? []));
    const isMultiFactor = types.size > 1 || uses.some((use) => use.isMultiFactor);
    return isMultiFactor ? [...methods, 'mfa'] : [...methods];
  }

  /**
   * Returns when the user of a session last proved who they are. After a second factor only another second factor is a
   * newer proof: a person who finds an open session and knows the password has no second factor. For a user who has
   * removed all of them, every factor is a newer proof.
   */
  async proofOf(
    userId: number,
    uses: readonly FactorUse[],
  ): Promise<{ readonly at: number | undefined; readonly isSecond: boolean }> {
    const hasSecond = uses.some(({ factor }) => firstFactors[factor] === undefined);
    const names = hasSecond ? await this.usableOf(userId) : [];
    const seconds = uses.filter((use) => names.includes(use.factor) || use.isMultiFactor === true);
    const isSecond = names.length > 0 && seconds.length > 0;
    return { at: newestUse(isSecond ? seconds : uses), isSecond };
  }

  #methodOf(factor: string): Method {
    return firstFactors[factor] ?? this.#all.find(({ name }) => name === factor) ?? { amr: [factor] };
  }

  /** Returns the names of the factors of which sign-in requires one; empty if the user has only a backup. */
  async usableOf(userId: number, db: Database = this.#context.db): Promise<string[]> {
    const names: string[] = [];
    for (const factor of this.#factors) {
      const replacesNothing = factor.isBackup && names.length === 0;
      if (!replacesNothing && (await factor.isEnrolled(db, userId))) names.push(factor.name);
    }
    return names;
  }

  /** Returns those names of `usableOf` whose factors prove one of the methods (RFC 8176), such as `pop`. */
  async usableProving(userId: number, methods: readonly string[]): Promise<string[]> {
    const names = await this.usableOf(userId);
    return names.filter((name) => this.#methodOf(name).amr.some((method) => methods.includes(method)));
  }

  /** Returns true if the user has enrolled the factor. A backup counts only if it replaces another one. */
  async #isUsable(factor: SecondFactor, userId: number): Promise<boolean> {
    const { db } = this.#context;
    if (!(await factor.isEnrolled(db, userId))) return false;
    return !factor.isBackup || !(await hasNoneOf(this.#factors, db, userId));
  }

  /**
   * Returns true if the user has enrolled no factor that the options offer, whatever the policy. Backups do not count,
   * nor do disabled factors: they protect no sign-in, so an attacker who knows the password could add another one.
   */
  hasNoFactor(db: Database, userId: number): Promise<boolean> {
    return hasNoneOf(this.#enabled, db, userId);
  }

  /** Returns the names of all factors that the user has enrolled, also of those that the options do not offer. */
  async storedOf(db: Database, userId: number): Promise<string[]> {
    const names: string[] = [];
    for (const factor of this.#all) if (await factor.isEnrolled(db, userId)) names.push(factor.name);
    return names;
  }

  /** Returns what sign-in requires of the user after the first factor; `undefined` if nothing. */
  async requirementOf(db: Database, userId: number): Promise<Requirement | undefined> {
    const factors = await this.usableOf(userId, db);
    if (factors.length > 0) return { kind: 'second_factor', factors };
    if (this.policy !== 'required') return undefined;
    const enrollable = this.#factors.filter(({ isBackup }) => !isBackup).map(({ name }) => name);
    return { kind: 'enrollment', factors: enrollable };
  }

  /** Returns true if the user can sign in with one of the factors alone. */
  async hasWayIn(db: Database, userId: number): Promise<boolean> {
    for (const factor of this.#enabled) if (await factor.isWayIn?.(db, userId)) return true;
    return false;
  }

  /**
   * Counts the attempt and verifies a second factor. Consumes nothing.
   * @throws {Problem} factor_invalid, too_many_attempts.
   */
  async verify(
    user: User,
    { factor: name, proof }: { factor: string; proof: string },
    purpose: FactorPurpose,
    { deviceId, source }: { deviceId: string | undefined; source: ClientSource },
  ): Promise<VerifiedFactor> {
    const factor = this.#factors.find((each) => each.name === name);
    if (factor === undefined || !(await this.#isUsable(factor, user.id))) throw new Problem('factor_invalid');
    const attempt = await this.#attempts.begin({ userId: user.id, deviceId }, name);
    const output = await factor.check(user, proof, purpose);
    if (output === undefined) {
      await this.recordFailure(user, name, source);
      throw new Problem('factor_invalid');
    }
    return { ...output, user, attempt, factor };
  }

  /**
   * Consumes a verified factor and returns it as given. Inside the transaction that uses it.
   * @throws {Problem} factor_invalid if it was already consumed.
   */
  async consume(
    tx: Database,
    { user, attempt, factor, consume, isMultiFactor }: VerifiedFactor,
    source: ClientSource,
  ): Promise<GivenFactor> {
    if (!(await consume(tx))) throw new Problem('factor_invalid');
    await this.#attempts.succeed(tx, attempt);
    await factor.notifyUse?.(tx, { user, source, events: this.#context.events });
    return { factor: factor.name, isMultiFactor };
  }

  /** Removes every factor of the user, backups included, and resets their attempts. Inside a transaction. */
  async removeAll(tx: Database, userId: number): Promise<void> {
    for (const factor of this.#all) {
      await factor.removeAll(tx, userId);
      await this.#attempts.forget(tx, { userId }, factor.name);
    }
  }

  /**
   * Adds the authenticator of a registration; false if another account has it, or its factor is disabled. Inside a
   * transaction that has locked the user.
   */
  async attach(
    tx: Database,
    userId: number,
    { factor: name, credential }: { factor: string; credential: string },
  ): Promise<boolean> {
    const factor = this.#enabled.find((each) => each.name === name);
    return (await factor?.attachRegistered?.(tx, userId, credential)) ?? false;
  }

  /** Returns what each factor stores about the user, by its name. */
  async exportOf(db: Database, userId: number): Promise<Record<string, object>> {
    const known: Record<string, object> = {};
    for (const factor of this.#all) known[factor.name] = await factor.exportOf(db, userId);
    return known;
  }

  /**
   * Removes the factors that the user has added since an instant, and backups that no longer replace one. Inside a
   * transaction.
   */
  async removeSince(tx: Database, userId: number, since: number): Promise<void> {
    for (const factor of this.#all) await factor.removeAll(tx, userId, since);
    await this.removeIdleBackups(tx, userId);
  }

  /** Resets the attempts of a factor that was replaced. Inside a transaction. */
  async forgetAttempts(tx: Database, userId: number, factor: string): Promise<void> {
    await this.#attempts.forget(tx, { userId }, factor);
  }

  /** Removes the backups of a user without another second factor, also a disabled one. Inside a transaction. */
  async removeIdleBackups(tx: Database, userId: number): Promise<void> {
    if (!(await hasNoneOf(this.#all, tx, userId))) return;
    for (const factor of this.#all) if (factor.isBackup) await factor.removeAll(tx, userId);
  }

  /** Removes up to `limit` expired rows of all factors and returns how many. */
  async purge(limit: number): Promise<number> {
    let total = 0;
    const { db, clock } = this.#context;
    for (const factor of this.#all) total += (await factor.purge?.(db, clock(), limit - total)) ?? 0;
    return total;
  }

  /** Records a wrong second factor. */
  async recordFailure(user: User, factor: string, source: ClientSource): Promise<void> {
    const { db, events } = this.#context;
    await db.transaction((tx) =>
      events.emit(tx, factorEvents.wrong_second_factor, { user, facts: { factor }, source }),
    );
  }
}

/** Returns true if the user has enrolled none of the factors; backups do not count. */
async function hasNoneOf(factors: readonly StoredFactor[], db: Database, userId: number): Promise<boolean> {
  for (const factor of factors) if (!factor.isBackup && (await factor.isEnrolled(db, userId))) return false;
  return true;
}
