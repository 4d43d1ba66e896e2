// Tests the password rule and the keys of a built service.
import assert from 'node:assert/strict';
import { anyHash, sharedHasher } from '../../test/support/hashing.ts';
import { after, before, describe, test } from 'node:test';
import { isProblem } from '../kit/problem.ts';
import { ConfigurationFault } from '../config/read-options.ts';
import { readOptions } from './options.ts';
import { DB } from '../library/db.ts';
import { testService, type TestService } from '../../test/support/service.ts';

const publicMode = {
  PUBLIC_URL: 'https://login.example.org',
  SMTP_URL: 'smtp://127.0.0.1:1',
  MAIL_FROM: 'accounts@example.org',
  PRODUCT_NAME: 'Tarte Express',
};

const refused = (error: unknown): boolean =>
  isProblem(error, 'invalid_request') && (error.fields[0]?.field ?? '').endsWith('password');

describe('the password rule of the service', () => {
  let local: TestService;
  let open: TestService;
  before(async () => {
    local = await testService('sqlite');
    open = await testService('sqlite', publicMode);
  });
  after(async () => {
    await local.close();
    await open.close();
  });

  test('accepts any non-empty password in local mode', async () => {
    await local.core.auth.registerUser('guillaume@holberton.io', 'b');
  });

  for (const password of [
    'b4l0u',
    'fourteen chars',
    'passwordpassword',
    'aaaaaaaaaaaaaaa',
    'login.example.org',
    'Tarte Express 12',
    'guillaume@holberton.io',
  ]) {
    test(`rejects "${password}" in public mode, at every place that sets a password`, async () => {
      const { auth } = open.core;
      const email = 'guillaume@holberton.io';
      await assert.rejects(() => auth.registerUser(email, password), refused);
      const user = await new DB(open.core.database).addUser(email, anyHash);
      try {
        await assert.rejects(() => auth.setPassword(email, password), refused);
        const token = await auth.getResetPasswordToken(email);
        await assert.rejects(() => auth.updatePassword(token, password), refused);
        await auth.updatePassword(token, 'a tart of four lemons'); // the rejection has not consumed it
      } finally {
        await auth.removeUser(user.id);
      }
    });
  }

  test('does not apply at login, so that older passwords stay usable', async () => {
    const { auth, database } = open.core;
    await new DB(database).addUser('old@example.org', await sharedHasher.hash('b4l0u'));
    assert.equal(await auth.validLogin('old@example.org', 'b4l0u'), true);
  });

  test('rejects a shorter minimum length in public mode', () => {
    for (const weaker of [{ PASSWORD_MIN_LENGTH: '14' }, { PASSWORD_BLOCKLIST: 'false' }]) {
      assert.throws(() => readOptions({ ...publicMode, ...weaker }), ConfigurationFault);
      readOptions(weaker);
    }
    assert.equal(readOptions({ ...publicMode, PASSWORD_MIN_LENGTH: '20' }).options.passwordMinLength, 20);
  });
});

describe('the keys in SECRET_KEY', () => {
  test('are read like other options; their faults are listed without the key', () => {
    const key = Buffer.alloc(31, 'x').toString('base64');
    assert.throws(
      () => readOptions({ SECRET_KEY: `a ${key}`, PORT: 'x' }),
      (error) =>
        error instanceof ConfigurationFault && error.faults.length === 2 && !error.message.includes(key),
    );
  });

  test('are not read from SECRET_KEY_FILE, the file that the first start creates', () => {
    const { secretKey, secretKeyFile } = readOptions({ SECRET_KEY_FILE: '/nowhere/keys' }).options;
    assert.deepEqual([secretKey, secretKeyFile], [undefined, '/nowhere/keys']);
    assert.equal(readOptions({ DATA_DIR: '/srv/data' }).options.secretKeyFile, '/srv/data/secret.key');
  });
});
