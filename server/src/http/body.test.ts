import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPerson, type Person } from '../../test/support/person.ts';
import { assertProblem, send } from '../../test/support/request.ts';
import { testService } from '../../test/support/service.ts';

/** Bodies that repeat a member, with the name that the problem states. */
const bodies: readonly (readonly [payload: string, name: string])[] = [
  ['{"email":"a@example.org","email":"b@example.org"}', 'email'],
  [String.raw`{"\u0065mail":"a@example.org","email":"a@example.org"}`, 'email'],
  ['{"x":[{"deep":{"y":1,"y":2}}]}', 'y'],
  ['[{"email":"a","email":"a"}]', 'email'],
];

test('every route rejects a JSON body that repeats a member, at any depth and in any spelling', async (t) => {
  const service = await testService('sqlite');
  t.after(() => service.close());
  const { sessionId }: Person = await createPerson(service.app);
  // A pending authentication cannot exist next to a session, and its routes have the same parser.
  const routes = service.routes.filter(
    ({ method, access, isRefusal, isOtherProtocol }) =>
      !isRefusal && !isOtherProtocol && !['GET', 'HEAD'].includes(method) && access !== 'pending',
  );
  assert.ok(routes.length > 20);
  for (const { method, url } of routes) {
    for (const [payload, name] of bodies) {
      const reply = await send(service.app, {
        method: method as 'POST', // or another method with a body
        path: url.replace(':id', 'x'),
        sessionId,
        headers: { 'content-type': 'application/json' },
        payload,
      });
      assertProblem(reply, 400, 'invalid_request', [name]);
    }
  }
});

test('a JSON body that targets the prototype is still rejected before its members are compared', async (t) => {
  const service = await testService('sqlite');
  t.after(() => service.close());
  for (const payload of [
    '{"__proto__":{},"__proto__":{}}',
    '{"constructor":{"prototype":{}},"a":1,"a":2}',
    '{"a":1,"a":',
  ])
    assertProblem(
      await send(service.app, {
        method: 'POST',
        path: '/users',
        headers: { 'content-type': 'application/json' },
        payload,
      }),
      400,
      'invalid_request',
    );
});
