// A simple model of the service: accounts, their sessions, attempts and reset tokens, and the reply to each request.
// Steps are drawn in random order and run against the model and the service in parallel.
import assert from 'node:assert/strict';
import fc, { type AsyncCommand } from 'fast-check';
import { dayMs, hourMs, minuteMs, secondMs } from '../../src/kit/clock.ts';
import type { TestClock } from '../support/clock.ts';
import type { Fields } from '../support/request.ts';
import type { TestCore } from '../support/service.ts';

/** Sessions that a user may have: few, so that the oldest is replaced. */
export const sessionsPerUser = 3;
const sessionMs = 30 * dayMs;
const idleMs = 7 * dayMs;
/** A session is recorded as seen if its last record is this old, in milliseconds. */
const noteMs = 5 * minuteMs;
const resetMs = hourMs;
/** After this time without another attempt, earlier attempts no longer count. */
const forgottenMs = 30 * dayMs;
/** The same while no attempt had to wait. */
const freeForgottenMs = dayMs;
/** Consecutive attempts without a wait, and the waits after the following ones. */
const freeAttempts = 4;
const waits = [1, 2, 4, 8, 15, 30, 60].map((seconds) => seconds * secondMs);

interface ModelSession {
  readonly token: string;
  readonly madeAt: number;
  /** The last request that kept it alive and was recorded. */
  seenAt: number;
  isNoted: boolean;
}

interface ModelAccount {
  password: string;
  isDisabled: boolean;
  readonly sessions: ModelSession[];
  /** The newest reset token, unless it is consumed or revoked. */
  reset: { token: string; madeAt: number } | undefined;
}

interface Attempts {
  count: number;
  lastAt: number;
  nextAt: number;
}

/** The expected state. */
export interface Model {
  now: number;
  /** By the normal form of their address. */
  readonly accounts: Map<string, ModelAccount>;
  /** Consecutive wrong attempts by address, whether it has an account or not. */
  readonly attempts: Map<string, Attempts>;
  /** Every session and reset token that was ever issued. */
  readonly sessionTokens: string[];
  readonly resetTokens: string[];
  /** How often each outcome occurred, so that a test can check that all did. */
  readonly met: Map<string, number>;
}

/** The real service. */
interface Real {
  readonly origin: string;
  readonly clock: TestClock;
  readonly core: TestCore;
  /** Makes the addresses of one walk its own. */
  readonly suffix: string;
}

type Step = AsyncCommand<Model, Real>;

export function emptyModel(now: number, met: Map<string, number>): Model {
  return { now, accounts: new Map(), attempts: new Map(), sessionTokens: [], resetTokens: [], met };
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly sessionId: string | undefined;
}

async function ask(
  real: Real,
  method: string,
  path: string,
  { fields, sessionId }: { fields?: Fields; sessionId?: string } = {},
): Promise<Answer> {
  const reply = await fetch(real.origin + path, {
    method,
    redirect: 'manual',
    ...(sessionId !== undefined && { headers: { cookie: `session_id=${sessionId}` } }),
    ...(fields && { body: new URLSearchParams(fields as Record<string, string>) }), // no field is sent twice here
  });
  const cookies = reply.headers.getSetCookie().map((cookie) => /^session_id=([^;]+)/.exec(cookie)?.[1]);
  return {
    status: reply.status,
    body: (await reply.json()) as Record<string, unknown>, // every reply of the contract is an object
    sessionId: cookies.find((cookie) => cookie !== undefined),
  };
}

const names = ['ada', 'bob', 'cy'] as const;
type Name = (typeof names)[number];
const passwords = ['b4l0u', 't4rt1fl3tt3', 'x'] as const;

/** Spellings of an address that are the same account. */
const spellings: readonly ((name: Name, suffix: string) => string)[] = [
  (name, suffix) => `${name}.${suffix}@example.org`,
  (name, suffix) => ` ${name.toUpperCase()}.${suffix}@Example.ORG `,
];
const anyAddress = fc.record({ name: fc.constantFrom(...names), spelling: fc.constantFrom(...spellings) });
type Address = typeof anyAddress extends fc.Arbitrary<infer T> ? T : never;

function step(name: string, run: (model: Model, real: Real) => Promise<string>): Step {
  return {
    check: () => true,
    run: async (model, real) => {
      const outcome = await run(model, real);
      const key = `${name.split(':')[0]}: ${outcome}`;
      model.met.set(key, (model.met.get(key) ?? 0) + 1);
    },
    toString: () => name,
  };
}

/** Each action has an instant of its own, so that there is one oldest session. */
function tick(model: Model, real: Real, ms = 1): void {
  real.clock.advance(ms);
  model.now += ms;
}

