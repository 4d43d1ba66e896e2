// Tests the password rules of local and of public mode.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Problem } from '../../kit/problem.ts';
import { Blocklist } from './blocklist.ts';
import type { PasswordRule } from '../../user/password-rule.ts';
import { anyPassword, passwordRule } from './rule.ts';

const context = { email: 'guillaume@holberton.io', field: 'new_password' } as const;

/** Returns the reason of the rejection; `undefined` if the password may be set. */
async function refusal(rule: PasswordRule, password: string): Promise<string | undefined> {
  try {
    await rule(password, context);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Problem && error.code === 'invalid_request');
    assert.equal(error.fields[0]?.field, context.field);
    assert.ok(
      password.length < 4 || !error.message.includes(password),
      'the reason never contains the password',
    );
    return error.fields[0].message;
  }
}

describe('any password rule', () => {
  for (const [name, rule] of [
    ['of local mode', anyPassword],
    ['of public mode', passwordRule({ minLength: 15 })],
  ] as const) {
    test(`${name} rejects a password that is empty, or contains NUL or a lone surrogate`, async () => {
      assert.equal(await refusal(rule, ''), 'is empty');
      for (const bad of ['\0', 'fifteen letters and\0more', '\ud83d', 'fifteen letters and \udc31 more']) {
        assert.equal(await refusal(rule, bad), 'contains an invalid character');
      }
    });

    test(`${name} accepts 256 code points, of up to 1,024 bytes, and no more`, async () => {
      const tooLong = 'is longer than 256 characters';
      for (const character of ['a', 'é', '日', '🐱']) {
        assert.equal(await refusal(rule, character.repeat(256)), undefined, character);
        assert.equal(await refusal(rule, character.repeat(257)), tooLong, character);
      }
    });

    test(`${name} counts in normal form C, like the hash`, async () => {
      assert.equal(await refusal(rule, 'é'.normalize('NFD').repeat(256)), undefined);
      assert.equal(await refusal(rule, 'é'.normalize('NFD').repeat(257)), 'is longer than 256 characters');
    });
  }

  test('of local mode accepts a single character', async () => {
    for (const password of ['a', ' ', '🐱', 'b4l0u'])
      assert.equal(await refusal(anyPassword, password), undefined);
  });
});

// NIST SP 800-63B-4 §3.1.1.2.
describe('the password rule of public mode', () => {
  const rule = passwordRule({ minLength: 15 });

  test('accepts any fifteen code points and rejects fourteen', async () => {
    for (const character of ['z', 'é', '日', '🐱', 'é'.normalize('NFD'), ' ']) {
      assert.equal(await refusal(rule, character.repeat(15)), undefined, character);
      assert.match(
        (await refusal(rule, character.repeat(14))) ?? '',
        /^is shorter than 15 characters/,
        character,
      );
    }
  });

  test('requires no capitals, digits or symbols', async () => {
    assert.equal(await refusal(rule, 'only small letters and spaces'), undefined);
    assert.equal(await refusal(rule, '528491637409128'), undefined);
  });

  test('returns the reason of the first check that has one, and skips the others', async () => {
    const asked: string[] = [];
    const breachCheck = {
      finds: 'breached' as const,
      reasonAgainst: async (password: string) => {
        asked.push(password);
        return 'was found in a data breach';
      },
    };
    const checks = [new Blocklist({ minLength: 15, names: [] }), breachCheck];
    const critical = passwordRule({ minLength: 15, checks });
    assert.match((await refusal(critical, 'passwordpassword')) ?? '', /everybody tries first/);
    assert.deepEqual(asked, []);
    assert.equal(
      await refusal(critical, 'un café crème, s’il te plaît'.normalize('NFD')),
      'was found in a data breach',
    );
    assert.deepEqual(asked, ['un café crème, s’il te plaît'], 'in normal form C');
  });

  test('runs no check on a password that is too short, too long or malformed', async () => {
    const never = { finds: 'breached' as const, reasonAgainst: () => assert.fail('asked') };
    const asking = passwordRule({ minLength: 15, checks: [never] });
    for (const bad of ['', 'kitten', 'a'.repeat(257), `${'a'.repeat(20)}\0`])
      assert.ok(await refusal(asking, bad));
  });
});
