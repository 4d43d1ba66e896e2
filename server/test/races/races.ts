// The races, each for a given number of rounds: 6 in `races.process.test.ts`, 20 in `races.system.ts`, 1,000 in
// `races.long.ts`.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Database } from '../../src/db/database.ts';
import { DB } from '../../src/library/db.ts';
import { toEmailAddress } from '../../src/user/email-address.ts';
import { findUserByEmail } from '../../src/user/store.ts';
import type { User } from '../../src/user/user.ts';
import { engineNames, type EngineName } from '../support/engines.ts';
import { factorKits, kits } from '../support/kit.ts';
import {
  freshAddress,
  openArena,
  passwordOf,
  requests,
  resetToken,
  sessionCookie,
  type Arena,
} from './arena.ts';
import { ask, askAndHangUp, land, type Outcome } from './landing.ts';

/** Racers of a round: each needs a hash, which takes most of the time of a round. */
const racers = 6;
/** Wrong guesses of a round: most of them are rejected before they need a hash. */
const guesses = 30;
/** Guesses that may be verified at the same time (docs/decisions/0007-attempts.md). */
const verifiedGuesses = 5;

const { register, logIn, profile, logOut, forget, reset } = requests;

interface Rounds {
  readonly rounds: number;
  /** Rounds of the rarer races, whose parts other races cover too; the same number by default. */
  readonly rarer?: number;
  /** With cheap hashes, the default, the racers are closer to each other at the database; with real hashes they spread. */
  readonly hashesReally?: boolean;
}

/** Declares all races. */
export function declareRaces(measure: Rounds): void {
  // Both engines in parallel: a round waits more than it works.
  describe('races', { concurrency: engineNames.length }, () => {
    for (const engine of engineNames) {
      describe(`races (${engine})`, { concurrency: 1 }, () => declareOn(engine, measure));
    }
  });
}

/** Declares a race of this many rounds, in the arena that exists once the suite runs. */
function inRounds(times: number, arena: () => Arena) {
  return (title: string, round: (arena: Arena, n: number) => Promise<void>): void => {
    test(title, async () => {
      for (let n = 0; n < times; n += 1) {
        try {
          await round(arena(), n);
        } catch (error) {
          throw new Error(`In round ${n + 1} of ${times}: ${String(error)}`, { cause: error });
        }
      }
    });
  };
}

function declareOn(engine: EngineName, { rounds, rarer = rounds, hashesReally = false }: Rounds): void {
  describe('of local mode', () => {
    let arena: Arena;
    before(async () => {
      arena = await openArena(engine, { hashesReally });
    });
    after(() => arena.close());

    const each = inRounds(rounds, () => arena);
    const raceRarely = inRounds(rarer, () => arena);

    each('of many parallel registrations of one address in many spellings one succeeds', registerTogether);
    each('of many parallel uses of one reset token one succeeds, and its password logs in', redeemTogether);
    each(
      'at most the limit of many concurrent wrong guesses are verified, and all of these count',
      guessTogether,
    );
    each('a wrong guess counts whether the account exists or not', (at, n) => guessTogether(at, n, false));
    each('after the acknowledgement of a logout no later request has the session', (at) =>
      endWhilePolling(at, endings.logOut),
    );
    each('after the acknowledgement of disabling an account no later request has its session', (at) =>
      endWhilePolling(at, endings.disable),
    );
    each('after the acknowledgement of a new password no later request has an old session', (at) =>
      endWhilePolling(at, endings.newPassword),
    );
    each(
      'no session created with the old password is valid after the acknowledgement of the new one',
      logInDuringReset,
    );
    each(
      'no session is valid after the acknowledgement of disabling an account, nor after it is enabled again',
      logInDuringDisabling,
    );
    raceRarely('many parallel logouts end the session without an error', logOutTogether);
    raceRarely(
      'each of many concurrent requests for a reset token gets one, and one of them is valid',
      forgetTogether,
    );
    each('registration, reset and logout may be repeated after a lost reply', repeatLost);
    const [factor] = factorKits;
    for (const { title, isRare, create } of kits.flatMap(({ races = [] }) => races))
      if (factor !== undefined) (isRare ? raceRarely : each)(title, create(factor));
  });

  describe('of public mode', () => {
    let arena: Arena;
    before(async () => {
      arena = await openArena(engine, { isPublic: true, hashesReally });
    });
    after(() => arena.close());

    const each = inRounds(rounds, () => arena);
    const raceRarely = inRounds(rarer, () => arena);

    each(
      'many concurrent registrations of one address get the same reply, and its owner gets one mail now',
      registerTogether,
    );

    raceRarely(
      'many concurrent registrations of a confirmed address get the same reply, and its owner gets one mail now',
      registerConfirmed,
    );

    raceRarely(
      'many concurrent reset requests get the same reply, and the owner gets one mail now',
      forgetInPublic,
    );
  });
}

