import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  flag,
  integer,
  isLoopback,
  networks,
  oneOf,
  OptionFault,
  origins,
  publicUrl,
  productName,
  listenHost,
} from './parse.ts';
import { ehloName, ehloNameOf, mailSender } from './sender.ts';
import { databaseUrl, localPath, smtpUrl } from './server-url.ts';

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
      'sqlite://accounts.db',
      'sqlite:///accounts.db',
      'sqlite:file:accounts.db',
      'sqlite:accounts.db?mode=ro',
      ':memory:',
      'data.db',
      'mysql://host/db',
      'postgres:',
      'postgres:/host',
      'http://host/db',
      'POSTGRES://host/db',
      'sqlite:~/accounts.db',
      'postgres://me:pa%ss@host/db',
      'postgres://me:50%@host/db',
      'postgres://host/100%',
      'postgres://me:pass#word@host/db',
      'postgres://me:pass/word@host/db',
      'postgres://host/db?sslmode=required',
      'postgres://host/db?sslmode=verify-full&sslmode=disable',
      'postgres://host/db?sslmode=verify-full&%73slmode=disable',
      'postgres://host/db?schema=accounts',
    ],
  },
  'a mail server': {
    read: asText(smtpUrl),
    takes: {
      'smtp://mail.example.org': 'smtp://mail.example.org',
      'smtp://user:pa%25ss@mail.example.org:587': 'smtp://user:pa%25ss@mail.example.org:587',
      'smtp://user:p@ss@mail.example.org:587/': 'smtp://user:p%40ss@mail.example.org:587/',
      'smtps://user:password@[2001:db8::1]:465': 'smtps://user:password@[2001:db8::1]:465',
    },
    refuses: [
      '',
      'mail.example.org',
      'mail.example.org:587',
      'http://mail.example.org',
      'smtp+tls://mail.example.org',
      'smtp://',
      'smtp://user:pa%ss@mail.example.org:587',
      'smtp://us%er:pass@mail.example.org:587',
      'smtp://user:50%@mail.example.org',
      'smtp://user:pa/ss@mail.example.org:587',
      'smtp://user:pa#ss@mail.example.org:587',
      'smtp://user:pa?ss@mail.example.org:587',
      'smtp://host/path?tls=off',
      'smtp://host/path',
      'smtp://host?tls=off',
      'smtp://host#tls',
      'smtp://host:0',
      'smtp://host:65536',
      'smtp://host:587x',
      'smtp://user@host',
      'smtp://:password@host',
      'smtp://user:pass%00word@host',
      'smtp://user:pass%0Aword@host',
    ],
  },
  'a sender of emails': {
    read: (value) => {
      const { name, address, domain } = mailSender(value);
      return `${name}|${address}|${domain}`;
    },
    takes: {
      'accounts@example.org': '|accounts@example.org|example.org',
      '<accounts@example.org>': '|accounts@example.org|example.org',
      'Example Accounts <accounts@example.org>': 'Example Accounts|accounts@example.org|example.org',
      '"Accounts, \\"Example\\" <x>" <a@example.org>': 'Accounts, "Example" <x>|a@example.org|example.org',
      '"a@example.org" <b@example.org>': 'a@example.org|b@example.org|example.org',
      'R&D: Jane Doe, Ltd. <rd@example.org>': 'R&D: Jane Doe, Ltd.|rd@example.org|example.org',
      'Konten <konten@bücher.example>': 'Konten|konten@xn--bcher-kva.example|xn--bcher-kva.example',
      'Größe <a.b+c@EXAMPLE.org>': 'Größe|a.b+c@example.org|example.org',
    },
    refuses: [
      '',
      'accounts',
      'Example Accounts',
      '@example.org',
      'accounts@',
      'a@example.org, b@example.org',
      'a@example.org, B <b@example.org>',
      'a@example.org; b@example.org',
      'Team: a@example.org, b@example.org;',
      'R&D <x> accounts@example.org',
      'R&D <x> <accounts@example.org>',
      'Accounts <accounts@example.org',
      'Accounts accounts@example.org',
      'Accounts <accounts@example.org> (comment)',
      'Accounts\nBcc: x@example.org <a@example.org>',
      'Accounts\r\n <a@example.org>',
      'Acc\0ounts <a@example.org>',
      'jörg@example.org',
      'a..b@example.org',
      'a b@example.org',
      '"a b"@example.org',
      'a@b@example.org',
      'a@exam ple.org',
      'a@-example.org',
      'a@192.0.2.1',
      `${'a'.repeat(65)}@example.org`,
    ],
  },
  'a name for EHLO': {
    read: ehloName,
    takes: {
      'mail.example.org': 'mail.example.org',
      'bücher.example': 'xn--bcher-kva.example',
      '[192.0.2.1]': '[192.0.2.1]',
      '[IPv6:2001:db8::1]': '[IPv6:2001:db8::1]',
    },
    refuses: ['', '192.0.2.1', 'mail example.org', '[mail.example.org]', 'a_b.example.org', 'x\r\nMAIL'],
  },
  'an address to listen on': {
    read: listenHost,
    takes: {
      '127.0.0.1': '127.0.0.1',
      '[::1]': '::1',
      '::': '::',
      localhost: 'localhost',
      my_host: 'my_host',
    },
    refuses: [
      '',
      '127.0.0.1:5000',
      'localhost:5000',
      '[::1]:5000',
      'http://localhost',
      '127.0.0',
      '127.0.0.256',
      'a b',
    ],
  },
  'a path': {
    read: localPath,
    takes: { './data': './data', '/var/lib/a b': '/var/lib/a b' },
    refuses: ['~/data', '~', '/var/lib/a\nb', '/var\0'],
  },
  'the name of the service': {
    read: productName,
    takes: { 'Acme: Accounts': 'Acme: Accounts', 'Bücher & Söhne': 'Bücher & Söhne' },
    refuses: ['Acme\nAccounts', 'Acme\u0007', 'x'.repeat(101)],
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
      '0:0:0:0:0:FFFF:a00:0/104',
      '::ffff:a00:1',
      'fe80::1%eth0',
      'fe80::%eth0/10',
      'fe80::1%br-lan',
      '10.0.0.1%eth0',
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

test('the name for EHLO is by default the host of PUBLIC_URL, if the DNS can know it', () => {
  const of = (url: string): string | undefined => ehloNameOf(new URL(url));
  assert.equal(of('https://accounts.example.org'), 'accounts.example.org');
  assert.equal(of('https://bücher.example'), 'xn--bcher-kva.example');
  for (const url of [
    'http://localhost:5000',
    'http://127.0.0.1',
    'https://[2001:db8::1]',
    'https://192.0.2.1',
  ])
    assert.equal(of(url), undefined, url);
});
