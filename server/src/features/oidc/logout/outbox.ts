// Notifies relying parties of the end of a session (OpenID Connect Back-Channel Logout 1.0). A logout is stored in the
// transaction that ends the session and delivered by a job, so that none is lost and no request waits for a relying
// party. Each is delivered at least once: a repetition after a crash has a token of its own.
import type { JWK } from 'jose';
import type { Clock } from '../../../kit/clock.ts';
import { dayMs, hourMs, minuteMs, secondMs } from '../../../kit/clock.ts';
import { generateUuid } from '../../../kit/id.ts';
import type { Log } from '../../../kit/log.ts';
import { printableLine } from '../../../kit/text/printable.ts';
import { LogThrottle } from '../../../kit/log-throttle.ts';
import type { Database } from '../../../db/database.ts';
import type { OutgoingFetch } from '../../../outgoing/outgoing.ts';
import type { EndedSession, Purgeable, Revocable, SessionEnding } from '../../../identity/contribution.ts';
import type { ClientSession } from '../grant/session-end.ts';
import { signLogoutToken } from './logout-token.ts';
import {
  addLogout,
  claimLogouts,
  hasDueLogout,
  removeExpiredLogouts,
  removeLogout,
  retryLogout,
  updateFailed,
  updateGivenUp,
  type LogoutRow,
} from './store.ts';

/**
 * Returns the sessions at clients with a `backchannel_logout_uri` that belong to sessions of the service. It locks the
 * rows to which a token request adds a client, so that no client is added after it has read them.
 */
export type ClientsOf = (
  tx: Database,
  sessions: readonly EndedSession[],
) => Promise<readonly ClientSession[]>;

export interface LogoutOutboxOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly issuer: string;
  /** Private keys, the current one of each algorithm first. The class SigningKeys has them. */
  readonly keys: { published(): Promise<{ readonly keys: readonly JWK[] }> };
  readonly fetch: OutgoingFetch;
}

/** Delays after the first attempt, the second, …. After the last one delivery is abandoned. */
const retryDelaysMs = [secondMs, 10 * secondMs, minuteMs, 10 * minuteMs, hourMs];
/** Attempts that a client may refuse with 400: it understood the token, so that another one is refused too. */
const maxRefusals = 2;
const timeoutMs = 2500;
/** Part of a response that is read, for the log. */
const maxBytes = 1024;
/** Time after which another instance may deliver a claimed logout: longer than an attempt. */
const leaseMs = 30 * secondMs;
/** Logouts that are claimed and delivered together. */
const claimBatch = 50;
/** Failures of a client in a row after which the rest of its due logouts is not sent in this run. */
const maxFailuresInRow = 3;
/** Time for which a logout that was not delivered is kept, from the last attempt on. */
const keptMs = 7 * dayMs;
/** Maximum stored length of an error. */
const errorCharacters = 300;

/** The attempt failed because the client refused the token: the status of OpenID Connect Back-Channel Logout 1.0 §2.8. */
class LogoutRefused extends Error {
  override readonly name = 'LogoutRefused';
}

/** Stores a logout for each session at a client, inside the transaction that ends them. `at` is in Unix milliseconds. */
export async function queueLogouts(tx: Database, ended: readonly ClientSession[], at: number): Promise<void> {
  for (const { clientId, subject, sid, uri, alg } of ended)
    await addLogout(tx, {
      id: generateUuid(),
      clientId,
      subject,
      sid,
      uri,
      alg,
      now: at,
      expiresAt: at + keptMs,
    });
}

/** Begins the attempts of a logout again. Returns false if no logout has the id. */
export function restartLogout(db: Database, id: string, now: number): Promise<boolean> {
  return retryLogout(db, { id, now, expiresAt: now + keptMs });
}

/** Returns the contribution that stores the logouts of the sessions that end, in the same transaction. */
export function logoutsOnEnd(clientsOf: ClientsOf): SessionEnding {
  return async (tx, { sessions, at }) => {
    await queueLogouts(tx, await clientsOf(tx, sessions), at);
  };
}