async function registerTogether(arena: Arena, n: number): Promise<void> {
  const email = freshAddress();
  const spellings = [
    email,
    email.toUpperCase(),
    ` ${email} `,
    email.replace('racer', 'Racer'),
    email.replace('.org', '.ORG'),
  ];
  const at = Array.from({ length: racers }, (_, i) => spellings[(i + n) % spellings.length] ?? email);
  const outcomes = await land(
    at.map((spelling, i) => register(arena.to(i), spelling, `the password of racer ${i}`)),
  );

  const taken = await usersLike(arena.database, email);
  assert.equal(taken.length, 1, 'one account');
  if (arena.isPublic) {
    assertAlike(outcomes, at);
    assert.deepEqual(await mailKinds(arena.database, email), ['email_verification']);
    return;
  }
  const winners = outcomes.filter(({ status }) => status === 200);
  assert.equal(winners.length, 1, statuses(outcomes));
  for (const { status, text } of outcomes.filter((outcome) => !winners.includes(outcome))) {
    assert.deepEqual([status, JSON.parse(text)], [400, { message: 'email already registered' }]);
  }
  const winner = outcomes.findIndex(({ status }) => status === 200);
  assert.equal((await ask(logIn(arena.to(n), email, `the password of racer ${winner}`))).status, 200);
}

async function registerConfirmed(arena: Arena): Promise<void> {
  const email = freshAddress();
  const hashed = await arena.hasher.hash(passwordOf(email));
  const { id } = await new DB(arena.database).addUser(email, hashed);
  await arena.database.query((sql) =>
    sql.updateTable('users').set({ email_verified_at: Date.now() }).where('id', '=', id),
  );
  const outcomes = await land(
    Array.from({ length: racers }, (_, i) => register(arena.to(i), email, passwordOf('a stranger'))),
  );
  assertAlike(outcomes);
  assert.deepEqual(await mailKinds(arena.database, email), ['already_registered']);
  assert.equal((await ask(logIn(arena.to(1), email))).status, 200, 'the password is still the first one');
}

async function forgetInPublic(arena: Arena): Promise<void> {
  const email = freshAddress();
  assert.equal((await ask(register(arena.to(0), email))).status, 200);
  const outcomes = await land(Array.from({ length: racers }, (_, i) => forget(arena.to(i), email)));
  assertAlike(outcomes);
  assert.deepEqual(await mailKinds(arena.database, email), ['email_verification', 'reset_password']);
}

async function redeemTogether(arena: Arena, n: number): Promise<void> {
  const email = await newcomer(arena);
  const token = resetToken(await ask(forget(arena.to(n), email)));
  const outcomes = await land(
    Array.from({ length: racers }, (_, i) => reset(arena.to(i), email, token, `the password of racer ${i}`)),
  );
  const winner = outcomes.findIndex(({ status }) => status === 200);
  assert.deepEqual(outcomes.filter(({ status }) => status === 200).length, 1, statuses(outcomes));
  for (const [i, { status, text }] of outcomes.entries()) {
    if (i !== winner) assert.deepEqual([status, codeOf(text)], [403, 'token_invalid']);
  }
  assert.equal((await ask(logIn(arena.to(n), email, `the password of racer ${winner}`))).status, 200);
  const loser = (winner + 1) % racers;
  assert.equal((await ask(logIn(arena.to(n), email, `the password of racer ${loser}`))).status, 401);
}

async function guessTogether(arena: Arena, _n: number, isKnown = true): Promise<void> {
  const email = isKnown ? await newcomer(arena) : freshAddress();
  const outcomes = await land(
    Array.from({ length: guesses }, (_, i) => logIn(arena.to(i), email, `guess ${i}`)),
  );
  const verified = outcomes.filter(({ status }) => status === 401).length;
  assert.deepEqual(
    [...new Set(outcomes.map(({ status }) => status))].toSorted((a, b) => a - b),
    [401, 429],
    statuses(outcomes),
  );
  // Each second that the round takes on a busy machine allows one more attempt.
  const begun = Math.min(...outcomes.map(({ sentAt }) => sentAt));
  const seconds = Math.floor((Math.max(...outcomes.map(({ endedAt }) => endedAt)) - begun) / 1000);
  assert.ok(
    verified >= verifiedGuesses && verified <= verifiedGuesses + seconds,
    `${verified} were verified`,
  );
  const counted = await arena.database.query((sql) =>
    sql.selectFrom('attempts').select('failures').orderBy('last_at', 'desc').limit(1),
  );
  assert.equal(counted[0]?.failures, verified, 'each of them is counted');
}

