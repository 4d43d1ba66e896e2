// The OpenID provider: applications sign their users in here (OpenID Connect Core 1.0).
import { module } from '../../module.ts';
import { clientMigrations } from './client/migrations.ts';
import { registryEvents } from './registry/event.ts';
import { applyFile } from './registry/file-apply.ts';
import { registryMigrations } from './registry/migrations.ts';
import { checkClientsFile, registryOptions } from './registry/options.ts';

export const oidc = module({
  name: 'oidc',
  options: registryOptions,
  check: checkClientsFile,
  migrations: [...clientMigrations, ...registryMigrations],
  events: registryEvents,
  commands: [
    { name: 'client', load: async () => (await import('./registry/client-command.ts')).clientCommand },
    { name: 'resource', load: async () => (await import('./registry/resource-command.ts')).resourceCommand },
  ],
  build: ({ context, events }, { clientsFile }) => ({
    starts:
      clientsFile === undefined
        ? []
        : [
            async () => {
              await applyFile({ ...context, events }, clientsFile, { source: { actor: 'service' } });
            },
          ],
  }),
});
