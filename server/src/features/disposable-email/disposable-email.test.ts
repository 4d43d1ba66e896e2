// The rule against disposable addresses, alone and at every route that sets an address.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isProblem } from '../../kit/problem.ts';
import { Hasher } from '../../hash/hasher.ts';
import { DB } from '../../library/db.ts';
import { requireEmailAddress, type AddressRule } from '../../user/email-address.ts';
import { cheapHashing, sharedHasher } from '../../../test/support/hashing.ts';
import { freshEmail } from '../../../test/support/person.ts';
import {
  assertProblem,
  memberOf,
  send,
  sessionIdOf,
  type Fields,
  type Reply,
} from '../../../test/support/request.ts';
import { testService, type TestService } from '../../../test/support/service.ts';
import { useAuth } from '../../../test/support/auth.ts';
import { noDisposableAddress } from './disposable-email.ts';
import { lacks } from '../../../test/support/feature.ts';

const isRefused = (error: unknown): boolean =>
  isProblem(error, 'invalid_request') && error.fields[0]?.field === 'email';

/** The list, if this process has loaded its package. */
function loadedList(): string[] {
  const { cache } = createRequire(import.meta.url);
  return Object.keys(cache).filter((file) => /disposable-email-domains-js.*\.json$/.test(file));
}

test('the list is loaded at the first check, and not before', async () => {
  const rule = noDisposableAddress();
  await sleep(100); // an import takes several turns of the event loop
  assert.deepEqual(loadedList(), []);
  await rule(requireEmailAddress('bob@example.org'));
  assert.equal(loadedList().length, 1);
});

describe('the rule against disposable addresses', () => {
  const rule = noDisposableAddress();
  for (const email of [
    'bob@mailinator.com',
    'BOB@MAILINATOR.COM',
    'bob@yopmail.com',
    'bob@any.thing.mailinator.com',
    'bob@ｍａｉｌｉｎａｔｏｒ.com',
    'bob@mailinator。com',
  ])
    test(`rejects ${email}`, () => assert.rejects(rule(requireEmailAddress(email)), isRefused));

  for (const email of [
    'bob@example.org',
    'bob@gmail.com',
    'bob@not-quite-yopmail.com',
    'bob@mailinator.com.example.org',
    'mailinator.com@example.org',
    '0-mailer@dynv6.net', // 0-mailer.dynv6.net is on the list; its parent domain is not
    'bob@mailinator.example.org',
    'bob@bücher.example',
    'bob@com',
  ])
    test(`accepts ${email}`, () => rule(requireEmailAddress(email)));

  test('matches every domain of its list in the form of normalized addresses', async () => {
    const { disposableEmailBlocklist } = await import('disposable-email-domains-js');
    const domains = disposableEmailBlocklist();
    assert.ok(domains.length > 5000);
    for (const domain of domains)
      await assert.rejects(rule(requireEmailAddress(`bob@${domain}`)), isRefused, domain);
  });
});

describe('class Auth with a rule for addresses', () => {
  const makeAuth = useAuth('sqlite');
  const refuseAll: AddressRule = async ({ key }) => {
    throw new Error(`asked about ${key}`);
  };

  test('applies the rule before anything is hashed, and before the password rule', async () => {
    const hasher = new Hasher(cheapHashing);
    await hasher.close(); // hashing is now impossible
    const passwordRule = (): Promise<void> => assert.fail('asked');
    const { auth } = makeAuth({ hasher, passwordRule, addressRule: refuseAll });
    await assert.rejects(auth.registerUser('Bob@example.org', 'b4l0u'), /asked about bob@example\.org/);
  });

  test('has no rule by default', async () => {
    await makeAuth().auth.registerUser('bob@mailinator.com', 'b4l0u');
  });
});

describe('DISPOSABLE_EMAILS', () => {
  let service: TestService;
  const password = 'b4l0u';
  before(async () => {
    service = await testService('sqlite', { DISPOSABLE_EMAILS: 'refused' });
  });
  after(() => service.close());

  const ask = (
    method: 'POST' | 'PUT',
    path: string,
    fields: Fields,
    sessionId = '',
    { app } = service,
  ): Promise<Reply> => send(app, { method, path, fields, ...(sessionId !== '' && { sessionId }) });

  /** An account that was registered before the option was set. */
  async function addOld(email: string): Promise<void> {
    await new DB(service.core.database).addUser(email, await sharedHasher.hash(password));
  }

  /** Everything that a request could leave in the database. */
  async function traces(): Promise<unknown> {
    const { audit, database, outbox } = service.core;
    const users = await database.query((sql) => sql.selectFrom('users').selectAll());
    return [users, await outbox.listKept(100), await audit.list({ limit: 1000 })];
  }

  test('refused: rejects a registration with such an address, known or unknown, and stores nothing', async () => {
    await addOld('known@mailinator.com');
    const earlier = await traces();
    const replies: unknown[] = [];
    for (const email of ['known@mailinator.com', 'unknown@mailinator.com', 'unknown@x.mailinator.com']) {
      const reply = await ask('POST', '/users', { email, password });
      assertProblem(reply, 400, 'invalid_request', ['email']);
      const { request_id: _, ...problem } = reply.body as Record<string, unknown>; // a problem
      replies.push(problem);
    }
    assert.deepEqual(replies[0], replies[1]);
    assert.deepEqual(replies[0], replies[2]);
    assert.match(
      String(memberOf(replies[0], 'message')),
      /email is a disposable email address; use a permanent one/,
    );
    assert.deepEqual(await traces(), earlier);
  });

  test('refused: rejects a change to such an address, whatever the password', async (t) => {
    if (lacks(t, 'email-change')) return;
    const email = freshEmail();
    assert.equal((await ask('POST', '/users', { email, password })).status, 200);
    const sessionId = sessionIdOf(await ask('POST', '/sessions', { email, password }));
    const earlier = await traces();
    for (const attempt of [{ password }, { password: 'wrong' }]) {
      const fields = { email: 'bob@x.mailinator.com', ...attempt };
      assertProblem(await ask('POST', '/profile/email', fields, sessionId), 400, 'invalid_request', [
        'email',
      ]);
    }
    assert.deepEqual(await traces(), earlier);
    const other = await ask('POST', '/profile/email', { email: freshEmail(), password }, sessionId);
    assert.equal(other.status, 200, other.text);
  });

  test('refused: a user with such an address can still sign in, reset the password and leave the account', async (t) => {
    if (lacks(t, 'email-change')) return;
    const email = 'old@mailinator.com';
    await addOld(email);
    assert.equal((await ask('POST', '/sessions', { email, password })).status, 200);
    const asked = await ask('POST', '/reset_password', { email });
    const reset_token = String(memberOf(asked.body, 'reset_token'));
    const reset = await ask('PUT', '/reset_password', { email, reset_token, new_password: 'another' });
    assert.equal(reset.status, 200, reset.text);
    const sessionId = sessionIdOf(await ask('POST', '/sessions', { email, password: 'another' }));
    const left = await ask('POST', '/profile/email', { email: freshEmail(), password: 'another' }, sessionId);
    assert.equal(left.status, 200, left.text);
  });

  test('allowed, which is the default: such an address registers like any other', async (t) => {
    for (const environment of [{}, { DISPOSABLE_EMAILS: 'allowed' }]) {
      const open = await testService('sqlite', environment);
      t.after(open.close);
      const reply = await ask('POST', '/users', { email: 'bob@mailinator.com', password }, '', open);
      assert.equal(reply.status, 200, reply.text);
    }
  });
});
