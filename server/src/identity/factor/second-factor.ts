// The second factors of a service: which are asked of whom, and the one way to verify one. Each kind is a room of its
// own (features/), plugged in by app/rooms.ts.
import { Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import type { User } from '../../user/user.ts';
import type { Attempt, Attempts } from '../attempt/attempts.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import { notify } from '../notice.ts';
import type { Occasion, SecondFactor, SecondFactorPolicy, Consume } from './factor.ts';
import './problem.ts';

/** What a person owes after the first factor. */
export interface Requirement {
  /** One of the factors that are set up, or to set one up. */
  readonly kind: 'second_factor' | 'enrollment';
  /** Names of the factors that will do. */
  readonly factors: readonly string[];
}

/** A second factor that was right: spent inside the transaction of what it opens. */
export interface VerifiedFactor {
  readonly user: User;
  readonly attempt: Attempt;
  readonly factor: SecondFactor;
  readonly consume: Consume;
}

export interface SecondFactorsOptions {
  readonly factors: readonly SecondFactor[];
  readonly policy: SecondFactorPolicy;
}

export class SecondFactors {
  readonly policy: SecondFactorPolicy;
  readonly #context: AuthContext;
  readonly #attempts: Attempts;
  /** Those that are asked for, backups last. */
  readonly #factors: readonly SecondFactor[];
  readonly #all: readonly SecondFactor[];

  constructor(context: AuthContext, attempts: Attempts, { factors, policy }: SecondFactorsOptions) {
    this.#context = context;
    this.#attempts = attempts;
    this.#factors =
      policy === 'off' ? [] : factors.toSorted((a, b) => Number(a.isBackup) - Number(b.isBackup));
    this.#all = factors;
    this.policy = policy;
  }

  /** Names of the factors of which the user may be asked for one; none for whom nothing but a backup is set. */
  async setOf(db: Database, userId: number): Promise<string[]> {
    const names: string[] = [];
    for (const factor of this.#factors) {
      const isNeedless = factor.isBackup && names.length === 0;
      if (!isNeedless && (await factor.isSet(db, userId))) names.push(factor.name);
    }
    return names;
  }

  /** True if no factor is set, whether it is asked for or not; a backup by itself is none. */
  async hasNoFactor(db: Database, userId: number): Promise<boolean> {
    for (const factor of this.#all) if (!factor.isBackup && (await factor.isSet(db, userId))) return false;
    return true;
  }

  /** What stands between a first factor of the user and a session; `undefined` where nothing does. */
  async requirementOf(db: Database, userId: number): Promise<Requirement | undefined> {
    const factors = await this.setOf(db, userId);
    if (factors.length > 0) return { kind: 'second_factor', factors };
    if (this.policy !== 'required') return undefined;
    const enrollable = this.#factors.filter(({ isBackup }) => !isBackup).map(({ name }) => name);
    return { kind: 'enrollment', factors: enrollable };
  }

  /** True if the user can sign in with one of them alone. */
  async hasWayIn(db: Database, userId: number): Promise<boolean> {
    for (const factor of this.#all) if (await factor.isWayIn?.(db, userId)) return true;
    return false;
  }

  /**
   * Verifies a second factor; the try is counted before. Nothing is spent yet.
   * @throws {Problem} factor_invalid, too_many_attempts.
   */
  async verify(
    user: User,
    { factor: name, proof }: { factor: string; proof: string },
    occasion: Occasion,
    { deviceId, source }: { deviceId: string | undefined; source: ClientSource },
  ): Promise<VerifiedFactor> {
    const isSet = (await this.setOf(this.#context.db, user.id)).includes(name);
    const factor = isSet ? this.#factors.find((each) => each.name === name) : undefined;
    if (factor === undefined) throw new Problem('factor_invalid');
    const attempt = await this.#attempts.begin({ userId: user.id, emailKey: '', deviceId }, name);
    const consume = await factor.check(user, proof, occasion);
    if (consume === undefined) {
      await this.recordFailure(user, name, source);
      throw new Problem('factor_invalid');
    }
    return { user, attempt, factor, consume };
  }

  /**
   * Spends what was verified. Inside the transaction of what it opens.
   * @throws {Problem} factor_invalid when it was spent meanwhile.
   */
  async consume(
    tx: Database,
    { user, attempt, factor, consume }: VerifiedFactor,
    source: ClientSource,
  ): Promise<void> {
    if (!(await consume(tx))) throw new Problem('factor_invalid');
    await this.#attempts.succeed(tx, attempt);
    const told = await factor.tellUse?.(tx, user.id);
    if (told !== undefined) await notify(this.#context, tx, user, { ...told, source });
  }

  /** Removes every factor of the user, backups included, and forgets their tries. Inside a transaction. */
  async removeAll(tx: Database, userId: number): Promise<void> {
    for (const factor of this.#all) {
      await factor.removeAll(tx, userId);
      await this.#attempts.forget(tx, userId, factor.name);
    }
  }

  /** What is known of each factor of the user, by its name. */
  async exportOf(db: Database, userId: number): Promise<Record<string, object>> {
    const known: Record<string, object> = {};
    for (const factor of this.#all) known[factor.name] = await factor.exportOf(db, userId);
    return known;
  }

  /** Removes what the user has set up since the instant, and backups that replace nothing then. Inside a transaction. */
  async removeSince(tx: Database, userId: number, since: number): Promise<void> {
    for (const factor of this.#all) await factor.removeAll(tx, userId, since);
    await this.removeIdleBackups(tx, userId);
  }

  /** The factor was set up anew: tries of before no longer count against it. Inside a transaction. */
  async forgetAttempts(tx: Database, userId: number, factor: string): Promise<void> {
    await this.#attempts.forget(tx, userId, factor);
  }

  /** Removes the backups of a user who has nothing left that they could replace. Inside a transaction. */
  async removeIdleBackups(tx: Database, userId: number): Promise<void> {
    if ((await this.setOf(tx, userId)).length > 0) return;
    for (const factor of this.#factors) if (factor.isBackup) await factor.removeAll(tx, userId);
  }

  /** Removes up to `limit` rows of each factor that have expired, and says how many. */
  async purge(limit: number): Promise<number> {
    let total = 0;
    for (const factor of this.#all) total += (await factor.purge?.(this.#context.db, limit)) ?? 0;
    return total;
  }

  async recordFailure({ id }: User, factor: string, source: ClientSource): Promise<void> {
    const { db, audit } = this.#context;
    await db.transaction((tx) =>
      audit.record(
        tx,
        { event: 'authn_login_fail', outcome: 'failure', reason: `wrong_${factor}`, userId: id },
        source,
      ),
    );
  }
}
