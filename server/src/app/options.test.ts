import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modules } from './modules.ts';
import { allOptions, readOptions } from './options.ts';

test('the table of all options has the options of each module', () => {
  const all = Object.entries(allOptions);
  for (const { name, options } of modules)
    for (const [option, row] of Object.entries(options))
      assert.ok(
        all.some(([key, value]) => key === option && value === row),
        `${option} of ${name} is missing in app/options.ts`,
      );
  assert.ok(modules.some(({ options }) => 'sessionDays' in options));
});

test('the checks of modules run', () => {
  const environment = {
    PUBLIC_URL: 'https://accounts.example.org',
    SMTP_URL: 'smtp://127.0.0.1:25',
    MAIL_FROM: 'accounts@example.org',
  };
  for (const wrong of [
    { RESET_TOKEN_BY: 'reply' },
    { EMAIL_CONFIRMATION: 'false' },
    { PASSWORD_MIN_LENGTH: '8' },
    { PASSWORD_BLOCKLIST: 'false' },
    { SESSION_DAYS: '1', SESSION_IDLE_DAYS: '2' },
  ])
    assert.throws(() => readOptions({ ...environment, ...wrong }), { name: 'ConfigurationFault' });
  assert.equal(readOptions({ ...environment, SECOND_FACTOR: 'required' }).options.passwordMinLength, 8);
});
