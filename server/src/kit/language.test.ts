import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { languageOf, languages, message, messageKeys, rawMessage, usualLanguage } from './language.ts';

const source = join(import.meta.dirname, '..');

/** Names of the placeholders of a message. */
const namesIn = (text: string): string[] =>
  [...new Set([...text.matchAll(/\{(\w+)(?=[,}])/g)].map(([, name = '']) => name))].toSorted();

/** A value for every placeholder. */
const everyValue = {
  at: 0,
  minutes: 1,
  hours: 2,
  codeMinutes: 10,
  undoHours: 72,
  left: 1,
  length: 15,
  days: 30,
  created: 0,
  used: 0,
  seen: 0,
  until: 0,
  deleteAt: 0,
  name: 'N',
  id: 'I',
  product: 'P',
  url: 'U',
  device: 'D',
  address: 'A',
  newEmail: 'N',
  email: 'E',
  recipient: 'R',
  factor: 'totp',
  action: 'added',
};

describe('the catalogues', () => {
  test('there are English and French', () => assert.deepEqual([...languages()].toSorted(), ['en', 'fr']));

  test('each language has the same messages with the same placeholders', () => {
    const keys = [...messageKeys(usualLanguage)].toSorted();
    assert.ok(keys.length > 30);
    for (const language of languages()) {
      assert.deepEqual([...messageKeys(language)].toSorted(), keys, language);
      for (const key of keys) {
        const [text = '', usual = ''] = [rawMessage(language, key), rawMessage(usualLanguage, key)];
        assert.deepEqual(namesIn(text), namesIn(usual), `${language} ${key}`);
      }
    }
  });

  test('each message can be said, and none is empty', () => {
    for (const language of languages())
      for (const key of messageKeys(language))
        assert.notEqual(message(language, key, everyValue).trim(), '', `${language} ${key}`);
  });

  test('each message is spoken somewhere in the source', () => {
    const files = globSync('**/*.ts', { cwd: source, exclude: ['**/*.test.ts', '**/test/**'] });
    const texts = files.map((file) => readFileSync(join(source, file), 'utf8')).join('\n');
    // What a kind of mail or a page says is put together of its name and of what is said.
    const spoken = (key: string): boolean => {
      const [room = '', name = '', what = ''] = key.split('.');
      const whole = texts.includes(`'${key}'`) || texts.includes(`t('${key.slice(room.length + 1)}'`);
      const parts = new RegExp(`\\b${name}\\b`).test(texts) && texts.includes(`}.${what}\``);
      // Or of a word that something else has: an event, a problem, a factor.
      const isOne = texts.includes(`\`${room}.${name}.\${`);
      return whole || isOne || (what !== '' && parts);
    };
    assert.deepEqual(
      messageKeys(usualLanguage).filter((key) => !spoken(key)),
      [],
    );
  });
});

describe('a message', () => {
  test('counts in the plural of its language', () => {
    const values = { product: 'P', hours: 1, minutes: 60 };
    assert.match(message('en', 'mail.email_verification.what', { ...values, hours: 1 }), / 1 hour /);
    assert.match(message('en', 'mail.email_verification.what', { ...values, hours: 24 }), / 24 hours /);
    assert.match(message('fr', 'mail.email_verification.what', { ...values, hours: 24 }), / 24 heures /);
  });

  test('tells the time in UTC', () => {
    assert.equal(message('en', 'mail.when', { at: 0 }), 'When: January 1, 1970, 00:00 UTC');
    assert.equal(message('fr', 'mail.when', { at: 0 }), 'Quand\u00a0: 1 janvier 1970, 00:00 UTC');
  });

  test('in French keeps a colon on the line of its word', () => {
    for (const key of messageKeys('fr')) assert.doesNotMatch(message('fr', key, everyValue), / [:;!?»]/, key);
  });

  test('is said in English where the language is not spoken', () =>
    assert.equal(message('tlh', 'mail.sign_in.link'), 'Sign in'));

  test('that does not exist is a fault of ours', () => assert.throws(() => message('en', 'mail.nothing')));
});

test('RFC 9110 §12.5.4: of the languages that a client likes the best one that we speak', () => {
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
