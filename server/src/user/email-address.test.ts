import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isProblem } from '../kit/problem.ts';
import { isSameAddress, requireEmailAddress, toEmailAddress } from './email-address.ts';

// During mutation testing (docs/project/mutation-testing.md), stops at the first failure without searching for the
// smallest example, and limits the search for valid addresses: both take long and are not needed.
fc.configureGlobal({ endOnFailure: process.env['MUTATION_AREA'] !== undefined, maxSkipsPerRun: 5 });

const key = (input: unknown): string | undefined => toEmailAddress(input)?.key;

/** Input, expected text, and expected normal form. */
const accepted: Record<string, [string, string, string]> = {
  'an ordinary address': ['bob@example.org', 'bob@example.org', 'bob@example.org'],
  'the address of the well-known exercise': [
    'guillaume@holberton.io',
    'guillaume@holberton.io',
    'guillaume@holberton.io',
  ],
  'capitals, which stay as typed': ['Bob@Example.ORG', 'Bob@Example.ORG', 'bob@example.org'],
  'surrounding white space, which is removed': [
    '\u3000 bob@example.org\r\n',
    'bob@example.org',
    'bob@example.org',
  ],
  'a leading byte order mark, which is removed': [
    '\uFEFFbob@example.org',
    'bob@example.org',
    'bob@example.org',
  ],
  'marks of direction and zero-width characters around it, which are removed': [
    '\u202A\u200Bbob@example.org\u202C\u200E\u2060\u00A0',
    'bob@example.org',
    'bob@example.org',
  ],
  'a plus tag, which stays': ['bob+tag@example.org', 'bob+tag@example.org', 'bob+tag@example.org'],
  'dots, which stay': ['b.o.b@gmail.com', 'b.o.b@gmail.com', 'b.o.b@gmail.com'],
  'every character of an atom (RFC 5322 §3.2.3)': [
    "a!#$%&'*+/=?^_`{|}~-z@x.org",
    "a!#$%&'*+/=?^_`{|}~-z@x.org",
    "a!#$%&'*+/=?^_`{|}~-z@x.org",
  ],
  'a host without a dot': ['root@localhost', 'root@localhost', 'root@localhost'],
  'a label that begins with a digit': ['bob@3com.com', 'bob@3com.com', 'bob@3com.com'],
  'a last label that ends in a digit': ['bob@x.a1', 'bob@x.a1', 'bob@x.a1'],
  'a last label that begins with a digit': ['bob@x.1a', 'bob@x.1a', 'bob@x.1a'],
  'a number before the last label': ['bob@x.1.org', 'bob@x.1.org', 'bob@x.1.org'],
  'an international domain': ['bob@Bücher.example', 'bob@Bücher.example', 'bob@xn--bcher-kva.example'],
  'the ASCII form of an international domain': [
    'bob@XN--bcher-kva.example',
    'bob@XN--bcher-kva.example',
    'bob@xn--bcher-kva.example',
  ],
  'an ideographic full stop in the domain': ['bob@例。jp', 'bob@例。jp', 'bob@xn--fsq.jp'],
  'full-width letters in the domain': ['bob@ｅｘａｍｐｌｅ.org', 'bob@ｅｘａｍｐｌｅ.org', 'bob@example.org'],
  'letters of any script before the @': ['用户@example.org', '用户@example.org', '用户@example.org'],
  'a Kelvin sign, which becomes a K': ['\u212Aate@example.org', 'Kate@example.org', 'kate@example.org'],
  'an Ångström sign, which becomes an Å': ['\u212Bsa@example.org', 'Åsa@example.org', 'åsa@example.org'],
  'a combining accent, which is composed': ['rene\u0301@example.org', 'rené@example.org', 'rené@example.org'],
  'the longest local part': [`${'a'.repeat(64)}@x.org`, `${'a'.repeat(64)}@x.org`, `${'a'.repeat(64)}@x.org`],
};

describe('accepts', () => {
  for (const [title, [input, text, normal]] of Object.entries(accepted)) {
    test(title, () => assert.deepEqual(toEmailAddress(input), { text, key: normal }));
  }

  test('exactly 254 octets', () => {
    const longest = `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(57)}.org`;
    assert.equal(longest.length, 254);
    assert.equal(key(longest), longest);
    assert.equal(key(longest.replace('d.org', 'dd.org')), undefined);
  });
});

