import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { languageOf, message } from './language.ts';

describe('a message', () => {
  test('uses the plural forms of its language', () => {
    const values = { product: 'P', hours: 1, minutes: 60 };
    assert.match(message('en', 'mail.email_verification.what', { ...values, hours: 1 }), / 1 hour /);
    assert.match(message('en', 'mail.email_verification.what', { ...values, hours: 24 }), / 24 hours /);
    assert.match(message('fr', 'mail.email_verification.what', { ...values, hours: 24 }), / 24 heures /);
  });

  test('shows times in UTC', () => {
    assert.equal(message('en', 'mail.when', { at: 0 }), 'When: January 1, 1970, 00:00 UTC');
    assert.equal(message('fr', 'mail.when', { at: 0 }), 'Quand\u00a0: 1er janvier 1970, 00:00 UTC');
    const dayMs = 86_400_000;
    for (const [days, text] of [
      [1, '2 janvier'],
      [10, '11 janvier'],
      [20, '21 janvier'],
      [31, '1er février'],
      [90, '1er avril'],
    ] as const)
      assert.match(message('fr', 'mail.when', { at: days * dayMs }), new RegExp(`: ${text} 1970`));
  });

  test('is in English if the language is not supported', () =>
    assert.equal(message('tlh', 'page.sign_in.act'), 'Sign in'));

  test('that does not exist throws an error', () => assert.throws(() => message('en', 'mail.nothing')));
});

test('selects the supported language that the client prefers (RFC 9110 §12.5.4)', () => {
  const rows: readonly (readonly [string | undefined, string | undefined])[] = [
    [undefined, undefined],
    ['', undefined],
    ['fr', 'fr'],
    ['fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5', 'fr'],
    ['de, en;q=0.5, fr;q=0.7', 'fr'],
    ['EN-gb', 'en'],
    ['fr;q=0, en;q=0.1', 'en'],
    ['fr;q=0', undefined],
    ['de', undefined],
    ['*', undefined],
    ['fr;q=2, en', 'en'],
    ['fr;q=x, en;q=0.2', 'en'],
    ['../../fr', undefined],
    [`${'de,'.repeat(100)}fr`, undefined],
    [';;;,,,', undefined],
  ];
  for (const [header, expected] of rows) assert.equal(languageOf(header), expected, header);
});
