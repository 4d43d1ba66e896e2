import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  databaseUrl,
  flag,
  integer,
  isLoopback,
  networks,
  oneOf,
  OptionFault,
  origins,
  publicUrl,
} from './parse.ts';

const asText = (parse: (value: string) => unknown) => (value: string) => String(parse(value));

/** Valid texts of each parser with their values, and invalid texts. */
const readers: Record<
  string,
  { read: (value: string) => unknown; takes: Record<string, unknown>; refuses: string[] }
> = {
  'a whole number within bounds': {
    read: integer(1, 365),
    takes: { '1': 1, '365': 365, '007': 7 },
    refuses: [
      '',
      '0',
      '366',
      '-1',
      '+1',
      '1.0',
      '1e2',
      '0x10',
      '1 000',
      ' 1',
      'one',
      'NaN',
      'Infinity',
      '١',
      '９',
      '99999999999999999999999',
    ],
  },
  'true or false': {
    read: flag,
    takes: { true: true, false: false },
    refuses: ['', 'TRUE', 'yes', '1', '0', 'on', ' true'],
  },
  'one of some words': {
    read: oneOf('auto', 'json'),
    takes: { auto: 'auto', json: 'json' },
    refuses: ['', 'JSON', 'aut', 'auto,json', 'constructor'],
  },
  'a database': {
    read: databaseUrl,
    takes: Object.fromEntries(
      [
        'sqlite:./data/b.db',
        'sqlite:/b.db',
        'postgres://host/db',
        'postgresql://u:p@host:5432/db?sslmode=verify-full',
      ].map((url) => [url, url]),
    ),
    refuses: [
      '',
      'sqlite:',
      'sqlite::memory:',
      ':memory:',
      'data.db',
      'mysql://host/db',
      'postgres:',
      'postgres:/host',
      'http://host/db',
      'POSTGRES://host/db',
    ],
  },
  'a list of networks': {
    read: asText(networks),
    takes: {
      '10.0.0.0/8': '10.0.0.0/8',
      ' 10.0.0.0/8 ,\t2001:db8::/32,': '10.0.0.0/8,2001:db8::/32',
      '192.0.2.1 ::1': '192.0.2.1/32,::1/128',
      '0.0.0.0/1': '0.0.0.0/1',
    },
    refuses: [
      'localhost',
      'loopback',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '10/8',
      '10.0.0',
      '::/129',
      '*',
      '0.0.0.0/0',
      '0.0.0.0/00',
      '::/0',
      '10.0.0.0/8, ::/0',
      '::ffff:10.0.0.0/104',
    ],
  },
  'a list of origins': {
    read: asText(origins),
    takes: {
      'https://app.example.org': 'https://app.example.org',
      'HTTPS://App.Example.org:443/, http://localhost:3000': 'https://app.example.org,http://localhost:3000',
    },
    refuses: [
      '*',
      'null',
      'https://*.example.org',
      'http://app.example.org',
      'app.example.org',
      'https://app.example.org/path',
      'https://a.example, *',
    ],
  },
  'a public address': {
    read: asText(publicUrl),
    takes: {
      'https://accounts.example.org': 'https://accounts.example.org/',
      'https://accounts.example.org/': 'https://accounts.example.org/',
      'https://192.0.2.1:8443': 'https://192.0.2.1:8443/',
      'HTTPS://Accounts.Example.ORG:443': 'https://accounts.example.org/',
      'http://localhost:5000': 'http://localhost:5000/',
      'http://127.0.0.1:5000': 'http://127.0.0.1:5000/',
      'http://[::1]:5000': 'http://[::1]:5000/',
    },
    refuses: [
      '',
      'accounts.example.org',
      '//accounts.example.org',
      'http://accounts.example.org',
      'http://192.0.2.1',
      'http://0.0.0.0:5000',
      'http://localhost.example.org',
      'http://127.0.0.1.example.org',
      'http://user@localhost',
      'https://user@accounts.example.org',
      'https://user:password@accounts.example.org',
      'https://:password@accounts.example.org',
      'https://accounts.example.org/app',
      'https://accounts.example.org/?a=b',
      'https://accounts.example.org/#top',
      'ftp://accounts.example.org',
      'javascript:alert(1)',
      'file:///etc/passwd',
      'https://',
    ],
  },
};

for (const [title, { read, takes, refuses }] of Object.entries(readers)) {
  test(`${title}: parses valid values`, () => {
    for (const [value, expected] of Object.entries(takes)) assert.equal(read(value), expected, value);
  });
  test(`${title}: rejects any other value, with a sentence that states what is valid`, () => {
    for (const value of refuses) {
      assert.throws(
        () => read(value),
        (error) => error instanceof OptionFault && error.message.startsWith('must be '),
        `"${value}"`,
      );
    }
  });
}

test('recognizes loopback hosts, and no others', () => {
  for (const host of ['localhost', '127.0.0.1', '127.255.255.254', '::1', '[::1]'])
    assert.equal(isLoopback(host), true, host);
  for (const host of [
    '',
    '0.0.0.0',
    '::',
    '128.0.0.1',
    '127.0.0.1.example.org',
    '127.1',
    '127.',
    'localhost.example.org',
    '10.0.0.1',
  ]) {
    assert.equal(isLoopback(host), false, host);
  }
});

test('an origin that is refused says what to do', () => {
  for (const [item, remedy] of [
    ['capacitor://localhost', /docs\/guides\/integrate\.md/],
    ['tauri://localhost', /docs\/guides\/integrate\.md/],
    ['chrome-extension://abcdefghijklmnop', /docs\/guides\/integrate\.md/],
    ['http://tauri.localhost', /use https, or http on localhost/],
    ['http://app.localhost:3000', /use https, or http on localhost/],
    ['https://app.example.org/path', /scheme, host and port only/],
    ['app.example.org:8443', /is not an origin$/],
  ] satisfies [string, RegExp][])
    assert.throws(() => origins(item), remedy, item);
});
