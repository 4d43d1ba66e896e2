import type { Clock } from '../../../kit/clock.ts';
import { option, type OptionCheck } from '../../../config/option.ts';
import type { CoreOptions } from '../../../config/options.ts';
import type { Database } from '../../../db/database.ts';
import type { Events } from '../../../identity/event.ts';
import { readClientsFile, type ClientsFile } from './clients-file.ts';

export const registryOptions = {
  clientsFile: option<ClientsFile | undefined>({
    env: 'CLIENTS_FILE',
    parse: readClientsFile,
    says: 'Path of a TOML file that declares the clients and resources of the OpenID provider. Each start applies it, and so does `bienvenue client apply`.',
    default: () => undefined,
    defaultSays: 'none: commands add clients',
  }),
} as const;

/** Reports what is wrong in the clients file. */
export const checkClientsFile: OptionCheck<{ readonly clientsFile: ClientsFile | undefined }> = ({
  clientsFile,
}) => (clientsFile?.faults ?? []).map((fault) => `CLIENTS_FILE: ${clientsFile?.path}: ${fault}`);

/** What the commands use. */
export interface RegistryCommandParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly events: Events;
  readonly options: CoreOptions & { readonly clientsFile: ClientsFile | undefined };
}
