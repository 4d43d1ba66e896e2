import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tokenKind, tokenLink } from './kinds.ts';
import { tokenEvents } from './event.ts';

const row = {
  kind: 'sample',
  prefix: 'smp',
  minutes: 10,
  page: { path: '/sample', name: 'sample' },
  route: '/samples',
  refusalEvent: tokenEvents.token_refused,
} as const;
const parts = { email: 'ada+b@example.org', token: 'the token' };

test('a flag that a row omits is false', () => {
  const { namesAccount, survivesPasswordChange, restoresAddress } = tokenKind(row);
  assert.deepEqual([namesAccount, survivesPasswordChange, restoresAddress], [false, false, false]);
  assert.equal(tokenKind({ ...row, survivesPasswordChange: true }).survivesPasswordChange, true);
});

test('a link carries the address only if the kind names the account', () => {
  const origin = 'https://accounts.test';
  assert.equal(tokenLink(origin, tokenKind(row), parts), `${origin}/sample?token=the+token`);
  assert.equal(
    tokenLink(origin, tokenKind({ ...row, namesAccount: true }), { ...parts, returnTo: '/a?b=c&d' }),
    `${origin}/sample?email=ada%2Bb%40example.org&token=the+token&return_to=%2Fa%3Fb%3Dc%26d`,
  );
});
