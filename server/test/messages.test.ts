// The messages of all modules, in every language.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { languages, message, messageKeys, rawMessage, defaultLanguage } from '../src/kit/language.ts';
import { allEvents } from '../src/app/event-list.ts';
import { modules } from '../src/app/modules.ts';

const source = join(import.meta.dirname, '../src');

/** Names of the placeholders of a message. */
const namesIn = (text: string): string[] =>
  [...new Set([...text.matchAll(/\{(\w+)(?=[,}])/g)].map(([, name = '']) => name))].toSorted();

/** A value for every placeholder: a number selects a plural form, an instant, and the last form of a choice. */
const everyValue: Readonly<Record<string, number>> = Object.fromEntries(
  languages()
    .flatMap((language) => messageKeys(language).map((key) => rawMessage(language, key) ?? ''))
    .flatMap(namesIn)
    .map((name) => [name, 1]),
);

describe('the message catalogs', () => {
  test('there are English and French', () => {
    assert.ok(modules.length > 10); // loading them has added their messages
    assert.ok(Object.keys(everyValue).length > 20, 'the placeholders are found');
    assert.deepEqual([...languages()].toSorted(), ['en', 'fr']);
  });

  test('each language has the same messages with the same placeholders', () => {
    const keys = [...messageKeys(defaultLanguage)].toSorted();
    assert.ok(keys.length > 30);
    for (const language of languages()) {
      assert.deepEqual(
        [...messageKeys(language)].toSorted(),
        keys,
        `messages/${language}.json of each module has the keys of its en.json`,
      );
      for (const key of keys) {
        const [text = '', usual = ''] = [rawMessage(language, key), rawMessage(defaultLanguage, key)];
        assert.deepEqual(namesIn(text), namesIn(usual), `${language} ${key} has the placeholders of en`);
      }
    }
  });

  test('each message can be formatted, and none is empty', () => {
    for (const language of languages())
      for (const key of messageKeys(language))
        assert.notEqual(message(language, key, everyValue).trim(), '', `${language} ${key}`);
  });

  test('each event that the activity page shows has a sentence, and each hidden one has none', () => {
    assert.ok(allEvents.length > 40);
    for (const language of languages()) {
      const keys = new Set(messageKeys(language));
      for (const { name, shownAs } of allEvents)
        assert.equal(
          keys.has(`page.event.${name}`),
          shownAs !== 'hidden',
          `${language}: page.event.${name} is there unless the event is shown as hidden`,
        );
    }
  });

  test('each sentence of an event uses nothing but its facts, and that of a refusal tells how often', () => {
    for (const language of languages())
      for (const { name: event, shownAs, facts } of allEvents.filter((one) => one.shownAs !== 'hidden')) {
        const known = [...Object.keys(facts), ...(shownAs === 'refusal' ? ['count'] : [])];
        const key = `page.event.${event}`;
        const text = rawMessage(language, key) ?? '';
        assert.deepEqual(
          namesIn(text).filter((name) => !known.includes(name)),
          [],
          `${key} uses the facts of its event only`,
        );
        if (shownAs !== 'refusal') continue;
        const often = message(language, key, { ...everyValue, count: 4 });
        assert.notEqual(message(language, key, { ...everyValue, count: 1 }), often, `${language} ${key}`);
        assert.match(often, /4/, `${language} ${key}`);
      }
  });

  test('each message is used in the source', () => {
    const files = globSync('**/*.ts', { cwd: source, exclude: ['**/*.test.ts', '**/test/**'] });
    const texts = files.map((file) => readFileSync(join(source, file), 'utf8')).join('\n');
    const found = (pattern: RegExp): Set<string> => new Set(texts.match(pattern));
    const words = found(/\w+/g);
    const quoted = found(/'[\w.]+'/g);
    const translated = found(/\bt\('[\w.]+'/g);
    const begins = found(/`[\w.]+\$\{/g);
    const ends = found(/\}[\w.]+`/g);
    // The key of a text of a mail or page is composed of the name and the part.
    const isUsed = (key: string): boolean => {
      const [group = '', name = '', what = ''] = key.split('.');
      const whole = quoted.has(`'${key}'`) || translated.has(`t('${key.slice(group.length + 1)}'`);
      const parts = words.has(name) && ends.has(`}.${what}\``);
      // Or of a code of something else: an event, a problem, a factor.
      const isOne = begins.has(`\`${group}.${name}.\${`);
      // Or it is a variant of a mail, named after a factor and the change.
      const isVariant = group === 'mail' && ['first_factor', 'factor_changed'].includes(name);
      return whole || isOne || isVariant || (what !== '' && parts);
    };
    assert.deepEqual(
      messageKeys(defaultLanguage).filter((key) => !isUsed(key)),
      [],
      'remove these messages from every language, or use them',
    );
  });

  test('French pages and emails do not break the word “e‑mail” at its hyphen', () => {
    for (const key of messageKeys('fr')) assert.doesNotMatch(rawMessage('fr', key) ?? '', /e-mail/i, key);
  });

  test('French texts keep a colon on the line of its word', () => {
    for (const key of messageKeys('fr'))
      assert.doesNotMatch(
        message('fr', key, everyValue),
        / [:;!?»]/,
        `${key}: write a no-break space (U+00A0) before : ; ! ? »`,
      );
  });
});
