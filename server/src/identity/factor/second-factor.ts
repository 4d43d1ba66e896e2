// Decides which second factors sign-in requires of a user, and verifies them. Each kind is a feature.
import { Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import type { User } from '../../user/user.ts';
import type { Attempt, Attempts } from '../attempt/attempts.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import { factorEvents } from './event.ts';
import type { FactorPurpose, SecondFactor, SecondFactorPolicy, Consume, Requirement } from './factor.ts';
import type { FactorUse } from './factor-use.ts';
import './problem.ts';

/** A verified second factor. `consume` it inside the transaction that uses it. */
export interface VerifiedFactor {
  readonly user: User;
  readonly attempt: Attempt;
  readonly factor: SecondFactor;
  readonly consume: Consume;
}

export interface SecondFactorsOptions {
  readonly factors: readonly SecondFactor[];
  /** Disabled factors: sign-in does not accept them; stored data is still exported and removed. */
  readonly disabled: readonly SecondFactor[];
  readonly policy: SecondFactorPolicy;
}

/** Values of RFC 8176 for first factors. It registers no value for an email link. */
const firstFactorMethods: Readonly<Record<string, readonly string[]>> = {
  password: ['pwd'],
  email: ['email'],
};

/** The second factors of the service. */
export class SecondFactors {
  readonly name = 'second factors';
  readonly policy: SecondFactorPolicy;
  readonly #context: AuthContext;
  readonly #attempts: Attempts;
  readonly #enabled: readonly SecondFactor[];
  readonly #disabled: readonly SecondFactor[];

  /** The lists are read at each call, because modules add to them before the first request. */
  constructor(context: AuthContext, attempts: Attempts, { factors, disabled, policy }: SecondFactorsOptions) {
    this.#context = context;
    this.#attempts = attempts;
    this.#enabled = factors;
    this.#disabled = disabled;
    this.policy = policy;
  }

  /** Factors that sign-in accepts, backups last. */
  get #factors(): readonly SecondFactor[] {
    if (this.policy === 'off') return [];
    return this.#enabled.toSorted((a, b) => Number(a.isBackup) - Number(b.isBackup));
  }

  get #all(): readonly SecondFactor[] {
    return [...this.#enabled, ...this.#disabled];
  }

  /**
   * Returns the authentication method references of a session (RFC 8176 §2): each one time, and `mfa` last if several
   * factors were given or one of them is several by itself.
   */
  methodsOf(uses: readonly FactorUse[]): string[] {
    const names = new Set(uses.map(({ factor }) => factor));
    const methods = new Set([...names].flatMap((name) => this.#methodsOfFactor(name)));
    const isMultiFactor = methods.delete('mfa') || names.size > 1;
    return isMultiFactor ? [...methods, 'mfa'] : [...methods];
  }

  #methodsOfFactor(name: string): readonly string[] {
    return firstFactorMethods[name] ?? this.#all.find((factor) => factor.name === name)?.amr ?? [name];
  }

  /** Returns the names of the factors of which sign-in requires one; empty if the user has only a backup. */
  async setOf(db: Database, userId: number): Promise<string[]> {
    const names: string[] = [];
    for (const factor of this.#factors) {
      const replacesNothing = factor.isBackup && names.length === 0;
      if (!replacesNothing && (await factor.isSet(db, userId))) names.push(factor.name);
    }
    return names;
  }

  /** As `setOf`, outside of a transaction. */
  namesOf(userId: number): Promise<string[]> {
    return this.setOf(this.#context.db, userId);
  }

  /** Returns true if the user has enrolled the factor. A backup counts only if it replaces another one. */
  async #isUsable(factor: SecondFactor, userId: number): Promise<boolean> {
    const { db } = this.#context;
    if (!(await factor.isSet(db, userId))) return false;
    return !factor.isBackup || !(await this.#hasNoneOf(this.#factors, db, userId));
  }

  async #hasNoneOf(factors: readonly SecondFactor[], db: Database, userId: number): Promise<boolean> {
    for (const factor of factors) if (!factor.isBackup && (await factor.isSet(db, userId))) return false;
    return true;
  }

  /** Returns true if the user has enrolled no factor, also if the policy is off. Backups do not count. */
  hasNoFactor(db: Database, userId: number): Promise<boolean> {
    return this.#hasNoneOf(this.policy === 'off' ? this.#all : this.#enabled, db, userId);
  }

  /** Returns what sign-in requires of the user after the first factor; `undefined` if nothing. */
  async requirementOf(db: Database, userId: number): Promise<Requirement | undefined> {
    const factors = await this.setOf(db, userId);
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
    const consume = await factor.check(user, proof, purpose);
    if (consume === undefined) {
      await this.recordFailure(user, name, source);
      throw new Problem('factor_invalid');
    }
    return { user, attempt, factor, consume };
  }

  /**
   * Consumes a verified factor. Inside the transaction that uses it.
   * @throws {Problem} factor_invalid if it was already consumed.
   */
  async consume(
    tx: Database,
    { user, attempt, factor, consume }: VerifiedFactor,
    source: ClientSource,
  ): Promise<void> {
    if (!(await consume(tx))) throw new Problem('factor_invalid');
    await this.#attempts.succeed(tx, attempt);
    await factor.notifyUse?.(tx, { user, source, events: this.#context.events });
  }

  /** Removes every factor of the user, backups included, and resets their attempts. Inside a transaction. */
  async removeAll(tx: Database, userId: number): Promise<void> {
    for (const factor of this.#all) {
      await factor.removeAll(tx, userId);
      await this.#attempts.forget(tx, { userId }, factor.name);
    }
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

  /** Removes the backups of a user without another second factor. Inside a transaction. */
  async removeIdleBackups(tx: Database, userId: number): Promise<void> {
    if ((await this.setOf(tx, userId)).length > 0) return;
    for (const factor of this.#factors) if (factor.isBackup) await factor.removeAll(tx, userId);
  }

  /** Removes up to `limit` expired rows of all factors and returns how many. */
  async purge(limit: number): Promise<number> {
    let total = 0;
    for (const factor of this.#all) total += (await factor.purge?.(this.#context.db, limit - total)) ?? 0;
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
