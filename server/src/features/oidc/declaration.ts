// Declares the tables, options and events of the OpenID provider, and the access that ends with a session or password.
import { applicationEvents } from './application/event.ts';
import { clientMigrations } from './client/migrations.ts';
import { engineEvents, tokenReusedMail } from './engine/event.ts';
import { engineOptions } from './engine/options.ts';
import { endAtClients, endGrantsOf } from './grant/session-end.ts';
import { grantMigrations } from './grant/migrations.ts';
import { sealedInteraction, sealedToken } from './grant/schema.ts';
import { applicationAllowedMail, interactionEvents } from './interaction/event.ts';
import { logoutMigrations } from './logout/migrations.ts';
import { logoutsOnEnd, logoutsOnRevoke } from './logout/outbox.ts';
import { registryEvents } from './registry/event.ts';
import { registryMigrations } from './registry/migrations.ts';
import { checkClientsFile, registryOptions } from './registry/options.ts';

export const declaration = {
  name: 'oidc',
  title: 'OpenID provider',
  messages: new URL('./messages/', import.meta.url).href,
  migrations: [...clientMigrations, ...registryMigrations, ...grantMigrations, ...logoutMigrations],
  sealed: [sealedToken, sealedInteraction],
  options: { ...registryOptions, ...engineOptions },
  check: checkClientsFile,
  events: { ...registryEvents, ...engineEvents, ...interactionEvents, ...applicationEvents },
  mails: [applicationAllowedMail, tokenReusedMail],
  revokes: [logoutsOnRevoke(endGrantsOf)],
  sessionEndings: [logoutsOnEnd(endAtClients)],
};
