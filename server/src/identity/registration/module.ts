// Registers registrations that wait for the confirmation of their address.
import { identityModule } from '../../module.ts';
import { registrationEvents } from './event.ts';
import { registrationMigrations } from './migrations.ts';

export const registration = identityModule({
  name: 'registration',
  migrations: registrationMigrations,
  events: registrationEvents,
});
