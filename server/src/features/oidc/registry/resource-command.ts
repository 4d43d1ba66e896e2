// The commands that register resources.
import { Command } from 'commander';
import { operator, print, table, type FeatureCommandContext } from '../../../operation/command.ts';
import type { Resource } from '../client/client.ts';
import type { Input } from '../client/field.ts';
import { fieldsOfResource, requireResource, resourceFields } from '../client/resource.ts';
import { listResources } from '../client/store.ts';
import { Resources } from './resources.ts';
import { addFlags, inputOf, requireChange, resourceFlags, unsetOption } from './flags.ts';
import type { RegistryCommandParts } from './options.ts';

type Flags = Readonly<Record<string, unknown>> & { readonly json?: boolean };

const change = { source: operator };

function resourcesOf({ db, clock, events, options }: RegistryCommandParts): Resources {
  return new Resources({ db, clock, events, fileOwner: options.clientsFile?.owner });
}

export function resourceCommand(context: FeatureCommandContext<RegistryCommandParts>): Command {
  const command = new Command('resource').description(
    'register, change, list and remove the APIs that accept access tokens',
  );

  addFlags(command.command('add <identifier>'), resourceFields, resourceFlags)
    .description('register a resource by its URI, the audience of its tokens')
    .option('--json', 'print JSON')
    .action((identifier: string, { json = false, ...flags }: Flags) =>
      context.withData(async (parts) => {
        const resource = requireResource({ ...inputOf(resourceFlags, flags), identifier });
        await resourcesOf(parts).add(resource, change);
        print(json, fieldsOfResource(resource), `Resource ${identifier} was added`);
      }),
    );

  addFlags(command.command('set <identifier>'), resourceFields, resourceFlags)
    .description('change settings of a resource; its scopes are replaced as a whole')
    .addOption(unsetOption(resourceFields))
    .option('--json', 'print JSON')
    .action((identifier: string, { json = false, ...flags }: Flags) =>
      context.withData(async (parts) => {
        const input = requireChange(resourceFlags, flags, 'resource set');
        const resource = await resourcesOf(parts).update(identifier, input, change);
        print(json, fieldsOfResource(resource), `Resource ${identifier} was changed`);
      }),
    );

  command
    .command('list')
    .description('list resources')
    .option('--json', 'print JSON')
    .action(({ json = false }: Flags) =>
      context.withData(async ({ db }) => {
        const resources = await listResources(db);
        const rows = resources.map(({ identifier, name, scopes, tokenFormat, tokenSeconds, managedBy }) => [
          identifier,
          name,
          tokenFormat,
          `${tokenSeconds} s`,
          managedBy ?? '-',
          scopes.join(' '),
        ]);
        const headings = ['IDENTIFIER', 'NAME', 'FORMAT', 'LIFETIME', 'MANAGED BY', 'SCOPES'];
        print(json, resources.map(describe), table(headings, rows));
      }),
    );

  command
    .command('remove <identifier>')
    .description('remove a resource; no new access tokens are issued for it')
    .option('--json', 'print JSON')
    .action((identifier: string, { json = false }: Flags) =>
      context.withData(async (parts) => {
        await resourcesOf(parts).remove(identifier, change);
        print(json, { identifier }, `Resource ${identifier} was removed`);
      }),
    );

  for (const sub of command.commands) sub.exitOverride();
  return command;
}

function describe({ managedBy, createdAt, updatedAt, ...resource }: Resource): Input {
  return {
    ...fieldsOfResource(resource),
    managed_by: managedBy,
    created_at: createdAt,
    updated_at: updatedAt,
  };
}
