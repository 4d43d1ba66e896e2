import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { OptionTable } from '../config/option.ts';
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

test('every options.ts of a folder is in the table', async () => {
  const source = join(import.meta.dirname, '..');
  const files = globSync('{identity,features}/*/options.ts', { cwd: source });
  assert.ok(files.length > 5);
  const rows = Object.values(allOptions);
  for (const file of files) {
    const exported = (await import(join(source, file))) as Record<string, unknown>;
    const tables = Object.entries(exported).filter(
      ([name]) => name.endsWith('Options') && !name.startsWith('check'),
    );
    assert.equal(tables.length, 1, `${file} exports one table`);
    for (const [, table] of tables)
      for (const row of Object.values(table as OptionTable))
        assert.ok(rows.includes(row), `${row.env} of ${file} is in no module of app/modules.ts`);
  }
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