/** Counts an attempt; false if it must wait. */
function beginAttempt({ attempts, now }: Model, name: Name): boolean {
  const entry = attempts.get(name) ?? { count: 0, lastAt: now, nextAt: 0 };
  if (entry.nextAt > now) return false;
  entry.count += 1;
  entry.lastAt = now;
  const wait = entry.count > freeAttempts ? waits[entry.count - freeAttempts - 1] : 0;
  assert.ok(wait !== undefined, 'the model has no longer waits');
  entry.nextAt = wait === 0 ? 0 : now + wait;
  attempts.set(name, entry);
  return true;
}

function liveSessions({ now }: Model, account: ModelAccount | undefined): ModelSession[] {
  if (account === undefined || account.isDisabled) return [];
  return account.sessions.filter(({ madeAt, seenAt }) => now - madeAt < sessionMs && now - seenAt < idleMs);
}

/** True for a session that would be valid if it had been used. */
function isIdle({ accounts, now }: Model, token: string | undefined): boolean {
  return [...accounts.values()].some(
    ({ isDisabled, sessions }) =>
      !isDisabled && sessions.some((each) => each.token === token && now - each.madeAt < sessionMs),
  );
}

/** Records which sessions were seen, as the service does every few seconds. */
async function flushSeen(model: Model, { core }: Real): Promise<void> {
  await core.auth.flushSeen();
  for (const session of [...model.accounts.values()].flatMap(({ sessions }) => sessions)) {
    if (session.isNoted) session.seenAt = model.now;
    session.isNoted = false;
  }
}

function revokeAccess(account: ModelAccount): void {
  account.sessions.length = 0;
  account.reset = undefined;
}

const register = ({ name, spelling }: Address, password: string): Step =>
  step(`register: ${name}`, async (model, real) => {
    tick(model, real);
    const email = spelling(name, real.suffix);
    const { status, body, sessionId } = await ask(real, 'POST', '/users', { fields: { email, password } });
    assert.equal(sessionId, undefined);
    if (model.accounts.has(name)) {
      assert.deepEqual([status, body], [400, { message: 'email already registered' }]);
      return 'taken';
    }
    assert.deepEqual([status, body], [200, { email: email.trim(), message: 'user created' }]);
    model.accounts.set(name, { password, isDisabled: false, sessions: [], reset: undefined });
    return 'created';
  });

const logIn = ({ name, spelling }: Address, password: string): Step =>
  step(`log in: ${name}`, async (model, real) => {
    tick(model, real);
    const email = spelling(name, real.suffix);
    const { status, body, sessionId } = await ask(real, 'POST', '/sessions', { fields: { email, password } });
    if (!beginAttempt(model, name)) {
      assert.deepEqual([status, sessionId], [429, undefined]);
      return 'must wait';
    }
    const account = model.accounts.get(name);
    if (account === undefined || account.isDisabled || account.password !== password) {
      assert.deepEqual([status, sessionId], [401, undefined]);
      return 'refused';
    }
    assert.deepEqual([status, body], [200, { email: email.trim(), message: 'logged in' }]);
    assert.ok(sessionId !== undefined && !model.sessionTokens.includes(sessionId));
    model.attempts.delete(name);
    model.sessionTokens.push(sessionId);
    account.sessions.push({ token: sessionId, madeAt: model.now, seenAt: model.now, isNoted: false });
    if (account.sessions.length > sessionsPerUser) account.sessions.shift();
    return 'logged in';
  });

/** Picks one of those that were ever issued. */
function pick(list: readonly string[], at: number): string | undefined {
  return list[list.length - 1 - (at % Math.max(1, list.length))];
}

function ownerOf(model: Model, token: string | undefined): [Name, ModelAccount] | undefined {
  for (const name of names) {
    const account = model.accounts.get(name);
    if (account && liveSessions(model, account).some((session) => session.token === token))
      return [name, account];
  }
  return undefined;
}

const profile = (at: number): Step =>
  step(`profile: session ${at}`, async (model, real) => {
    const sessionId = pick(model.sessionTokens, at);
    const { status, body } = await ask(real, 'GET', '/profile', sessionId === undefined ? {} : { sessionId });
    const owner = ownerOf(model, sessionId);
    assert.equal(status, owner === undefined ? 403 : 200);
    if (owner === undefined) return isIdle(model, sessionId) ? 'idle for too long' : 'refused';
    for (const session of owner[1].sessions)
      if (session.token === sessionId && model.now - session.seenAt >= noteMs) session.isNoted = true;
    assert.deepEqual(Object.keys(body), ['email']);
    assert.equal(String(body['email']).toLowerCase(), `${owner[0]}.${real.suffix}@example.org`);
    return 'shown';
  });

const logOut = (at: number): Step =>
  step(`log out: session ${at}`, async (model, real) => {
    const sessionId = pick(model.sessionTokens, at);
    const { status } = await ask(real, 'DELETE', '/sessions', sessionId === undefined ? {} : { sessionId });
    const owner = ownerOf(model, sessionId);
    assert.equal(status, owner === undefined ? 403 : 302);
    if (owner === undefined) return 'refused';
    const { sessions } = owner[1];
    sessions.splice(
      sessions.findIndex(({ token }) => token === sessionId),
      1,
    );
    return 'ended';
  });

