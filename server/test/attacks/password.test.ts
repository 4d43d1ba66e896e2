// Passwords that a hash would truncate, hash slowly, or confuse with another password.
import assert from 'node:assert/strict';
import { hashSync } from '@node-rs/bcrypt';
import { after, before, describe, test } from 'node:test';
import { exchange } from '../support/raw-connection.ts';
import { freshEmail } from '../support/person.ts';
import { bodyKinds, encodeFields, memberOf, send, type Reply } from '../support/request.ts';
import { Hasher } from '../../src/hash/hasher.ts';
import { realHashing } from '../support/hashing.ts';
import { testService, type TestService } from '../support/service.ts';
import { threadsStartedBy } from '../support/thread.ts';

const stem = 'x'.repeat(72);

describe('passwords', () => {
  let service: TestService;
  before(async () => {
    service = await testService('sqlite');
  });
  after(() => service.close());

  const register = (email: string, password: string): Promise<Reply> =>
    send(service.app, { method: 'POST', path: '/users', kind: 'json', fields: { email, password } });
  const logIn = (email: string, password: string): Promise<Reply> =>
    send(service.app, { method: 'POST', path: '/sessions', kind: 'json', fields: { email, password } });

  /** A password, and others that differ from it. */
  const families: Record<string, readonly [right: string, ...wrong: string[]]> = {
    'equal up to byte 72': [`${stem}a`, `${stem}b`, stem, `${stem}aa`],
    'equal up to the last of 256 characters': [`${'y'.repeat(255)}a`, `${'y'.repeat(255)}b`, 'y'.repeat(255)],
    'equal up to the last of 1,024 bytes': [
      `${'\u{1f9a6}'.repeat(255)}\u{1f9a6}`,
      `${'\u{1f9a6}'.repeat(255)}\u{1f9ab}`,
      '\u{1f9a6}'.repeat(255),
    ],
    'that differ in white space and case': ['Otter boat ', 'otter boat ', 'Otter boat', ' Otter boat '],
    'that look like a hash or a number': ['1e3', '1000', '0x3e8', '$2b$10$abcdefghijklmnopqrstuv'],
  };
  for (const [name, [right, ...wrong]] of Object.entries(families)) {
    test(`A22 truncation: only the exact password logs in, among passwords ${name}`, async () => {
      // The longest address: if it were hashed along, the password would be truncated.
      const local = freshEmail().replaceAll(/\D/g, '').padStart(64, 'l');
      const email = `${local}@${`${'d'.repeat(60)}.`.repeat(3)}test`;
      assert.ok(email.length > 250 && email.length <= 254);
      assert.equal((await register(email, right)).status, 200);
      for (const password of wrong)
        assert.equal((await logIn(email, password)).status, 401, password.slice(-10));
      assert.equal((await logIn(email, right)).status, 200);
    });
  }

  test('A22 NUL: every route rejects a password that contains NUL, and none truncates it there', async () => {
    const email = freshEmail();
    for (const password of ['a\0b', '\0', 'a\0']) {
      assert.equal((await register(email, password)).status, 400);
      await assert.rejects(service.core.auth.registerUser(email, password));
    }
    assert.equal((await register(email, 'a')).status, 200);
    for (const password of ['a\0b', 'a\0']) {
      assert.equal((await logIn(email, password)).status, 400);
      assert.equal(await service.core.auth.validLogin(email, password), false);
    }
  });

  test('A22 bcrypt truncation: an imported hash takes no longer password than bcrypt read', async () => {
    const email = freshEmail();
    await register(email, 'x');
    const { database } = service.core;
    const store = (hash: string): Promise<unknown> =>
      database.query((sql) =>
        sql.updateTable('users').set({ hashed_password: hash }).where('email', '=', email),
      );
    await store(hashSync(`${stem}a`, 4));
    for (const password of [`${stem}a`, `${stem}b`]) assert.equal((await logIn(email, password)).status, 401);
    await store(hashSync(stem, 4));
    assert.equal((await logIn(email, `${stem}b`)).status, 401);
    assert.equal((await logIn(email, stem)).status, 200);
  });

  test('A24 Unicode: composed and decomposed spellings are the same password', async () => {
    for (const [typed, retyped] of [
      ['caf\u{e9} au lait', 'cafe\u{301} au lait'],
      ['A\u{30a}ngstr\u{f6}m', '\u{212b}ngstro\u{308}m'],
      ['\u{1112}\u{1161}\u{11ab}', '\u{d55c}'],
    ] as const) {
      for (const [first, then] of [
        [typed, retyped],
        [retyped, typed],
      ] as const) {
        const email = freshEmail();
        assert.equal((await register(email, first)).status, 200);
        assert.equal((await logIn(email, then)).status, 200, then);
      }
    }
  });

  test('A24 Unicode: a password that only looks the same is another password', async () => {
    const email = freshEmail();
    assert.equal((await register(email, 'pass\u{fb01}le A 1')).status, 200);
    for (const other of [
      'passfile A 1',
      'p\u{430}ss\u{fb01}le A 1',
      'pass\u{fb01}le \u{ff21} 1',
      'pass\u{fb01}le A \u{2460}',
      'pass\u{fb01}le\u{a0}A 1',
      'pass\u{fb01}le\u{200b} A 1',
    ]) {
      service.clock.advance(60_000);
      assert.equal((await logIn(email, other)).status, 401, other);
    }
    service.clock.advance(60_000);
    assert.equal((await logIn(email, 'pass\u{fb01}le A 1')).status, 200);
  });
});

