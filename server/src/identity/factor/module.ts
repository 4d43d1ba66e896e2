// Registers what second factors have in common. Each kind is a feature.
import { identityModule } from '../../module.ts';
import { factorEvents } from './event.ts';
import { factorOptions } from './options.ts';

export const factor = identityModule({
  name: 'factor',
  title: 'Second factors',
  options: factorOptions,
  events: factorEvents,
});
