// Every option refuses values that cannot work, in one sentence each, together. A new option needs examples:
// in this file, or in test/kit.ts of its feature.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { hasSecretFile } from '../config/secret-file.ts';
import { ConfigurationFault, type Environment } from '../config/read-options.ts';
import { fromKits } from '../../test/support/kit.ts';
import { allOptions, readOptions } from './options.ts';

const number = ['many', '-1', '1.5', '99999999999'];
const flag = ['yes', '1', 'TRUE'];
const file = ['/nowhere/logo.png', '/dev/null', '/'];
const link = ['example.org', 'javascript:alert(1)', 'ftp://example.org'];

/** Values that cannot work, by option. Those of features are in their kits. */
const wrong: Readonly<Record<string, readonly string[]>> = {
  ...fromKits(({ wrongOptions }) => wrongOptions),
  PUBLIC_URL: [
    'accounts.example.org',
    'http://accounts.example.org',
    'https://example.org/path',
    'https://*.example.org',
    'https://exa..mple.org',
    'https://example.org:0',
    'http://localhost:0',
  ],
  HOST: ['http://localhost', '127.0.0.1:5000', 'a b', '0.0.0.0'],
  PORT: [...number, '65536'],
  DATA_DIR: ['~/data', '$HOME/data', '${HOME}/data', 'a\nb'],
  DATABASE_URL: [
    'mysql://host/db',
    'accounts.db',
    'sqlite:',
    'sqlite:~/accounts.db',
    'postgres://me:pa%ss@host/db',
    'postgres://me:pa#ss@host/db',
    'postgres://host/db?sslmode=required',
    'postgres://host/db?schema=accounts',
    'postgres://a,,b/db',
    'postgres://a,b/db?target_session_attrs=standby',
  ],
  DATABASE_POOLER: ['pgbouncer', 'true'],
  DATABASE_CONNECTIONS: number,
  SECRET_KEY: ['hunter2', 'k1 short'],
  SECRET_KEY_FILE: ['~/secret.key', 'a\0b'],
  LOG_LEVEL: ['verbose', 'INFO'],
  LOG_FORMAT: ['xml'],
  AUDIT_DAYS: number,
  AUDIT_EVENTS: number,
  SMTP_URL: [
    'mail.example.org',
    'http://mail.example.org',
    'smtp://user:pa%ss@mail.example.org:587',
    'smtp://user:pa/ss@mail.example.org:587',
    'smtp://host/path?tls=off',
    'smtp://host:99999',
    'smtp://user@host',
    'smtp://smtp.example.org;587',
    'smtp://a,b:587',
    'smtp://a..b:587',
    'smtp://*.example.org:587',
    'smtp://mail.b%zzcher.example:25',
  ],
  MAIL_FROM: [
    'accounts',
    'Example Accounts',
    'a@example.org, b@example.org',
    'R&D <x> accounts@example.org',
    'Accounts\nBcc: b@example.org <a@example.org>',
    'jörg@example.org',
  ],
  MAIL_EHLO_NAME: ['192.0.2.1', 'a b', 'mail_1.example.org'],
  PRODUCT_NAME: ['Acme\nAccounts', 'x'.repeat(200)],
  PRODUCT_COLOR: ['blue', '#12345'],
  PRODUCT_LOGO: file,
  PRODUCT_LOGO_DARK: file,
  PRODUCT_LOGO_ALONE: flag,
  PRODUCT_ICON: file,
  TERMS_URL: link,
  PRIVACY_URL: link,
  SUPPORT_URL: link,
  THEME_CSS: file,
  THEME_DIR: ['/nowhere/theme'],
  LANGUAGES_DIR: ['/nowhere/languages'],
  TRUSTED_PROXIES: [
    'localhost',
    '10.0.0.0/33',
    '0.0.0.0/0',
    '0.0.0.0/1,128.0.0.0/1',
    '::/2, 10.0.0.0/8, 4000::/2, 8000::/1',
  ],
  OUTBOUND_ALLOW: [
    'rp.example.org',
    '10.0.0.0/33',
    '::/0',
    '::ffff:10.0.0.1',
    '128.0.0.0/2 0.0.0.0/1 192.0.0.0/2',
  ],
  ALLOWED_ORIGINS: ['*', 'app.example.org', 'https://app.example.org/path'],
  ADDRESS_LIMIT_PER_MINUTE: number,
  IPV6_56_LIMIT_PER_MINUTE: number,
  IPV6_48_LIMIT_PER_MINUTE: number,
  GLOBAL_LIMIT_PER_MINUTE: number,
  ACCOUNT_READS_PER_MINUTE: number,
  HSTS_SUBDOMAINS: flag,
  HASH_THREADS: number,
  HASH_MEMORY_KIB: number,
  HASH_PASSES: number,
  COOKIE_PREFIX: ['1shop_', 'shop ;', '__Host-'],
  REVEAL_ACCOUNTS: flag,
  SIGN_UP: ['invited', 'false'],
  EMAIL_CONFIRMATION: flag,
  SECOND_FACTOR: ['on', 'true'],
  PASSWORD_MIN_LENGTH: number,
  PASSWORD_BLOCKLIST: flag,
  RESET_TOKEN_MINUTES: number,
  RESET_TOKEN_BY: ['post'],
  SESSION_DAYS: number,
  SESSION_IDLE_DAYS: number,
  SESSIONS_PER_USER: number,
  KNOWN_DEVICE_DAYS: number,
};