/** Ways in which a session ends; each resolves when it is acknowledged. */
const endings = {
  logOut: async ({ to }: Arena, _email: string, cookie: string): Promise<void> => {
    assert.equal((await ask(logOut(to(0), cookie))).status, 302);
  },
  disable: async ({ auth, database }: Arena, email: string): Promise<void> => {
    assert.equal(await auth.setDisabled((await userOf(database, email)).id, true), true);
  },
  newPassword: async ({ to }: Arena, email: string): Promise<void> => {
    const token = resetToken(await ask(forget(to(0), email)));
    assert.equal((await ask(reset(to(0), email, token, 'a new password'))).status, 200);
  },
};

/** Requests of each poller after the acknowledgement. */
const laterRequests = 2;

async function endWhilePolling(
  arena: Arena,
  end: (arena: Arena, email: string, cookie: string) => Promise<void>,
): Promise<void> {
  const email = await newcomer(arena);
  const cookie = sessionCookie(await ask(logIn(arena.to(1), email)));
  const history: Outcome[] = [];
  let endedAt = Infinity;
  const poll = async (n: number): Promise<void> => {
    for (let later = 0; later < laterRequests;) {
      const outcome = await ask(profile(arena.to(n), cookie));
      history.push(outcome);
      if (outcome.sentAt > endedAt) later += 1;
    }
  };
  const pollers = Array.from({ length: 3 }, (_, n) => poll(n));
  await end(arena, email, cookie);
  endedAt = performance.now();
  await Promise.all(pollers);
  const late = history.filter(({ sentAt }) => sentAt > endedAt);
  assert.equal(late.length, pollers.length * laterRequests);
  for (const { status } of late)
    assert.equal(status, 403, 'a request that started after the acknowledgement');
  for (const { status } of history) assert.ok(status === 200 || status === 403, `${status}`);
}

async function logInDuringReset(arena: Arena, n: number): Promise<void> {
  const email = await newcomer(arena);
  const token = resetToken(await ask(forget(arena.to(n), email)));
  const old = Array.from({ length: racers - 2 }, (_, i) => logIn(arena.to(i), email));
  const outcomes = await land([reset(arena.to(n), email, token, 'a new password'), ...old]);
  assert.equal(outcomes[0]?.status, 200, outcomes[0]?.text);
  for (const outcome of outcomes.slice(1)) {
    if (outcome.status === 401) continue;
    assert.equal(outcome.status, 200, outcome.text);
    const seen = await ask(profile(arena.to(n), sessionCookie(outcome)));
    assert.equal(seen.status, 403, 'a session of the old password is valid');
  }
  assert.equal(await countSessions(arena.database, email), 0);
  assert.equal((await ask(logIn(arena.to(n), email, 'a new password'))).status, 200);
}

async function logInDuringDisabling(arena: Arena, n: number): Promise<void> {
  const email = await newcomer(arena);
  const { id } = await userOf(arena.database, email);
  const racing = land(Array.from({ length: racers - 2 }, (_, i) => logIn(arena.to(i), email)));
  // The logins hash for some milliseconds; the account is disabled before or during their last steps.
  await new Promise((resolve) => setTimeout(resolve, 8 + (n % 12)));
  assert.equal(await arena.auth.setDisabled(id, true), true);
  const outcomes = await racing;
  assert.equal(await countSessions(arena.database, email), 0, 'a session of the disabled account is left');
  await arena.auth.setDisabled(id, false);
  for (const outcome of outcomes.filter(({ status }) => status === 200)) {
    assert.equal((await ask(profile(arena.to(n), sessionCookie(outcome)))).status, 403);
  }
}

async function logOutTogether(arena: Arena, n: number): Promise<void> {
  const email = await newcomer(arena);
  const cookie = sessionCookie(await ask(logIn(arena.to(n), email)));
  const outcomes = await land(Array.from({ length: racers }, (_, i) => logOut(arena.to(i), cookie)));
  for (const { status, text } of outcomes) assert.ok(status === 302 || status === 403, text);
  assert.ok(
    outcomes.some(({ status }) => status === 302),
    statuses(outcomes),
  );
  assert.equal((await ask(profile(arena.to(n), cookie))).status, 403);
}