/** Returns the contribution that ends the access of applications, and stores the logouts of the sessions that end there. */
export function logoutsOnRevoke(
  endGrants: (tx: Database, userId: number, since?: number) => Promise<readonly ClientSession[]>,
): Revocable {
  return {
    kind: 'grant',
    revokeAll: async (tx, userId, { at, since }) => queueLogouts(tx, await endGrants(tx, userId, since), at),
  };
}

/** Stores and delivers logouts. */
export class LogoutOutbox implements Purgeable {
  readonly name = 'logouts';
  readonly #options: LogoutOutboxOptions;
  readonly #logged: LogThrottle;

  constructor(options: LogoutOutboxOptions) {
    this.#options = options;
    this.#logged = new LogThrottle(options.clock);
  }

  /** Attempts to deliver every due logout once and returns the number of those that were delivered. */
  async deliver(): Promise<number> {
    const { database, clock } = this.#options;
    const failures = new Map<string, number>();
    const now = clock(); // what fails is due in a later run
    let delivered = 0;
    while (await hasDueLogout(database, now)) {
      const leaseUntil = clock() + leaseMs;
      const rows = await claimLogouts(database, { now, leaseUntil, limit: claimBatch });
      if (rows.length === 0) break; // another instance was faster
      const outcomes = await Promise.all(rows.map((row) => this.#deliver(row, failures)));
      delivered += outcomes.filter(Boolean).length;
    }
    return delivered;
  }

  /** Removes up to `limit` logouts that were not delivered for seven days and returns how many. */
  purge(limit: number): Promise<number> {
    const { database, clock } = this.#options;
    return removeExpiredLogouts(database, clock(), limit);
  }

  /** `failures` counts those of each client in a row: one that does not answer must not delay the others. */
  async #deliver(row: LogoutRow, failures: Map<string, number>): Promise<boolean> {
    const { client_id: clientId } = row;
    const inRow = (): number => failures.get(clientId) ?? 0;
    try {
      if (inRow() >= maxFailuresInRow) throw new Error('The client failed several times just before');
      await this.#send(row);
    } catch (error) {
      failures.set(clientId, inRow() + 1);
      await this.#noteFailure(row, error);
      return false;
    }
    failures.delete(clientId);
    await removeLogout(this.#options.database, row.id);
    return true;
  }

  /** @throws {LogoutRefused} if the client refuses the token. */
  async #send({ client_id: clientId, subject, sid, uri, alg }: LogoutRow): Promise<void> {
    const { clock, fetch, issuer, keys } = this.#options;
    const published = await keys.published();
    const claims = { issuer, clientId, subject, sid, alg };
    const token = await signLogoutToken(claims, published.keys, clock());
    const response = await fetch(uri, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams({ logout_token: token }),
      timeoutMs,
      maxBytes,
      isCut: true,
    });
    const { status } = response;
    if (status === 200 || status === 204) return; // some frameworks replace an empty 200 by 204 (§2.8)
    if (status === 400) throw new LogoutRefused(`The client refused it: ${await response.text()}`);
    throw new Error(`The client answered with status ${status}`);
  }

  async #noteFailure(row: LogoutRow, error: unknown): Promise<void> {
    const { database, clock, log } = this.#options;
    const { id, client_id: client, attempts } = row;
    const now = clock();
    const text = textOf(error);
    const delay = retryDelaysMs[attempts - 1];
    const isHopeless = delay === undefined || (error instanceof LogoutRefused && attempts >= maxRefusals);
    if (isHopeless) await updateGivenUp(database, { id, now, expiresAt: now + keptMs, error: text });
    else await updateFailed(database, { id, nextAt: now + delay, error: text });
    const count = this.#logged.take(client);
    if (count > 0)
      log.warn(
        { client, logout: id, attempts, count, error: text },
        isHopeless
          ? 'A client was not notified of a logout; delivery was abandoned'
          : 'A client was not notified of a logout; it will be retried',
      );
  }
}

/** Returns the text of an error for the operator. A client may have written a part of it. */
function textOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException; // of fetch or of this file
  return printableLine(message || String(code ?? error)).slice(0, errorCharacters);
}
