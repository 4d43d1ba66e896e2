// Enrolls and uses an authenticator app for the tests that run for every factor.
import assert from 'node:assert/strict';
import type { Database, Sql } from '../../../db/database.ts';
import type { User } from '../../../user/user.ts';
import type { TotpTables } from '../schema.ts';
import { Totp } from '../totp.ts';
import { addAuthenticator, confirmAuthenticator } from '../store.ts';
import { codeAt, decodeBase32 } from '../../../../test/support/authenticator-app.ts';
import { codesOf } from '../../../../test/support/factor.ts';
import type { FeatureKit } from '../../../../test/support/kit.ts';
import type { Arena } from '../../../../test/races/arena.ts';
import {
  assertRefused,
  bodyOf,
  giveTogether,
  newcomer,
  post,
  put,
  putBack,
  racers,
  racing,
  winnersOf,
  type Contestant,
  type PutBack,
} from '../../../../test/races/factor-races.ts';
import { ask, land } from '../../../../test/races/landing.ts';
import { sessionCookie } from '../../../../test/races/arena.ts';

/** Wrong codes in a round. */
const guesses = 10;

interface AppUser extends Contestant {
  readonly seed: Buffer;
}

async function withApp(arena: Arena): Promise<AppUser> {
  const to = arena.to(0);
  const { id, cookie } = await newcomer(arena);
  const begun = await bodyOf(post(to, '/profile/totp', cookie));
  const seed = decodeBase32(String(begun['secret']));
  const code = codeAt(seed, Date.now());
  const confirmed = await ask(put(to, '/profile/totp', cookie, { id: String(begun['id']), code }));
  return { id, seed, cookie: sessionCookie(confirmed) };
}

/** Uses one code many times concurrently; one use must succeed, and so must one use of the next time step's code. */
const takeStepTogether = racing(withApp, async (arena, contestant, n) => {
  const now = Date.now();
  const [code, next] = [codeAt(contestant.seed, now), codeAt(contestant.seed, now + 30_000)];
  const proofs = Array.from({ length: racers }, (_, i) => (n % 2 === 1 && i % 2 === 1 ? next : code));
  const more: PutBack = (tx, id) =>
    tx.query((sql: Sql<TotpTables>) =>
      sql.updateTable('totp_authenticators').set({ last_step: 0 }).where('user_id', '=', id),
    );
  const outcomes = await giveTogether(arena, contestant, { factor: 'totp', proofs, more });
  const winners = (proof: string): number => winnersOf(outcomes.filter((_, i) => proofs[i] === proof));
  if (n % 2 === 0) assert.equal(winners(code), 1);
  else assert.ok(winners(next) === 1 && winners(code) <= 1, `${winners(code)} and ${winners(next)}`);
});

/** Sends many wrong codes concurrently on both routes; at most the limit are verified, and all of these count. */
const guessCodeTogether = racing(withApp, async (arena, contestant) => {
  const [cookie = ''] = await putBack(arena, contestant, 1);
  const attempt = { factor: 'totp', proof: wrongCode(contestant) };
  const outcomes = await land(
    Array.from({ length: guesses }, (_, i) =>
      i % 4 < 2
        ? post(arena.to(i), '/sessions/factor', cookie, attempt)
        : post(arena.to(i), '/sessions/step_up', contestant.cookie, attempt),
    ),
  );
  for (const { status, text } of outcomes) if (status !== 429) assertRefused(status, text);
  const verified = outcomes.filter(({ status }) => status === 401).length;
  // Each second that the round takes on a busy machine allows one more attempt.
  const begun = Math.min(...outcomes.map(({ sentAt }) => sentAt));
  const seconds = Math.floor((Math.max(...outcomes.map(({ endedAt }) => endedAt)) - begun) / 1000);
  assert.ok(verified >= racers && verified <= racers + seconds, `${verified} were verified`);
  const counted = await arena.database.query((sql) =>
    sql.selectFrom('attempts').select('failures').where('subject', '=', `user:${contestant.id}`),
  );
  assert.deepEqual(
    counted.map(({ failures }) => failures),
    [verified],
  );
});

/** Returns a code of no current time step. */
function wrongCode({ seed }: AppUser): string {
  const near = [-2, -1, 0, 1, 2].map((step) => codeAt(seed, Date.now() + step * 30_000));
  return (
    ['000000', '000001', '000002', '000003', '000004', '000005'].find((code) => !near.includes(code)) ?? ''
  );
}

/** A factor on the database alone, with random keys: its seeds belong to no account. */
function factorOn(db: Database): Totp {
  const cipher = { encrypt: (text: string) => text, decrypt: (text: string) => text };
  return new Totp({ db, clock: Date.now, cipher, issuer: 'x' });
}

async function enroll(tx: Database, { id: userId }: User): Promise<void> {
  const id = `app of ${userId}`;
  await addAuthenticator(tx, { id, userId, name: 'x', seed: 'x', begunBy: null, now: 0 });
  await confirmAuthenticator(tx, { id, step: 0, now: 0 });
}

export const kit: FeatureKit = {
  feature: 'totp',
  factor: {
    name: 'totp',
    isBackup: false,
    wrong: 'no code',
    enroll: async (browser, { clock }) => {
      const begun = await browser.post('/profile/totp', {});
      assert.equal(begun.status, 200, begun.text);
      const { id, secret } = begun.body as { id: string; secret: string }; // of the route's schema
      const nextCode = codesOf(secret, clock);
      const confirmed = await browser.put('/profile/totp', { id, code: nextCode() });
      assert.equal(confirmed.status, 200, confirmed.text);
      return {
        output: async () => nextCode(),
        remove: () => browser.send({ method: 'DELETE', path: `/profile/totp/${id}` }),
        secrets: [secret],
      };
    },
  },
  races: [
    {
      title: 'F4: one of many concurrent uses of an app code succeeds, and one with the next code',
      isRare: true,
      create: takeStepTogether,
    },
    {
      title:
        'F7: at most the limit of many concurrent wrong codes on both routes are verified, and all of these count',
      isRare: false,
      create: guessCodeTogether,
    },
  ],
  enrollment: { factorOn, work: enroll },
  columns: {
    totp_authenticators: {
      secret: 'seed',
      other: 'id user_id name begun_by created_at confirmed_at last_step last_used_at',
    },
  },
  forms: {
    '/account/authenticators': { name: 'mine' },
    '/account/authenticators/new': { id: 'none', code: '000000' },
    '/account/authenticators/remove': { id: 'none' },
  },
  keepsSession: ['POST /profile/totp', 'POST /account/authenticators'],
};
