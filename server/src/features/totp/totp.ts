// Verifies time-based one-time passwords of authenticator apps (RFC 6238). The seed is shown once, an authenticator
// counts as a factor once its first code was verified, and each code is accepted once.
import type * as OtpauthLibrary from 'otpauth';
import { createRequire } from 'node:module';
import type { Clock } from '../../kit/clock.ts';
import { minuteMs, secondMs } from '../../kit/clock.ts';
import { generateUuid } from '../../kit/id.ts';
import { fieldProblem, Problem } from '../../kit/problem.ts';
import { normalizeCode } from '../../kit/text/typed-code.ts';
import type { Database } from '../../db/database.ts';
import type { User } from '../../user/user.ts';
import type {
  FactorAddition,
  FactorChange,
  SecondFactor,
  VerifiedOutput,
} from '../../identity/factor/factor.ts';
import {
  addAuthenticator,
  confirmAuthenticator,
  findBegun,
  findPending,
  listAuthenticators,
  removeAuthenticator,
  removePendingOf,
  renameAuthenticator,
  consumeStep,
  type AuthenticatorRow,
} from './store.ts';
import { TotpData } from './totp-data.ts';
import '../../identity/factor/problem.ts';

/** Encrypts the seeds: AES-256-GCM, bound to the row. */
interface SeedCipher {
  readonly encrypt: (text: string, id: string) => string;
  readonly decrypt: (text: string, id: string) => string;
}

export interface TotpOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly cipher: SeedCipher;
  /** The name that the app shows with the address. */
  readonly issuer: string;
}

/** A seed that no code has confirmed yet. */
export interface NewAuthenticator {
  readonly id: string;
  /** Base32, for typing. */
  readonly secret: string;
  /** `otpauth:` URI, for the QR code. */
  readonly uri: string;
}

/** The first code of a seed. */
interface FirstCode {
  readonly id: string;
  readonly code: string;
  /** Name of the authenticator; that of `begin` if absent. */
  readonly name?: string | undefined;
}

/** Parameters that every app supports (RFC 6238 §4.1, RFC 4226 §5.3). */
const digits = 6;
const periodSeconds = 30;
/** Output length of HMAC-SHA-1 (RFC 4226 §4, R6 recommends 160 bits). */
const seedBytes = 20;
/** Time steps of 30 s that a clock may be off, in both directions (RFC 6238 §5.2). */
const window = 1;
/** How long an enrollment waits for its first code. */
const pendingMs = 15 * minuteMs;
/** Authenticators of one user: a phone or two, and a spare. */
const maxPerUser = 10;

const load = createRequire(import.meta.url);

export class Totp extends TotpData implements SecondFactor {
  readonly #options: TotpOptions;

  constructor(options: TotpOptions) {
    super();
    this.#options = options;
  }

