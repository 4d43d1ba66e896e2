// Adds, changes and removes resources, each in one transaction with its audit event.
import { fieldProblem, Problem } from '../../../kit/problem.ts';
import type { Database } from '../../../db/database.ts';
import type { NewResource, Resource } from '../client/client.ts';
import type { Input } from '../client/field.ts';
import { chosenFieldsOf, fieldsOfResource, requireResource } from '../client/resource.ts';
import { findResource, listClients, putResource, removeResource } from '../client/store.ts';
import { changedFields, merged, requireFree, type Change, type RegistryParts } from './change.ts';
import { registryEvents as kinds } from './event.ts';

/** Rules for resources. */
export class Resources {
  readonly #parts: RegistryParts;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
  }

  /** @throws {Problem} invalid_request if a resource has its identifier. */
  add(resource: NewResource, { source, managedBy }: Change): Promise<void> {
    const { identifier, tokenFormat } = resource;
    const { db, clock, events } = this.#parts;
    return db.transaction(async (tx) => {
      if ((await findResource(tx, identifier)) !== undefined)
        throw fieldProblem('identifier', `is taken: there is a resource ${identifier}`, 'registered_already');
      await putResource(tx, resource, { managedBy: managedBy ?? null, now: clock() });
      const facts = { token_format: tokenFormat };
      await events.emit(tx, kinds.resource_added, { source, target: targetOf(identifier), facts });
    });
  }

  /**
   * Changes those fields of a resource that are given; null resets one to its default.
   * @throws {Problem} as `Clients.update`.
   */
  update(identifier: string, input: Input, change: Change): Promise<NewResource> {
    return this.#parts.db.transaction(async (tx) => {
      const existing = await this.#require(tx, identifier, change.managedBy);
      const resource = requireResource(merged(chosenFieldsOf(existing), input));
      await this.#replace(tx, existing, resource, change);
      return resource;
    });
  }

  /** Replaces a resource by the one of the clients file. @throws {Problem} as `update`. */
  replace(resource: NewResource, change: Change): Promise<void> {
    return this.#parts.db.transaction(async (tx) => {
      const existing = await this.#require(tx, resource.identifier, change.managedBy);
      await this.#replace(tx, existing, resource, change);
    });
  }

  async #replace(
    tx: Database,
    existing: Resource,
    resource: NewResource,
    { source, managedBy }: Change,
  ): Promise<void> {
    const { clock, events } = this.#parts;
    const fields = changedFields(fieldsOfResource(existing), fieldsOfResource(resource));
    if (fields.length === 0) return;
    await putResource(tx, resource, { managedBy: managedBy ?? existing.managedBy, now: clock() });
    const target = targetOf(resource.identifier);
    await events.emit(tx, kinds.resource_changed, { source, target, facts: { fields } });
  }

  /** @throws {Problem} not_found; invalid_request if a client serves it, or the clients file manages it. */
  remove(identifier: string, { source, managedBy }: Change): Promise<void> {
    const { db, events } = this.#parts;
    return db.transaction(async (tx) => {
      await this.#require(tx, identifier, managedBy);
      const servers = (await listClients(tx)).filter(({ resourceOf }) => resourceOf.includes(identifier));
      if (servers.length > 0)
        throw new Problem('invalid_request', {
          message: `The resource ${identifier} is in resource_of of ${servers.map(({ id }) => id).join(', ')}: change these clients first`,
        });
      await removeResource(tx, identifier);
      await events.emit(tx, kinds.resource_removed, { source, target: targetOf(identifier) });
    });
  }

  async #require(tx: Database, identifier: string, managedBy: string | undefined): Promise<Resource> {
    const resource = await findResource(tx, identifier);
    if (resource === undefined)
      throw new Problem('not_found', { message: `No resource has the identifier ${identifier}` });
    requireFree(this.#parts, `resource ${identifier}`, resource, managedBy);
    return resource;
  }
}

function targetOf(id: string): { kind: string; id: string } {
  return { kind: 'resource', id };
}
