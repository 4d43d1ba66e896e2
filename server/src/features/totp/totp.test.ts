import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { Secret } from 'otpauth';
import { secondMs } from '../../kit/clock.ts';
import { isProblem } from '../../kit/problem.ts';
import { codeAt, decodeBase32 } from '../../../test/support/authenticator-app.ts';
import { testClock } from '../../../test/support/clock.ts';
import { onEachEngine, useDatabase } from '../../../test/support/engines.ts';
import { addUser } from '../../user/new-user-store.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import type { User } from '../../user/user.ts';
import { addAuthenticator, confirmAuthenticator } from './store.ts';
import { Totp } from './totp.ts';

/** RFC 6238 appendix B, SHA-1: seconds, and the last six of the eight digits. */
const vectors: readonly (readonly [seconds: number, code: string])[] = [
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
];
const seed = Secret.fromUTF8('12345678901234567890').base32;
const plain = { encrypt: (text: string): string => text, decrypt: (text: string): string => text };

onEachEngine('an authenticator app', (engine) => {
  const opened = useDatabase(engine);

  async function appAt(seconds: number): Promise<{ totp: Totp; user: User }> {
    const { database } = opened();
    const clock = testClock(seconds * secondMs);
    const user = await addUser(database, requireEmailAddress(`u${seconds}@example.org`), null, clock.now());
    assert.ok(user !== undefined);
    const id = `a${seconds}`;
    await addAuthenticator(database, { id, userId: user.id, name: 'x', seed, begunBy: null, now: 0 });
    await confirmAuthenticator(database, { id: `a${seconds}`, step: -100, now: 0 });
    return { totp: new Totp({ db: database, clock: clock.now, cipher: plain, issuer: 'x' }), user };
  }

  for (const [seconds, code] of vectors) {
    test(`RFC 6238 appendix B: ${code} at ${seconds} s`, async () => {
      const { totp, user } = await appAt(seconds);
      assert.equal(codeAt(decodeBase32(seed), seconds * secondMs), code, 'the app of the tests agrees');
      const output = await totp.check(user, code);
      assert.ok(output !== undefined);
      const { database } = opened();
      const consumed = [await output.consume(database), await output.consume(database)];
      assert.deepEqual(consumed, [true, false], 'once');
      assert.equal(await totp.check(user, code), undefined, 'RFC 6238 §5.2: not a second time');
    });
  }

  test('beyond the limit is refused as such, and not as a wrong code', async () => {
    const { totp, user } = await appAt(59);
    const { database } = opened();
    const confirmNew = async (): Promise<void> => {
      const { id, secret } = await totp.begin(user, 'x');
      const code = codeAt(decodeBase32(secret), 59 * secondMs);
      await database.transaction((tx) => totp.confirm(tx, user, { id, code }));
    };
    for (let n = 2; n <= 10; n += 1) await confirmNew();
    await assert.rejects(confirmNew(), (error) => isProblem(error, 'invalid_request'));
    assert.equal((await totp.list(user.id)).length, 10);
  });

  test('a colon in the name of the service leaves the issuer of the key URI, which apps would reject', async () => {
    const { user } = await appAt(1);
    const { database } = opened();
    const uriFor = async (issuer: string): Promise<string> => {
      const totp = new Totp({ db: database, clock: testClock().now, cipher: plain, issuer });
      return (await totp.begin(user, 'x')).uri;
    };
    const uri = await uriFor('Acme: Accounts');
    assert.match(uri, /^otpauth:\/\/totp\/Acme%20Accounts:u1%40example\.org\?issuer=Acme%20Accounts&/);
    assert.match(await uriFor('::'), /^otpauth:\/\/totp\/Bienvenue:.*\?issuer=Bienvenue&/);
  });

  test('accepts a code as people type and paste it, and nothing else', async () => {
    const { totp, user } = await appAt(59);
    for (const proof of [' 287 082 ', '287-082', '２８７０８２', '٢٨٧٠٨٢', '287\u200b082\u2060'])
      assert.ok((await totp.check(user, proof)) !== undefined, proof);
    for (const proof of ['', '28708', '2870820', '287082a', '287082\n287082', '-87082', '2'.repeat(10_000)])
      assert.equal(await totp.check(user, proof), undefined, proof);
  });
});

describe('another implementation of TOTP', () => {
  const version = spawnSync('oathtool', ['--version']);
  test(
    'oathtool shows the same codes',
    { skip: version.error === undefined ? false : 'oathtool is not installed' },
    () => {
      for (const [seconds] of vectors) {
        const { stdout } = spawnSync('oathtool', ['--totp', '-b', seed, '--now', `@${seconds}`]);
        assert.equal(stdout.toString().trim(), codeAt(decodeBase32(seed), seconds * secondMs));
      }
    },
  );
});
