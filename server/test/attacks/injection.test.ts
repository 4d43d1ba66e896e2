// Input that is interpreted as something else: SQL, attributes of the account, members of the prototype, values of
// other types.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { anyCharacter } from '../support/any-character.ts';
import { everyRowOf } from '../support/contents.ts';
import { onEachEngine } from '../support/engines.ts';
import { createPerson, freshEmail, type Person } from '../support/person.ts';
import {
  bodyKinds,
  encodeFields,
  memberOf,
  send as sendTo,
  sessionIdOf,
  type ContractRequest,
  type Reply,
} from '../support/request.ts';
import { testService, type TestService } from '../support/service.ts';

/**
 * Some of each family: closing the string, joining, stacking, sleeping, comments, encodings, and functions of the
 * engines.
 */
const sqlTexts: readonly string[] = [
  "'",
  "''",
  "' or '1'='1",
  "' or 1=1 --",
  "' or 1=1#",
  "' or 1=1/*",
  '" or ""="',
  "') or ('1'='1",
  "admin'--",
  "'; drop table users; --",
  "'); delete from sessions; --",
  "' union select id, email, hashed_password from users --",
  "' union all select null, null, null --",
  "'||(select hashed_password from users limit 1)||'",
  "' and 1=cast((select version()) as int) --",
  "'; select pg_sleep(90); --",
  "' and (select 1 from pg_sleep(90)) is not null --",
  "' or randomblob(500000000) is null --",
  "'; attach database '/tmp/x.db' as x; --",
  "' and load_extension('x') --",
  "'; copy users to '/tmp/x'; --",
  '$1',
  '$$',
  '?1',
  ':email',
  '@email',
  '%',
  '_',
  "\\'",
  '\\',
  '%27%20or%201=1--',
  '\u{2019} or 1=1 --',
  '\u{ff07} or 1=1 --',
  '0x27206f72',
  '1; select 1',
  '1 or 1=1',
  '-1',
  'null',
  '*/ or 1=1 /*',
];

const routes = [
  { method: 'POST', path: '/users', fields: ['email', 'password'] },
  { method: 'POST', path: '/sessions', fields: ['email', 'password'] },
  { method: 'POST', path: '/reset_password', fields: ['email'] },
  { method: 'PUT', path: '/reset_password', fields: ['email', 'reset_token', 'new_password'] },
  { method: 'POST', path: '/email_verification', fields: ['email'] },
  { method: 'PUT', path: '/email_verification', fields: ['email', 'token'] },
] as const;

/** With the routes of email confirmation, and with tokens in replies, so that input reaches the database. */
const environment = {
  EMAIL_CONFIRMATION: 'true',
  SMTP_URL: 'smtp://127.0.0.1:9',
  MAIL_FROM: 'a@example.org',
};

/** Tables that rejected requests must not change; the audit record may grow. */
async function accountsIn({ core }: TestService): Promise<unknown> {
  const { users, sessions, one_time_tokens } = await everyRowOf(core.database);
  return { users, sessions, one_time_tokens };
}

