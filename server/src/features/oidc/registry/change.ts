// Shared by changes of clients and of resources.
import type { Clock } from '../../../kit/clock.ts';
import { Problem } from '../../../kit/problem.ts';
import type { AuditSource } from '../../../audit/event.ts';
import type { Database } from '../../../db/database.ts';
import type { Events } from '../../../identity/event.ts';
import type { Client } from '../client/client.ts';
import type { Input } from '../client/field.ts';

export interface RegistryParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly events: Events;
  /** `file:<name>` of the clients file in use. Only the file changes what it manages. */
  readonly fileOwner?: string | undefined;
}

/** Who makes a change. */
export interface Change {
  readonly source: AuditSource;
  /** Set by the clients file. */
  readonly managedBy?: string;
}

/** @throws {Problem} invalid_request if the clients file manages a row, and the change does not come from it. */
export function requireFree(
  { fileOwner }: Pick<RegistryParts, 'fileOwner'>,
  name: string,
  { managedBy: owner }: Pick<Client, 'managedBy'>,
  managedBy: string | undefined,
): void {
  if (managedBy !== undefined || owner === null || owner !== fileOwner) return;
  throw new Problem('invalid_request', {
    message: `The clients file manages the ${name}: change it there, then run "bienvenue client apply"`,
  });
}

/** Returns fields with a change; null removes a field, which then has its default. */
export function merged(fields: Input, change: Input): Input {
  return Object.fromEntries(Object.entries({ ...fields, ...change }).filter(([, value]) => value !== null));
}

/** Returns the names of fields that differ. */
export function changedFields(before: Input, after: Input): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}

/** One change that a file makes. */
export interface FileChange {
  readonly action: 'add' | 'change' | 'remove';
  readonly kind: 'client' | 'resource';
  readonly id: string;
  /** Fields that change; `secrets` stands for those of a client. */
  readonly fields: readonly string[];
}
