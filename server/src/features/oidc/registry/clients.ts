// Adds, changes and removes clients, and rotates their secrets, each in one transaction with its audit event.
import { hourMs } from '../../../kit/clock.ts';
import { fieldProblem, Problem } from '../../../kit/problem.ts';
import { equalDigests } from '../../../kit/secret.ts';
import { UniqueViolation, type Database } from '../../../db/database.ts';
import { hasSecret, standardScopes, type Client, type NewClient } from '../client/client.ts';
import type { Input } from '../client/field.ts';
import { fieldsOf, requireClient } from '../client/registration.ts';
import { createClientSecret } from '../client/secret.ts';
import {
  addClient,
  addSecret,
  expireSecret,
  findResource,
  listResources,
  listSecrets,
  lockClient,
  removeClient,
  removeExpiredSecrets,
  removeSecret,
  updateClient,
} from '../client/store.ts';
import { endOfflineGrants, removeGrantsOfClient } from '../grant/grant-store.ts';
import { changedFields, merged, requireFree, type Change, type RegistryParts } from './change.ts';
import { registryEvents as kinds } from './event.ts';

/** The scope with which tokens outlive their session. */
const offlineAccess = 'offline_access';
/** How long the older secret stays valid after a rotation, unless the operator says otherwise. */
export const defaultOverlapMs = 24 * hourMs;

/** A client that was added or changed. */
export interface Registered {
  readonly client: NewClient;
  /** The new secret, if one was generated. Show it once; only its digest is stored. */
  readonly secret: string | undefined;
}

/** Rules for clients. */
export class Clients {
  readonly #parts: RegistryParts;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
  }

  /**
   * Adds a client, and generates a secret if it authenticates with one.
   * @param given digests of secrets that exist already; then none is generated.
   * @throws {Problem} invalid_request if a client has its id, or a resource that it serves is not registered.
   */
  add(client: NewClient, { source, managedBy }: Change, given?: readonly Uint8Array[]): Promise<Registered> {
    const { db, clock, events } = this.#parts;
    return db.transaction(async (tx) => {
      await requireResources(tx, client);
      const now = clock();
      const taken = fieldProblem('id', `is taken: there is a client ${client.id}`, 'registered_already');
      if ((await lockClient(tx, client.id)) !== undefined) throw taken;
      await addClient(tx, client, { managedBy: managedBy ?? null, now }).catch((error: unknown) => {
        throw error instanceof UniqueViolation ? taken : error;
      });
      const secret =
        given === undefined && hasSecret(client) ? await addNewSecret(tx, client.id, now) : undefined;
      for (const hash of given ?? []) await addSecret(tx, client.id, { hash, now });
      const facts = { kind: client.kind };
      await events.emit(tx, kinds.client_added, { source, target: targetOf(client.id), facts });
      return { client, secret };
    });
  }

  /**
   * Changes those fields of a client that are given; null resets one to its default. A client that did not authenticate
   * with a secret before gets one.
   * @throws {Problem} not_found; invalid_request if the result cannot work, or the clients file manages the client.
   */
  update(id: string, input: Input, change: Change): Promise<Registered> {
    return this.#parts.db.transaction(async (tx) => {
      const existing = await this.#require(tx, id, change.managedBy);
      return this.#replace(tx, existing, requireClient(merged(fieldsOf(existing), input)), change);
    });
  }

  /** Replaces a client by the one of the clients file. @throws {Problem} as `update`. */
  replace(client: NewClient, change: Change): Promise<Registered> {
    return this.#parts.db.transaction(async (tx) =>
      this.#replace(tx, await this.#require(tx, client.id, change.managedBy), client, change),
    );
  }

  async #replace(
    tx: Database,
    existing: Client,
    client: NewClient,
    { source, managedBy }: Change,
  ): Promise<Registered> {
    const { clock, events } = this.#parts;
    const { id } = client;
    const fields = changedFields(fieldsOf(existing), fieldsOf(client));
    if (fields.length === 0) return { client, secret: undefined };
    await requireResources(tx, client, existing.scopes);
    const now = clock();
    await updateClient(tx, client, { managedBy: managedBy ?? existing.managedBy, now });
    await events.emit(tx, kinds.client_changed, { source, target: targetOf(id), facts: { fields } });
    await endGrants(tx, existing, client);
    const secrets = await listSecrets(tx, id, now);
    if (!hasSecret(client)) for (const each of secrets) await removeSecret(tx, each.id);
    const needsSecret = hasSecret(client) && secrets.length === 0 && managedBy === undefined;
    return { client, secret: needsSecret ? await addNewSecret(tx, id, now) : undefined };
  }

  /**
   * Removes a client with its secrets, grants and tokens.
   * @throws {Problem} not_found; invalid_request if the clients file manages it.
   */
  remove(id: string, { source, managedBy }: Change): Promise<void> {
    const { db, events } = this.#parts;
    return db.transaction(async (tx) => {
      await this.#require(tx, id, managedBy);
      await removeClient(tx, id);
      await events.emit(tx, kinds.client_removed, { source, target: targetOf(id) });
    });
  }

  /**
   * Generates a new secret. The one before stays valid for the overlap, and older ones are removed, so that there are two
   * at most.
   * @returns the secret, and when the one before expires (Unix milliseconds).
   * @throws {Problem} not_found; invalid_request if the client has no secret, or the clients file manages it.
   */
  rotateSecret(
    id: string,
    { source, overlapMs = defaultOverlapMs }: Change & { readonly overlapMs?: number },
  ): Promise<{ readonly secret: string; readonly earlierExpiresAt: number | undefined }> {
    const { db, clock, events } = this.#parts;
    return db.transaction(async (tx) => {
      const client = await this.#require(tx, id, undefined);
      if (!hasSecret(client))
        throw new Problem('invalid_request', {
          message: `The client ${id} has no secret: it authenticates by ${client.authMethod}`,
        });
      const now = clock();
      await removeExpiredSecrets(tx, id, now);
      const [earlier, ...older] = await listSecrets(tx, id, now);
      const stays = overlapMs > 0 && earlier !== undefined;
      for (const each of stays ? older : [earlier, ...older])
        if (each !== undefined) await removeSecret(tx, each.id);
      const earlierExpiresAt = stays ? Math.min(earlier.expiresAt ?? Infinity, now + overlapMs) : undefined;
      if (stays && earlierExpiresAt !== undefined) await expireSecret(tx, earlier.id, earlierExpiresAt);
      const secret = await addNewSecret(tx, id, now);
      const facts = { live_secrets: stays ? 2 : 1 };
      await events.emit(tx, kinds.client_secret_rotated, { source, target: targetOf(id), facts });
      return { secret, earlierExpiresAt };
    });
  }

  /** Replaces the secrets of a client by those with the given digests. Does nothing if it has exactly these. */
  setSecrets(id: string, hashes: readonly Uint8Array[], { source }: Change): Promise<void> {
    const { db, clock, events } = this.#parts;
    return db.transaction(async (tx) => {
      await lockClient(tx, id);
      const now = clock();
      const stored = await listSecrets(tx, id, now);
      if (hasExactly(stored, hashes)) return;
      await removeExpiredSecrets(tx, id, now);
      for (const each of stored) await removeSecret(tx, each.id);
      for (const hash of hashes) await addSecret(tx, id, { hash, now });
      const facts = { live_secrets: hashes.length };
      await events.emit(tx, kinds.client_secret_rotated, { source, target: targetOf(id), facts });
    });
  }

  /** Finds a client for a change, and locks its row. */
  async #require(tx: Database, id: string, managedBy: string | undefined): Promise<Client> {
    const client = await lockClient(tx, id);
    if (client === undefined) throw new Problem('not_found', { message: `No client has the id ${id}` });
    requireFree(this.#parts, `client ${id}`, client, managedBy);
    return client;
  }
}

