import fc from 'fast-check';
import assert from 'node:assert/strict';
import { createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, test } from 'node:test';
import { createKey, DecryptionFault, formatKeys, Keyring, KeysRefused, parseKeys } from './keyring.ts';

const [first, second] = [createKey(), createKey()];

describe('keyring encryption', () => {
  const ring = new Keyring([first]);

  test('decrypts what it encrypted, for any text and context', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, context) => {
        assert.equal(ring.decrypt('totp', ring.encrypt('totp', text, context), context), text);
      }),
    );
  });

  test('uses AES-256-GCM with a 96-bit nonce in front, a key from HKDF-SHA-256 (RFC 5869) and the purpose as associated data', () => {
    const [version, id, body] = ring.encrypt('totp', 'secret', 'row 7').split('.');
    assert.deepEqual([version, id], ['v1', first.id]);
    const bytes = Buffer.from(body ?? '', 'base64url');
    const key = Buffer.from(hkdfSync('sha256', first.secret, '', 'bienvenue encrypt totp', 32));
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12));
    decipher
      .setAAD(Buffer.from(JSON.stringify(['v1', first.id, 'totp', 'row 7'])))
      .setAuthTag(bytes.subarray(-16));
    assert.equal(
      decipher.update(bytes.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8'),
      'secret',
    );
  });

  test('produces a different text each time', () => {
    assert.equal(new Set(Array.from({ length: 100 }, () => ring.encrypt('totp', 'secret'))).size, 100);
  });

  test('rejects a changed character, a truncated text, and another purpose, context or ring', () => {
    const text = ring.encrypt('totp', 'secret', 'row 7');
    for (let i = 0; i < text.length; i += 1) {
      const other = text[i] === 'A' ? 'B' : 'A';
      const changed = text.slice(0, i) + other + text.slice(i + 1);
      assert.throws(() => ring.decrypt('totp', changed, 'row 7'), DecryptionFault, changed);
      assert.throws(() => ring.decrypt('totp', text.slice(0, i), 'row 7'), DecryptionFault);
    }
    assert.throws(() => ring.decrypt('mail', text, 'row 7'), DecryptionFault);
    assert.throws(() => ring.decrypt('totp', text, 'row 8'), DecryptionFault);
    assert.throws(() => ring.decrypt('totp', text), DecryptionFault);
    assert.throws(() => new Keyring([second]).decrypt('totp', text, 'row 7'), /which is missing/);
    assert.throws(
      () => new Keyring([{ ...second, id: first.id }]).decrypt('totp', text, 'row 7'),
      DecryptionFault,
    );
  });

  test('accepts one encoding per text: unused bits of base64url must be zero', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const text = ring.encrypt('totp', 'secret');
    const spellings = Array.from(alphabet, (last) => text.slice(0, -1) + last);
    for (const spelling of spellings) {
      if (spelling !== text) assert.throws(() => ring.decrypt('totp', spelling), DecryptionFault);
    }
  });

  test('keeps purpose and context apart', () => {
    const text = ring.encrypt('a', 'secret', 'bc');
    assert.throws(() => ring.decrypt('ab', text, 'c'), DecryptionFault);
  });
});

describe('keyring MACs', () => {
  const ring = new Keyring([first]);

  test('use HMAC-SHA-256 with a separate key for each purpose', () => {
    const key = Buffer.from(hkdfSync('sha256', first.secret, '', 'bienvenue mac audit', 32));
    assert.equal(
      ring.mac('audit', 'text'),
      `${first.id}.${createHmac('sha256', key).update('text').digest('base64url')}`,
    );
  });

  test('match only their own text, purpose and key', () => {
    const mac = ring.mac('audit', 'text');
    assert.equal(ring.checkMac('audit', 'text', mac), true);
    assert.equal(ring.checkMac('audit', 'texu', mac), false);
    assert.equal(ring.checkMac('mail', 'text', mac), false);
    assert.equal(new Keyring([second]).checkMac('audit', 'text', mac), false);
    assert.equal(new Keyring([{ ...second, id: first.id }]).checkMac('audit', 'text', mac), false);
    for (const garbage of [
      '',
      '.',
      first.id,
      `${first.id}.`,
      mac.slice(0, -1),
      `${mac}A`,
      ` ${mac}`,
      `${mac}\n`,
    ]) {
      assert.equal(ring.checkMac('audit', 'text', garbage), false, garbage);
    }
  });
});

