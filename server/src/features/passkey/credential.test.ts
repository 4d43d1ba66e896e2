import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRegistration } from './credential.ts';

test('a credential that repeats a member is malformed, as the body of a request would be', () => {
  const response = '"clientDataJSON":"a","attestationObject":"b"';
  const credential = (members: string, inner = response): string =>
    `{"id":"x","type":"public-key",${members}"response":{${inner}}}`;
  assert.ok(parseRegistration(credential('')) !== undefined);
  for (const text of [
    credential('"id":"y",'),
    credential(String.raw`"\u0069d":"x",`),
    credential('', `${response},"attestationObject":"c"`),
  ])
    assert.equal(parseRegistration(text), undefined, text);
});