onEachEngine('injection', (engine) => {
  let service: TestService;
  let confirming: TestService;
  let person: Person;
  before(async () => {
    service = await testService(engine);
    confirming = await testService(engine, environment);
    person = await createPerson(service.app);
    await sendTo(confirming.app, {
      method: 'POST',
      path: '/users',
      fields: { email: person.email, password: person.password },
    });
  });
  after(async () => {
    await service.close();
    await confirming.close();
  });

  const send = (request: ContractRequest): Promise<Reply> =>
    sendTo((request.path.startsWith('/email_verification') ? confirming : service).app, request);
  const fieldsOf = (names: readonly string[]): Record<string, string> => {
    const own: Record<string, string> = {
      email: person.email,
      password: 'wrong',
      new_password: 'wrong',
      reset_token: 'x',
      token: 'x',
    };
    return Object.fromEntries(names.map((name) => [name, own[name] ?? '']));
  };

  test('A25 SQL injection: text in a field, cookie, header or path never reaches the engine as SQL', async () => {
    const earlier = await accountsIn(service);
    for (const text of sqlTexts) {
      const replies: Reply[] = [];
      for (const { method, path, fields } of routes) {
        for (const field of fields) {
          // A valid address creates an account, and each login hashes: the next two tests cover passwords.
          if (field === 'password') continue;
          replies.push(await send({ method, path, fields: { ...fieldsOf(fields), [field]: text } }));
        }
      }
      const inText = encodeURIComponent(text);
      for (const sessionId of [
        text,
        inText,
        `${person.sessionId}${inText}`,
        person.sessionId.replace('.', `${inText}.`),
      ]) {
        replies.push(
          await send({
            method: 'GET',
            path: '/profile',
            headers: { cookie: `session_id=${sessionId}` },
          }).catch(assert.fail),
        );
        replies.push(
          await send({ method: 'DELETE', path: '/sessions', headers: { cookie: `session_id=${sessionId}` } }),
        );
      }
      for (const path of [
        `/problems/${inText}`,
        `/${inText}`,
        `/profile?id=${inText}`,
        `/?email=${inText}`,
      ]) {
        replies.push(await send({ method: 'GET', path }));
      }
      for (const { status, text: body, cookies } of replies) {
        assert.ok(status < 500, body); // a statement that sleeps fails after a minute
        assert.deepEqual(cookies, []);
        assert.doesNotMatch(body, /sqlite|postgres|syntax|select|argon2/i);
      }
      // As far as an address can contain it.
      const local = text.replaceAll(/[^\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]/gu, '');
      const reset = await send({
        method: 'POST',
        path: '/reset_password',
        fields: { email: `${local || 'x'}@example.org` },
      });
      assert.equal(memberOf(reset.body, 'code'), 'unknown_email');
    }
    assert.deepEqual(await accountsIn(service), earlier);
  });

  test('A25 SQL injection: stores the text itself', async () => {
    const agent = "'); drop table audit_events; --";
    for (const [i, password] of sqlTexts.slice(0, 6).entries()) {
      const email = `o'brien${i}'--$1@example.org`;
      const headers = { 'user-agent': agent };
      assert.equal(
        (await send({ method: 'POST', path: '/users', fields: { email, password }, headers })).status,
        200,
      );
      const login = await send({ method: 'POST', path: '/sessions', fields: { email, password }, headers });
      const sessionId = sessionIdOf(login) ?? '';
      assert.deepEqual((await send({ method: 'GET', path: '/profile', sessionId })).body, { email });
    }
    const [event] = await service.core.audit.list({ limit: 1 });
    assert.equal(event?.device, agent);
  });

  test('A25 SQL injection: a password of any text is verified literally', async () => {
    const email = freshEmail();
    const { auth } = service.core;
    await auth.registerUser(email, 'first');
    const anyText = fc.oneof(
      fc.constantFrom(...sqlTexts),
      fc.string({ unit: anyCharacter, minLength: 1, maxLength: 50 }),
    );
    await fc.assert(
      fc.asyncProperty(anyText, anyText, async (password, other) => {
        fc.pre(password.isWellFormed() && other.isWellFormed() && !password.includes('\0'));
        service.clock.advance(60_000);
        await auth.setPassword(email, password);
        assert.equal(
          await auth.validLogin(email, other),
          password.normalize('NFC') === other.normalize('NFC'),
        );
        assert.equal(await auth.validLogin(email, password), true);
      }),
      { numRuns: 8 },
    );
  });

  /** Attributes that an attacker might set, in the spellings of many systems. */
  const attributes: Record<string, string> = {
    role: 'admin',
    roles: 'admin',
    admin: 'true',
    isAdmin: 'true',
    is_admin: '1',
    scope: '*',
    emailVerified: 'true',
    email_verified: 'true',
    email_verified_at: '1',
    verified: 'true',
    confirmed: 'true',
    id: '1',
    _id: '1',
    userId: '1',
    user_id: '1',
    passwordHash: 'x',
    hashed_password: 'x',
    session_id: 'x',
    createdAt: '1',
    created_at: '1',
    password_changed_at: '1',
    disabled_at: '1',
    expires_at: '99999999999999',
    mfaEnabled: 'false',
    tenantId: '1',
    email_key: 'other@example.org',
    subject: 'x',
    external_id: 'x',
    externalId: 'x',
    name: 'Eve',
    picture: 'https://example.org/eve.png',
    metadata: '{}',
    public_metadata: '{}',
    private_metadata: '{}',
    'user[role]': 'admin',
    'user.role': 'admin',
  };
  test('A26 mass assignment: members that are not in the schema do not change an account', async () => {
    for (const kind of bodyKinds) {
      const rows: Record<string, unknown>[] = [];
      for (const more of [{}, attributes]) {
        const email = freshEmail();
        const query = `?${String(new URLSearchParams(more))}`;
        const ask = async (
          method: ContractRequest['method'],
          path: string,
          fields: Record<string, string>,
        ): Promise<Reply> => send({ method, path: path + query, kind, fields: { ...more, ...fields } });
        assert.deepEqual((await ask('POST', '/users', { email, password: 'b4l0u' })).body, {
          email,
          message: 'user created',
        });
        const login = await ask('POST', '/sessions', { email, password: 'b4l0u' });
        assert.equal(login.status, 200);
        assert.notEqual(sessionIdOf(login), 'x');
        const { reset_token: token } = (await ask('POST', '/reset_password', { email })).body as {
          reset_token: string;
        };
        assert.equal(
          (await ask('PUT', '/reset_password', { email, reset_token: token, new_password: 't4rt1' })).status,
          200,
        );
        assert.equal((await ask('POST', '/sessions', { email, password: 't4rt1' })).status, 200);
        const { database } = service.core;
        const [user] = await database.query((sql) =>
          sql.selectFrom('users').selectAll().where('email', '=', email),
        );
        const sessions = await database.query((sql) =>
          sql
            .selectFrom('sessions')
            .select('expires_at')
            .where('user_id', '=', user?.id ?? 0),
        );
        const {
          id,
          hashed_password: hash,
          email: _email,
          email_key: key,
          subject,
          ...others
        } = user ?? assert.fail();
        assert.match(subject ?? '', /^[\da-f-]{36}$/);
        assert.ok(id > 1 && hash?.startsWith('$argon2id$'));
        assert.equal(key, email);
        rows.push({ ...others, sessions });
      }
      assert.deepEqual(rows[1], rows[0], kind);
    }
  });

  test('A27 prototype pollution: a member that targets the prototype is rejected or ignored', async () => {
    const polluted = '{"polluted":"yes","email":"a@example.org","password":"b4l0u","isAdmin":true}';
    const payloads = [
      `{"__proto__":${polluted}}`,
      `{"email":"a@example.org","password":"b4l0u","__proto__":${polluted}}`,
      `{"constructor":{"prototype":${polluted}}}`,
      `{"email":{"__proto__":${polluted}}}`,
      `{"\\u005f_proto__":${polluted}}`,
      `{"a":{"constructor":{"prototype":${polluted}}}}`,
    ];
    const earlier = await everyRowOf(service.core.database);
    for (const { method, path } of routes) {
      const route = { method, path };
      for (const payload of payloads)
        assert.equal(
          (await send({ ...route, headers: { 'content-type': 'application/json' }, payload })).status,
          400,
          `${route.path} ${payload}`,
        );
      for (const name of [
        '__proto__[polluted]',
        '__proto__.polluted',
        'constructor[prototype][polluted]',
        'constructor.prototype.polluted',
        '__proto__',
      ]) {
        for (const kind of bodyKinds) {
          const { type, payload } = encodeFields(kind, Object.fromEntries([[name, 'yes']]));
          const reply = await send({
            method: route.method,
            path: `${route.path}?${encodeURIComponent(name)}=yes`,
            headers: { 'content-type': type },
            payload,
          });
          assert.equal(reply.status, 400, `${kind} ${route.path} ${name}`);
        }
      }
    }
    assert.equal(Reflect.get({}, 'polluted'), undefined);
    assert.deepEqual(await everyRowOf(service.core.database), earlier);
  });

  test('A27 prototype pollution: a member of all objects in a query is a text like others, on every page', async () => {
    const members = [...Object.getOwnPropertyNames(Object.prototype), 'prototype'];
    const names = ['done', 'note', 'factor', 'id', 'to', 'before', 'ui_locales', 'user_code', 'return_to'];
    for (const { method, url, isPage } of service.routes)
      if (method === 'GET' && isPage)
        for (const member of members) {
          const query = new URLSearchParams(
            Object.fromEntries(names.map((name) => [name, member])),
          ).toString();
          for (const path of [`${url}?${query}`, `${url}?done=${member}`]) {
            const { status } = await send({
              method,
              path,
              headers: { accept: 'text/html' },
              sessionId: person.sessionId,
            });
            assert.ok(status < 500, `${status} ${path}`);
          }
        }
  });

  test('NUL in any field of any route is refused or ignored, and never reaches the engine', async () => {
    const names =
      'email password new_password token reset_token proof factor code id name credential picture language answer to ' +
      'client_id user_code remember_device keep_others form_token return_to note';
    const fields = Object.fromEntries(names.split(' ').map((name) => [name, 'a\0b']));
    for (const { method, url, isPage, isRefusal } of service.routes) {
      if (isRefusal || ['GET', 'HEAD', 'OPTIONS'].includes(method) || url === '/profile') continue;
      const path = url.replaceAll(/:\w+/g, 'a%00b');
      const request = { method: method as ContractRequest['method'], path, sessionId: person.sessionId };
      const { status, text } = await send({ ...request, kind: isPage ? 'form' : 'json', fields });
      assert.ok(status < 500, `${status} ${method} ${url} ${text}`);
    }
  });

  const values: readonly unknown[] = [
    null,
    true,
    false,
    0,
    1,
    -1,
    1e308,
    [],
    {},
    ['a@example.org'],
    ['a@example.org', 'b@example.org'],
    [['a@example.org']],
    { $gt: '' },
    { $ne: null },
    { toString: 'x' },
    { length: 5 },
    { 0: 'a@example.org' },
  ];
  test('A28 type confusion: rejects a value of another type and names the field', async () => {
    const earlier = await everyRowOf(service.core.database);
    for (const { method, path, fields } of routes) {
      for (const field of fields) {
        for (const value of values) {
          const payload = JSON.stringify({ ...fieldsOf(fields), [field]: value });
          const reply = await send({
            method,
            path,
            headers: { 'content-type': 'application/json' },
            payload,
          });
          assert.equal(reply.status, 400, `${path} ${payload}`);
          assert.ok(String(Reflect.get(reply.body as object, 'message')).includes(field), reply.text);
        }
        for (const kind of bodyKinds) {
          const reply = await send({
            method,
            path,
            kind,
            fields: { ...fieldsOf(fields), [field]: ['a@example.org', 'b@example.org'] },
          });
          assert.equal(reply.status, 400, `${kind} ${path} ${field} twice`);
        }
        const form = `${String(new URLSearchParams(fieldsOf(fields.filter((one) => one !== field))))}&${field}[]=a@example.org&${field}[0]=x&${field}.x=y`;
        const reply = await send({
          method,
          path,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          payload: form,
        });
        assert.equal(reply.status, 400, form);
      }
      for (const payload of [
        '[]',
        'null',
        '1',
        '"x"',
        'true',
        '[{"email":"a@example.org"}]',
        '{',
        '',
        '{"email":"a","email":"b"}',
      ]) {
        const reply = await send({ method, path, headers: { 'content-type': 'application/json' }, payload });
        assert.equal(reply.status, 400, `${path} ${payload}`);
      }
    }
    assert.deepEqual(await everyRowOf(service.core.database), earlier);
  });
});