/** Similar addresses that a mail server may deliver to different users. */
const distinct: [string, string][] = [
  ['bob@example.org', 'bob+tag@example.org'],
  ['bob@example.org', 'b.ob@example.org'],
  ['bill@example.org', 'bıll@example.org'],
  ['jess@example.org', 'jeſſ@example.org'],
  ['strasse@example.org', 'straße@example.org'],
  ['bob@example.org', 'ｂob@example.org'],
  ['paypal@example.org', 'p\u0430ypal@example.org'],
  ['bob@apple.example', 'bob@\u0430pple.example'],
  ['bob@fass.example', 'bob@faß.example'],
  ['bob@example.org', 'bob@www.example.org'],
];

describe('distinguishes', () => {
  for (const [one, other] of distinct) {
    test(`${one} and ${other}`, () => {
      assert.ok(key(one) !== undefined && key(other) !== undefined);
      assert.notEqual(key(one), key(other));
    });
  }
});

const refused: Record<string, unknown> = {
  undefined: undefined,
  null: null,
  'a number': 7,
  'a list': ['bob@example.org'],
  'an object': { toString: () => 'bob@example.org' },
  'empty text': '',
  'white space': ' \t',
  'no @': 'bob.example.org',
  'nothing before the @': '@example.org',
  'nothing behind the @': 'bob@',
  'two @': 'bob@evil@example.org',
  'a list with a comma (CVE-2022-35924)': 'bob@example.org,eve@evil.test',
  'a list with a semicolon': 'bob@example.org;eve@evil.test',
  'a list with a space': 'bob@example.org eve@evil.test',
  'a header behind a line break': 'bob@example.org\nBcc: eve@evil.test',
  'a header behind a carriage return': 'bob@example.org\r\nBcc: eve@evil.test',
  'a display name': 'Bob <bob@example.org>',
  'angle brackets': '<bob@example.org>',
  'a comment': 'bob(eve)@example.org',
  'a quoted local part (CVE-2025-13033)': '"eve@evil.test"@example.org',
  'a quoted local part without an @': '"bob"@example.org',
  'a backslash': 'bob\\@example.org',
  'a colon, as in a source route': '@evil.test:bob@example.org',
  'a full-width @': 'bob\uFF20example.org',
  'a full-width @ in addition to a real one': 'bob\uFF20evil.test@example.org',
  'a small @': 'bob\uFE6Bexample.org',
  'a NUL': 'bob\0@example.org',
  'a NUL in the domain': 'bob@example.org\0.evil.test',
  'a tab inside': 'b\tob@example.org',
  'a no-break space inside': 'b\u00A0ob@example.org',
  'a delete character': 'b\x7Fob@example.org',
  'a C1 control character': 'b\x85ob@example.org',
  'a zero-width space': 'b\u200Bob@example.org',
  'a zero-width joiner in the domain': 'bob@exa\u200Dmple.org',
  'a soft hyphen in the domain': 'bob@exa\u00ADmple.org',
  'a right-to-left override': 'bob\u202Egro.live@example.org',
  'a bidi isolate': 'b\u2066ob@example.org',
  'a tag character': 'b\u{E0061}ob@example.org',
  'a private character': 'b\uE000ob@example.org',
  'half of a surrogate pair': 'b\uD800ob@example.org',
  'a semicolon in disguise (U+037E composes to it)': 'bob\u037Eeve@example.org',
  'a dot before': '.bob@example.org',
  'a dot behind': 'bob.@example.org',
  'two dots': 'b..ob@example.org',
  'an empty label': 'bob@example..org',
  'a dot before the domain': 'bob@.example.org',
  'a dot behind the domain': 'bob@example.org.',
  'a hyphen before a label': 'bob@-example.org',
  'a hyphen behind a label': 'bob@example-.org',
  'an underscore in the domain': 'bob@exa_mple.org',
  'a percent escape in the domain': 'bob@ex%61mple.org',
  'a slash in the domain': 'bob@example.org/evil',
  'a question mark in the domain': 'bob@example.org?evil',
  'a hash in the domain': 'bob@example.org#evil',
  'a port': 'bob@example.org:25',
  'an IPv4 address': 'bob@192.0.2.1',
  'an IPv4 address as a number': 'bob@3221225985',
  'an IPv4 address in hexadecimal': 'bob@0xC0000201',
  'an IPv4 address in octal and hexadecimal': 'bob@0300.0x0.2.1',
  'a short IPv4 address': 'bob@127.1',
  'an IPv4 address in full-width digits': 'bob@１２７.０.０.１',
  'an IPv4 literal': 'bob@[192.0.2.1]',
  'an IPv6 literal': 'bob@[IPv6:2001:db8::1]',
  'a domain that ends in a number': 'bob@example.123',
  'a number alone, which is an address of the network': 'bob@123',
  'a label that is half punycode': 'bob@xn--bücher.example',
  'a label over 63 octets': `bob@${'a'.repeat(64)}.org`,
  'an international label that grows over 63 octets': `bob@${'ü'.repeat(60)}.org`,
  'a local part over 64 octets': `${'a'.repeat(65)}@x.org`,
  'a local part of 33 characters in 66 octets': `${'é'.repeat(33)}@x.org`,
  'a local part whose small letters grow over 64 octets': `${'\u0130'.repeat(32)}@x.org`,
  'an address whose domain grows over 254 octets in ASCII': `bob@${'ü.'.repeat(80)}org`,
  'an address of more than 254 octets whose domain shrinks in ASCII': `bob@${'ａ'.repeat(60)}.${'ａ'.repeat(40)}.org`,
  'ten thousand characters': `${'a'.repeat(10_000)}@example.org`,
};

