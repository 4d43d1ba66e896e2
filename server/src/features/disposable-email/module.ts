// Refuses addresses of services that hand out disposable ones.
import { module } from '../../module.ts';
import { noDisposableAddress } from './disposable-email.ts';

export const disposableEmail = module({
  name: 'disposable-email',
  isOn: ({ disposableEmails }) => disposableEmails === 'refused',
  build: () => ({ addressChecks: [noDisposableAddress()] }),
});
