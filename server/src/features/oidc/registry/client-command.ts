// The commands that register clients.
import { Command, InvalidArgumentError } from 'commander';
import { hourMs } from '../../../kit/clock.ts';
import { Problem } from '../../../kit/problem.ts';
import type { Database } from '../../../db/database.ts';
import {
  operator,
  print,
  showInstant,
  table,
  type FeatureCommandContext,
} from '../../../operation/command.ts';
import { UsageError } from '../../../operation/refusal.ts';
import { clientFields } from '../client/client-fields.ts';
import type { Client } from '../client/client.ts';
import { requireClient } from '../client/registration.ts';
import { findClient, listClients, listSecrets } from '../client/store.ts';
import { describe, describeChanges, report, shownValue } from './client-output.ts';
import { Clients, defaultOverlapMs } from './clients.ts';
import { applyFile } from './file-apply.ts';
import { addFlags, clientFlags, inputOf, requireChange, unsetOption } from './flags.ts';
import type { RegistryCommandParts } from './options.ts';

type Context = FeatureCommandContext<RegistryCommandParts>;
type Flags = Readonly<Record<string, unknown>> & { readonly json?: boolean };

const change = { source: operator };

/** Returns the rules for a command. */
function clientsOf({ db, clock, events, options }: RegistryCommandParts): Clients {
  return new Clients({ db, clock, events, fileOwner: options.clientsFile?.owner });
}

export function clientCommand(context: Context): Command {
  const command = new Command('client').description(
    'register, change, list and remove the applications that sign users in here',
  );
  const subs = [addCommand, setCommand, listCommand, showCommand, rotateCommand, removeCommand, applyCommand];
  for (const sub of subs) command.addCommand(sub(context).exitOverride());
  return command;
}

function listCommand({ withData }: Context): Command {
  return new Command('list')
    .description('list clients')
    .option('--json', 'print JSON')
    .action(({ json = false }: Flags) =>
      withData(async ({ db }) => {
        const clients = await listClients(db);
        const rows = clients.map(({ id, name, kind, isFirstParty, managedBy }) => [
          id,
          name,
          kind,
          isFirstParty ? 'first party' : '-',
          managedBy ?? '-',
        ]);
        const headings = ['ID', 'NAME', 'KIND', 'CONSENT', 'MANAGED BY'];
        print(json, clients.map(describe), table(headings, rows));
      }),
    );
}

function showCommand({ withData }: Context): Command {
  return new Command('show')
    .argument('<id>')
    .description('show the settings of a client, and when its secrets were created')
    .option('--json', 'print JSON')
    .action((id: string, { json = false }: Flags) =>
      withData(async ({ db, clock }) => {
        const client = await requireStored(db, id);
        const secrets = (await listSecrets(db, id, clock())).map(({ createdAt, expiresAt }) => ({
          created_at: createdAt,
          expires_at: expiresAt,
        }));
        const rows = Object.entries(describe(client)).map(([name, value]) => [name, shownValue(name, value)]);
        for (const { created_at: at, expires_at: until } of secrets)
          rows.push([
            'secret',
            `since ${showInstant(at)}${until === null ? '' : `, until ${showInstant(until)}`}`,
          ]);
        print(json, { ...describe(client), secrets }, table(['', ''], rows).trimStart());
      }),
    );
}

function rotateCommand({ withData }: Context): Command {
  const usual = defaultOverlapMs / hourMs;
  return new Command('rotate-secret')
    .argument('<id>')
    .description('generate a new secret; the previous one stays valid for --overlap-hours')
    .option(
      '--overlap-hours <n>',
      'hours for which the previous secret stays valid; 0 ends it immediately',
      hours,
      usual,
    )
    .option('--json', 'print JSON')
    .action((id: string, { json = false, overlapHours }: Flags & { readonly overlapHours: number }) =>
      withData(async (parts) => {
        const overlapMs = overlapHours * hourMs;
        const { secret, earlierExpiresAt } = await clientsOf(parts).rotateSecret(id, {
          ...change,
          overlapMs,
        });
        const earlier =
          earlierExpiresAt === undefined
            ? 'Earlier secrets are no longer accepted.'
            : `The secret before it is accepted until ${showInstant(earlierExpiresAt)}.`;
        print(
          json,
          { client_id: id, client_secret: secret, earlier_expires_at: earlierExpiresAt ?? null },
          `client secret  ${secret}\n\nIt is shown only now. ${earlier}`,
        );
      }),
    );
}

function removeCommand({ withData }: Context): Command {
  return new Command('remove')
    .argument('<id>')
    .description('remove a client with its secrets, grants and tokens')
    .option('--json', 'print JSON')
    .action((id: string, { json = false }: Flags) =>
      withData(async (parts) => {
        await clientsOf(parts).remove(id, change);
        print(json, { id }, `Client ${id} was removed`);
      }),
    );
}

function applyCommand({ withData }: Context): Command {
  return new Command('apply')
    .description('apply the file in CLIENTS_FILE, as each start does')
    .option('--dry-run', 'only say what it would change')
    .option('--json', 'print JSON')
    .action(({ json = false, dryRun = false }: Flags & { readonly dryRun?: boolean }) =>
      withData(async ({ options: { clientsFile: file }, ...parts }) => {
        if (file === undefined)
          throw new UsageError('CLIENTS_FILE is not set: set it to the path of the file to apply');
        const changes = await applyFile(parts, file, { ...change, isForced: true, isDryRun: dryRun });
        print(json, changes, describeChanges(changes, dryRun));
      }),
    );
}

function addCommand(context: Context): Command {
  const command = new Command('add').description('register a client, and print what the application needs');
  command.option('--id <id>', 'its client id; by default a random one');
  return addFlags(command, clientFields, clientFlags)
    .option('--json', 'print JSON')
    .action(({ json = false, ...flags }: Flags) =>
      context.withData(async (parts) => {
        const { id } = flags;
        const input = { ...inputOf(clientFlags, flags), ...(id !== undefined && { id }) };
        const registered = await clientsOf(parts).add(requireClient(input), change);
        report(json, parts.options, registered, `Client ${registered.client.id} was added.`);
      }),
    );
}

function setCommand(context: Context): Command {
  const command = new Command('set')
    .argument('<id>')
    .description('change settings of a client; lists are replaced as a whole');
  return addFlags(command, clientFields, clientFlags)
    .addOption(unsetOption(clientFields))
    .option('--json', 'print JSON')
    .action((id: string, { json = false, ...flags }: Flags) =>
      context.withData(async (parts) => {
        const input = requireChange(clientFlags, flags, 'client set');
        report(
          json,
          parts.options,
          await clientsOf(parts).update(id, input, change),
          `Client ${id} was changed.`,
        );
      }),
    );
}

const maxOverlapHours = 720;

function hours(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > maxOverlapHours)
    throw new InvalidArgumentError(`It must be a whole number from 0 to ${maxOverlapHours}.`);
  return number;
}

async function requireStored(db: Database, id: string): Promise<Client> {
  const client = await findClient(db, id);
  if (client === undefined) throw new Problem('not_found', { message: `No client has the id ${id}` });
  return client;
}
