// Tests the contract over HTTP, row by row, on both engines and with each content type.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { minuteMs } from '../../kit/clock.ts';
import { createToken } from '../../kit/secret.ts';
import { sessionKind } from '../cookie-kinds.ts';
import { resetKind } from '../password/reset.ts';
import { contentsOf } from '../../../test/support/contents.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { createPerson, freshEmail, type Person } from '../../../test/support/person.ts';
import {
  assertProblem,
  bodyKinds,
  memberOf,
  send as sendTo,
  sessionIdOf,
  type BodyKind,
  type ContractRequest,
  type Fields,
  type Reply,
} from '../../../test/support/request.ts';
import { testService, type TestService } from '../../../test/support/service.ts';
import { without } from '../../../test/support/feature.ts';

type Send = (request: ContractRequest) => Promise<Reply>;

/** A request that succeeds, or the one rejection with a body of the contract. */
interface AnswerRow {
  readonly name: string;
  readonly request: (person: Person) => ContractRequest;
  readonly status: number;
  /** Exact, except for the order of members. */
  readonly body: (person: Person) => object;
  readonly setsCookie?: boolean;
}

const answers: readonly AnswerRow[] = [
  {
    name: 'POST /users registers',
    request: () => ({
      method: 'POST',
      path: '/users',
      fields: { email: 'new@example.org', password: 'b4l0u' },
    }),
    status: 200,
    body: () => ({ email: 'new@example.org', message: 'user created' }),
  },
  {
    name: 'POST /users trims the address',
    request: () => ({
      method: 'POST',
      path: '/users',
      fields: { email: ' Trimmed@Example.org\t', password: 'b4l0u' },
    }),
    status: 200,
    body: () => ({ email: 'Trimmed@Example.org', message: 'user created' }),
  },
  {
    name: 'POST /users rejects a taken address with the body of the contract',
    request: ({ email }) => ({ method: 'POST', path: '/users', fields: { email, password: 'b4l0u' } }),
    status: 400,
    body: () => ({ message: 'email already registered' }),
  },
  {
    name: 'POST /users rejects another spelling of a taken address',
    request: ({ email }) => ({
      method: 'POST',
      path: '/users',
      fields: { email: ` ${email.toUpperCase()}`, password: 'b4l0u' },
    }),
    status: 400,
    body: () => ({ message: 'email already registered' }),
  },
  {
    name: 'POST /sessions logs in',
    request: ({ email, password }) => ({ method: 'POST', path: '/sessions', fields: { email, password } }),
    status: 200,
    body: ({ email }) => ({ email, message: 'logged in' }),
    setsCookie: true,
  },
  {
    name: 'POST /sessions answers with the address as it was sent',
    request: ({ email, password }) => ({
      method: 'POST',
      path: '/sessions',
      fields: { email: `${email.toUpperCase()} `, password },
    }),
    status: 200,
    body: ({ email }) => ({ email: email.toUpperCase(), message: 'logged in' }),
    setsCookie: true,
  },
  {
    name: 'PUT /reset_password sets the new password',
    request: ({ email, resetToken }) => ({
      method: 'PUT',
      path: '/reset_password',
      fields: { email, reset_token: resetToken, new_password: 't4rt1fl3tt3' },
    }),
    status: 200,
    body: ({ email }) => ({ email, message: 'Password updated' }),
  },
];

/** A request that is rejected: it changes nothing and sets no cookie. */
interface RefusalRow {
  readonly name: string;
  readonly request: (person: Person, other: Person) => ContractRequest;
  readonly status: number;
  readonly code: string;
}

/** PUT /reset_password with another token, or for another address. */
function put(email: string, token: string): ContractRequest {
  return {
    method: 'PUT',
    path: '/reset_password',
    fields: { email, reset_token: token, new_password: 't4rt1fl3tt3' },
  };
}

