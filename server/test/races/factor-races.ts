// Shared code of the races of second factors; the races themselves are in the kits of the features. Each race has one
// account, which is reset before each round, because enrolling factors takes longer than the race.
import assert from 'node:assert/strict';
import { minuteMs } from '../../src/kit/clock.ts';
import { createToken } from '../../src/kit/secret.ts';
import { pendingAuthenticationKind } from '../../src/identity/cookie-kinds.ts';
import type { Database } from '../../src/db/database.ts';
import { formatFactors } from '../../src/identity/factor/factor-use.ts';
import { addPendingAuthentication } from '../../src/identity/sign-in/pending-store.ts';
import { findUserById } from '../../src/user/store.ts';
import { Browser } from '../support/browser.ts';
import { freshAddress, requests, sessionCookie, type Arena } from './arena.ts';
import { ask, land, type Outcome, type Racer } from './landing.ts';

/** Racers of a round: as many as may be verified at the same time (docs/decisions/0007-attempts.md). */
export const racers = 5;
/** Options of the service in local mode, on any port. */
export const origin = 'http://localhost:0';

type Round = (arena: Arena, n: number) => Promise<void>;

/** A signed-in user. */
export interface Contestant {
  readonly id: number;
  /** Cookie of the session. */
  cookie: string;
}

/** A round with the account of its race. */
export function racing<C extends Contestant>(
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

export const post = (to: string, path: string, cookie: string, fields: Racer['fields'] = {}): Racer => ({
  to,
  method: 'POST',
  path,
  cookie,
  fields,
});
export const put = (to: string, path: string, cookie: string, fields: Racer['fields'] = {}): Racer => ({
  ...post(to, path, cookie, fields),
  method: 'PUT',
});

/** The body of a request that succeeds. */
export async function bodyOf(racer: Racer): Promise<Record<string, unknown>> {
  return parse(await ask(racer));
}

export function parse({ status, text }: Outcome): Record<string, unknown> {
  assert.equal(status, 200, text);
  return JSON.parse(text) as Record<string, unknown>; // every reply of the service is an object
}

export async function idOf({ database }: Arena, email: string): Promise<number> {
  const rows = await database.query((sql) => sql.selectFrom('users').select('id').where('email', '=', email));
  return rows[0]?.id ?? assert.fail(email);
}

export async function newcomer(arena: Arena): Promise<Contestant> {
  const email = freshAddress();
  assert.equal((await ask(requests.register(arena.to(0), email))).status, 200);
  const cookie = sessionCookie(await ask(requests.logIn(arena.to(0), email)));
  return { id: await idOf(arena, email), cookie };
}

/** What a race resets in addition to what all races reset. */
export type PutBack = (tx: Database, userId: number) => Promise<unknown>;

/**
 * Resets to the state before the first round: no attempts counted, one session, the race's own rows, and new pending
 * authentications, whose cookies it returns. In one transaction, because SQLite waits for the disk at the end of each.
 */
export function putBack(
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
        endsWithBrowser: 0,
        now,
        expiresAt: now + minuteMs,
      });
      assert.ok(isAdded);
      cookies.push(`pending_login=${token}`);
    }
    return cookies;
  });
}

/** Sends a factor to both routes that accept one: with pending authentications, and the last one with a step-up. */
export async function giveTogether(
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

export function assertRefused(status: number, text: string): void {
  assert.deepEqual([status, (JSON.parse(text) as { code?: string }).code], [401, 'factor_invalid']);
}

export const winnersOf = (outcomes: readonly Outcome[]): number =>
  outcomes.filter(({ status }) => status === 200).length;

/** A browser on the service, in which the contestant is signed in. */
export function browserOf(arena: Arena, { cookie }: Contestant): Browser {
  const browser = new Browser({
    send: async ({ method, path, fields = {}, headers = {} }) => {
      const racer = { to: arena.to(0), method, path, fields, cookie: headers['cookie'] ?? '' };
      const { status, text, cookies } = await ask(racer as Racer); // kits send each field once
      const body: unknown = text.startsWith('{') ? JSON.parse(text) : undefined;
      return { status, headers: {}, text, body, cookies };
    },
  });
  const [name = '', value = ''] = cookie.split('=');
  browser.plant(name, value);
  return browser;
}
