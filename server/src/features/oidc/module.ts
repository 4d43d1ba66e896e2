// The OpenID provider: applications sign their users in here (OpenID Connect Core 1.0).
import { secondMs } from '../../kit/clock.ts';
import { module } from '../../module.ts';
import { clientMigrations } from './client/migrations.ts';
import { logoutMigrations } from './logout/migrations.ts';
import { LogoutOutbox } from './logout/outbox.ts';
import { registryEvents } from './registry/event.ts';
import { applyFile } from './registry/file-apply.ts';
import { registryMigrations } from './registry/migrations.ts';
import { checkClientsFile, registryOptions } from './registry/options.ts';

export const oidc = module({
  name: 'oidc',
  options: registryOptions,
  check: checkClientsFile,
  migrations: [...clientMigrations, ...registryMigrations, ...logoutMigrations],
  events: registryEvents,
  commands: [
    { name: 'client', load: async () => (await import('./registry/client-command.ts')).clientCommand },
    { name: 'resource', load: async () => (await import('./registry/resource-command.ts')).resourceCommand },
    { name: 'logout', load: async () => (await import('./logout/command.ts')).logoutCommand },
  ],
  build: ({ context, events, outgoing, pages, signingKeys }, { clientsFile }) => {
    const { db: database, clock, log } = context;
    const issuer = pages.publicOrigin;
    const logouts = new LogoutOutbox({
      database,
      clock,
      log,
      issuer,
      keys: signingKeys,
      fetch: outgoing.fetch,
    });
    return {
      starts:
        clientsFile === undefined
          ? []
          : [
              async () => {
                await applyFile({ ...context, events }, clientsFile, { source: { actor: 'service' } });
              },
            ],
      purges: [logouts],
      jobs: [{ name: 'deliver logouts', everyMs: secondMs, run: async () => void (await logouts.deliver()) }],
    };
  },
});