const refusals: readonly RefusalRow[] = [
  {
    name: 'POST /sessions with a wrong password',
    request: ({ email }) => ({ method: 'POST', path: '/sessions', fields: { email, password: 'wrong' } }),
    status: 401,
    code: 'invalid_credentials',
  },
  {
    name: 'POST /sessions for an unknown address',
    request: ({ password }) => ({
      method: 'POST',
      path: '/sessions',
      fields: { email: freshEmail(), password },
    }),
    status: 401,
    code: 'invalid_credentials',
  },
  {
    name: 'POST /reset_password for an unknown address',
    request: () => ({ method: 'POST', path: '/reset_password', fields: { email: freshEmail() } }),
    status: 403,
    code: 'unknown_email',
  },
  {
    name: 'PUT /reset_password with a malformed token',
    request: ({ email }) => put(email, 'c4f3'),
    status: 403,
    code: 'token_invalid',
  },
  {
    name: 'PUT /reset_password with a token that was never issued',
    request: ({ email }) => put(email, createToken(resetKind).token),
    status: 403,
    code: 'token_invalid',
  },
  {
    name: "PUT /reset_password with another user's token",
    request: ({ email }, other) => put(email, other.resetToken),
    status: 403,
    code: 'token_invalid',
  },
  {
    name: 'PUT /reset_password for an unknown address',
    request: ({ resetToken }) => put(freshEmail(), resetToken),
    status: 403,
    code: 'token_invalid',
  },
  {
    name: 'PUT /reset_password with a session id for a token',
    request: ({ email, sessionId }) => put(email, sessionId),
    status: 403,
    code: 'token_invalid',
  },
  {
    name: 'PUT /reset_password with the right handle and another secret',
    request: ({ email, resetToken }) =>
      put(email, resetToken.slice(0, 36) + createToken(resetKind).token.slice(36)),
    status: 403,
    code: 'token_invalid',
  },
];

/** Each route that takes fields, with valid fields. */
const forms: readonly {
  method: 'POST' | 'PUT';
  path: string;
  fields: (person: Person) => Record<string, string>;
}[] = [
  { method: 'POST', path: '/users', fields: () => ({ email: freshEmail(), password: 'b4l0u' }) },
  { method: 'POST', path: '/sessions', fields: ({ email, password }) => ({ email, password }) },
  { method: 'POST', path: '/reset_password', fields: ({ email }) => ({ email }) },
  {
    method: 'PUT',
    path: '/reset_password',
    fields: ({ email, resetToken }) => ({ email, reset_token: resetToken, new_password: 't4rt1fl3tt3' }),
  },
];

/** Invalid values of every field; `undefined` omits the field. */
const badValues: Readonly<Record<string, (right: string) => string | readonly string[] | undefined>> = {
  missing: () => undefined,
  empty: () => '',
  repeated: (right) => [right, right],
  'with a NUL': (right) => `${right}\0`,
  'over-long': (right) => right + 'x'.repeat(600),
};

const badAddresses: Readonly<Record<string, string>> = {
  'of white space': '   ',
  'without an @': 'person.example.org',
  'with two @': 'a@b@example.org',
  'without a domain': 'person@',
  'without a local part': '@example.org',
  'with a space inside': 'per son@example.org',
  'of 255 octets': `${'l'.repeat(64)}@${'d'.repeat(60)}.${'d'.repeat(60)}.${'d'.repeat(60)}.example`,
  'that lists two': 'a@example.org,b@example.org',
  'followed by a header': 'a@example.org\r\nBcc: b@example.org',
};

/** Values that JSON can express and a form cannot. */
const badTypes: Readonly<Record<string, unknown>> = {
  number: 0,
  truth: true,
  null: null,
  object: { $gt: '' },
  list: [],
};

