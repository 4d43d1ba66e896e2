// Every route has an access level; routes.snapshot.txt lists them for review.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import Fastify from 'fastify';
import Type from 'typebox';
import { Access, collectRoutes } from '../src/app/access.ts';
import { assertProblem, send, type ContractRequest } from './support/request.ts';
import { testService, type TestService } from './support/service.ts';

interface Listed {
  readonly access: string;
  readonly method: ContractRequest['method'];
  readonly path: string;
}

const snapshot = readFileSync(new URL('routes.snapshot.txt', import.meta.url), 'utf8');
const listed: readonly Listed[] = [
  ...snapshot.matchAll(/^(open|optional|session|admin) +cost \d+ +([A-Z]+) +(\/\S*)(?!.*public mode)/gm),
].map(
  ([, access = '', method = '', path = '']) => ({ access, method, path }) as Listed, // the pattern above
);

let service: TestService;
before(async () => {
  service = await testService('sqlite');
});
after(() => service.close());

function accessOf(method: string, path: string): string | undefined {
  return listed.find((route) => route.method === method && route.path === path)?.access;
}

test('the snapshot lists the routes of the contract', () => {
  assert.equal(accessOf('GET', '/'), 'open');
  assert.equal(accessOf('POST', '/users'), 'open');
  assert.equal(accessOf('POST', '/sessions'), 'open');
  assert.equal(accessOf('POST', '/reset_password'), 'open');
  assert.equal(accessOf('PUT', '/reset_password'), 'open');
  assert.equal(accessOf('GET', '/profile'), 'session');
  assert.equal(accessOf('DELETE', '/sessions'), 'session');
});

for (const { access, method, path } of listed) {
  test(`${method} ${path} has the access level ${access}`, async () => {
    const reply = await send(service.app, { method, path });
    if (access === 'open' || access === 'optional') {
      assert.notEqual(reply.status, 405);
      assert.ok(!reply.text.includes('session_required'), reply.text);
    } else if (method === 'HEAD') assert.equal(reply.status, 403);
    else assertProblem(reply, 403, 'session_required');
  });
}

test('a route without an access level stops the start', async () => {
  const app = Fastify();
  const routes = collectRoutes(app);
  app.get('/secret', async () => 'for anybody');
  assert.throws(routes, /GET \/secret has no access level/);
  await app.close();
});

test('a page that declares a query parameter without a rule for its values stops the start', async () => {
  const access = new Access({
    guards: { open: [], optional: [], session: [], pending: [], enrollment: [], admin: [], client: [] },
    requireCapacity: (_request, _reply, done) => done(),
    countRead: (_request, _reply, done) => done(),
    queries: service.core.pages.queries,
  });
  const declare = async (name: string): Promise<void> => {
    const app = Fastify();
    const querystring = Type.Object({ [name]: Type.Optional(Type.String()) });
    await access.mountPages(app, 'open', async (scope) => {
      scope.get('/page', { schema: { querystring } }, async () => '');
    });
    await app.close();
  };
  await declare('email');
  await assert.rejects(declare('message'), /\/page declares message, which no rule checks/);
});

test('Allow names each method of a path once', async () => {
  for (const path of new Set(service.routes.map(({ url }) => url))) {
    const { headers } = await send(service.app, { method: 'TRACE', path });
    const methods = String(headers['allow']).split(', ');
    assert.deepEqual(methods, [...new Set(methods)], path);
  }
});
