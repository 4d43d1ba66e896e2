// Enrolls and uses recovery codes for the tests that run for every factor.
import assert from 'node:assert/strict';
import type { Sql } from '../../../db/database.ts';
import type { RecoveryCodeTables } from '../schema.ts';
import { addRecoveryCodes } from '../../../../test/support/factor.ts';
import type { FactorKit, FeatureKit } from '../../../../test/support/kit.ts';
import type { Arena } from '../../../../test/races/arena.ts';
import {
  browserOf,
  giveTogether,
  newcomer,
  origin,
  racers,
  racing,
  winnersOf,
  type Contestant,
  type PutBack,
} from '../../../../test/races/factor-races.ts';

interface CodeHolder extends Contestant {
  readonly code: string;
}

/** Creates a user with the factor, and with recovery codes for its loss. */
async function withRecoveryCodes(arena: Arena, factor: FactorKit): Promise<CodeHolder> {
  const contestant = await newcomer(arena);
  const browser = browserOf(arena, contestant);
  await factor.enroll(browser, { clock: { now: Date.now, advance: () => {} }, origin });
  const [code = ''] = await addRecoveryCodes(browser);
  return { id: contestant.id, code, cookie: `session_id=${browser.cookie('session_id')}` };
}

/** Uses one recovery code many times concurrently, in pending authentications and in a step-up; one must succeed. */
const consumeCodeTogether = (factor: FactorKit) =>
  racing(
    (arena) => withRecoveryCodes(arena, factor),
    async (arena, contestant) => {
      const proofs = Array.from({ length: racers }, () => contestant.code);
      const more: PutBack = (tx, id) =>
        tx.query((sql: Sql<RecoveryCodeTables>) =>
          sql.updateTable('recovery_codes').set({ spent_at: null }).where('user_id', '=', id),
        );
      const outcomes = await giveTogether(arena, contestant, { factor: 'recovery_code', proofs, more });
      assert.equal(winnersOf(outcomes), 1);
    },
  )();

export const kit: FeatureKit = {
  feature: 'recovery-code',
  factor: {
    name: 'recovery_code',
    isBackup: true,
    wrong: 'NOCODE-NOCODE',
    enroll: async (browser) => {
      const codes = await addRecoveryCodes(browser);
      let used = 0;
      return {
        output: async () => codes[used++] ?? assert.fail('no code is left'),
        secrets: codes,
      };
    },
  },
  races: [
    {
      title:
        'F3: only one of many concurrent uses of a recovery code, in pending authentications and a step-up, succeeds',
      isRare: true,
      create: consumeCodeTogether,
    },
  ],
  columns: { recovery_codes: { secret: 'code_mac', other: 'id user_id created_at spent_at ends_at' } },
  forms: {
    '/account/recovery-codes': {},
    '/account/recovery-codes/new': {},
  },
  keepsSession: ['POST /account/recovery-codes/new'],
};
