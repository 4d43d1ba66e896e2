// The applications that can use an account: those that the user allowed, and those of the operator in which the user is
// signed in.
import type { Clock } from '../../../kit/clock.ts';
import type { Database } from '../../../db/database.ts';
import type { AuditSource } from '../../../audit/event.ts';
import type { Events } from '../../../identity/event.ts';
import { findClient } from '../client/store.ts';
import { listConsents } from '../grant/consent-store.ts';
import { listGrants } from '../grant/grant-store.ts';
import { endAccess } from '../grant/session-end.ts';
import { queueLogouts } from '../logout/outbox.ts';
import { applicationEvents } from './event.ts';

/** An application that can use an account. */
export interface UsedApplication {
  /** The `client_id`. */
  readonly id: string;
  readonly name: string;
  /** It belongs to the operator: the user is not asked. */
  readonly isFirstParty: boolean;
  /** Names of scopes, of claims as `claim NAME`, and of scopes of resources as `RESOURCE NAME`. */
  readonly access: readonly string[];
  /** Unix milliseconds. */
  readonly since: number;
  readonly usedAt: number;
}

export interface ApplicationParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly events: Pick<Events, 'emit'>;
}

/** Grants of a user that are read: a session has one for each application. */
const maxGrants = 200;

type Found = Omit<UsedApplication, 'name' | 'isFirstParty'>;

/** Lists and ends the access of applications. */
export class Applications {
  readonly #parts: ApplicationParts;

  constructor(parts: ApplicationParts) {
    this.#parts = parts;
  }

  /** Lists the applications of a user, by name. */
  async list(userId: number): Promise<UsedApplication[]> {
    const { db } = this.#parts;
    const found = new Map<string, Found>();
    for (const { clientId: id, scopes: access, createdAt: since, lastUsedAt: usedAt } of await listConsents(
      db,
      userId,
    ))
      found.set(id, { id, access, since, usedAt });
    for (const { clientId: id, payload, createdAt, usedAt } of await listGrants(db, userId, maxGrants)) {
      const before = found.get(id);
      found.set(id, {
        id,
        access: [...new Set([...(before?.access ?? []), ...accessOf(payload)])],
        since: Math.min(before?.since ?? createdAt, createdAt),
        usedAt: Math.max(before?.usedAt ?? 0, usedAt ?? createdAt),
      });
    }
    const listed: UsedApplication[] = [];
    for (const one of found.values()) {
      const client = await findClient(db, one.id);
      if (client === undefined) continue; // removed just now
      listed.push({ ...one, name: client.name, isFirstParty: client.isFirstParty });
    }
    return listed.toSorted((one, other) => one.name.localeCompare(other.name));
  }

  /**
   * Removes the access of an application: the consent, the grants and the tokens. The application is notified as of a
   * sign-out. Returns false if it had no access.
   */
  async remove(userId: number, clientId: string, source: AuditSource): Promise<boolean> {
    const { db, clock, events } = this.#parts;
    return db.transaction(async (tx) => {
      const client = await findClient(tx, clientId);
      const ended = client && (await endAccess(tx, userId, clientId));
      if (ended === undefined) return false;
      await queueLogouts(tx, ended, clock());
      await events.emit(tx, applicationEvents.application_removed, {
        user: { id: userId },
        target: { kind: 'client', id: clientId },
        facts: { name: client?.name ?? clientId },
        source,
      });
      return true;
    });
  }
}

/** Members of a grant of the engine. */
interface GrantMembers {
  readonly openid?: { readonly scope?: string; readonly claims?: readonly string[] };
  readonly resources?: Readonly<Record<string, string>>;
}

/** Returns what a grant allows, with the names of a consent. */
function accessOf(payload: string): string[] {
  const { openid, resources = {} } = JSON.parse(payload) as GrantMembers; // written by the engine
  return [
    ...(openid?.scope?.split(' ') ?? []),
    ...(openid?.claims ?? []).map((claim) => `claim ${claim}`),
    ...Object.entries(resources).flatMap(([resource, scope]) =>
      scope.split(' ').map((name) => `${resource} ${name}`),
    ),
  ];
}
