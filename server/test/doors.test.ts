// Every route stands behind a door, and the list of them in doors.snapshot.txt is what a review reads.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import Fastify from 'fastify';
import { collectRoutes } from '../src/app/access.ts';
import { assertProblem, send, type ContractRequest } from './support/request.ts';
import { testService, type TestService } from './support/service.ts';

interface Listed {
  readonly door: string;
  readonly method: ContractRequest['method'];
  readonly path: string;
}

const snapshot = readFileSync(new URL('doors.snapshot.txt', import.meta.url), 'utf8');
const listed: readonly Listed[] = [
  ...snapshot.matchAll(/^(open|member|admin) +cost \d+ +([A-Z]+) +(\/\S*)(?!.*public mode)/gm),
].map(
  ([, door = '', method = '', path = '']) => ({ door, method, path }) as Listed, // the pattern above
);

let service: TestService;
before(async () => {
  service = await testService('sqlite');
});
after(() => service.close());

function doorOf(method: string, path: string): string | undefined {
  return listed.find((route) => route.method === method && route.path === path)?.door;
}

test('the snapshot lists the routes of the contract', () => {
  assert.equal(doorOf('GET', '/'), 'open');
  assert.equal(doorOf('POST', '/users'), 'open');
  assert.equal(doorOf('POST', '/sessions'), 'open');
  assert.equal(doorOf('POST', '/reset_password'), 'open');
  assert.equal(doorOf('PUT', '/reset_password'), 'open');
  assert.equal(doorOf('GET', '/profile'), 'member');
  assert.equal(doorOf('DELETE', '/sessions'), 'member');
});

for (const { door, method, path } of listed) {
  test(`${method} ${path} is behind the door ${door}`, async () => {
    const reply = await send(service.app, { method, path });
    if (door === 'open') {
      assert.notEqual(reply.status, 405);
      assert.ok(!reply.text.includes('session_required'), reply.text);
    } else if (method === 'HEAD') assert.equal(reply.status, 403);
    else assertProblem(reply, 403, 'session_required');
  });
}

test('a route behind no door stops the start', async () => {
  const app = Fastify();
  const routes = collectRoutes(app);
  app.get('/secret', async () => 'for anybody');
  assert.throws(routes, /GET \/secret is behind no door/);
  await app.close();
});
