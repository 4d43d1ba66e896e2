// Recovery codes: ten of them, written down, each good for one sign-in without the other factor (NIST SP 800-63B-4
// §3.1.2 look-up secrets, §4.2.1).
import { randomInt } from 'node:crypto';
import type { Clock } from '../../kit/clock.ts';
import { generateUuid } from '../../kit/id.ts';
import { fieldProblem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import type { User } from '../../user/user.ts';
import type { CodeSigner } from '../../identity/context.ts';
import type { SecondFactor, Consume, FactorChange, FactorUsed } from '../../identity/factor/factor.ts';
import type { SecondFactors } from '../../identity/factor/second-factor.ts';
import { recoveryCodeUsedMail } from './event.ts';
import { addCode, countCodes, listUnused, removeCodesOf, consumeCode } from './store.ts';

export interface RecoveryCodesOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly signer: CodeSigner;
}

/** Crockford's base32: no I, L, O or U; five bits a character. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 65 bits (NIST SP 800-63B-4 §3.1.2.2 asks for 64 where tries of the digest are not bounded). */
const length = 13;
const groups = [5, 4, 4];
const codeForm = new RegExp(`^[${alphabet}]{${length}}$`);
const codesPerUser = 10;

export class RecoveryCodes implements SecondFactor {
  readonly name = 'recovery_code';
  readonly isBackup = true;
  readonly amr = ['otp'];
  readonly #options: RecoveryCodesOptions;

  constructor(options: RecoveryCodesOptions) {
    this.#options = options;
  }

  async isSet(db: Database, userId: number): Promise<boolean> {
    return (await countCodes(db, userId)) > 0;
  }

  /** How many a user has left. */
  count(userId: number): Promise<number> {
    return countCodes(this.#options.db, userId);
  }

  /** Makes ten codes in the place of the older ones, and shows them this once. Inside a transaction. */
  async replace(tx: Database, userId: number): Promise<string[]> {
    const { clock, signer } = this.#options;
    await removeCodesOf(tx, userId);
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
   * The change that replaces the codes of a user of whom another factor is asked: codes stand in for one, and would be no
   * second one by themselves.
   * @throws {Problem} invalid_request where there is none, when it is made.
   */
  replacement(secondFactors: SecondFactors): FactorChange<string[]> {
    return {
      factor: this.name,
      action: 'replaced',
      work: async (tx, { id }) => {
        const factors = await secondFactors.setOf(tx, id);
        if (factors.length === 0)
          throw fieldProblem('factor', 'must be enrolled before recovery codes are created');
        return this.replace(tx, id);
      },
    };
  }

  async check(user: User, proof: string): Promise<Consume | undefined> {
    const { db, clock, signer } = this.#options;
    const code = parseCode(proof);
    if (code === undefined) return undefined;
    const rows = await listUnused(db, user.id);
    const row = rows.find(({ code_mac: mac }) => signer.check(textOf(user.id, code), mac));
    if (row === undefined) return undefined;
    return (tx) => consumeCode(tx, row.id, clock());
  }

  async notifyUse(tx: Database, { user, source, events }: FactorUsed): Promise<void> {
    const facts = async (): Promise<{ left: number }> => ({ left: await countCodes(tx, user.id) });
    await events.send(tx, recoveryCodeUsedMail, { user, source, facts });
  }

  async exportOf(db: Database, userId: number): Promise<object> {
    return { left: await countCodes(db, userId) };
  }

  removeAll(tx: Database, userId: number, since?: number): Promise<void> {
    return removeCodesOf(tx, userId, since);
  }
}

function createCode(): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}

/** As a person reads it: `7KQ2M-X9NP-4TRW`. */
function inGroups(code: string): string {
  let at = 0;
  return groups.map((size) => code.slice(at, (at += size))).join('-');
}

/** The code in what a person typed: any case, with or without spaces and dashes, look-alikes read as what is meant. */
function parseCode(typed: string): string | undefined {
  if (typed.length > 4 * length) return undefined;
  const code = typed
    .replaceAll(/[\s\-\u2010-\u2015]/g, '')
    .toUpperCase()
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1');
  return codeForm.test(code) ? code : undefined;
}

/** The account is part of what is digested: two who drew the same code have different digests. */
function textOf(userId: number, code: string): string {
  return `recovery_code:${userId}:${code}`;
}
