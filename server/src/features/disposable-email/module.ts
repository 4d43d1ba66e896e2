// Rejects addresses of disposable email services.
import { module } from '../../module.ts';
import { noDisposableAddress } from './disposable-email.ts';
import { disposableEmailOptions } from './options.ts';

export const disposableEmail = module({
  name: 'disposable-email',
  title: 'Disposable email addresses',
  messages: new URL('./messages/', import.meta.url).href,
  options: disposableEmailOptions,
  isOn: ({ disposableEmails }) => disposableEmails === 'refused',
  build: () => ({ addressChecks: [noDisposableAddress()] }),
});