describe('a keyring of several keys', () => {
  test('encrypts with the first key and decrypts with all keys', () => {
    const old = new Keyring([first]);
    const ring = new Keyring([second, first]);
    assert.deepEqual(ring.ids, [second.id, first.id]);
    assert.equal(ring.decrypt('totp', old.encrypt('totp', 'secret')), 'secret');
    assert.equal(ring.checkMac('audit', 'text', old.mac('audit', 'text')), true);
    assert.equal(ring.encrypt('totp', 'secret').split('.')[1], second.id);
    assert.equal(ring.mac('audit', 'text').split('.')[0], second.id);
  });

  test('has a check value for each key, which differs for another key of the same id', () => {
    const values = new Keyring([second, first]).checkValues();
    assert.deepEqual([...values.keys()], [second.id, first.id]);
    assert.equal(values.get(first.id), new Keyring([first]).checkValues().get(first.id));
    assert.notEqual(
      values.get(first.id),
      new Keyring([{ ...second, id: first.id }]).checkValues().get(first.id),
    );
  });

  test('rejects an empty list of keys', () => {
    assert.throws(() => new Keyring([]), KeysRefused);
  });

  test('does not reveal keys when it is printed', () => {
    const ring = new Keyring([first]);
    ring.mac('audit', 'text');
    const secret = Buffer.from(first.secret);
    for (const shown of [inspect(ring, { depth: 9, showHidden: true }), JSON.stringify(ring)]) {
      for (const form of ['hex', 'base64', 'base64url'] as const)
        assert.ok(!shown.includes(secret.toString(form)));
      assert.ok(!shown.includes(`${secret[0]}, ${secret[1]}, ${secret[2]}`));
    }
  });
});

describe('the text format of keys', () => {
  test('is parsed to the keys that were formatted', () => {
    assert.deepEqual(
      parseKeys(formatKeys([second, first])).map(({ id, secret }) => [
        id,
        Buffer.from(secret).toString('hex'),
      ]),
      [second, first].map(({ id, secret }) => [id, Buffer.from(secret).toString('hex')]),
    );
  });

  test('accepts one line with commas, comments, empty lines, and keys as openssl prints them', () => {
    const base64 = Buffer.from(first.secret).toString('base64');
    const text = `# the newest\r\nspring-2026 \t ${base64}\r\n\r\n,b ${Buffer.from(second.secret).toString('base64url')}`;
    assert.deepEqual(
      parseKeys(text).map(({ id }) => id),
      ['spring-2026', 'b'],
    );
    assert.deepEqual(Buffer.from(parseKeys(text)[0]?.secret ?? []), Buffer.from(first.secret));
  });

  const good = Buffer.from(first.secret).toString('base64url');
  for (const [why, text] of [
    ['empty', ''],
    ['only comments', '# nothing'],
    ['a key without an id', good],
    ['an id without a key', 'a '],
    ['a key of 31 bytes', `a ${Buffer.alloc(31).toString('base64url')}`],
    ['a key of 33 bytes', `a ${Buffer.alloc(33).toString('base64url')}`],
    ['a key with an invalid character', `a ${good.slice(0, -1)}!`],
    ['an id with a dot, which separates the parts of an encrypted text', `a.b ${good}`],
    ['three words', `a ${good} b`],
    ['a duplicate id', `a ${good}\na ${Buffer.from(second.secret).toString('base64url')}`],
    ['a valid key and an invalid one', `a ${good}\nb bad`],
  ] as const) {
    test(`rejects ${why === 'empty' ? 'an empty text' : why}, without quoting a key`, () => {
      assert.throws(
        () => parseKeys(text),
        (error) => error instanceof KeysRefused && !error.message.includes(good.slice(0, 8)),
      );
    });
  }
});
