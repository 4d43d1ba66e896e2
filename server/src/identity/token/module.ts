// Registers what mailed tokens have in common. Their kinds belong to the modules that redeem them.
import { identityModule } from '../../module.ts';
import { tokenEvents } from './event.ts';
import { tokenMigrations } from './migrations.ts';

export const token = identityModule({
  name: 'token',
  title: 'Tokens',
  migrations: tokenMigrations,
  events: tokenEvents,
});
