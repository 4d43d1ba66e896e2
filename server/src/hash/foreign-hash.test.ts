import { hashSync } from '@node-rs/argon2';
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Hasher } from './hasher.ts';

/** SSHA-256 of the same sentence in normal form C and in form D, created with Python. */
const sentence = 'Zoé aime le thé vert';
const hashOfC = '{SSHA256}uRCbKp3n+XcQHg+j2i0CKEb7rcw17EoFpI/Cnuqw8+1zYWx0c2FsdA==';
const hashOfD = '{SSHA256}x3TDcPApGQ4o0BKD89O276aRDhYo1VaBTdgik6KUdrtzYWx0c2FsdA==';

describe('a hash of another product', () => {
  const hasher = new Hasher({ threads: 1 });
  after(() => hasher.close());

  test('matches and is outdated, so that the login replaces it', async () => {
    assert.deepEqual(await hasher.verify(hashOfC, sentence), { matches: true, outdated: true });
    assert.deepEqual(await hasher.verify(hashOfC, 'another sentence'), { matches: false, outdated: false });
  });

  test('matches the password as typed and in normal form C', async () => {
    const typed = sentence.normalize('NFD');
    assert.equal((await hasher.verify(hashOfD, typed)).matches, true);
    assert.equal((await hasher.verify(hashOfC, typed)).matches, true);
    assert.equal(
      (await hasher.verify(hashOfD, sentence)).matches,
      false,
      'a form that was not typed is not compared',
    );
  });

  test('that is argon2id with other parameters matches, but is outdated', async () => {
    const twoLanes = hashSync('password', { memoryCost: 19_456, timeCost: 2, parallelism: 2 });
    assert.deepEqual(await hasher.verify(twoLanes, 'password'), { matches: true, outdated: true });
    assert.deepEqual(await hasher.verify(await hasher.hash('password'), 'password'), {
      matches: true,
      outdated: false,
    });
  });

  for (const unreadable of [
    'password',
    '$argon2id$v=19$m=9999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  ]) {
    test(`that cannot be parsed (${unreadable.slice(0, 9)}…) does not match, and the result says why`, async () => {
      const { matches, outdated, unreadable: reason } = await hasher.verify(unreadable, 'password');
      assert.deepEqual({ matches, outdated }, { matches: false, outdated: false });
      assert.match(reason ?? '', /^The (hash|argon2) /);
    });
  }
});
