import assert from 'node:assert/strict';
import { test } from 'node:test';
import { minuteMs } from '../../kit/clock.ts';
import { createToken } from '../../kit/secret.ts';
import { TokenCookie } from './token-cookie.ts';

const sessionKind = { kind: 'session', prefix: 'ses' };
const otherKind = { kind: 'reset', prefix: 'rst' };
const [first, second] = [createToken(sessionKind).token, createToken(sessionKind).token];
const local = new TokenCookie({
  name: 'session_id',
  kind: sessionKind,
  scope: { secure: false, prefix: '' },
});
const secure = new TokenCookie({
  name: 'session_id',
  kind: sessionKind,
  scope: { secure: true, prefix: '' },
});

test('in public mode only the name with the prefix __Host- is accepted, which no subdomain can set', () => {
  assert.equal(secure.read(`__Host-session_id=${first}`), first);
  for (const header of [
    `session_id=${first}`,
    `__host-session_id=${first}`,
    `__Host-session_id2=${first}`,
    `x__Host-session_id=${first}`,
    `__Secure-session_id=${first}`,
    `"__Host-session_id"=${first}`,
    `__Host-session_id =${first}`,
    `a=__Host-session_id=${first}`,
  ]) {
    assert.equal(secure.read(header), undefined, header);
  }
});

test('the first well-formed token is used', () => {
  assert.equal(local.read(`a=b; session_id=; session_id=x;session_id=${first}; session_id=${second}`), first);
  assert.equal(local.read(`__Host-session_id=${second}; session_id=${first}`), first);
});

test('a token of another kind is ignored', () => {
  assert.equal(local.read(`session_id=${createToken(otherKind).token}`), undefined);
});

test('a malformed Cookie header has no token', () => {
  for (const header of [
    undefined,
    '',
    ';',
    '=',
    'session_id',
    'session_id=',
    ';;;;',
    '\0',
    'session_id=%00',
  ]) {
    assert.equal(local.read(header), undefined);
  }
});

test('the cookie is valid for this host only, and unavailable to scripts and other sites', () => {
  assert.equal(
    local.write(first, minuteMs),
    `session_id=${first}; Max-Age=60; Path=/; HttpOnly; SameSite=Lax`,
  );
  assert.equal(
    secure.write(first, minuteMs),
    `__Host-session_id=${first}; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax`,
  );
  assert.match(secure.clear(), /^__Host-session_id=; Max-Age=0;/);
});