async function forgetTogether(arena: Arena, n: number): Promise<void> {
  const email = await newcomer(arena);
  const outcomes = await land(Array.from({ length: racers }, (_, i) => forget(arena.to(i), email)));
  const tokens = outcomes.map(resetToken);
  assert.equal(new Set(tokens).size, racers);
  const redeemed: number[] = [];
  for (const token of tokens)
    redeemed.push((await ask(reset(arena.to(n), email, token, 'a new password'))).status);
  assert.deepEqual(
    redeemed.toSorted((a, b) => a - b),
    [200, ...Array<number>(racers - 1).fill(403)],
  );
}

async function repeatLost(arena: Arena, n: number): Promise<void> {
  const to = arena.to(n);
  const email = freshAddress();
  await askAndHangUp(register(to, email));
  const again = await ask(register(to, email));
  assert.ok(again.status === 200 || again.status === 400, again.text);
  assert.equal((await usersLike(arena.database, email)).length, 1);
  const cookie = sessionCookie(await ask(logIn(to, email)));

  await askAndHangUp(logOut(to, cookie));
  assert.ok([302, 403].includes((await ask(logOut(to, cookie))).status));
  assert.equal((await ask(profile(to, cookie))).status, 403);

  const token = resetToken(await ask(forget(to, email)));
  await askAndHangUp(reset(to, email, token, 'a new password'));
  assert.ok([200, 403].includes((await ask(reset(to, email, token, 'a new password'))).status));
  assert.equal((await ask(logIn(to, email, 'a new password'))).status, 200);
}

/** A registered user. */
async function newcomer(arena: Arena): Promise<string> {
  const email = freshAddress();
  const outcome = await ask(register(arena.to(0), email));
  assert.equal(outcome.status, 200, outcome.text);
  return email;
}

/** All racers got the same reply, except for the address as each had typed it. */
function assertAlike(outcomes: readonly Outcome[], typed: readonly string[] = []): void {
  const [first] = outcomes;
  assert.equal(first?.status, 200, first?.text);
  const facts = outcomes.map(({ status, headers, text, cookies }, i) => {
    const { email, ...others } = JSON.parse(text) as { email: string };
    if (typed[i] !== undefined) assert.equal(email, typed[i].trim());
    return { status, headers: headers.map(withoutToken), cookies: cookies.map(nameOf), others };
  });
  for (const fact of facts) assert.deepEqual(fact, facts[0]);
}

const nameOf = (cookie: string): string => cookie.split('=', 1)[0] ?? '';

/** A header line without the token that each client gets. */
const withoutToken = (line: string): string => line.replace(/(request=)[^;]+/, '$1…');

async function usersLike(database: Database, email: string): Promise<object[]> {
  const users = await database.query((sql) => sql.selectFrom('users').select(['id', 'email']));
  return users.filter((user) => user.email.toLowerCase() === email.toLowerCase());
}

async function userOf(database: Database, email: string): Promise<User> {
  const address = toEmailAddress(email);
  const user = address && (await findUserByEmail(database, address));
  if (user === undefined) throw new Error(`No user has ${email}`);
  return user;
}

async function countSessions(database: Database, email: string): Promise<number> {
  const { id } = await userOf(database, email);
  return (await database.query((sql) => sql.selectFrom('sessions').select('id').where('user_id', '=', id)))
    .length;
}

/**
 * Kinds of the mails to an address that were due when they were requested, in alphabetical order. At most one of each kind
 * waits for the end of a pause.
 */
async function mailKinds(database: Database, email: string): Promise<string[]> {
  const { id } = await userOf(database, email);
  const mails = await database.query((sql) =>
    sql.selectFrom('mails').select(['kind', 'tries', 'created_at', 'next_at']).where('user_id', '=', id),
  );
  const isWaiting = (mail: (typeof mails)[number]): boolean =>
    mail.tries === 0 && mail.next_at > mail.created_at;
  const waiting = mails.filter(isWaiting).map(({ kind }) => kind);
  assert.equal(new Set(waiting).size, waiting.length, waiting.join());
  return mails
    .filter((mail) => !isWaiting(mail))
    .map(({ kind }) => kind)
    .toSorted();
}

function statuses(outcomes: readonly Outcome[]): string {
  return outcomes.map(({ status }) => status).join(' ');
}

function codeOf(text: string): unknown {
  return (JSON.parse(text) as { code?: string }).code;
}