  /** Lists the confirmed authenticators of a user. */
  list(userId: number): Promise<AuthenticatorRow[]> {
    return listAuthenticators(this.#options.db, userId);
  }

  /**
   * Creates a seed. It is no factor until a code confirms it.
   * @param begunBy The session or pending authentication in which `findBegun` finds the seed again.
   */
  async begin(user: User, name: string, begunBy: string | null = null): Promise<NewAuthenticator> {
    const { db, clock, cipher, issuer } = this.#options;
    const { Secret } = library();
    const id = generateUuid();
    const secret = new Secret({ size: seedBytes });
    const now = clock();
    await db.transaction(async (tx) => {
      await removePendingOf(tx, user.id);
      await addAuthenticator(tx, {
        id,
        userId: user.id,
        name,
        seed: cipher.encrypt(secret.base32, id),
        begunBy,
        now,
      });
    });
    return { id, secret: secret.base32, uri: uriOf(issuer, user, secret) };
  }

  /**
   * Finds the seed that the session or pending authentication began and that still waits for its first code. Seeds of
   * other sessions are not shown: an attacker could have begun them, and would know the seed.
   */
  async findBegun(user: User, begunBy: string): Promise<NewAuthenticator | undefined> {
    const { db, clock, cipher, issuer } = this.#options;
    const row = await findBegun(db, user.id, begunBy, clock() - pendingMs);
    if (row === undefined) return undefined;
    const secret = library().Secret.fromBase32(cipher.decrypt(row.seed, row.id));
    return { id: row.id, secret: secret.base32, uri: uriOf(issuer, user, secret) };
  }

  /**
   * Confirms a seed with its first code. Call inside the transaction of the change of factors.
   * @throws {Problem} factor_invalid if the code is wrong, or the seed has expired or is confirmed already;
   *   invalid_request if the user has as many authenticators as allowed.
   */
  async confirm(tx: Database, user: User, { id, code, name }: FirstCode): Promise<void> {
    const now = this.#options.clock();
    const row = await findPending(tx, user.id, id, now - pendingMs);
    const step = row && this.#stepOf(row, code);
    if (step === undefined) throw new Problem('factor_invalid');
    if ((await listAuthenticators(tx, user.id)).length >= maxPerUser)
      throw fieldProblem('code', `exceeds the limit of ${maxPerUser} authenticator apps`, 'too_many');
    if (!(await confirmAuthenticator(tx, { id, step, now }))) throw new Problem('factor_invalid');
    if (name !== undefined) await renameAuthenticator(tx, id, name);
  }

  /** Returns the change that a first code makes. When applied, it throws as `confirm`. */
  addition(proved: FirstCode): FactorAddition<void> {
    return { factor: this.name, work: (tx, user) => this.confirm(tx, user, proved) };
  }

  /** Returns the change that removes a confirmed authenticator. When applied, it throws `not_found`. */
  removal(id: string): FactorChange<void> {
    return {
      factor: this.name,
      action: 'removed',
      work: async (tx, user) => {
        if (!(await removeAuthenticator(tx, user.id, id))) throw new Problem('not_found');
      },
    };
  }

  async check(user: User, proof: string): Promise<VerifiedOutput | undefined> {
    const { db, clock } = this.#options;
    for (const row of await listAuthenticators(db, user.id)) {
      const step = this.#stepOf(row, proof);
      // Each time step once, in ascending order (RFC 6238 §5.2): the statement decides.
      if (step !== undefined && step > (row.last_step ?? -1))
        return { consume: (tx) => consumeStep(tx, { id: row.id, step, now: clock() }) };
    }
    return undefined;
  }

  /** Returns the time step to which the code belongs; `undefined` if it is of another time or seed. */
  #stepOf({ id, seed }: Pick<AuthenticatorRow, 'id' | 'seed'>, proof: string): number | undefined {
    const token = proof.length > 6 * digits ? '' : normalizeCode(proof);
    if (!/^\d{6}$/.test(token)) return undefined;
    const { Secret, TOTP } = library();
    const { cipher, clock } = this.#options;
    const timestamp = clock();
    const secret = Secret.fromBase32(cipher.decrypt(seed, id));
    const totp = new TOTP({ secret, digits, period: periodSeconds });
    const delta = totp.validate({ token, timestamp, window });
    return delta === null ? undefined : Math.floor(timestamp / (periodSeconds * secondMs)) + delta;
  }
}

/**
 * Returns the name without colons. The key URI format separates issuer and account by a colon and allows none in the
 * issuer; some apps reject such a QR code. An address has no colon.
 */
function withoutColons(issuer: string): string {
  const name = issuer.replaceAll(/\s*:\s*/g, ' ').trim();
  return name === '' ? 'Bienvenue' : name;
}

function uriOf(issuer: string, { email: label }: User, secret: OtpauthLibrary.Secret): string {
  return new (library().TOTP)({
    issuer: withoutColons(issuer),
    label,
    secret,
    digits,
    period: periodSeconds,
  }).toString();
}

/** Loads the library at first use: most services start and stop without it. */
function library(): typeof OtpauthLibrary {
  return load('otpauth') as typeof OtpauthLibrary; // its own types
}
