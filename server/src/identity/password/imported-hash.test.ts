import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patient } from '../../../test/support/hashing.ts';
import { onEachEngine, withDatabase } from '../../../test/support/engines.ts';
import { silentLog } from '../../kit/log.ts';
import { Hasher } from '../../hash/hasher.ts';
import { DB } from '../../library/db.ts';
import { Auth } from '../../library/auth.ts';
import { passwordRule } from './rule.ts';

const email = 'bob@example.org';

onEachEngine('a user imported with a hash of another system', (engine) => {
  /** Imports a user and returns the result of a login, the stored hash and the log. */
  async function logInWith(
    hash: string,
    password: string,
  ): Promise<{ valid: boolean; stored: string | null; logged: unknown[] }> {
    return withDatabase(engine, async (database) => {
      const logged: unknown[] = [];
      const db = new DB(database);
      const user = await db.addUser(email, hash, { allowsUnknownHash: true });
      const log = { ...silentLog, error: (...line: unknown[]) => void logged.push(line) };
      // This password is shorter than the rule requires. The rule does not apply at login.
      const auth = new Auth({
        db,
        hasher: new Hasher({ ...patient, threads: 1 }),
        log,
        passwordRule: passwordRule({ minLength: 15 }),
      });
      try {
        const valid = await auth.validLogin(email, password);
        const { hashedPassword: stored } = await db.findUserBy({ id: user.id });
        if (valid)
          assert.equal(await auth.validLogin(email, password), true, 'the new hash is of the same password');
        return { valid, stored, logged };
      } finally {
        await auth.close();
      }
    });
  }

  for (const [format, hash, password] of [
    ['bcrypt', '$2y$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu', 'password'],
    ['a directory', '{SSHA}zLPxfZ3RSNkIwVdHWEyB4Tpr6fT9LiVX', 'coin'],
  ] as const) {
    test(`logs in by ${format}, which replaces the hash by one of the service`, async () => {
      const { valid, stored, logged } = await logInWith(hash, password);
      assert.deepEqual([valid, logged], [true, []]);
      assert.match(stored ?? '', /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    });

    test(`does not log in by ${format} with a wrong password, and the hash stays`, async () => {
      assert.deepEqual(await logInWith(hash, `${password}x`), { valid: false, stored: hash, logged: [] });
    });
  }

  test('fails to log in with an unreadable hash, and the log names the user and the reason', async () => {
    const hash = '$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D';
    const { valid, stored, logged } = await logInWith(hash, 'pleaseletmein');
    assert.deepEqual([valid, stored, logged.length], [false, hash, 1]);
    assert.match(JSON.stringify(logged), /"user_id":1.*format is unknown/);
    assert.ok(!JSON.stringify(logged).includes('SodiumChloride'));
  });
});
