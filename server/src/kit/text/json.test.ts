import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { anyCharacter } from '../../../test/support/any-character.ts';
import { findRepeatedMember } from './json.ts';

const repeated: Readonly<Record<string, [text: string, name: string]>> = {
  'a plain name': ['{"a":1,"a":1}', 'a'],
  'a name in other spellings': [String.raw`{"\u0065mail":"b","em\u0061il":"a"}`, 'email'],
  'a name with a quote and a backslash': [String.raw`{"\"\\":1,"\u0022\u005c":2}`, String.raw`"\ `.trim()],
  'white space before the colon': ['{"a" :1,\n\t"a"\r\n:2}', 'a'],
  'the empty name': ['{"":1,"":2}', ''],
  'an object in a list': ['[[1,{"a":[{"b":{},"c":"}","b":0}]}]]', 'b'],
  'a name after an inner object that has it too': ['{"a":{"a":1},"a":2}', 'a'],
  'names of the prototype': ['{"toString":1,"toString":2}', 'toString'],
  'a byte order mark': ['\ufeff{"a":1,"a":2}', 'a'],
};
const different: readonly string[] = [
  '{}',
  '"a"',
  '{"a":"a","b":"a"}',
  '{"a":{"a":{"a":[{"a":1},{"a":1}]}}}',
  '{"a":"\\"a\\":1,{","b":"\\\\","c":"}"}',
  '{"a":1,"A":1,"a ":1,"\u0430":1}',
  '[{"a":1},{"a":1}]',
];

describe('findRepeatedMember', () => {
  for (const [title, [text, name]] of Object.entries(repeated))
    test(`finds ${title}`, () => assert.equal(findRepeatedMember(text), name));

  test('finds nothing where all names of an object are different', () => {
    for (const text of different) {
      JSON.parse(text);
      assert.equal(findRepeatedMember(text), undefined, text);
    }
  });

  test('finds nothing in what JSON.stringify writes, and a member that is added anywhere', () => {
    const object = fc.dictionary(fc.string({ unit: anyCharacter }), fc.jsonValue({ maxDepth: 3 }), {
      noNullPrototype: true,
    });
    fc.assert(
      fc.property(object, fc.string({ unit: anyCharacter }), fc.nat(3), (value, name, depth) => {
        const text = JSON.stringify(value);
        assert.equal(findRepeatedMember(text), undefined);
        const escaped = [
          ...JSON.stringify(name)
            .slice(1, -1)
            .matchAll(/\\u[\da-f]{4}|\\.|[^]/g),
        ].map(([part]) =>
          part.length === 1 ? `\\u${part.charCodeAt(0).toString(16).padStart(4, '0')}` : part,
        );
        const inner = `{${JSON.stringify(name)}:${text},"${escaped.join('')}":${text}}`;
        const outer = `${'{"x":['.repeat(depth)}${inner}${']}'.repeat(depth)}`;
        JSON.parse(outer);
        assert.equal(findRepeatedMember(outer), name);
      }),
    );
  });

  test('takes linear time for any text of the size of a body', () => {
    for (const text of [
      '['.repeat(8000) + ']'.repeat(8000),
      `"${'\\\\'.repeat(8000)}"`,
      `{"a":"${'a'.repeat(16_000)}"}`,
    ]) {
      JSON.parse(text);
      const begun = process.cpuUsage();
      findRepeatedMember(text);
      assert.ok(process.cpuUsage(begun).user < 500_000, 'half a second of the processor');
    }
  });
});
