import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toFactorLabel } from './fields.ts';

test('a label that was typed loses its control characters and the space around it, and is cut to sixty', () => {
  assert.equal(toFactorLabel('  my\u0000 old\n\tphone \u007f'), 'my oldphone');
  assert.equal(toFactorLabel(`  ${'x'.repeat(61)}`), 'x'.repeat(60));
});

test('where nothing is left, nothing was typed', () => {
  for (const typed of [undefined, '', '   ', '\u0000 \n']) assert.equal(toFactorLabel(typed), undefined);
});
