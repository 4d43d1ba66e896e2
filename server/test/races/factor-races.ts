// Races for second factors: what is used once, counted, or the last of its kind. Each race has one account, which is
// reset before each round, because enrolling factors takes longer than the race.
import assert from 'node:assert/strict';
import { minuteMs } from '../../src/kit/clock.ts';
import { createToken } from '../../src/kit/secret.ts';
import { pendingAuthenticationKind } from '../../src/identity/cookie-kinds.ts';
import type { Database } from '../../src/db/database.ts';
import type { Sql } from '../../src/db/engine.ts';
import type { PasskeyTables } from '../../src/features/passkey/schema.ts';
import type { RecoveryCodeTables } from '../../src/features/recovery-code/schema.ts';
import type { TotpTables } from '../../src/features/totp/schema.ts';
import { formatFactors } from '../../src/identity/factor/factor.ts';
import { addPendingAuthentication } from '../../src/identity/sign-in/pending-store.ts';
import { listPasskeys, type PasskeyRow } from '../../src/features/passkey/store.ts';
import { findUserById } from '../../src/user/store.ts';
import { codeAt, decodeBase32 } from '../support/authenticator-app.ts';
import { PasskeyDevice } from '../support/passkey-device.ts';
import { freshAddress, requests, sessionCookie, type Arena } from './arena.ts';
import { ask, land, type Outcome, type Racer } from './landing.ts';

/** Racers of a round: as many as may be verified at the same time (docs/decisions/0007-attempts.md). */
const racers = 5;
/** Wrong codes of a round. */
const guesses = 10;
/** Options of the service in local mode, on any port. */
const origin = 'http://localhost:0';

type Round = (arena: Arena, n: number) => Promise<void>;

/** A signed-in user. */
interface Contestant {
  readonly id: number;
  /** Cookie of the session. */
  cookie: string;
}

/** A round with the account of its race. */
function racing<C extends Contestant>(
  create: (arena: Arena) => Promise<C>,
  round: (arena: Arena, contestant: C, n: number) => Promise<void>,
): () => Round {
  return () => {
    let contestant: Promise<C> | undefined;
    return async (arena, n) => {
      contestant ??= create(arena);
      await round(arena, await contestant, n);
    };
  };
}

const post = (to: string, path: string, cookie: string, fields: Racer['fields'] = {}): Racer => ({
  to,
  method: 'POST',
  path,
  cookie,
  fields,
});
const put = (to: string, path: string, cookie: string, fields: Racer['fields'] = {}): Racer => ({
  ...post(to, path, cookie, fields),
  method: 'PUT',
});

/** The body of a request that succeeds. */
async function bodyOf(racer: Racer): Promise<Record<string, unknown>> {
  return parse(await ask(racer));
}

function parse({ status, text }: Outcome): Record<string, unknown> {
  assert.equal(status, 200, text);
  return JSON.parse(text) as Record<string, unknown>; // every reply of the service is an object
}

async function idOf({ database }: Arena, email: string): Promise<number> {
  const rows = await database.query((sql) => sql.selectFrom('users').select('id').where('email', '=', email));
  return rows[0]?.id ?? assert.fail(email);
}

async function newcomer(arena: Arena): Promise<Contestant> {
  const email = freshAddress();
  assert.equal((await ask(requests.register(arena.to(0), email))).status, 200);
  const cookie = sessionCookie(await ask(requests.logIn(arena.to(0), email)));
  return { id: await idOf(arena, email), cookie };
}

interface AppHolder extends Contestant {
  readonly seed: Buffer;
}

async function withApp(arena: Arena): Promise<AppHolder> {
  const to = arena.to(0);
  const { id, cookie } = await newcomer(arena);
  const begun = await bodyOf(post(to, '/profile/totp', cookie));
  const seed = decodeBase32(String(begun['secret']));
  const code = codeAt(seed, Date.now());
  const confirmed = await ask(put(to, '/profile/totp', cookie, { id: String(begun['id']), code }));
  return { id, seed, cookie: sessionCookie(confirmed) };
}

