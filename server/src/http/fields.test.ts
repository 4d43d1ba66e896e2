import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toFactorLabel } from './fields.ts';

test('removes control characters and surrounding spaces from a factor label and truncates it to 60 characters', () => {
  assert.equal(toFactorLabel('  my\u0000 old\n\tphone \u007f'), 'my oldphone');
  assert.equal(toFactorLabel(`  ${'x'.repeat(61)}`), 'x'.repeat(60));
});

test('returns undefined for an empty factor label', () => {
  for (const typed of [undefined, '', '   ', '\u0000 \n']) assert.equal(toFactorLabel(typed), undefined);
});
