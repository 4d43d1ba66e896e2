// Any input: never causes a 500, and a rejected request changes nothing.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc, { type Arbitrary } from 'fast-check';
import { anyCharacter } from './support/any-character.ts';
import { contentsOf } from './support/contents.ts';
import { onEachEngine } from './support/engines.ts';
import { createPerson, type Person } from './support/person.ts';
import {
  bodyKinds,
  encodeFields,
  memberOf,
  send,
  type BodyKind,
  type ContractRequest,
  type Reply,
} from './support/request.ts';
import { testService, type TestService } from './support/service.ts';

const routes = [
  { method: 'POST', path: '/users', names: ['email', 'password'] },
  { method: 'POST', path: '/sessions', names: ['email', 'password'] },
  { method: 'POST', path: '/reset_password', names: ['email'] },
  { method: 'PUT', path: '/reset_password', names: ['email', 'reset_token', 'new_password'] },
] as const;

/** Any text: letters, arbitrary characters, lone surrogates, huge texts, and well-known attacks. */
const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: anyCharacter }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 })
    .map((units) => String.fromCharCode(...units)),
  fc.emailAddress(),
  fc
    .tuple(fc.string({ unit: anyCharacter, minLength: 1 }), fc.nat({ max: 20_000 }))
    .map(([text, length]) => text.repeat(length).slice(0, length)),
  fc.constantFrom(
    '',
    ' ',
    '\0',
    '\u{d800}',
    'null',
    'true',
    '-1',
    '1e999',
    '__proto__',
    "' or 1=1 --",
    '%00',
    '%ZZ',
    '\r\nSet-Cookie: a=b',
    '\u202e',
  ),
);

/** A credential of the user, or any text. */
function anyValueOf(name: string, person: () => Person): Arbitrary<string> {
  const own = {
    email: 'email',
    password: 'password',
    new_password: 'password',
    reset_token: 'resetToken',
  } as const;
  const attribute = own[name as keyof typeof own]; // the names of the routes above
  return fc.oneof(
    anyText,
    fc.constant(undefined).map(() => person()[attribute]),
  );
}

/** The value of a field in JSON. */
const anyJson = fc.oneof(anyText, fc.jsonValue(), fc.array(anyText, { maxLength: 3 }));

const strangeNames = fc.constantFrom(
  '__proto__',
  'constructor',
  'toString',
  'hashed_password',
  'id',
  'email[]',
  'email.x',
  '',
  '"',
  'e\r\nmail',
);

/** Some of the fields, some of them several times, and some that are unknown. */
function anyFields(
  names: readonly string[],
  kind: BodyKind,
  person: () => Person,
): Arbitrary<[string, unknown][]> {
  const value = (name: string): Arbitrary<unknown> =>
    kind === 'json'
      ? fc.oneof({ weight: 3, arbitrary: anyValueOf(name, person) }, anyJson)
      : anyValueOf(name, person);
  const own = names.map((name) =>
    fc.option(
      value(name).map((one): [string, unknown] => [name, one]),
      { nil: undefined, freq: 8 },
    ),
  );
  const others = fc.array(fc.tuple(fc.oneof(strangeNames, fc.constantFrom(...names)), value('email')), {
    maxLength: 2,
  });
  return fc
    .tuple(fc.tuple(...own), fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, others))
    .map(([given, more]) => [...given.filter((pair) => pair !== undefined), ...more]);
}

/** A body of this kind, also with fields that an object cannot hold. */
function encodePairs(kind: BodyKind, pairs: readonly [string, unknown][]): { type: string; payload: string } {
  if (kind === 'json') {
    const members = pairs.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
    return { type: 'application/json', payload: `{${members.join(',')}}` };
  }
  // One field after the other, then joined: the three parts of a body that both kinds have.
  const parts = pairs.map(([name, value]) => encodeFields(kind, { [name]: String(value).toWellFormed() }));
  if (kind === 'form')
    return {
      type: 'application/x-www-form-urlencoded',
      payload: parts.map(({ payload }) => payload).join('&'),
    };
  const end = encodeFields(kind, {});
  return {
    type: end.type,
    payload: parts.map(({ payload }) => payload.slice(0, -end.payload.length)).join('') + end.payload,
  };
}