function faultsOf(environment: Environment): readonly string[] {
  try {
    readOptions(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationFault) return error.faults;
    throw error;
  }
}

for (const row of Object.values(allOptions)) {
  test(`${row.env} is refused in a sentence with the remedy if it cannot work`, () => {
    const values = wrong[row.env];
    assert.ok(
      values !== undefined,
      `add values of ${row.env} that cannot work: to "wrongOptions" in test/kit.ts of its feature, or to this test`,
    );
    for (const value of values) {
      const faults = faultsOf({ [row.env]: value }).filter((fault) => fault.startsWith(`${row.env} `));
      assert.equal(faults.length, 1, `${row.env}=${value}`);
      const [fault = ''] = faults;
      assert.match(fault, / must (?:be|name|contain) |^HOST is /, 'states what is valid');
      assert.doesNotMatch(fault, /\n|undefined|\[object/);
      if (row.secret === true) assert.doesNotMatch(fault, /\(it is|pa.ss|k1 short/, 'does not show a secret');
      else if (value.length < 40 && !value.includes('hunter2'))
        assert.ok(fault.includes(value.split(/\p{Cc}/u)[0] ?? ''), `${fault} shows the value`);
      assert.ok(!fault.includes('hunter2'));
    }
  });
}

test('one error lists all options that cannot work', () => {
  const environment = Object.fromEntries(Object.values(allOptions).map(({ env }) => [env, wrong[env]?.[0]]));
  const faults = faultsOf(environment);
  for (const env of Object.keys(environment))
    assert.equal(
      faults.filter((fault) => fault.startsWith(`${env} `)).length,
      1,
      `${env}=${environment[env] ?? ''}`,
    );
});

test('every option refuses a value in quotation marks, which Docker keeps', () => {
  for (const { env } of Object.values(allOptions))
    for (const value of ['"5"', "'https://example.org'"]) {
      const [fault = '', ...others] = faultsOf({ [env]: value }).filter((one) => one.startsWith(`${env} `));
      assert.match(fault, / must be without quotation marks around the value/, `${env}=${value}`);
      assert.deepEqual(others, []);
    }
});

describe('every option that names a file says why it cannot be read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bienvenue-unreadable-'));
  after(() => rmSync(folder, { recursive: true }));
  const plain = join(folder, 'plain');
  writeFileSync(plain, 'text');
  const loop = join(folder, 'loop');
  symlinkSync(loop, loop);
  const names = Object.values(allOptions).map(({ env }) => env);
  const folders = names.filter((env) => /^(?:THEME|LANGUAGES)_DIR$/.test(env));
  const secrets = Object.values(allOptions)
    .filter((row) => hasSecretFile(row, allOptions))
    .map(({ env }) => `${env}_FILE`);
  const files = [
    ...names.filter((env) => /^PRODUCT_(?:LOGO(?:_DARK)?|ICON)$|_CSS$|^CLIENTS_FILE$/.test(env)),
    ...secrets,
  ];
  for (const env of [...folders, ...files, 'BIENVENUE_CONFIG'])
    test(env, () => {
      const reasons: readonly (readonly [path: string, says: RegExp])[] = [
        [join(folder, 'none'), /\/none cannot be read: it does not exist$/],
        [join(plain, 'below'), /\/plain\/below cannot be read: a file is where a folder should be$/],
        [loop, /\/loop cannot be read: it is a link that leads to itself$/],
        ['~/none', /^\S+ must name .*~\/none cannot be read: it does not exist; ~ is not replaced here/],
        ['${HOME}/none', /cannot be read: it does not exist; \$\{HOME\} is not replaced here, so write the/],
        folders.includes(env)
          ? [plain, /\/plain cannot be read: a file is where a folder should be$/]
          : [folder, / cannot be read: it is (?:a folder|not a regular file)$/],
        [` ${join(folder, 'none')}\r`, /; [^\s]*\/none cannot be read: it does not exist$/],
      ];
      for (const [path, says] of reasons) {
        const [fault = '', ...others] = faultsOf({ [env]: path }).map((one) =>
          one.replace(/ \(it is .*/, ''),
        );
        assert.match(fault, says, path);
        assert.deepEqual(others, []);
      }
      assert.deepEqual(faultsOf({ [env]: ' \r' }), [], 'blank counts as unset');
    });
});

test('the table names no option that does not exist', () => {
  const names = Object.values(allOptions).map(({ env }) => env);
  for (const name of Object.keys(wrong)) assert.ok(names.includes(name), name);
});
