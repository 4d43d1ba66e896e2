import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable, printableLine } from './printable.ts';

test('control characters are shown instead of sent to a terminal', () => {
  const escape = '\u001B]0;title\u0007\u001B[2J';
  assert.equal(printable(escape), String.raw`\u001b]0;title\u0007\u001b[2J`);
  assert.equal(printable('a\nb\r\u007F\u009B31m\u202Ec'), 'a\nb\\u000d\\u007f\\u009b31m\\u202ec');
  assert.equal(printable('Zoë 💡 e\u0301 العربية'), 'Zoë 💡 e\u0301 العربية');
  assert.equal(printableLine(' 550 no\r\n such\tuser \u001B'), String.raw`550 no such user \u001b`);
});

test('JSON stays JSON with the same content', () => {
  const value = { says: 'a\u009B31m\u202E\n\u001B"' };
  const text = printable(JSON.stringify(value, null, 2));
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\u202E]/u);
  assert.deepEqual(JSON.parse(text), value);
});