/** Ends what a client may not keep after a change. What is looked up at each use needs no change (token/registered.ts). */
async function endGrants(tx: Database, before: Client, { id, ...after }: NewClient): Promise<void> {
  // Its refresh tokens were useless without its secret or key.
  const isPublicNow = before.authMethod !== 'none' && after.authMethod === 'none';
  const needsConsentNow = before.isFirstParty && !after.isFirstParty;
  if (isPublicNow || needsConsentNow) await removeGrantsOfClient(tx, id);
  else if (before.scopes.includes(offlineAccess) && !after.scopes.includes(offlineAccess))
    await endOfflineGrants(tx, id);
}

async function addNewSecret(tx: Database, clientId: string, now: number): Promise<string> {
  const { secret, hash } = createClientSecret();
  await addSecret(tx, clientId, { hash, now });
  return secret;
}

/**
 * @param before Scopes that it had: a resource may have lost them since.
 * @throws {Problem} invalid_request if a resource that the client serves is not registered, or none has a new scope of it.
 */
async function requireResources(
  tx: Database,
  { id, resourceOf, scopes }: NewClient,
  before: readonly string[] = [],
): Promise<void> {
  for (const identifier of resourceOf)
    if ((await findResource(tx, identifier)) === undefined)
      throw fieldProblem('resource_of', `has ${identifier}, which is not a registered resource`);
  const added = scopes.filter((scope) => !standardScopes.includes(scope) && !before.includes(scope));
  if (added.length === 0) return;
  const known = new Set((await listResources(tx)).flatMap((resource) => resource.scopes));
  for (const scope of added)
    if (!known.has(scope))
      throw fieldProblem(
        'scopes',
        `of the client ${id} has ${scope}, which no resource has: register the resource with this scope first`,
      );
}

/** Returns whether secrets are exactly those with the digests. */
export function hasExactly(
  stored: readonly { readonly hash: Uint8Array; readonly expiresAt: number | null }[],
  hashes: readonly Uint8Array[],
): boolean {
  return (
    stored.length === hashes.length &&
    stored.every(
      ({ hash, expiresAt }) => expiresAt === null && hashes.some((each) => equalDigests(each, hash)),
    )
  );
}

function targetOf(id: string): { kind: string; id: string } {
  return { kind: 'client', id };
}
