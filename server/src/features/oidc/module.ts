// The OpenID provider: applications sign their users in here (OpenID Connect Core 1.0).
import { module } from '../../module.ts';
import { clientMigrations } from './client/migrations.ts';

export const oidc = module({
  name: 'oidc',
  migrations: [...clientMigrations],
});
