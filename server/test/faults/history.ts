// Records the replies that clients got while the service was being killed, and compares them with its state afterwards:
// what was acknowledged is there, what was not is there completely or not at all.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';

/** What one client knows about its account. */
interface Account {
  readonly email: string;
  /** `asked` if a request was sent and not answered: both outcomes are right. */
  state: 'asked' | 'registered';
  /** Passwords of which one must log in; several after a change that was requested and not answered. */
  passwords: string[];
  /** Cookies of sessions that must be valid. */
  live: string[];
  /** Cookies of sessions that must be invalid. */
  ended: string[];
}

/** A reply, or `undefined` if none came. */
interface Reply {
  readonly status: number;
  readonly text: string;
  readonly cookie: string | undefined;
}

/** Longest wait for a reply, in milliseconds. A service that is killed resets its connections immediately. */
const replyMs = 60_000;

/** Sends one request; `undefined` when it is not answered. */
export async function sendRequest(
  baseUrl: string,
  method: string,
  path: string,
  { fields, cookie }: { fields?: Record<string, string>; cookie?: string } = {},
): Promise<Reply | undefined> {
  try {
    const response = await fetch(baseUrl + path, {
      method,
      redirect: 'manual',
      signal: AbortSignal.timeout(replyMs),
      headers: { connection: 'close', ...(cookie !== undefined && { cookie }) },
      ...(fields !== undefined && { body: new URLSearchParams(fields) }),
    });
    const text = await response.text();
    const pair = response.headers.getSetCookie().find((line) => line.startsWith('session_id='));
    return { status: response.status, text, cookie: pair?.split(';')[0] };
  } catch {
    return undefined;
  }
}

/** Temporary faults, after which the outcome is unknown: the action may have been done. */
const unclear = (reply: Reply | undefined): boolean => reply === undefined || reply.status >= 500;

export class History {
  readonly accounts: Account[] = [];
  /** Replies that no client of the contract may get. */
  readonly unexpected: string[] = [];
  /** Replies 503, and requests without a reply. */
  refused = 0;
  /** Actions that were acknowledged. */
  acknowledged = 0;
  #isStopped = false;
  #running: Promise<unknown> = Promise.resolve();

  /** One user's way through the service, once. */
  once(baseUrl: string): Promise<void> {
    return this.#person(baseUrl);
  }

  /** Starts this many clients, each of which uses one account after the other. */
  start(baseUrl: string, clients: number): void {
    this.#isStopped = false;
    this.#running = Promise.all(Array.from({ length: clients }, () => this.#client(baseUrl)));
  }

  /** Resolves when this many more actions were acknowledged. */
  async progress(actions: number): Promise<void> {
    const wanted = this.acknowledged + actions;
    try {
      await eventually(
        () => `${wanted} acknowledged actions, of which there are ${this.acknowledged}`,
        () => this.acknowledged >= wanted,
      );
    } catch (error) {
      this.#isStopped = true; // else the clients would keep the process of the test alive
      throw error;
    }
  }

  /** Lets the clients finish their current requests. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #client(baseUrl: string): Promise<void> {
    while (!this.#isStopped) {
      const before = this.refused;
      await this.#person(baseUrl);
      if (this.refused > before) await pause(20); // the service is down: pause before the next request
    }
  }

  /**
   * One user: registers, logs in, sets a new password, logs in again, logs out. Continues only while the outcome is
   * known.
   */
  async #person(baseUrl: string): Promise<void> {
    const email = `client${crypto.randomUUID()}@example.org`;
    const account: Account = { email, state: 'asked', passwords: ['first'], live: [], ended: [] };
    this.accounts.push(account);
    const registered = await this.#send(baseUrl, 'POST', '/users', { email, password: 'first' });
    if (this.#isUnclear(registered, 200)) return;
    account.state = 'registered';

    if (!(await this.#logIn(baseUrl, account))) return;
    const asked = await this.#send(baseUrl, 'POST', '/reset_password', { email });
    if (this.#isUnclear(asked, 200)) return;
    const { reset_token: token = '' } = JSON.parse(asked?.text ?? '{}') as { reset_token?: string };
    const earlier = account.live;
    account.passwords.push('second');
    account.live = [];
    const reset = await this.#send(baseUrl, 'PUT', '/reset_password', {
      email,
      reset_token: token,
      new_password: 'second',
    });
    if (this.#isUnclear(reset, 200)) return;
    account.passwords = ['second'];
    account.ended.push(...earlier);

    if (!(await this.#logIn(baseUrl, account)) || !(await this.#logIn(baseUrl, account))) return;
    const [cookie = ''] = account.live.splice(0, 1);
    const left = await sendRequest(baseUrl, 'DELETE', '/sessions', { cookie });
    if (this.#isUnclear(left, 302)) return;
    account.ended.push(cookie);
  }

  async #logIn(baseUrl: string, { email, passwords, live }: Account): Promise<boolean> {
    const login = await this.#send(baseUrl, 'POST', '/sessions', { email, password: passwords.at(-1) ?? '' });
    if (this.#isUnclear(login, 200)) return false;
    live.push(login?.cookie ?? '');
    return true;
  }

  #send(
    baseUrl: string,
    method: string,
    path: string,
    fields: Record<string, string>,
  ): Promise<Reply | undefined> {
    return sendRequest(baseUrl, method, path, { fields });
  }

  /** True if the outcome of the action is unknown; records a reply that must not occur. */
  #isUnclear(reply: Reply | undefined, wanted: number): boolean {
    if (reply?.status === wanted) {
      this.acknowledged += 1;
      return false;
    }
    this.refused += 1;
    if (reply !== undefined && reply.status !== 503) this.unexpected.push(`${reply.status} ${reply.text}`);
    return true;
  }

  /** Compares a restarted service with what the accounts after the n-th were answered. */
  async check(baseUrl: string, from = 0): Promise<void> {
    assert.deepEqual(this.unexpected, []);
    for (const account of this.accounts.slice(from)) await checkAccount(baseUrl, account);
  }
}

async function checkAccount(
  baseUrl: string,
  { email, state, passwords, live, ended }: Account,
): Promise<void> {
  const statuses: (number | undefined)[] = [];
  for (const password of passwords) {
    const login = await sendRequest(baseUrl, 'POST', '/sessions', { fields: { email, password } });
    assert.ok(!unclear(login), login?.text);
    statuses.push(login?.status);
  }
  const successes = statuses.filter((status) => status === 200).length;
  if (state === 'registered')
    assert.equal(successes, 1, `${email}: ${passwords.join()} gave ${statuses.join()}`);
  else assert.ok(successes <= 1);
  for (const cookie of live)
    assert.equal(
      (await sendRequest(baseUrl, 'GET', '/profile', { cookie }))?.status,
      200,
      `${email}: a session is lost`,
    );
  for (const cookie of ended)
    assert.equal(
      (await sendRequest(baseUrl, 'GET', '/profile', { cookie }))?.status,
      403,
      `${email}: an ended session is valid`,
    );
}
