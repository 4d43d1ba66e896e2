// Rejects passwords that are known from data breaches.
import { module } from '../../module.ts';
import { BreachCheck } from './breach-check.ts';
import { breachCheckOptions } from './options.ts';

export const breachCheck = module({
  name: 'breach-check',
  messages: new URL('./messages/', import.meta.url).href,
  options: breachCheckOptions,
  isOn: ({ breachCheckUrl }) => breachCheckUrl !== undefined,
  build: ({ context: { clock, log } }, { breachCheckUrl: url }) => ({
    passwordChecks: url === undefined ? [] : [new BreachCheck({ url, clock, log })],
  }),
});
