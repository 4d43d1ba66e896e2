import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { option } from './option.ts';
import { coreOptions } from './options.ts';
import { integer } from './parse.ts';
import { mailSender } from './sender.ts';
import {
  ConfigurationFault,
  readOptionSet,
  showOption,
  type Environment,
  type OptionSet,
} from './read-options.ts';
import type { SharedTable } from '../module.ts';
import { allOptions, readOptions } from '../app/options.ts';

const folder = mkdtempSync(join(tmpdir(), 'bienvenue-options-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
/** Writes a file for one test and returns its path. */
function fileOf(text: string): string {
  files += 1;
  const path = join(folder, `file-${files}`);
  writeFileSync(path, text);
  return path;
}

/** Returns the faults of an environment. */
function faultsOf(environment: Environment): readonly string[] {
  try {
    readOptions(environment);
  } catch (error) {
    if (error instanceof ConfigurationFault) return error.faults;
    throw error;
  }
  return [];
}

/** Returns the database URL of an environment and its source. */
function databaseOf(environment: Environment): unknown[] {
  const { options: values, sources } = readOptions(environment);
  return [values.databaseUrl, sources.databaseUrl];
}

/** The minimal configuration of public mode. */
const publicMode = {
  PUBLIC_URL: 'https://accounts.example.org',
  SMTP_URL: 'smtps://me:hunter2@mail.example.org',
  MAIL_FROM: 'accounts@example.org',
};

describe('defaults', () => {
  test('an empty environment selects local mode on port 5000 of loopback, with a database file in ./data', () => {
    const { options: values, isPublic, sources } = readOptions({});
    assert.equal(isPublic, false);
    assert.equal(values.publicUrl, undefined);
    assert.equal(values.host, 'localhost');
    assert.equal(values.port, 5000);
    assert.equal(values.databaseUrl, 'sqlite:data/bienvenue.db');
    assert.deepEqual(new Set(Object.values(sources)), new Set(['default']));
  });

  test('REVEAL_ACCOUNTS defaults to true in local mode and to false in public mode, and can be set in both', () => {
    assert.equal(readOptions({}).options.revealAccounts, true);
    assert.equal(readOptions({ PUBLIC_URL: 'http://localhost:5000' }).options.revealAccounts, true);
    assert.equal(readOptions(publicMode).options.revealAccounts, false);
    assert.equal(readOptions({ ...publicMode, REVEAL_ACCOUNTS: 'true' }).options.revealAccounts, true);
  });

  test('the default database file is in DATA_DIR', () => {
    assert.equal(
      readOptions({ DATA_DIR: '/srv/accounts' }).options.databaseUrl,
      'sqlite:/srv/accounts/bienvenue.db',
    );
  });

  test('every option has a unique name, a description, and a default that can be displayed', () => {
    const rows = Object.entries(allOptions);
    assert.equal(new Set(rows.map(([, { env }]) => env)).size, rows.length);
    const values: Readonly<Record<string, unknown>> = readOptions({}).options;
    for (const [name, row] of rows) {
      assert.match(row.says, /\.$/, name);
      assert.equal(typeof showOption(row, values[name]), 'string');
    }
  });
});

describe('sources of values', () => {
  test('the environment precedes a secret file, which precedes the configuration file, which precedes the default', () => {
    const secret = fileOf('postgres://from-secret/db');
    const file = fileOf('DATABASE_URL = "postgres://from-options/db"');
    const all = { DATABASE_URL: 'postgres://from-env/db', DATABASE_URL_FILE: secret, BIENVENUE_CONFIG: file };
    const { DATABASE_URL: _first, ...two } = all;
    const { DATABASE_URL_FILE: _second, ...one } = two;
    assert.deepEqual(databaseOf(all), ['postgres://from-env/db', 'environment']);
    assert.deepEqual(databaseOf(two), ['postgres://from-secret/db', 'file']);
    assert.deepEqual(databaseOf(one), ['postgres://from-options/db', 'file']);
    assert.deepEqual(databaseOf({}), ['sqlite:data/bienvenue.db', 'default']);
  });

  test('a configuration file holds text, numbers and booleans', () => {
    const file = fileOf('HOST = "127.0.0.2"\nPORT = 8080\nHSTS_SUBDOMAINS = true\n# a remark\n');
    const { options: values } = readOptions({ BIENVENUE_CONFIG: file });
    assert.deepEqual([values.host, values.port, values.hstsSubdomains], ['127.0.0.2', 8080, true]);
  });

  test('the line break at the end of a secret file is not part of the secret', () => {
    const { options: values } = readOptions({
      DATABASE_URL_FILE: fileOf('postgres://user:password@host/db\r\n'),
    });
    assert.equal(values.databaseUrl, 'postgres://user:password@host/db');
  });

  test('only secret options can be read from a file of their own', () => {
    assert.equal(readOptions({ PORT_FILE: fileOf('8080') }).options.port, 5000);
  });

  test('empty text counts as absent: in the environment, as a path and in the configuration file', () => {
    const blank = {
      PORT: '',
      HOST: '  ',
      DATABASE_URL: '',
      DATABASE_URL_FILE: '',
      BIENVENUE_CONFIG: '',
      PUBLIC_URL: '',
    };
    assert.deepEqual(readOptions(blank), readOptions({}));
    const { options: values, sources } = readOptions({
      BIENVENUE_CONFIG: fileOf('HOST = ""\nDATA_DIR = " "\n'),
    });
    assert.deepEqual([values.host, values.dataDir, sources.host], ['localhost', './data', 'default']);
  });
});

describe('faults', () => {
  test('one error lists every fault with its remedy', () => {
    const file = fileOf('PROT = 80\nLOG_LEVEL = ["info"]\n');
    const faults = faultsOf({
      BIENVENUE_CONFIG: file,
      HOST: '0.0.0.0',
      PORT: '65536',
      DATABASE_URL: 'mysql://host/db',
      REVEAL_ACCOUNTS: 'yes',
      LOG_FORMAT: 'xml',
      SESSION_DAYS: '5',
      SESSION_IDLE_DAYS: '6',
      GLOBAL_LIMIT_PER_MINUTE: '500',
    });
    const expected = [
      `PROT in ${file} is not an option; did you mean PORT?`,
      'PORT must be a whole number from 0 to 65535 (it is "65536")',
      'DATABASE_URL must be sqlite:<path of a file> or postgres://user:password@host/database',
      'LOG_LEVEL in the configuration file must be a single value',
      'LOG_FORMAT must be one of auto, json, pretty (it is "xml")',
      'REVEAL_ACCOUNTS must be true or false (it is "yes")',
      'HOST is 0.0.0.0, but local mode accepts any password and returns reset tokens in replies, so it listens on loopback only. Set PUBLIC_URL=https://… to serve other machines, or remove HOST.',
      'SESSION_IDLE_DAYS must not be more than SESSION_DAYS',
      'GLOBAL_LIMIT_PER_MINUTE must not be less than ADDRESS_LIMIT_PER_MINUTE',
    ];
    assert.deepEqual(faults.toSorted(), expected.toSorted());
  });

  test('the error message lists each fault on a separate line', () => {
    assert.throws(() => readOptions({ PORT: 'x', HASH_PASSES: '1' }), {
      name: 'ConfigurationFault',
      message:
        'The configuration is invalid:\n  - PORT must be a whole number from 0 to 65535 (it is "x")\n  - HASH_PASSES must be a whole number from 2 to 100 (it is "1")',
    });
  });

  for (const host of [
    '0.0.0.0',
    '::',
    '192.0.2.1',
    '[::]',
    'example.org',
    '127.0.0.1.example.org',
    '::ffff:127.0.0.1',
  ]) {
    test(`local mode does not listen on ${host}`, () => {
      assert.equal(faultsOf({ HOST: host }).length, 1);
      assert.equal(faultsOf({ HOST: host, PUBLIC_URL: 'http://localhost:5000' }).length, 1);
      assert.equal(
        faultsOf({ ...publicMode, HOST: host }).some((fault) => fault.startsWith('HOST')),
        false,
      );
    });
  }

  test('a trusted proxy needs PUBLIC_URL, because requests that it forwarded are rejected without', () => {
    const proxy = { TRUSTED_PROXIES: '10.0.0.0/8' };
    assert.match(faultsOf(proxy).join(), /^TRUSTED_PROXIES names a proxy.*Set PUBLIC_URL/);
    assert.deepEqual(faultsOf({ ...proxy, PUBLIC_URL: 'http://localhost:8080' }), []);
    assert.equal(faultsOf({ ...proxy, PUBLIC_URL: 'nonsense' }).length, 1, 'one error for one fault');
  });

  test('local mode listens on localhost in any letter case, and with the dot of the root', () => {
    for (const host of ['LOCALHOST', 'localhost.', 'LocalHost'])
      assert.equal(readOptions({ HOST: host }).options.host, 'localhost');
  });

  test('a mail server may have a name outside ASCII, which is kept in punycode, or one of a local network', () => {
    for (const [url, host] of [
      ['smtp://mail.bücher.example:25', 'mail.xn--bcher-kva.example:25'],
      ['smtp://mail_server:25', 'mail_server:25'],
      ['smtp://[::1]:25', '[::1]:25'],
      ['smtp://192.0.2.1', '192.0.2.1'],
    ] as const)
      assert.equal(readOptions({ ...publicMode, SMTP_URL: url }).options.smtpUrl?.host, host);
  });

  test('networks that leave out a part of each family are accepted', () => {
    const proxies = { ...publicMode, TRUSTED_PROXIES: '0.0.0.0/1, 128.0.0.0/2, ::/1' };
    assert.equal(readOptions(proxies).options.trustedProxies.length, 3);
  });

  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) {
    test(`local mode listens on ${host}`, () => assert.equal(readOptions({ HOST: host }).options.host, host));
  }

  /** Combinations that are rejected although each value is valid, and the beginning of the fault. */
  const unsafe: Record<string, [Environment, string]> = {
    'public mode without a mail server': [
      { ...publicMode, SMTP_URL: '', MAIL_FROM: '' },
      'SMTP_URL must name',
    ],
    'mails without a sender': [{ ...publicMode, MAIL_FROM: '' }, 'MAIL_FROM must name'],
    'reset tokens in the replies of public mode': [
      { ...publicMode, RESET_TOKEN_BY: 'reply' },
      'RESET_TOKEN_BY is reply',
    ],
    'unconfirmed addresses in public mode': [
      { ...publicMode, EMAIL_CONFIRMATION: 'false' },
      'EMAIL_CONFIRMATION is false',
    ],
    'short passwords in public mode': [
      { ...publicMode, PASSWORD_MIN_LENGTH: '14' },
      'PASSWORD_MIN_LENGTH must be at least 15',
    ],
    'common passwords in public mode': [
      { ...publicMode, PASSWORD_BLOCKLIST: 'false' },
      'PASSWORD_BLOCKLIST is false',
    ],
    'an idle timeout longer than the session': [{ SESSION_DAYS: '6' }, 'SESSION_IDLE_DAYS must not be more'],
    'a global limit below the limit per address': [
      { ADDRESS_LIMIT_PER_MINUTE: '500', GLOBAL_LIMIT_PER_MINUTE: '499' },
      'GLOBAL_LIMIT_PER_MINUTE must not be less',
    ],
    'a hash that takes seconds': [
      { HASH_MEMORY_KIB: '1048576', HASH_PASSES: '5' },
      'HASH_MEMORY_KIB times HASH_PASSES',
    ],
  };
  for (const [title, [environment, beginning]] of Object.entries(unsafe)) {
    test(`rejects the combination: ${title}`, () => {
      const faults = faultsOf(environment);
      assert.equal(faults.length, 1, faults.join('\n'));
      assert.ok(faults[0]?.startsWith(beginning), faults[0]);
    });
  }

  test('local mode needs no mail server, because it stores its mails', () => {
    const mailing = { RESET_TOKEN_BY: 'mail', EMAIL_CONFIRMATION: 'true', EMAIL_SIGN_IN: 'true' };
    assert.deepEqual(faultsOf({ ...mailing, REVEAL_ACCOUNTS: 'false' }), []);
  });

  test('an invalid PUBLIC_URL is a single fault: options that depend on it are not reported', () => {
    const faults = faultsOf({ PUBLIC_URL: 'http://accounts.example.org', HOST: '0.0.0.0' });
    assert.deepEqual(faults, [
      'PUBLIC_URL must be https; http is for localhost only (it is "http://accounts.example.org")',
    ]);
  });

  test('a configuration file that is unreadable or malformed is the only fault reported', () => {
    const missing = faultsOf({ BIENVENUE_CONFIG: join(folder, 'none.toml'), HOST: '0.0.0.0' });
    assert.equal(missing.length, 1);
    assert.match(
      missing[0] ?? '',
      /^BIENVENUE_CONFIG must name a TOML file; .*none\.toml cannot be read: it does not exist/,
    );
    assert.match(
      faultsOf({ BIENVENUE_CONFIG: fileOf('PORT 5000') })[0] ?? '',
      /which cannot be read as TOML/,
    );
  });

  test('a secret file that is unreadable or empty is a fault; the default is not used', () => {
    const missing = join(folder, 'no-secret');
    assert.deepEqual(faultsOf({ DATABASE_URL_FILE: missing }), [
      `DATABASE_URL_FILE must name a file; ${missing} cannot be read: it does not exist`,
    ]);
    assert.match(
      faultsOf({ DATABASE_URL_FILE: fileOf('\n') })[0] ?? '',
      /^DATABASE_URL_FILE names .*, which is empty$/,
    );
  });

  test('a fault does not quote a secret', () => {
    const faults = faultsOf({
      DATABASE_URL: 'mysql://user:hunter2@host/db',
      SMTP_URL: 'smtp://user:hunter2%@host',
      PUBLIC_URL: 'https://user:hunter2@accounts.example.org',
      ALLOWED_ORIGINS: 'https://user:hunter2/2@app.example.org',
      MAIL_FROM: 'a@example.org',
    });
    assert.equal(faults.length, 4, faults.join('\n'));
    assert.doesNotMatch(faults.join(), /hunter2/);
  });
});

describe('the displayed value of an option', () => {
  const shown: Record<string, [name: keyof SharedTable, value: unknown, text: string]> = {
    'is empty if the option is not set': ['publicUrl', undefined, ''],
    'is the origin of the public URL': [
      'publicUrl',
      new URL('https://accounts.example.org/'),
      'https://accounts.example.org',
    ],
    'hides the password of a mail server': [
      'smtpUrl',
      new URL(publicMode.SMTP_URL),
      'smtps://me:***@mail.example.org',
    ],
    'is the sender as typed': [
      'mailFrom',
      mailSender('Konten <a@bücher.example>'),
      'Konten <a@bücher.example>',
    ],
    'is a number unchanged': ['port', 5000, '5000'],
    'is the path of a database file, which is not secret': [
      'databaseUrl',
      'sqlite:/srv/b.db',
      'sqlite:/srv/b.db',
    ],
    'hides the password of a database': [
      'databaseUrl',
      'postgres://me:hunter2@host/db',
      'postgres://me:***@host/db',
    ],
    'hides passwords in the parameters of a database URL': [
      'databaseUrl',
      'postgres://host/db?user=me&password=hunter2&sslpassword=hunter2',
      'postgres://host/db?user=me&password=***&sslpassword=***',
    ],
    'hides the password if the user contains a malformed percent escape': [
      'databaseUrl',
      'postgres://m%zz:hunter2@host/db',
      'postgres://m%zz:***@host/db',
    ],
    'hides a whole secret that parses as a URL without a host': ['databaseUrl', 'k1:hunter2', '[hidden]'],
    'hides a whole secret that is not a URL': ['databaseUrl', 'hunter2', '[hidden]'],
  };
  for (const [title, [name, value, text]] of Object.entries(shown))
    test(title, () => assert.equal(showOption(allOptions[name] ?? assert.fail(name), value), text));
});

describe('a URL', () => {
  const values = [
    'https://example.org',
    'https://example.org/terms?x=1#y',
    'http://127.0.0.1:8080/range',
    'mailto:help@example.org?subject=Help',
    'smtp://mail.example.org:25',
  ];
  /** What a row accepts as a URL. */
  const accepted = (row: (typeof allOptions)[string], value: string): boolean => {
    try {
      return row.parse(value) instanceof URL;
    } catch {
      return false;
    }
  };

  test('is displayed as it was set, in each option that takes one', () => {
    const taking = Object.values(allOptions).filter((row) => values.some((value) => accepted(row, value)));
    assert.ok(taking.length >= 5);
    for (const row of taking)
      for (const value of values.filter((each) => accepted(row, each)))
        assert.equal(showOption(row, row.parse(value)), value, row.env);
  });

  test('is displayed without its password, in each option that takes one', () => {
    for (const row of Object.values(allOptions))
      for (const value of ['https://me:hunter2@example.org/a', 'smtp://me:hunter2@example.org'])
        if (accepted(row, value)) {
          const shown = showOption(row, row.parse(value));
          assert.equal(shown, value.replace('hunter2', '***'), row.env);
        }
  });
});

describe('a set of options', () => {
  const tokenMinutes = option({
    env: 'TOKEN_MINUTES',
    parse: integer(1, 60),
    says: 'Minutes.',
    default: () => 10,
  });
  const tokenOptions = {
    tokenMinutes,
    longMinutes: option({
      env: 'LONG_MINUTES',
      parse: integer(1, 600),
      says: 'More minutes.',
      default: ({ valueOf }) => 2 * valueOf(tokenMinutes),
    }),
  } as const;
  const set: OptionSet<typeof tokenOptions> = {
    table: { publicUrl: coreOptions.publicUrl, dataDir: coreOptions.dataDir, ...tokenOptions },
    checks: [
      (values, { faulty }) =>
        !faulty.has('longMinutes') && values.longMinutes < values.tokenMinutes
          ? ['LONG_MINUTES must not be less than TOKEN_MINUTES']
          : [],
    ],
  };

  test('reads the options of modules, and a default may depend on another option', () => {
    assert.equal(readOptionSet({}, set).options.longMinutes, 20);
    assert.equal(readOptionSet({ TOKEN_MINUTES: '30' }, set).options.longMinutes, 60);
    assert.equal(readOptionSet({ LONG_MINUTES: '40' }, set).sources.longMinutes, 'environment');
  });

  test('runs the checks of modules, and one error lists their faults with those of single values', () => {
    const faultsIn = (environment: Environment): readonly string[] => {
      try {
        readOptionSet(environment, set);
        return [];
      } catch (error) {
        if (error instanceof ConfigurationFault) return error.faults;
        throw error;
      }
    };
    assert.deepEqual(faultsIn({ LONG_MINUTES: '5', PUBLIC_URL: 'x' }), [
      'PUBLIC_URL must be a URL such as https://accounts.example.org (it is "x")',
      'LONG_MINUTES must not be less than TOKEN_MINUTES',
    ]);
    // An invalid value on which a default depends is reported once.
    assert.deepEqual(faultsIn({ TOKEN_MINUTES: '0' }), [
      'TOKEN_MINUTES must be a whole number from 1 to 60 (it is "0")',
    ]);
    assert.equal(faultsIn({ LONG_MINUTES: '0' }).length, 1);
  });
});