interface CodeHolder extends AppHolder {
  readonly code: string;
}

async function withRecoveryCodes(arena: Arena): Promise<CodeHolder> {
  const holder = await withApp(arena);
  const made = await bodyOf(post(arena.to(0), '/profile/recovery_codes', holder.cookie));
  const [code = ''] = made['recovery_codes'] as string[]; // the schema of the route
  return { ...holder, code };
}

interface PasskeyHolder extends Contestant {
  readonly device: PasskeyDevice;
  readonly passkeys: readonly PasskeyRow[];
}

/** A user without a password, who has two passkeys. */
async function withPasskeysAlone(arena: Arena): Promise<PasskeyHolder> {
  const to = arena.to(0);
  const email = freshAddress();
  const device = new PasskeyDevice(origin);
  const make = async (racer: Racer): Promise<string> => device.create((await bodyOf(racer))['public_key']);
  const credential = await make(post(to, '/users/passkey', '', { email }));
  parse(await ask(put(to, '/users/passkey', '', { email, credential })));
  const signedIn = await ask(put(to, '/sessions/passkey', '', { credential: await signIn(arena, device) }));
  const another = new PasskeyDevice(origin);
  const options = await bodyOf(post(to, '/profile/passkeys', sessionCookie(signedIn)));
  const second = another.create(options['public_key']);
  const added = await ask(put(to, '/profile/passkeys', sessionCookie(signedIn), { credential: second }));
  const id = await idOf(arena, email);
  const passkeys = await listPasskeys(arena.database, id);
  assert.equal(passkeys.length, 2);
  return { id, device, passkeys, cookie: sessionCookie(added) };
}

/** The device's answer to a new request to sign in. */
async function signIn(arena: Arena, device: PasskeyDevice): Promise<string> {
  return device.get((await bodyOf(post(arena.to(0), '/sessions/passkey', '')))['public_key']);
}

/** What a race resets in addition to what all races reset. */
type PutBack = (tx: Database, userId: number) => Promise<unknown>;

/**
 * Resets to the state before the first round: no attempts counted, one session, what the race needs, and this many new
 * pending logins, whose cookies it returns. In one transaction, because SQLite waits for the disk at the end of each.
 */
function putBack(
  { database }: Arena,
  { id, cookie }: Contestant,
  passwordLogin: number,
  more: PutBack = async () => {},
): Promise<string[]> {
  const handle = cookie.slice(cookie.indexOf('=') + 1).slice(0, 36);
  const now = Date.now();
  return database.transaction(async (tx) => {
    await tx.query((sql) => sql.deleteFrom('attempts').where('subject', '=', `user:${id}`));
    await tx.query((sql) => sql.deleteFrom('sessions').where('user_id', '=', id).where('id', '<>', handle));
    await more(tx, id);
    const user = (await findUserById(tx, id)) ?? assert.fail();
    const cookies: string[] = [];
    for (let i = 0; i < passwordLogin; i += 1) {
      const { token, ...parts } = createToken(pendingAuthenticationKind);
      const isAdded = await addPendingAuthentication(tx, {
        ...parts,
        userId: id,
        demand: 'second_factor',
        factors: formatFactors([{ factor: 'password', at: now }]),
        passwordChangedAt: user.passwordChangedAt,
        now,
        expiresAt: now + minuteMs,
      });
      assert.ok(isAdded);
      cookies.push(`pending_login=${token}`);
    }
    return cookies;
  });
}

