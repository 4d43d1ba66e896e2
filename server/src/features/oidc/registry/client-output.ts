// Formats clients for the output of commands.
import type { CoreOptions } from '../../../config/options.ts';
import { print, showInstant, table } from '../../../operation/command.ts';
import type { Client, NewClient } from '../client/client.ts';
import type { Input } from '../client/field.ts';
import { fieldsOf } from '../client/registration.ts';
import type { Registered } from './clients.ts';
import type { FileChange } from './change.ts';

/** Prints what the application needs. */
export function report(
  json: boolean,
  options: CoreOptions,
  { client, secret }: Registered,
  says: string,
): void {
  const issuer = options.publicUrl?.origin ?? `http://localhost:${options.port}`;
  const settings = [
    ['issuer', issuer],
    ['client id', client.id],
    ...(secret === undefined ? [] : [['client secret', secret]]),
  ];
  const once = secret === undefined ? '' : '\n\nThe secret is shown only now.';
  print(
    json,
    {
      issuer,
      client_id: client.id,
      ...(secret !== undefined && { client_secret: secret }),
      ...fieldsOf(client),
    },
    `${says} The settings of the application:\n\n${table(['', ''], settings).trimStart()}${once}`,
  );
}

/** Returns a client as commands print it. */
export function describe(client: Client): Input {
  const { managedBy, createdAt, updatedAt, ...rest } = client;
  const fields: NewClient = rest;
  return { ...fieldsOf(fields), managed_by: managedBy, created_at: createdAt, updated_at: updatedAt };
}

export function shownValue(name: string, value: unknown): string {
  if (value === null) return '-';
  if (Array.isArray(value)) return value.join(' ');
  if (typeof value === 'number') return name.endsWith('_at') ? showInstant(value) : String(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function describeChanges(changes: readonly FileChange[], isDryRun: boolean): string {
  if (changes.length === 0) return 'Nothing changes: the database has what the file declares';
  const rows = changes.map(({ action, kind, id, fields }) => [action, kind, id, fields.join(' ')]);
  const says = isDryRun ? 'The file would make these changes:' : 'The file was applied:';
  return `${says}\n${table(['ACTION', 'KIND', 'ID', 'FIELDS'], rows)}`;
}
