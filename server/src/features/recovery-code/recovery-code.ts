// Recovery codes: a set of ten, each valid for one sign-in instead of the other factor (NIST SP 800-63B-4 §3.1.2
// look-up secrets, §4.2.1).
import { randomInt } from 'node:crypto';
import { minuteMs, type Clock } from '../../kit/clock.ts';
import { generateUuid } from '../../kit/id.ts';
import { fieldProblem } from '../../kit/problem.ts';
import { normalizeCode } from '../../kit/text/typed-code.ts';
import type { Database } from '../../db/database.ts';
import type { User } from '../../user/user.ts';
import type { CodeSigner } from '../../identity/context.ts';
import type { SecondFactor, FactorChange, FactorUsed, VerifiedOutput } from '../../identity/factor/factor.ts';
import type { SecondFactors } from '../../identity/factor/second-factor.ts';
import { recoveryCodeUsedMail } from './event.ts';
import { RecoveryCodeData } from './recovery-code-data.ts';
import {
  addCode,
  consumeCode,
  countCodes,
  endCodes,
  listUnused,
  removeCodesOf,
  removeFormerCodes,
} from './store.ts';

export interface RecoveryCodesOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly signer: CodeSigner;
}

/** Crockford's base32: no I, L, O or U; five bits per character. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 65 bits (NIST SP 800-63B-4 §3.1.2.2 requires 64 unless attempts are rate-limited). */
const length = 13;
const groups = [5, 4, 4];
const codeForm = new RegExp(`^[${alphabet}]{${length}}$`);
const codesPerUser = 10;
/** Time for which new codes can be shown again, and the former ones are still valid. */
const shownMs = 15 * minuteMs;

export class RecoveryCodes extends RecoveryCodeData implements SecondFactor {
  readonly #options: RecoveryCodesOptions;

  constructor(options: RecoveryCodesOptions) {
    super();
    this.#options = options;
  }

  /** Returns how many codes a user has left. */
  count(userId: number): Promise<number> {
    return countCodes(this.#options.db, userId);
  }

  /**
   * Creates ten codes that replace the previous ones and returns them in plain text, this once. Call inside a
   * transaction.
   */
  async replace(tx: Database, userId: number): Promise<string[]> {
    await removeCodesOf(tx, userId);
    return this.#add(tx, userId);
  }

  /** As `replacement`, but the former codes stay valid until `endFormer`, or for 15 minutes. */
  addition(secondFactors: SecondFactors): FactorChange<{ codes: string[]; until: number }> {
    return {
      factor: this.name,
      action: 'replaced',
      work: async (tx, { id }) => {
        await requireOtherFactor(tx, secondFactors, id);
        const now = this.#options.clock();
        const until = now + shownMs;
        await removeFormerCodes(tx, id, now);
        await endCodes(tx, id, until);
        return { codes: await this.#add(tx, id), until };
      },
    };
  }

  /** Returns whether new codes may still be shown again. */
  isShown({ codes, until }: { readonly codes: readonly string[]; readonly until: number }): boolean {
    return codes.length > 0 && until > this.#options.clock();
  }

  /** Ends the codes that newer ones replace: the user has saved those. */
  endFormer(userId: number): Promise<void> {
    const { db, clock } = this.#options;
    return removeFormerCodes(db, userId, clock() + shownMs);
  }

  async #add(tx: Database, userId: number): Promise<string[]> {
    const { clock, signer } = this.#options;
    const codes = Array.from({ length: codesPerUser }, createCode);
    for (const code of codes)
      await addCode(tx, {
        id: generateUuid(),
        userId,
        codeMac: signer.sign(textOf(userId, code)),
        now: clock(),
      });
    return codes.map(inGroups);
  }

  /**
   * Returns the change that replaces the codes. The user must have another second factor: codes replace it when it
   * is lost, and are no factor of their own.
   * @throws {Problem} invalid_request, when the change is applied, if the user has no other second factor.
   */
  replacement(secondFactors: SecondFactors): FactorChange<string[]> {
    return {
      factor: this.name,
      action: 'replaced',
      work: async (tx, { id }) => {
        await requireOtherFactor(tx, secondFactors, id);
        return this.replace(tx, id);
      },
    };
  }

  async check(user: User, proof: string): Promise<VerifiedOutput | undefined> {
    const { db, clock, signer } = this.#options;
    const code = parseCode(proof);
    if (code === undefined) return undefined;
    const rows = await listUnused(db, user.id, clock());
    const row = rows.find(({ code_mac: mac }) => signer.check(textOf(user.id, code), mac));
    if (row === undefined) return undefined;
    return { consume: (tx) => consumeCode(tx, row.id, clock()) };
  }

  async notifyUse(tx: Database, { user, source, events }: FactorUsed): Promise<void> {
    const left = await countCodes(tx, user.id);
    const facts = async () => ({ facts: { left }, tokenId: null });
    await events.send(tx, recoveryCodeUsedMail, { user, source, facts });
  }
}

/** @throws {Problem} invalid_request if the user has no factor that a code could replace. */
async function requireOtherFactor(tx: Database, secondFactors: SecondFactors, userId: number): Promise<void> {
  const factors = await secondFactors.usableOf(userId, tx);
  if (factors.length === 0)
    throw fieldProblem('factor', 'must be enrolled before recovery codes are created');
}

function createCode(): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}

/** Formats a code for reading: `7KQ2M-X9NP-4TRW`. */
function inGroups(code: string): string {
  let at = 0;
  return groups.map((size) => code.slice(at, (at += size))).join('-');
}

/** Normalizes a typed code: any case, with or without spaces and dashes, look-alikes read as the intended character. */
function parseCode(typed: string): string | undefined {
  if (typed.length > 4 * length) return undefined;
  const code = normalizeCode(typed).toUpperCase().replaceAll('O', '0').replaceAll(/[IL]/g, '1');
  return codeForm.test(code) ? code : undefined;
}

/** The account is part of the digest, so that equal codes of two users have different digests. */
function textOf(userId: number, code: string): string {
  return `recovery_code:${userId}:${code}`;
}