/** Gives a factor on both routes that accept one: with pending logins, and the last one with a step-up. */
async function giveTogether(
  arena: Arena,
  contestant: Contestant,
  { factor, proofs, more }: { factor: string; proofs: readonly string[]; more: PutBack },
): Promise<Outcome[]> {
  const cookies = await putBack(arena, contestant, proofs.length - 1, more);
  const outcomes = await land(
    proofs.map((proof, i) => {
      const cookie = cookies[i];
      return cookie === undefined
        ? post(arena.to(i), '/sessions/step_up', contestant.cookie, { factor, proof })
        : post(arena.to(i), '/sessions/factor', cookie, { factor, proof });
    }),
  );
  for (const { status, text } of outcomes) if (status !== 200) assertRefused(status, text);
  const elevated = outcomes.at(-1);
  if (elevated?.status === 200) contestant.cookie = sessionCookie(elevated);
  return outcomes;
}

function assertRefused(status: number, text: string): void {
  assert.deepEqual([status, (JSON.parse(text) as { code?: string }).code], [401, 'factor_invalid']);
}

const winnersOf = (outcomes: readonly Outcome[]): number =>
  outcomes.filter(({ status }) => status === 200).length;

/** Of many parallel uses of one recovery code, in pending logins and a step-up, one succeeds. */
export const consumeCodeTogether = racing(withRecoveryCodes, async (arena, contestant) => {
  const proofs = Array.from({ length: racers }, () => contestant.code);
  const more: PutBack = (tx, id) =>
    tx.query((sql: Sql<RecoveryCodeTables>) =>
      sql.updateTable('recovery_codes').set({ spent_at: null }).where('user_id', '=', id),
    );
  const outcomes = await giveTogether(arena, contestant, { factor: 'recovery_code', proofs, more });
  assert.equal(winnersOf(outcomes), 1);
});

/** Of many parallel uses of one app code one succeeds; a code of the next time step succeeds once as well. */
export const takeStepTogether = racing(withApp, async (arena, contestant, n) => {
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

/** Of many parallel wrong codes on both routes, no more than the limit are verified, and all of these count. */
export const guessCodeTogether = racing(withApp, async (arena, contestant) => {
  const [cookie = ''] = await putBack(arena, contestant, 1);
  const given = { factor: 'totp', proof: wrongCode(contestant) };
  const outcomes = await land(
    Array.from({ length: guesses }, (_, i) =>
      i % 4 < 2
        ? post(arena.to(i), '/sessions/factor', cookie, given)
        : post(arena.to(i), '/sessions/step_up', contestant.cookie, given),
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

/** A code of none of the current time steps. */
function wrongCode({ seed }: AppHolder): string {
  const near = [-2, -1, 0, 1, 2].map((step) => codeAt(seed, Date.now() + step * 30_000));
  return (
    ['000000', '000001', '000002', '000003', '000004', '000005'].find((code) => !near.includes(code)) ?? ''
  );
}

/** Of two parallel removals of the last two ways to sign in one is rejected. */
export const removeLastTogether = racing(withPasskeysAlone, async (arena, contestant) => {
  const left = async (): Promise<string[]> =>
    (await listPasskeys(arena.database, contestant.id)).map(({ id }) => id);
  const there = await left();
  for (const row of contestant.passkeys.filter(({ id }) => !there.includes(id)))
    await arena.database.query((sql: Sql<PasskeyTables>) => sql.insertInto('passkeys').values(row));
  const outcomes = await land(
    contestant.passkeys.map(({ id }, i) => ({
      to: arena.to(i),
      method: 'DELETE',
      path: `/profile/passkeys/${id}`,
      cookie: contestant.cookie,
    })),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 409],
  );
  assert.equal((await left()).length, 1, 'one way to sign in is left');
});

/** Of many parallel answers to one challenge one signs in. */
export const answerTogether = racing(withPasskeysAlone, async (arena, contestant) => {
  const credential = await signIn(arena, contestant.device);
  const outcomes = await land(
    Array.from({ length: racers }, (_, i) => put(arena.to(i), '/sessions/passkey', '', { credential })),
  );
  for (const { status, text } of outcomes) if (status !== 200) assertRefused(status, text);
  assert.equal(winnersOf(outcomes), 1);
});
