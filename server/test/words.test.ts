// Holds the language of comments, test titles, texts and documentation to plain technical English (support/words.ts).
// Mannerisms that existed when the rule was made are recorded in words-ceilings.json; their number may only fall.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ceilingFaults, readCeilings } from './support/ceilings.ts';
import {
  catalogPassages,
  mannerismsIn,
  proseOf,
  rateCeilings,
  rateFaults,
  ratesOf,
  readPassages,
  sourcePassages,
  wordFindings,
} from './support/words.ts';

const passages = readPassages(join(import.meta.dirname, '../..'));
const ceilings = readCeilings('words');
const remedy = 'write it in plain English; if a ceiling can be lowered, run "npm run ceilings"';

test('no file has more mannerisms than are recorded', () => {
  assert.deepEqual(ceilingFaults(wordFindings(passages), ceilings.files), [], remedy);
});

test('no group of texts has more mannerisms per 1,000 words than is recorded', () => {
  assert.deepEqual(rateFaults(ratesOf(passages), ceilings.rates), [], remedy);
});

test('texts of every group are read', () => {
  const rates = ratesOf(passages);
  assert.deepEqual(Object.keys(rates), [
    'command line',
    'comments',
    'comments of tests',
    'comments of tools',
    'docs',
    'mails',
    'options',
    'other texts',
    'pages',
    'problems',
    'titles of tests',
  ]);
  for (const [group, { words }] of Object.entries(rates))
    assert.ok(words > 100, `${group} has ${words} words`);
});

const mannered = [
  'for whoever asks',
  'of whom one is asked',
  'for who has lost it',
  'tells of success',
  'the owner is told',
  'there is none',
  'for nobody',
  'as somebody else',
  'begin anew',
  'prove once more',
  'in the place of the older one',
  'meanwhile',
  'the deed and its row',
  'all at once',
  'both alike',
  'the code beside it',
  'what is none of ours',
];

describe('it reports', () => {
  const expected = mannered.filter((phrase) => phrase !== 'there is none');
  for (const phrase of expected) {
    test(`"${phrase}" in a comment, a title, a text, a mail and a page of documentation`, () => {
      const counts = (path: string, text: string): number[] =>
        sourcePassages(path, text).map((one) => mannerismsIn(one.text).length);
      const [once, code] = [1, 0];
      assert.deepEqual(counts('server/src/kit/id.ts', `/** It is ${phrase} here. */`), [once, code]);
      assert.deepEqual(counts('server/src/cli/command/key.ts', `say('it is ${phrase} here');`), [0, once]);
      assert.deepEqual(counts('server/src/kit/id.test.ts', `test('it is ${phrase}', run);`), [0, once]);
      const [mails, pages] = catalogPassages('en.json', JSON.stringify({ 'mail.a.b': phrase, 'page.a': '' }));
      assert.deepEqual(
        [mails, pages].map((one) => mannerismsIn(one?.text ?? '').length),
        [once, 0],
      );
      assert.equal(mannerismsIn(proseOf(`It is ${phrase}.`)).length, once);
    });
  }
});

test('it reports a mannerism that a line break divides', () => {
  assert.deepEqual(mannerismsIn('// all at\n// once'), ['at once']);
  assert.deepEqual(mannerismsIn('/**\n * for\n * who has\n */'), ['for who']);
});

test('it leaves out code, quotations, addresses and plain English', () => {
  const page = [
    'The outcome is one of `nobody` and "the owner is told"; see [events](somebody.md).',
    '> He told me.',
    '```sh',
    'echo meanwhile',
    '```',
    '<!-- anew -->',
    'Besides, tell the reader whose turn it is: those who sign in.',
  ].join('\n');
  assert.deepEqual(mannerismsIn(proseOf(page)), []);
  const source = `import { nobody } from './somebody.ts'; // plain\nconst told = 'anew';`;
  assert.deepEqual(
    sourcePassages('server/src/user/user.ts', source).flatMap(({ text }) => mannerismsIn(text)),
    [],
  );
});

test('it reports a file and a group above their ceilings, and a ceiling that can be lowered', () => {
  const texts = [
    { group: 'docs', path: 'a.md', text: 'The owner is told. '.repeat(2) },
    { group: 'docs', path: 'b.md', text: 'word '.repeat(992) },
  ];
  const found = wordFindings(texts);
  assert.deepEqual(ceilingFaults(found, { mannerisms: { 'a.md': 2 } }), []);
  assert.deepEqual(ceilingFaults(found, {}), ['mannerisms: a.md has 2, allowed are 0']);
  assert.deepEqual(ceilingFaults(found, { mannerisms: { 'a.md': 3 } }), [
    'mannerisms: a.md has 2; lower its ceiling of 3',
  ]);
  const rates = ratesOf(texts);
  assert.deepEqual(rateCeilings(rates), { docs: 2 });
  assert.deepEqual(rateFaults(rates, { docs: 2 }), []);
  assert.deepEqual(rateFaults(rates, { docs: 3 }), [], 'a rate moves with every edit');
  assert.deepEqual(rateFaults(rates, { docs: 1.9 }), [
    'docs have 2.0 mannerisms per 1,000 words, allowed are 1.9',
  ]);
  assert.deepEqual(rateFaults(rates, { docs: 3.1 }), [
    'docs have 2.0 mannerisms per 1,000 words; lower the ceiling of 3.1 to 2',
  ]);
});