describe('rejects', () => {
  for (const [title, input] of Object.entries(refused)) {
    test(title, () => assert.equal(toEmailAddress(input), undefined));
  }

  test('a malformed address with a problem that names the field email', () => {
    assert.throws(
      () => requireEmailAddress('bob'),
      (error) => isProblem(error, 'invalid_request') && error.fields[0]?.field === 'email',
    );
  });
});

describe('isSameAddress', () => {
  const bob = 'bob@example.org';
  const rows: readonly (readonly [string, string, boolean])[] = [
    [bob, bob, true],
    [' BOB@example.org ', 'bob@EXAMPLE.org', true],
    ['bob@bücher.example', 'bob@xn--bcher-kva.example', true],
    [bob, 'eve@example.org', false],
    [bob, 'bob', false],
    ['bob', bob, false],
    ['bob', 'bob', false],
    ['', '', false],
  ];
  for (const [one, other, isSame] of rows)
    test(`returns ${isSame} for "${one}" and "${other}"`, () =>
      assert.equal(isSameAddress(one, other), isSame));
});

/** Text that often is an address: random sequences of parts that caused problems elsewhere. */
const nearlyAddress = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '@',
        '@',
        '.',
        'a',
        'B',
        '-',
        '+',
        'ß',
        'ſ',
        'K',
        'ı',
        'İ',
        'Σ',
        'e\u0301',
        'é',
        'ü',
        'xn--',
        '１',
        '。',
        '日本',
        'Å',
        '\u200b',
        ' ',
        '"',
        '%41',
      ),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 }),
    ),
    { minLength: 1, maxLength: 30 },
  )
  .map((parts) => parts.join(''));
const anyAddress = fc.oneof(fc.emailAddress(), nearlyAddress);

describe('properties', () => {
  test('the normal form of a normal form is itself', () => {
    fc.assert(
      fc.property(anyAddress, (input) => {
        const address = toEmailAddress(input);
        fc.pre(address !== undefined);
        assert.equal(key(address.key), address.key);
        assert.equal(key(address.text), address.key);
      }),
      { numRuns: 2000 },
    );
  });

  test('capitals and surrounding white space do not change the normal form', () => {
    fc.assert(
      fc.property(fc.emailAddress(), (input) => {
        assert.equal(key(`\t ${input.toUpperCase()} \n`), key(input));
      }),
    );
  });

  test('composed and decomposed spellings have the same normal form', () => {
    fc.assert(
      fc.property(anyAddress, (input) => {
        assert.equal(key(input.normalize('NFD')), key(input.normalize('NFC')));
      }),
      { numRuns: 2000 },
    );
  });

  test('an address has one @, no white space and no control character, in either form', () => {
    fc.assert(
      fc.property(anyAddress, (input) => {
        const address = toEmailAddress(input);
        fc.pre(address !== undefined);
        for (const form of [address.text, address.key]) assert.match(form, /^[^\s@\p{C}]+@[^\s@\p{C}]+$/u);
      }),
      { numRuns: 2000 },
    );
  });

  test('the domain of a normal form is plain ASCII', () => {
    fc.assert(
      fc.property(anyAddress, (input) => {
        const normal = key(input);
        fc.pre(normal !== undefined);
        assert.match(normal.slice(normal.indexOf('@') + 1), /^[a-z0-9-]+(\.[a-z0-9-]+)*$/);
      }),
      { numRuns: 2000 },
    );
  });
});
