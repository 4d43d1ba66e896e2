// Tests which passwords the blocklist rejects.
import fc from 'fast-check';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Blocklist } from './blocklist.ts';

const email = 'Guillaume.Salva@holberton.io';
const blocklist = new Blocklist({ minLength: 15, names: ['Bienvenue', 'login.example.org'] });

const common = /^is one of the passwords/;
const barelyMore = /^is little more than a password/;
const padding = /^is little more than your address/;

describe('the blocklist rejects', () => {
  for (const [why, password, reason] of [
    ['a common password', '1qaz2wsx3edc4rfv', common],
    ['a common password in capitals', '1QAZ2WSX3EDC4RFV', common],
    ['a common password in full-width letters', '１ｑａｚ２ｗｓｘ３ｅｄｃ４ｒｆｖ', common],
    ['a common password twice', 'sunshinesunshine', barelyMore],
    ['a common password once and a half', 'Sunshinesunshin', barelyMore],
    ['a common password and digits in a row', 'sunshine1234567', barelyMore],
    ['a common password behind digits that go down', '7654321sunshine', barelyMore],
    ['a common password and one sign over and over', 'sunshine!!!!!!!', barelyMore],
    ['a common password and the name of the service', 'bienvenuesunshine', barelyMore],
    ['a short common password over and over', 'monkeymonkeymonkey', padding],
    ['one letter over and over', 'aaaaaaaaaaaaaaa', padding],
    ['a space over and over', ' '.repeat(15), padding],
    ['a cat over and over', '🐱'.repeat(15), padding],
    ['digits in a row', '123456789012345', padding],
    ['digits in a row backwards', '543210987654321', padding],
    ['digits two by two', '112233445566778899', padding],
    ['the alphabet', 'abcdefghijklmno', padding],
    ['two rows of a keyboard', 'qwertyuiopasdfgh', padding],
    ['rows of a French keyboard', 'azertyuiopqsdfg', padding],
    ['rows of a German keyboard, backwards', 'poiuztrewqmnbvcxy', padding],
    ['columns of a keyboard', '3e4r5t6y7u8i9o0p', padding],
    ['three letters over and over', 'xyqxyqxyqxyqxyq', padding],
    ['seven letters over and over', 'kxdwqpmkxdwqpmkxdw', padding],
    ['the name of the service over and over', 'bienvenuebienvenue', padding],
    ['the host of the service', 'login.example.org', padding],
    ['the address', 'guillaume.salva@holberton.io', padding],
    ['the address with a digit or two', 'guillaume.salva@holberton.io42', padding],
    ['the name in the address over and over', 'GuillaumeGuillaume', padding],
    ['the parts of the address in another order', 'holberton-salva-guillaume', padding],
  ] as const) {
    test(why, async () => {
      assert.ok(password.length >= 15);
      assert.match((await blocklist.reasonAgainst(password, email)) ?? 'nothing', reason);
    });
  }
});

describe('the blocklist accepts', () => {
  for (const [why, password] of [
    ['four unrelated words', 'correct horse battery staple'],
    ['a sentence with the words of the address in it', 'guillaume mange une tarte'],
    ['a sentence in which keys lie side by side', 'were there trees in june?'],
    ['a sentence with a year', 'born in 1234 and still here'],
    ['a common password among others', 'sunshine on my left elbow'],
    ['a long piece twice', 'a rather long piece a rather long piece'],
    ['signs of another alphabet', 'τέσσερις άσχετες λέξεις'],
    ['signs without case', '四つの無関係な言葉をつなげたもの'],
    ['random letters', 'hvqzjkwpxbtmrgf'],
  ] as const) {
    test(why, async () => {
      assert.equal(await blocklist.reasonAgainst(password, email), undefined);
    });
  }

  test('the blocklist rejects hardly any of a thousand generated passwords', async () => {
    const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&*+-';
    const refused: string[] = [];
    const generated = fc.sample(
      fc.string({ unit: fc.constantFrom(...Array.from(letters)), minLength: 15, maxLength: 20 }),
      { numRuns: 1000, seed: 7 },
    );
    for (const password of generated)
      if ((await blocklist.reasonAgainst(password, email)) !== undefined) refused.push(password);
    assert.deepEqual(refused, []);
  });
});

test('a shorter minimum length requires less without padding, and rejects shorter common passwords', async () => {
  const short = new Blocklist({ minLength: 8, names: [] });
  assert.match((await short.reasonAgainst('password', email)) ?? '', common);
  assert.match((await short.reasonAgainst('dragon1234', email)) ?? '', barelyMore);
  assert.equal(await short.reasonAgainst('kx7!12345', email), undefined);
  assert.match((await short.reasonAgainst('kx712345', email)) ?? '', padding);
});

describe('the blocklist knows', () => {
  /** Seven letters to be padded: one fewer than half of the required length. */
  const rest = 'kvgxmdb';

  for (const row of [
    'abcdefghijklmnopqrstuvwxyz',
    '1234567890',
    'qwertyuiop',
    'asdfghjkl',
    'zxcvbnm',
    'qwertzuiop',
    'yxcvbnm',
    'azertyuiop',
    'qsdfghjklm',
    'wxcvbn',
    '1q2w3e4r5t6y7u8i9o0p',
    'q1w2e3r4t5y6u7i8o9p0',
    '1qaz2wsx3edc4rfv5tgb6yhn7ujm',
  ]) {
    test(`the row ${row}, in both directions`, async () => {
      for (const keys of [row, Array.from(row).toReversed().join('')]) {
        const password = `${keys}${keys}-${rest.slice(1)}`;
        assert.match((await blocklist.reasonAgainst(password, email)) ?? 'nothing', padding, password);
      }
    });
  }

  test('the words of an address and a name, from four letters on', async () => {
    const acme = new Blocklist({ minLength: 15, names: ['Acme'] });
    assert.match((await acme.reasonAgainst('acmekxacmeqvacmez', email)) ?? 'nothing', padding);
    assert.equal(await acme.reasonAgainst('kami toka mitoka mi', 'ka@mi.to'), undefined);
    const dotted = 'a.b.c.d.e.f.g.h';
    assert.match((await acme.reasonAgainst(dotted, `${dotted}@example.org`)) ?? 'nothing', padding);
    assert.equal(await acme.reasonAgainst(dotted, email), undefined);
  });
});
