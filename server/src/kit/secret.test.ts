import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  createToken,
  digest,
  equalDigests,
  parseToken,
  partsOfChosenText,
  type SecretKind,
} from './secret.ts';

const session: SecretKind = { kind: 'session', prefix: 'ses' };
const reset: SecretKind = { kind: 'reset', prefix: 'rst' };
const kinds: readonly SecretKind[] = [session, reset, { kind: 'device', prefix: 'dev' }];
const anyKind = fc.constantFrom(...kinds);

test('a token is parsed into the parts it was created from', () => {
  fc.assert(
    fc.property(anyKind, (kind) => {
      const { token, id, secretHash } = createToken(kind);
      assert.deepEqual(parseToken(kind, token), { id, secretHash });
    }),
  );
});

test('a token of one kind is not accepted as another kind', () => {
  for (const made of kinds) {
    const { token } = createToken(made);
    for (const asked of kinds)
      assert.equal(parseToken(asked, token) !== undefined, made === asked, `${made.kind} as ${asked.kind}`);
  }
});

test('the digest includes the kind: the same random part under another kind has a different digest', () => {
  const { token, secretHash } = createToken(session);
  const forged = token.replace('.ses_', '.rst_');
  assert.notDeepEqual(parseToken(reset, forged)?.secretHash, secretHash);
});

test('two tokens share no part, and the handle reveals neither the secret nor its digest', () => {
  const made = Array.from({ length: 1000 }, () => createToken(session));
  assert.equal(new Set(made.map(({ id }) => id)).size, made.length);
  assert.equal(new Set(made.map(({ token }) => token.slice(37))).size, made.length);
  assert.equal(
    new Set(made.map(({ secretHash }) => Buffer.from(secretHash).toString('hex'))).size,
    made.length,
  );
});

test('a secret has 256 random bits, and only the SHA-256 of the part after the dot is stored', () => {
  const { token, secretHash } = createToken(reset);
  const secret = token.slice(token.indexOf('.') + 1);
  assert.equal(Buffer.from(secret.slice('rst_'.length), 'base64url').length, 32);
  assert.equal(secretHash.byteLength, 32);
  assert.deepEqual(secretHash, digest(secret));
});

const sample = createToken(session).token;

test('a token with one changed character is malformed or has other parts', () => {
  const parts = parseToken(session, sample);
  fc.assert(
    fc.property(fc.nat(sample.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (place, character) => {
      fc.pre(sample[place] !== character);
      const changed = sample.slice(0, place) + character + sample.slice(place + 1);
      assert.notDeepEqual(parseToken(session, changed), parts);
    }),
  );
});

const [handle = '', secret = ''] = sample.split('.');

const malformed: Record<string, unknown> = {
  'nothing at all': undefined,
  null: null,
  'empty text': '',
  'white space': ' ',
  'a number': 1,
  'a list with a token in it': [sample],
  'an object that reads as a token': { toString: () => sample },
  'a String object': new String(sample),
  'the handle alone': handle,
  'the secret alone': secret,
  'the handle and the dot': `${handle}.`,
  'the dot and the secret': `.${secret}`,
  'a line break behind': `${sample}\n`,
  'a line break before': `\n${sample}`,
  'a space behind': `${sample} `,
  'a NUL behind': `${sample}\0`,
  'a character too many': `${sample}A`,
  'a character too few': sample.slice(0, -1),
  'a padded secret': `${sample}=`,
  'standard base64 in the secret': `${sample.slice(0, -2)}+/`,
  'the kind in capitals': sample.replace('.ses_', '.SES_'),
  'no kind': `${handle}.${secret.slice('ses_'.length)}`,
  'an unknown kind': sample.replace('.ses_', '.xyz_'),
  'the handle in capitals': `${'A'.repeat(8)}${sample.slice(8)}`,
  'another separator': sample.replace('.', ':'),
  'two dots': sample.replace('.', '..'),
  'two tokens': `${sample}${sample}`,
  'a letter from another script in the secret': `${sample.slice(0, -1)}\u0430`,
  'percent escapes': encodeURIComponent(sample).replace('.', '%2E'),
};

for (const [name, value] of Object.entries(malformed)) {
  test(`rejects a malformed token: ${name}`, () => {
    for (const kind of kinds) assert.equal(parseToken(kind, value), undefined);
  });
}

test('a chosen text has stable parts with a UUID as handle, which differ between kinds', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), anyKind, (text, kind) => {
      const parts = partsOfChosenText(kind, text);
      assert.deepEqual(partsOfChosenText(kind, text), parts);
      assert.match(parts.id, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
      assert.deepEqual(parts.secretHash, digest(text));
      for (const other of kinds)
        if (other !== kind) assert.notEqual(partsOfChosenText(other, text).id, parts.id);
    }),
  );
});

test('a chosen text that is a token of the kind keeps the parts of the token', () => {
  const { token, id, secretHash } = createToken(session);
  assert.deepEqual(partsOfChosenText(session, token), { id, secretHash });
  assert.notEqual(partsOfChosenText(reset, token).id, id);
});

test('digests are equal only if all bytes and the lengths are equal', () => {
  const [a, b] = [digest('a'), digest('b')];
  assert.equal(equalDigests(a, digest('a')), true);
  assert.equal(equalDigests(a, b), false);
  assert.equal(equalDigests(a, a.subarray(0, 31)), false);
  assert.equal(equalDigests(a, new Uint8Array()), false);
});
