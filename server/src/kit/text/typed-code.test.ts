import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalizeCode } from './typed-code.ts';

for (const [typed, expected] of [
  ['123456', '123456'],
  [' 123 456 ', '123456'],
  ['123\u00a0456', '123456'],
  ['123-456', '123456'],
  ['123\u2013456', '123456'],
  ['１２３４５６', '123456'],
  ['ＡＢ２Ｃ', 'AB2C'],
  ['\u200b12\u20603456\ufeff', '123456'],
  ['٠١٢٣٤٥٦٧٨٩', '0123456789'],
  ['०१२३४५६७८९', '0123456789'],
  ['', ''],
] as const)
  test(`the code ${JSON.stringify(typed)} is read as ${expected}`, () =>
    assert.equal(normalizeCode(typed), expected));

test('each decimal digit of Unicode is read as an ASCII digit', () => {
  for (let point = 0; point < 0x110000; point += 1) {
    const character = String.fromCodePoint(point);
    if (/\p{Nd}/u.test(character)) assert.match(normalizeCode(character), /^\d$/, point.toString(16));
  }
});
