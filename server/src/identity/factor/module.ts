// Registers what second factors have in common. Each kind is a feature.
import { identityModule } from '../../module.ts';
import { factorEvents } from './event.ts';

export const factor = identityModule({ name: 'factor', events: factorEvents });