const askReset = ({ name, spelling }: Address): Step =>
  step(`ask for a reset: ${name}`, async (model, real) => {
    tick(model, real);
    const email = spelling(name, real.suffix);
    const { status, body } = await ask(real, 'POST', '/reset_password', { fields: { email } });
    const account = model.accounts.get(name);
    if (account === undefined || account.isDisabled) {
      assert.equal(status, 403);
      return 'refused';
    }
    assert.deepEqual([status, body['email']], [200, email.trim()]);
    const token = String(body['reset_token']);
    assert.ok(!model.resetTokens.includes(token));
    model.resetTokens.push(token);
    account.reset = { token, madeAt: model.now };
    return 'issued';
  });

const reset = ({ name, spelling }: Address, password: string, at: number): Step =>
  step(`reset: ${name} with token ${at}`, async (model, real) => {
    tick(model, real);
    const email = spelling(name, real.suffix);
    const token = pick(model.resetTokens, at) ?? 'never-issued';
    const fields = { email, reset_token: token, new_password: password };
    const { status, body, sessionId } = await ask(real, 'PUT', '/reset_password', { fields });
    assert.equal(sessionId, undefined);
    const account = model.accounts.get(name);
    const live = account?.reset;
    if (account === undefined || live?.token !== token || model.now - live.madeAt >= resetMs) {
      assert.equal(status, 403);
      if (account?.reset?.token === token) account.reset = undefined; // an expired one is gone permanently
      return 'refused';
    }
    assert.deepEqual([status, body], [200, { email: email.trim(), message: 'Password updated' }]);
    account.password = password;
    revokeAccess(account);
    model.attempts.delete(name);
    return 'done';
  });

const idOf = async ({ core, suffix }: Real, name: Name): Promise<number> => {
  const email = `${name}.${suffix}@example.org`;
  const rows = await core.database.query((sql) =>
    sql.selectFrom('users').select('id').where('email_key', '=', email),
  );
  return rows[0]?.id ?? 0;
};

const setDisabled = (name: Name, disabled: boolean): Step =>
  step(`${disabled ? 'disable' : 'enable'}: ${name}`, async (model, real) => {
    const account = model.accounts.get(name);
    const isKnown = await real.core.auth.setDisabled(await idOf(real, name), disabled);
    assert.equal(isKnown, account !== undefined);
    if (account === undefined) return 'unknown';
    account.isDisabled = disabled;
    if (disabled) revokeAccess(account);
    return 'done';
  });

const remove = (name: Name): Step =>
  step(`remove: ${name}`, async (model, real) => {
    const isKnown = await real.core.auth.removeUser(await idOf(real, name));
    assert.equal(isKnown, model.accounts.delete(name)); // the attempts on its address still count
    return isKnown ? 'done' : 'unknown';
  });

const pass = (ms: number): Step =>
  step(`let time pass: ${ms / secondMs} s`, async (model, real) => {
    await flushSeen(model, real);
    tick(model, real, ms);
    return 'passed';
  });

/** Uses a session for longer than its lifetime. */
const keepBusy = step('keep the newest session busy', async (model, real) => {
  for (let used = 0; used <= sessionMs; used += 4 * dayMs) {
    await profile(0).run(model, real);
    await pass(4 * dayMs).run(model, real);
  }
  await profile(0).run(model, real);
  return 'done';
});

const leaveIdle = step('leave the newest session idle', async (model, real) => {
  await pass(idleMs).run(model, real);
  await profile(0).run(model, real);
  return 'done';
});

const purge = step('purge', async (model, real) => {
  await flushSeen(model, real);
  await real.core.auth.purge();
  for (const [name, { count, lastAt }] of model.attempts) {
    const keptMs = count <= freeAttempts ? freeForgottenMs : forgottenMs;
    if (lastAt < model.now - keptMs) model.attempts.delete(name);
  }
  return 'done';
});

const anyPassword = fc.constantFrom(...passwords);
const any = fc.nat({ max: 3 });

/** Steps in the frequency in which they are drawn: those that lead on more often than those that end. */
export const anySteps = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(anyAddress, anyPassword).map((drawn) => register(...drawn)) },
  { weight: 10, arbitrary: fc.tuple(anyAddress, anyPassword).map((drawn) => logIn(...drawn)) },
  { weight: 6, arbitrary: any.map(profile) },
  { weight: 2, arbitrary: any.map(logOut) },
  { weight: 4, arbitrary: anyAddress.map(askReset) },
  { weight: 4, arbitrary: fc.tuple(anyAddress, anyPassword, any).map((drawn) => reset(...drawn)) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(...names), fc.boolean()).map((drawn) => setDisabled(...drawn)),
  },
  { weight: 1, arbitrary: fc.constantFrom(...names).map(remove) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(secondMs, 2 * minuteMs, resetMs, 4 * dayMs, idleMs, sessionMs).map(pass),
  },
  { weight: 2, arbitrary: fc.constantFrom(purge, keepBusy, leaveIdle) },
);
