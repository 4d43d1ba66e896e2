// Applies a clients file: adds and changes what it declares, and removes what an earlier content of it declared. Clients
// of commands and of other files stay as they are.
import type { Clock } from '../../../kit/clock.ts';
import { isProblem } from '../../../kit/problem.ts';
import { equalDigests } from '../../../kit/secret.ts';
import type { AuditSource } from '../../../audit/event.ts';
import type { Database } from '../../../db/database.ts';
import type { Events } from '../../../identity/event.ts';
import { CommandError } from '../../../operation/refusal.ts';
import type { Client, Resource } from '../client/client.ts';
import { fieldsOf } from '../client/registration.ts';
import { fieldsOfResource } from '../client/resource.ts';
import { listClients, listResources, listSecrets } from '../client/store.ts';
import { changedFields, type FileChange } from './change.ts';
import { Clients, hasExactly } from './clients.ts';
import type { ClientsFile } from './clients-file.ts';
import { Resources } from './resources.ts';
import { findReplaced, lockFile, replaceFile } from './file-store.ts';

export interface FileApplyParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly events: Events;
}

/** How a file is applied. */
export interface FileApplication {
  readonly source: AuditSource;
  /** The operator says that this content is the current one, also if it was replaced before. */
  readonly isForced?: boolean;
  /** Everything is done and undone: what is refused is refused here too. */
  readonly isDryRun?: boolean;
}

/** Undoes a dry run. */
class DryRun extends Error {
  readonly changes: readonly FileChange[];

  constructor(changes: readonly FileChange[]) {
    super('This was a dry run');
    this.changes = changes;
  }
}

/**
 * Applies the file in one transaction, and returns what it changed.
 * @throws {CommandError} if it declares what it does not manage, or a client with a scope that no resource has, or if its
 *   content was replaced before: then an instance still has an old file.
 */
export async function applyFile(
  { db, ...parts }: FileApplyParts,
  file: ClientsFile,
  { source, isForced = false, isDryRun = false }: FileApplication,
): Promise<readonly FileChange[]> {
  const { owner, digest, path } = file;
  const applying = db.transaction(async (tx) => {
    const applied = { name: owner, digest, now: parts.clock() };
    const current = await lockFile(tx, applied);
    const isCurrent = equalDigests(current, digest);
    const replacedAt = isForced || isCurrent ? undefined : await findReplaced(tx, applied);
    if (replacedAt !== undefined)
      throw new CommandError(
        `CLIENTS_FILE: ${path} was replaced by another version on ${new Date(replacedAt).toISOString()}, so this instance has an old copy. Give every instance the same file; to return to this version, run "bienvenue client apply" with it.`,
      );
    const changes = await planFile(tx, file, parts.clock());
    await carryOut({ db: tx, ...parts }, file, changes, source).catch((error: unknown) => {
      throw isProblem(error, 'invalid_request')
        ? new CommandError(`CLIENTS_FILE: ${path} is refused: ${error.message}`, { cause: error })
        : error;
    });
    if (!isCurrent) await replaceFile(tx, applied, current);
    if (isDryRun) throw new DryRun(changes);
    return changes;
  });
  return applying.catch((error: unknown) => {
    if (error instanceof DryRun) return error.changes;
    throw error;
  });
}

/**
 * Returns what the file would change.
 * @throws {CommandError} if it declares what it does not manage.
 */
async function planFile(
  db: Database,
  { path, owner, clients, resources }: ClientsFile,
  now: number,
): Promise<readonly FileChange[]> {
  const storedClients = new Map((await listClients(db)).map((each) => [each.id, each]));
  const storedResources = new Map((await listResources(db)).map((each) => [each.identifier, each]));
  const foreign: string[] = [];
  const changes: FileChange[] = [];
  const isForeign = (kind: FileChange['kind'], id: string, stored: Client | Resource): boolean => {
    if (stored.managedBy === owner) return false;
    const by = stored.managedBy === null ? 'a command added it' : `${stored.managedBy} manages it`;
    foreign.push(`${path} declares the ${kind} ${id}, but ${by}: remove it first, or choose another name`);
    return true;
  };
  for (const resource of resources) {
    const { identifier: id } = resource;
    const stored = storedResources.get(id);
    if (stored === undefined) changes.push({ action: 'add', kind: 'resource', id, fields: [] });
    else if (!isForeign('resource', id, stored)) {
      const fields = changedFields(fieldsOfResource(stored), fieldsOfResource(resource));
      if (fields.length > 0) changes.push({ action: 'change', kind: 'resource', id, fields });
    }
  }
  for (const { client, secrets } of clients) {
    const { id } = client;
    const stored = storedClients.get(id);
    if (stored === undefined) changes.push({ action: 'add', kind: 'client', id, fields: [] });
    else if (!isForeign('client', id, stored)) {
      const hasThem = hasExactly(await listSecrets(db, id, now), secrets);
      const fields = [...changedFields(fieldsOf(stored), fieldsOf(client)), ...(hasThem ? [] : ['secrets'])];
      if (fields.length > 0) changes.push({ action: 'change', kind: 'client', id, fields });
    }
  }
  if (foreign.length > 0) throw new CommandError(foreign.map((fault) => `CLIENTS_FILE: ${fault}`).join('\n'));
  const declared = new Set([
    ...clients.map(({ client }) => client.id),
    ...resources.map(({ identifier }) => identifier),
  ]);
  const removed = (kind: FileChange['kind'], stored: ReadonlyMap<string, Client | Resource>): FileChange[] =>
    [...stored]
      .filter(([id, { managedBy }]) => managedBy === owner && !declared.has(id))
      .map(([id]) => ({ action: 'remove', kind, id, fields: [] }));
  return [...changes, ...removed('client', storedClients), ...removed('resource', storedResources)];
}

/** Makes the changes in their order: resources before the clients that serve them, and removals last. */
async function carryOut(
  parts: FileApplyParts,
  file: ClientsFile,
  changes: readonly FileChange[],
  source: AuditSource,
): Promise<void> {
  const [clients, resources] = [new Clients(parts), new Resources(parts)];
  const change = { source, managedBy: file.owner };
  const entries = new Map(file.clients.map((entry) => [entry.client.id, entry]));
  const declared = new Map(file.resources.map((entry) => [entry.identifier, entry]));
  for (const { action, kind, id } of changes) {
    if (action === 'remove')
      await (kind === 'client' ? clients.remove(id, change) : resources.remove(id, change));
    const entry = kind === 'client' ? entries.get(id) : undefined;
    const resource = kind === 'resource' ? declared.get(id) : undefined;
    if (entry !== undefined && action === 'add') await clients.add(entry.client, change, entry.secrets);
    if (entry !== undefined && action === 'change') {
      await clients.replace(entry.client, change);
      await clients.setSecrets(id, entry.secrets, change);
    }
    if (resource !== undefined)
      await (action === 'add' ? resources.add(resource, change) : resources.replace(resource, change));
  }
}
