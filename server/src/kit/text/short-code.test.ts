import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createShortCode, parseShortCode } from './short-code.ts';

test('a code has eight unambiguous characters, and each code is different', () => {
  const codes = Array.from({ length: 2000 }, createShortCode);
  for (const code of codes) assert.match(code, /^[2-9A-HJKMNP-TV-Z]{4}-[2-9A-HJKMNP-TV-Z]{4}$/);
  assert.equal(new Set(codes).size, codes.length);
});

test('a code is accepted in any case, with spaces or dashes', () => {
  for (const typed of ['K7QM-2NXP', 'k7qm2nxp', ' K7QM 2NXP ', 'K7QM–2NXP', 'k 7 q m - 2 n x p'])
    assert.equal(parseShortCode(typed), 'K7QM2NXP', typed);
});

test('a malformed code is rejected', () => {
  for (const typed of [
    '',
    'K7QM-2NX',
    'K7QM-2NXPP',
    'K7QM-2NX0',
    'K7QM-2NXI',
    'K7QM_2NXP',
    'a'.repeat(1000),
    8,
    null,
    undefined,
    ['K7QM-2NXP'],
  ])
    assert.equal(parseShortCode(typed), undefined, String(typed));
});