onEachEngine('the contract over HTTP', (engine) => {
  let service: TestService;
  let send: Send;
  before(async () => {
    service = await testService(engine);
    send = (request) => sendTo(service.app, request);
  });
  after(() => service.close());

  const contents = (): ReturnType<typeof contentsOf> => contentsOf(service.core.database);

  for (const kind of bodyKinds) {
    describe(`with fields as ${kind}`, () => {
      for (const { name, request, status, body, setsCookie = false } of answers) {
        test(name, async () => {
          const person = await createPerson(service.app);
          const wanted = request(person);
          // Addresses in rows are registered once for each content type.
          const fields = Object.fromEntries(
            Object.entries(wanted.fields ?? {}).map(([key, value]) => [key, rename(value, kind)]),
          );
          const reply = await send({ ...wanted, fields, kind });
          assert.equal(reply.status, status, reply.text);
          assert.deepEqual(reply.body, JSON.parse(rename(JSON.stringify(body(person)), kind)));
          assert.equal(reply.headers['content-type'], 'application/json; charset=utf-8');
          assert.equal(sessionIdOf(reply) !== undefined, setsCookie);
          if (!setsCookie) assert.deepEqual(reply.cookies, []);
        });
      }

      test('POST /reset_password returns a token that PUT accepts', async () => {
        const { email } = await createPerson(service.app);
        const reply = await send({ method: 'POST', path: '/reset_password', fields: { email }, kind });
        const token = memberOf(reply.body, 'reset_token');
        assert.equal(reply.status, 200);
        assert.ok(typeof token === 'string' && token !== '');
        assert.deepEqual(reply.body, { email, reset_token: token });
        assert.equal((await send({ ...put(email, token), kind })).status, 200);
      });

      describe('rejects without changing anything:', () => {
        let person: Person, other: Person;
        before(async () => {
          [person, other] = [await createPerson(service.app), await createPerson(service.app)];
        });
        after(async () => {
          for (const { email, resetToken } of [person, other]) {
            assert.equal((await send(put(email, resetToken))).status, 200, 'no token is consumed');
          }
        });
        for (const { name, request, status, code } of refusals) {
          test(name, async () => {
            const earlier = await contents();
            assertProblem(await send({ ...request(person, other), kind }), status, code);
            assert.deepEqual(await contents(), earlier);
          });
        }
      });

      describe('rejects an invalid field by its name, without changing anything:', () => {
        let person: Person;
        before(async () => {
          person = await createPerson(service.app);
        });
        after(async () =>
          assert.equal(
            (await send(put(person.email, person.resetToken))).status,
            200,
            'no token is consumed',
          ),
        );

        for (const form of forms) {
          for (const field of Object.keys(
            form.fields({ email: '', password: '', sessionId: '', resetToken: '' }),
          )) {
            const title = `${form.method} ${form.path} with ${field}`;
            const refuses = async (change: (right: string) => unknown): Promise<void> => {
              const right = form.fields(person);
              const { [field]: value = '', ...others } = right;
              const changed = change(value);
              const fields = (changed === undefined ? others : { ...right, [field]: changed }) as Fields; // wrong types on purpose
              const earlier = await contents();
              assertProblem(await send({ ...form, fields, kind }), 400, 'invalid_request', [field]);
              assert.deepEqual(await contents(), earlier);
            };
            for (const [fault, change] of Object.entries(badValues))
              test(`${title} ${fault}`, () => refuses(change));
            if (field === 'email') {
              for (const [fault, value] of Object.entries(badAddresses))
                test(`${title} ${fault}`, () => refuses(() => value));
            }
            if (kind === 'json') {
              for (const [fault, value] of Object.entries(badTypes))
                test(`${title} as ${fault}`, () => refuses(() => value));
            }
          }
          test(`${form.method} ${form.path} without any field`, async () => {
            const earlier = await contents();
            const names = Object.keys(form.fields(person));
            assertProblem(await send({ ...form, fields: {}, kind }), 400, 'invalid_request', names);
            assertProblem(
              await send({ method: form.method, path: form.path }),
              400,
              'invalid_request',
              names,
            );
            assert.deepEqual(await contents(), earlier);
          });
        }

        for (const path of ['/users', '/reset_password']) {
          test(`a new password of 257 code points at ${path}`, async () => {
            const [field, request] =
              path === '/users'
                ? ([
                    'password',
                    { method: 'POST', fields: { email: freshEmail(), password: '𝄞'.repeat(257) } },
                  ] as const)
                : ([
                    'new_password',
                    {
                      method: 'PUT',
                      fields: {
                        ...put(person.email, person.resetToken).fields,
                        new_password: 'é'.repeat(257),
                      },
                    },
                  ] as const);
            const earlier = await contents();
            assertProblem(await send({ ...request, path, kind }), 400, 'invalid_request', [field]);
            assert.deepEqual(await contents(), earlier);
          });
        }
      });
    });
  }

  describe('GET /', () => {
    for (const cookie of [
      '',
      'session_id=',
      'session_id=nonsense',
      `session_id=${createToken(sessionKind).token}`,
    ]) {
      test(`answers with the greeting, ignoring the cookie "${cookie.slice(0, 20)}"`, async () => {
        const reply = await send({ method: 'GET', path: '/', headers: { cookie } });
        assert.equal(reply.status, 200);
        assert.deepEqual(reply.body, { message: 'Bienvenue' });
        assert.deepEqual(reply.cookies, []);
      });
    }

    test('answers clients that prefer HTML with the start page, except after DELETE', async () => {
      const headers = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
      const page = await send({ method: 'GET', path: '/', headers });
      assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
      assert.deepEqual((await send({ method: 'DELETE', path: '/', headers })).body, { message: 'Bienvenue' });
    });

    test("DELETE / answers the same, since a browser's fetch repeats DELETE after a 302", async () => {
      const { sessionId } = await createPerson(service.app);
      const reply = await send({ method: 'DELETE', path: '/', sessionId });
      assert.equal(reply.status, 200);
      assert.deepEqual(reply.body, { message: 'Bienvenue' });
      assert.equal(
        (await send({ method: 'GET', path: '/profile', sessionId })).status,
        200,
        'and ends nothing',
      );
    });
  });

  describe('the session cookie', () => {
    test('has the attributes of the contract and the lifetime of the session', async () => {
      const { email, password } = await createPerson(service.app);
      const reply = await send({ method: 'POST', path: '/sessions', fields: { email, password } });
      const [cookie, ...others] = reply.cookies.filter((one) => one.startsWith('session_id='));
      const [pair, ...attributes] = cookie?.split('; ') ?? [];
      assert.deepEqual(others, []);
      assert.match(pair ?? '', /^session_id=[A-Za-z0-9._-]+$/);
      assert.deepEqual(attributes.toSorted(), [
        'HttpOnly',
        `Max-Age=${30 * 24 * 60 * 60}`,
        'Path=/',
        'SameSite=Lax',
      ]);
    });

    test('gives access to the profile, which contains only the address', async () => {
      const { email, sessionId } = await createPerson(service.app);
      const reply = await send({ method: 'GET', path: '/profile', sessionId });
      assert.equal(reply.status, 200);
      assert.deepEqual(reply.body, { email });
    });

    test('uses the first well-formed one of several cookies', async () => {
      const [person, other] = [await createPerson(service.app), await createPerson(service.app)];
      const rows = [
        { cookie: `session_id=${person.sessionId}; session_id=${other.sessionId}`, email: person.email },
        { cookie: `session_id=nonsense; session_id=${person.sessionId}`, email: person.email },
        {
          cookie: `session_id=; session_id=${other.sessionId}; session_id=${person.sessionId}`,
          email: other.email,
        },
        { cookie: `theme=dark;session_id=${person.sessionId};  other=session_id`, email: person.email },
      ];
      for (const { cookie, email } of rows) {
        const reply = await send({ method: 'GET', path: '/profile', headers: { cookie } });
        assert.deepEqual(reply.body, { email }, cookie);
      }
      const unknown = createToken(sessionKind).token;
      const cookie = `session_id=${unknown}; session_id=${person.sessionId}`;
      assertProblem(
        await send({ method: 'GET', path: '/profile', headers: { cookie } }),
        403,
        'session_required',
      );
    });

    test('keeps older sessions after a new login', async () => {
      const { email, password, sessionId } = await createPerson(service.app);
      const newer = sessionIdOf(
        await send({ method: 'POST', path: '/sessions', fields: { email, password } }),
      );
      assert.notEqual(newer, sessionId);
      for (const id of [sessionId, newer ?? '']) {
        assert.equal((await send({ method: 'GET', path: '/profile', sessionId: id })).status, 200);
      }
    });
  });

  for (const [method, path] of [
    ['GET', '/profile'],
    ['DELETE', '/sessions'],
  ] as const) {
    describe(`${method} ${path} is rejected`, () => {
      const rows: Record<string, (person: Person) => string | undefined> = {
        'without a cookie': () => undefined,
        'with an empty cookie': () => '',
        'with a malformed session': () => 'nonsense',
        'with an unknown session': () => createToken(sessionKind).token,
        'with a reset token for a session': ({ resetToken }) => resetToken,
        'with the right handle and another secret': ({ sessionId }) =>
          sessionId.slice(0, 36) + createToken(sessionKind).token.slice(36),
        'with the session in upper case': ({ sessionId }) => sessionId.toUpperCase(),
      };
      for (const [name, cookie] of Object.entries(rows)) {
        test(name, async () => {
          const person = await createPerson(service.app);
          const sessionId = cookie(person);
          const earlier = await contents();
          const reply = await send({ method, path, ...(sessionId !== undefined && { sessionId }) });
          assertProblem(reply, 403, 'session_required');
          assert.deepEqual(await contents(), earlier);
        });
      }

      test('with a session that has ended', async () => {
        const { sessionId } = await createPerson(service.app);
        assert.equal((await send({ method: 'DELETE', path: '/sessions', sessionId })).status, 302);
        assertProblem(await send({ method, path, sessionId }), 403, 'session_required');
      });
    });
  }

  describe('DELETE /sessions', () => {
    test('ends this session, clears the cookie and redirects to /', async () => {
      const { email, password, sessionId } = await createPerson(service.app);
      const other =
        sessionIdOf(await send({ method: 'POST', path: '/sessions', fields: { email, password } })) ?? '';
      const reply = await send({ method: 'DELETE', path: '/sessions', sessionId });
      assert.equal(reply.status, 302);
      assert.equal(reply.headers['location'], '/');
      assert.match(reply.cookies[0] ?? '', /^session_id=; (?=.*Max-Age=0)(?=.*Path=\/)/);
      assert.equal((await send({ method: 'GET', path: '/', sessionId })).status, 200, 'with the dead cookie');
      assert.equal(
        (await send({ method: 'GET', path: '/profile', sessionId: other })).status,
        200,
        'other sessions stay',
      );
    });

    const accepts: Readonly<Record<string, number>> = {
      'application/json': 200,
      'application/json, text/plain, */*': 200,
      'text/html, application/json;q=0.5': 200,
      '*/*': 302,
      'text/html,application/xhtml+xml,*/*;q=0.8': 302,
      'application/*': 302,
    };
    for (const [accept, status] of Object.entries(accepts)) {
      test(`with Accept: ${accept} answers ${status}`, async () => {
        const { sessionId } = await createPerson(service.app);
        const reply = await send({ method: 'DELETE', path: '/sessions', sessionId, headers: { accept } });
        assert.equal(reply.status, status);
        if (status === 200) {
          assert.deepEqual(reply.body, { message: 'logged out' });
          assert.equal(reply.headers['location'], undefined);
        }
        assert.match(reply.cookies[0] ?? '', /^session_id=; /);
        assertProblem(await send({ method: 'GET', path: '/profile', sessionId }), 403, 'session_required');
      });
    }
  });

  describe('PUT /reset_password', () => {
    test('replaces the password and ends all sessions of the user, but of no other user', async () => {
      const [{ email, password, sessionId, resetToken }, other] = [
        await createPerson(service.app),
        await createPerson(service.app),
      ];
      assert.equal((await send(put(email, resetToken))).status, 200);
      assertProblem(await send({ method: 'GET', path: '/profile', sessionId }), 403, 'session_required');
      assert.equal((await send({ method: 'GET', path: '/profile', sessionId: other.sessionId })).status, 200);
      assert.equal(
        (await send({ method: 'POST', path: '/sessions', fields: { email, password } })).status,
        401,
      );
      assert.equal(
        (await send({ method: 'POST', path: '/sessions', fields: { email, password: 't4rt1fl3tt3' } }))
          .status,
        200,
      );
    });

    test('accepts a token only one time', async () => {
      const { email, resetToken } = await createPerson(service.app);
      assert.equal((await send(put(email, resetToken))).status, 200);
      const earlier = await contents();
      assertProblem(await send(put(email, resetToken)), 403, 'token_invalid');
      assert.deepEqual(await contents(), earlier);
    });

    test('accepts only the newest token', async () => {
      const { email, resetToken } = await createPerson(service.app);
      const { body } = await send({ method: 'POST', path: '/reset_password', fields: { email } });
      assertProblem(await send(put(email, resetToken)), 403, 'token_invalid');
      assert.equal((await send(put(email, String(memberOf(body, 'reset_token'))))).status, 200);
    });

    test('rejects and removes an expired token, and changes nothing else', async () => {
      const { email, resetToken } = await createPerson(service.app);
      service.clock.advance(60 * minuteMs);
      const earlier = await contents();
      assertProblem(await send(put(email, resetToken)), 403, 'token_invalid');
      const tokens = earlier['tokens']?.filter(
        (token) => Reflect.get(token, 'id') !== resetToken.split('.')[0],
      );
      assert.deepEqual(await contents(), { ...earlier, tokens });
    });
  });

  describe('any address', () => {
    const methods: Readonly<Record<string, readonly string[]>> = {
      '/': ['GET', 'HEAD', 'DELETE'],
      '/users': ['POST'],
      '/sessions': ['GET', 'HEAD', 'POST', 'DELETE'],
      '/profile': ['GET', 'HEAD', ...(without('account-deletion') === false ? ['DELETE'] : [])],
      '/reset_password': ['POST', 'PUT'],
    };
    const tried = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'] as const;

    for (const [path, allowed] of Object.entries(methods)) {
      test(`${path} lists its methods in Allow, for OPTIONS and for a rejected method`, async () => {
        const options = await send({ method: 'OPTIONS', path });
        assert.ok(options.status === 200 || options.status === 204, options.text);
        const expected = [...allowed, 'OPTIONS'].toSorted();
        assert.deepEqual(allowedBy(options), expected);
        for (const method of tried.filter((one) => !allowed.includes(one))) {
          const reply = await send({ method, path });
          assert.deepEqual(allowedBy(reply), expected, method);
          if (method === 'HEAD') assert.equal(reply.status, 405);
          else assertProblem(reply, 405, 'method_not_allowed');
        }
      });
    }

    test('HEAD answers like GET, without a body', async () => {
      const { sessionId } = await createPerson(service.app);
      for (const path of ['/', '/profile']) {
        const [get, head] = [
          await send({ method: 'GET', path, sessionId }),
          await send({ method: 'HEAD', path, sessionId }),
        ];
        assert.equal(head.status, 200);
        assert.equal(head.text, '');
        assert.equal(head.headers['content-length'], get.headers['content-length']);
      }
      const refused = await send({ method: 'HEAD', path: '/profile' });
      assert.deepEqual([refused.status, refused.text], [403, '']);
    });

    test('answers 404 if it is unknown', async () => {
      for (const path of [
        '/nothing',
        '/users/1',
        '/Profile',
        '/sessions/x/y',
        '/reset-password',
        '/users%2f',
        '/..%2fprofile',
      ]) {
        for (const method of ['GET', 'POST', 'DELETE'] as const)
          assertProblem(await send({ method, path }), 404, 'not_found');
      }
    });

    test('answers 400 if it cannot be decoded', async () => {
      assertProblem(await send({ method: 'GET', path: '/%ZZ' }), 400, 'invalid_request');
    });

    test('may have a trailing slash', async () => {
      const person = await createPerson(service.app);
      const { email, password, sessionId, resetToken } = person;
      const fields = { email: freshEmail(), password };
      const requests: ContractRequest[] = [
        { method: 'POST', path: '/users/', fields },
        { method: 'POST', path: '/sessions/', fields: { email, password } },
        { method: 'GET', path: '/profile/', sessionId },
        { ...put(email, resetToken), path: '/reset_password/' },
        { method: 'POST', path: '/reset_password/', fields: { email } },
      ];
      for (const request of requests) assert.equal((await send(request)).status, 200, request.path);
      const other = await createPerson(service.app);
      assert.equal(
        (await send({ method: 'DELETE', path: '/sessions/', sessionId: other.sessionId })).status,
        302,
      );
    });

    test('ignores the body of a GET request', async () => {
      const { email, sessionId } = await createPerson(service.app);
      const bodies: { headers: Record<string, string>; payload: string }[] = [
        {
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          payload: 'email=other@example.org&session_id=x',
        },
        { headers: { 'content-type': 'application/json' }, payload: '{' },
        { headers: { 'content-type': 'multipart/form-data' }, payload: 'x' },
        { headers: { 'content-type': 'text/plain' }, payload: 'x' },
      ];
      for (const { headers, payload } of bodies) {
        const cookie = `session_id=${sessionId}`;
        assert.deepEqual((await send({ method: 'GET', path: '/', headers, payload })).body, {
          message: 'Bienvenue',
        });
        assert.deepEqual(
          (await send({ method: 'GET', path: '/profile', headers: { ...headers, cookie }, payload })).body,
          { email },
        );
      }
    });

    test('rejects a body of another type with 415 and an oversized one with 413', async () => {
      for (const type of ['text/plain', 'application/xml', 'nonsense']) {
        const reply = await send({
          method: 'POST',
          path: '/users',
          headers: { 'content-type': type },
          payload: 'email=a',
        });
        assertProblem(reply, 415, 'unsupported_media_type');
      }
      for (const kind of bodyKinds) {
        const fields = { email: freshEmail(), password: 'x'.repeat(100_000) };
        assertProblem(await send({ method: 'POST', path: '/users', fields, kind }), 413, 'body_too_large');
      }
    });

    test('rejects a malformed body with 400', async () => {
      const rows: readonly (readonly [string, string])[] = [
        ['application/json', '{"email":'],
        ['application/json', '"email"'],
        ['application/json', '[]'],
        ['application/json', '{"__proto__":{"email":"a@example.org"},"password":"b4l0u"}'],
        ['multipart/form-data', 'x'],
        ['multipart/form-data; boundary=b', 'x'],
        [
          'multipart/form-data; boundary=b',
          '--b\r\nContent-Disposition: form-data; name="email"\r\n\r\na@example.org\r\n',
        ],
      ];
      const earlier = await contents();
      for (const [type, payload] of rows) {
        const reply = await send({
          method: 'POST',
          path: '/users',
          headers: { 'content-type': type },
          payload,
        });
        assert.equal(reply.status, 400, `${type} ${payload}: ${reply.text}`);
        assert.equal(memberOf(reply.body, 'code'), 'invalid_request');
      }
      assert.deepEqual(await contents(), earlier);
    });

    test('rejects a file that is sent as a field, by the name of the field', async () => {
      const payload =
        '--b\r\nContent-Disposition: form-data; name="email"; filename="a"\r\n\r\na@example.org\r\n--b--\r\n';
      const headers = { 'content-type': 'multipart/form-data; boundary=b' };
      assertProblem(
        await send({ method: 'POST', path: '/users', headers, payload }),
        400,
        'invalid_request',
        ['email'],
      );
    });
  });
});

/** The methods of an Allow header. */
function allowedBy({ headers }: Reply): string[] {
  return String(headers['allow']).split(', ').toSorted();
}

/** Returns a separate address for each content type, because the tests share one database. */
function rename<Value extends string | readonly string[]>(value: Value, kind: BodyKind): Value {
  return (typeof value === 'string' ? value.replaceAll(/\b(new|Trimmed)@/g, `$1-${kind}@`) : value) as Value;
}