const least = (times: readonly number[]): number => Math.min(...times);

/** A raw request with this framing, as bytes. */
function requestBytes(
  method: string,
  path: string,
  type: string,
  payload: string,
  framing: 'length' | 'chunked',
): Buffer {
  const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: ${type}\r\n`;
  const body = Buffer.from(payload);
  if (framing === 'length')
    return Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]);
  const chunk = `${body.length.toString(16)}\r\n`;
  return Buffer.concat([
    Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk}`),
    body,
    Buffer.from('\r\n0\r\n\r\n'),
  ]);
}

describe('long passwords', () => {
  let service: TestService;
  let port: number;
  before(async () => {
    service = await testService('sqlite', {}, { hasher: new Hasher(realHashing) });
    port = Number(new URL(await service.app.listen({ host: '127.0.0.1', port: 0 })).port);
  });
  after(() => service.close());

  /**
   * Milliseconds beyond a small request; the best of several attempts, because other programs may slow the machine
   * down.
   */
  const maxMs = 100;
  const maxAttempts = 8;

  const routes = [
    ['POST', '/users', 'password', { email: 'a@example.org' }],
    ['POST', '/sessions', 'password', { email: 'a@example.org' }],
    ['PUT', '/reset_password', 'new_password', { email: 'a@example.org', reset_token: 'x' }],
  ] as const;

  const register = (password: string): Promise<Reply> =>
    send(service.app, { method: 'POST', path: '/users', fields: { email: freshEmail(), password } });

  for (const size of [1_000_000, 10_000_000]) {
    for (const framing of ['length', 'chunked'] as const) {
      test(`A23 long password: ${size / 1_000_000} MB by ${framing} are rejected within ${maxMs} ms, without hashing`, async () => {
        const { threads } = await threadsStartedBy(async () => {
          for (const [method, path, field, others] of routes) {
            for (const kind of bodyKinds) {
              const { type, payload } = encodeFields(kind, { ...others, [field]: 'x'.repeat(size) });
              const bytes = requestBytes(method, path, type, payload, framing);
              const small: number[] = [];
              const large: number[] = [];
              for (let i = 0; i < maxAttempts && !(least(large) - least(small) < maxMs / 2); i += 1) {
                small.push(
                  (await exchange(port, requestBytes(method, path, type, 'x', framing))).firstByteMs,
                );
                const { statuses, firstByteMs } = await exchange(port, bytes);
                assert.deepEqual(statuses, [413], `${kind} ${path}`);
                large.push(firstByteMs);
              }
              const ms = least(large) - least(small);
              assert.ok(ms < maxMs, `${kind} ${path}: ${ms} ms more than a request of one byte`);
            }
          }
        });
        assert.equal(threads.length, 0, 'no hashing thread was used');
      });
    }
  }

  test('A23 long password: rejects a password that fits into the body but exceeds the rule, without hashing', async () => {
    const { threads } = await threadsStartedBy(async () => {
      for (const password of ['x'.repeat(513), 'x'.repeat(16_000), '\u{1f9a6}'.repeat(600)]) {
        for (const [method, path, field, others] of routes) {
          const reply = await send(service.app, {
            method,
            path,
            kind: 'json',
            fields: { ...others, [field]: password },
          });
          assert.equal(reply.status, 400);
          assert.match(
            String(memberOf(reply.body, 'message')),
            new RegExp(`^${field} is longer than \\d+ characters$`),
          );
        }
      }
      // The rule counts characters, while the schema counts surrogates.
      assert.equal((await register('x'.repeat(257))).status, 400);
    });
    assert.equal(threads.length, 0);
    const { threads: started } = await threadsStartedBy(() => register('x'.repeat(256)));
    assert.ok(started.length > 0, 'the use of a hashing thread is noticed');
  });
});