onEachEngine('any input', (engine) => {
  let service: TestService;
  let person: Person;
  before(async () => {
    service = await testService(engine, { PUBLIC_URL: 'http://localhost:5000' }); // else the headers of a proxy are rejected
    person = await createPerson(service.app);
  });
  after(() => service.close());

  /** Sends the request and asserts what holds for any reply. */
  const ask = async (request: ContractRequest): Promise<Reply> => {
    const earlier = await contentsOf(service.core.database);
    const reply = await send(service.app, request);
    assert.ok(
      reply.status < 500 || memberOf(reply.body, 'code') === 'too_busy',
      `${reply.status} ${reply.text}`,
    );
    if (reply.status < 400) return reply;
    assert.deepEqual(
      await contentsOf(service.core.database),
      earlier,
      'a rejected request changed something',
    );
    if (request.method !== 'HEAD') {
      assert.equal(typeof memberOf(reply.body, 'message'), 'string', reply.text);
      if (memberOf(reply.body, 'message') !== 'email already registered') {
        assert.equal(reply.headers['content-type'], 'application/problem+json; charset=utf-8');
      }
    }
    return reply;
  };

  for (const kind of bodyKinds) {
    test(`in the fields, as ${kind}`, async () => {
      const request = fc.constantFrom(...routes).chain(({ method, path, names }) =>
        anyFields(names, kind, () => person).map((pairs) => ({
          method,
          path,
          ...encodePairs(kind, pairs),
        })),
      );
      const outcomes = { taken: 0, refused: 0 };
      await fc.assert(
        fc.asyncProperty(request, async ({ method, path, type, payload }) => {
          const { status } = await ask({ method, path, headers: { 'content-type': type }, payload });
          outcomes[status < 400 ? 'taken' : 'refused'] += 1;
          service.clock.advance(1000);
          // After a success in a user's name, the following requests use another user.
          const known = await send(service.app, {
            method: 'GET',
            path: '/profile',
            sessionId: person.sessionId,
          });
          if (known.status !== 200) person = await createPerson(service.app);
        }),
        { numRuns: 120 },
      );
      assert.ok(
        outcomes.taken > 0 && outcomes.refused > 0,
        `the inputs are one-sided: ${JSON.stringify(outcomes)}`,
      );
    });
  }

  test('as a body of any type', async () => {
    const type = fc.oneof(
      fc.constantFrom(
        'application/json',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=b',
        'multipart/form-data',
        'text/plain',
        'application/json; charset=utf-16',
        'application/problem+json',
        ';',
        'multipart/form-data; boundary="',
        'multipart/form-data; boundary=; boundary=b',
        'APPLICATION/JSON',
      ),
      headerText,
    );
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .array(
          fc.constantFrom(
            '--b',
            '\r\n',
            '--',
            'Content-Disposition: form-data; name="email"',
            '; filename="f"',
            'a@example.org',
            '{',
            '"email":',
            '}',
            '&',
            '=',
            '%',
            'email',
          ),
          { maxLength: 20 },
        )
        .map((parts) => Buffer.from(parts.join(''))),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...routes),
        type,
        payload,
        async ({ method, path }, contentType, bytes) => {
          await ask({ method, path, headers: { 'content-type': contentType }, payload: bytes });
        },
      ),
      { numRuns: 150 },
    );
  });

  test('as method, path, query and headers', async () => {
    const path = fc.oneof(
      fc.constantFrom(
        '/',
        '/users',
        '/sessions',
        '/profile',
        '/reset_password',
        '/health/live',
        '/openapi.json',
        '/problems/constructor',
        '/problems/not_found',
      ),
      fc.webPath().map((text) => `/${text.slice(1)}`),
      fc.string({ unit: 'binary-ascii' }).map((text) => `/${encodeURIComponent(text)}`),
      fc
        .array(fc.constantFrom('/', '.', '..', '%2f', '%00', '%', ';', 'users', '//'), { maxLength: 6 })
        .map((parts) => `/${parts.join('')}`),
    );
    const query = fc.oneof(
      fc.constant(''),
      fc.webQueryParameters().map((text) => `?${text}`),
      fc.constantFrom('?__proto__[a]=b', '?%', '?&&=', '?a[b][c]=d'),
    );
    const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE');
    const headers = fc.dictionary(
      fc.constantFrom(
        'cookie',
        'accept',
        'origin',
        'x-forwarded-for',
        'if-none-match',
        'range',
        'content-type',
        'authorization',
      ),
      headerText,
      { maxKeys: 4 },
    );
    await fc.assert(
      fc.asyncProperty(method, path, query, headers, async (verb, place, search, given) => {
        await ask({ method: verb, path: place + search, headers: given });
      }),
      { numRuns: 200 },
    );
  });

  test('as a value in a path', async () => {
    const places = service.routes.filter(
      ({ url, isRefusal, isOtherProtocol }) => url.includes('/:') && !isRefusal && !isOtherProtocol,
    );
    assert.ok(places.length > 0);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), anyText, async ({ method, url }, text) => {
        const path = url.replace(/:\w+/, encodeURIComponent(text.toWellFormed()));
        await ask({ method: method as ContractRequest['method'], path, sessionId: person.sessionId }); // as routes are written
      }),
      { numRuns: 60, examples: places.map((place) => [place, '\0']) },
    );
  });

  test('as a session cookie', async () => {
    const cookie = fc.oneof(
      headerText,
      fc
        .tuple(fc.nat({ max: 90 }), fc.string({ unit: 'binary-ascii', maxLength: 3 }))
        .map(([at, text]) => [at, text] as const),
    );
    await fc.assert(
      fc.asyncProperty(
        cookie,
        fc.constantFrom(['GET', '/profile'] as const, ['DELETE', '/sessions'] as const),
        async (given, [method, path]) => {
          const { sessionId } = person;
          // A valid session id with another value in one place, or any text.
          const value =
            typeof given === 'string'
              ? given
              : sessionId.slice(0, given[0]) +
                printable(given[1]) +
                sessionId.slice(given[0] + given[1].length);
          if (value.includes(sessionId)) return;
          assert.equal((await ask({ method, path, headers: { cookie: `session_id=${value}` } })).status, 403);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('concurrent registrations of one address in many spellings create one account', async () => {
    const local = fc.stringMatching(/^[a-z][a-z0-9+-]{2,12}$/);
    const spelling = fc.record({
      upper: fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
      before: fc.constantFrom('', ' ', '\t'),
      after: fc.constantFrom('', ' ', '\n'),
    });
    await fc.assert(
      fc.asyncProperty(local, fc.array(spelling, { minLength: 4, maxLength: 8 }), async (name, spellings) => {
        const address = `${name}.${crypto.randomUUID().slice(0, 8)}@example.org`;
        const typed = spellings.map(
          ({ upper, before: head, after: tail }) =>
            head +
            Array.from(address, (letter, i) => (upper[i] === true ? letter.toUpperCase() : letter)).join('') +
            tail,
        );
        const replies = await Promise.all(
          typed.map((email, i) =>
            send(service.app, {
              method: 'POST',
              path: '/users',
              fields: { email, password: `password ${i}` },
            }),
          ),
        );
        const refusals = replies.filter(({ status }) => status !== 200);
        assert.equal(replies.length - refusals.length, 1);
        // 503 on a machine that is busy with other programs.
        assert.deepEqual(
          refusals.filter(({ status }) => status !== 400 && status !== 503),
          [],
        );
        const winner = replies.findIndex(({ status }) => status === 200);
        const { users } = await contentsOf(service.core.database);
        assert.equal(
          users?.filter((user) => String(memberOf(user, 'email')).toLowerCase() === address).length,
          1,
        );
        const login = { email: address, password: `password ${winner}` };
        assert.equal(
          (await send(service.app, { method: 'POST', path: '/sessions', fields: login })).status,
          200,
        );
      }),
      { numRuns: 8 },
    );
  });
});

/** Characters that a header may contain: a socket rejects the others before we see them. */
const headerText = fc.string({ unit: 'binary-ascii' }).map(printable);

function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}
