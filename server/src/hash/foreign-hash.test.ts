import { hashSync } from '@node-rs/argon2';
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { patient } from '../../test/support/hashing.ts';
import { Hasher } from './hasher.ts';

/** "päss wörd" in normal form D. */
const decomposed = 'pa\u0308ss wo\u0308rd';
/** Hashes of it, by programs that hash a password as typed. The first two look like hashes of this service. */
const hashesOfDecomposed: Readonly<Record<string, string>> = {
  'argon2id, PHP 8.2 as Laravel calls it':
    '$argon2id$v=19$m=65536,t=4,p=1$a0JLNkhsdkMuSGV2M3hQWA$ruzL2I73q1aKnmBeTOsTUuJxltFDULAGYady7scN6qA',
  'argon2id, argon2-cffi 21.1 with one lane':
    '$argon2id$v=19$m=19456,t=2,p=1$4a1QHN7gOMMpZC/pv6JxQg$RUcYtOgBzEGt8RMUoXgmkw',
  'bcrypt, htpasswd 2.4': '$2y$05$pE4nLgy8/NnX6jPQJ2t6yuZUxF13pAqDYK0rNwQNWizqAuLVNoY3W',
  'PBKDF2, Django 3.2': 'pbkdf2_sha256$1000$seasalt$2Q3vQbk+axwudmEQ31GPIwOswjneTOFdYBlX6mXLNBE=',
  'SSHA-512, doveadm 2.3':
    '{SSHA512}dvUWCLzP7NjjxB9IHrEeP3Y1c8lr3+MUraEtuXUB78x9otvDbnpTuGeIKiyKFLataMFrD9XOcht86CqvI8QpvcMOaEI=',
};

/** Hashes of the empty password. */
const hashesOfEmpty: Readonly<Record<string, string>> = {
  'argon2id, PHP 8.2 with one thread':
    '$argon2id$v=19$m=65536,t=4,p=1$SEVlWkFKTEp3RUJkM0FkTg$HGPs+ythsbuxYx6GkxY9KlvWb/Kiues0HPNYQWHdye4',
  'bcrypt, PHP 8.2': '$2y$05$m/GShyFB22lagBVKT1Qx/OfNirW8Pg.oBlUauJIsaBCYX.WMWbLGu',
  'SHA-1, slappasswd 2.5': '{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=',
  'PBKDF2, Django 3.2': 'pbkdf2_sha256$1000$seasalt$XHfRVmyEZRTCcSbqGP00JKv0fRwYHK0ogjPZdSJxCXk=',
  'bcrypt of WordPress, PHP 8.2': '$wp$2y$05$XA9WzmBcJfVxFcLVCdapn.MngC8j2ocKc5Nam1gyH8Gp5vP9Z8LNG',
  'phpass, passlib 1.7.4': '$P$6Z7Jert0E4NMw5/impbhR1k9wwG.VS/',
};

/** SSHA-256 of the same sentence in normal form C and in form D, created with Python. */
const sentence = 'Zoé aime le thé vert';
const hashOfC = '{SSHA256}uRCbKp3n+XcQHg+j2i0CKEb7rcw17EoFpI/Cnuqw8+1zYWx0c2FsdA==';
const hashOfD = '{SSHA256}x3TDcPApGQ4o0BKD89O276aRDhYo1VaBTdgik6KUdrtzYWx0c2FsdA==';

describe('a hash of another product', () => {
  const hasher = new Hasher({ ...patient, threads: 1 });
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

  for (const [program, hash] of Object.entries(hashesOfDecomposed)) {
    test(`of a password in normal form D (${program}) matches it as typed, and is outdated`, async () => {
      assert.deepEqual(await hasher.verify(hash, decomposed), { matches: true, outdated: true });
      assert.deepEqual(await hasher.verify(hash, `${decomposed}x`), { matches: false, outdated: false });
    });
  }

  for (const [program, hash] of Object.entries(hashesOfEmpty)) {
    test(`of the empty password (${program}) matches no password`, async () => {
      for (const password of ['', ' ', '\0', '\0\0', 'x'])
        assert.deepEqual(await hasher.verify(hash, password), { matches: false, outdated: false });
    });
  }

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
