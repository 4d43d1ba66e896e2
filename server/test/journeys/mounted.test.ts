// Bienvenue as a plugin in another program's Fastify.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import formbody from '@fastify/formbody';
import Fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify';
import {
  Auth,
  bienvenue,
  findSession,
  requireSession,
  sessionOf,
  type BienvenueOptions,
  type Service,
} from '../../src/index.ts';
import { openServiceWith } from '../../src/library/open.ts';
import { sharedHasher, whenNotBusy } from '../support/hashing.ts';
import { memberOf } from '../support/request.ts';
import { temporaryFolder } from '../support/running-service.ts';
import { runJourney } from './contract-journey.ts';

/** Listens with the service mounted, and returns the address. */
async function listen(t: TestContext, host: FastifyInstance): Promise<string> {
  await host.register(bienvenue, { service: await open(t, host) });
  return host.listen({ host: '127.0.0.1', port: 0 });
}

/** Opens a service, which is closed after the test and its hosts. */
async function open(t: TestContext, ...hosts: readonly FastifyInstance[]): Promise<Service> {
  const service = await openServiceWith(
    { DATA_DIR: await temporaryFolder(t), LOG_LEVEL: 'silent' },
    { hasher: sharedHasher },
  );
  t.after(async () => {
    for (const host of hosts) await host.close();
    await service.close();
  });
  return service;
}

test("the client finds no difference against the service in a user's own Fastify", async (t) => {
  const host = Fastify();
  host.get('/own', async () => ({ own: true }));
  const baseUrl = await listen(t, host);
  await runJourney(baseUrl);
  assert.deepEqual(await (await fetch(`${baseUrl}/own`)).json(), { own: true });
  const unknown = await fetch(`${baseUrl}/nothing`);
  assert.equal(unknown.status, 404);
  assert.match(
    String(unknown.headers.get('content-type')),
    /^application\/json/,
    'the host answers unknown paths',
  );
});

test('the client finds no difference in a host with its own parsers, error handler and validator', async (t) => {
  const host = Fastify();
  await host.register(formbody);
  host.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  host.setErrorHandler((_error, _request, reply) => reply.status(418).send({ own: true }));
  host.setValidatorCompiler(() => () => ({ error: new Error('the host rejects everything') }));
  host.setSerializerCompiler(() => {
    throw new Error('the host reads no JSON schema');
  });
  host.setReplySerializer((payload) => `of the host ${JSON.stringify(payload)}`);
  host.post('/own', async (request) => request.body);
  host.get('/fails', async () => {
    throw new Error('on purpose');
  });
  const baseUrl = await listen(t, host);
  await runJourney(baseUrl);
  const echoed = await fetch(`${baseUrl}/own`, { method: 'POST', body: new URLSearchParams({ a: 'b' }) });
  assert.equal(await echoed.text(), 'of the host {"a":"b"}');
  assert.equal(await (await fetch(`${baseUrl}/own`, { method: 'POST', body: 'words' })).text(), 'words');
  assert.equal((await fetch(`${baseUrl}/fails`)).status, 418);
  const refused = await fetch(`${baseUrl}/users`, { method: 'POST', body: 'words' });
  assert.equal(refused.status, 415, 'our routes do not accept content types of the host');
});

/** A plugin that registers the service in a scope of its own. */
function scopeOf(service: Service): FastifyPluginAsync {
  return async (scope) => {
    await scope.register(bienvenue, { service });
  };
}

test('a prefix is refused, because pages, cookies and emails have fixed paths', async (t) => {
  const service = await open(t);
  const prefixed = {
    'of the registration': (host: FastifyInstance) => host.register(bienvenue, { service, prefix: '/auth' }),
    'of a scope around it': (host: FastifyInstance) => host.register(scopeOf(service), { prefix: '/auth' }),
  };
  for (const [name, register] of Object.entries(prefixed))
    await assert.rejects(
      async () => register(Fastify()),
      /^Error: Bienvenue cannot be mounted below \/auth: .* Register it without a prefix/,
      name,
    );
});

test('an application keeps its own / if it says so, and learns how if it does not', async (t) => {
  const host = Fastify();
  const service = await open(t, host);
  host.get('/', async () => 'mine');
  await host.register(bienvenue, { service, home: false });
  assert.equal((await host.inject('/')).body, 'mine');
  assert.equal((await host.inject('/sign-in')).statusCode, 200);

  const first = Fastify();
  first.get('/', async () => 'mine');
  const taken = /^Error: Your application and Bienvenue both have a route at \/\. .*`home: false`/;
  await assert.rejects(async () => first.register(bienvenue, { service }), taken);
  const last = Fastify();
  await last.register(bienvenue, { service });
  assert.throws(() => last.get('/', async () => 'mine'), taken);
});

test('a path that both have is named', async (t) => {
  const service = await open(t);
  const taken =
    /^Error: Your application and Bienvenue both have a route at \/users\. Give your route another path/;
  const first = Fastify();
  first.post('/users', async () => 'mine');
  await assert.rejects(async () => first.register(bienvenue, { service }), taken);
  const last = Fastify();
  await last.register(bienvenue, { service });
  assert.throws(() => last.post('/users', async () => 'mine'), taken);
});

test('options without an opened service are refused with an example', async (t) => {
  const promise = open(t);
  for (const options of [{}, { service: promise }])
    await assert.rejects(
      async () => Fastify().register(bienvenue, options as unknown as BienvenueOptions),
      /^TypeError: app\.register\(bienvenue, \{ service \}\) needs an opened service: await openService/,
    );
  assert.throws(
    () => requireSession(promise as unknown as Service),
    /^TypeError: requireSession needs an opened/,
  );
  assert.throws(
    () => new Auth({ service: promise as unknown as Service }),
    /^TypeError: Auth needs an opened/,
  );
  await promise;
});

test('an unknown option of the plugin is refused with the one that was meant', async (t) => {
  const service = await open(t);
  await assert.rejects(
    async () => Fastify().register(bienvenue, { service, hom: false } as BienvenueOptions),
    /^TypeError: bienvenue has no option hom\. Did you mean home\?/,
  );
});

test('a service that is closed again waits for the first time, as in a hook and after the server', async (t) => {
  const service = await open(t);
  await Promise.all([service.close(), service.close()]);
  await service.close();
});

test('two plugins that set request.session each work in a scope of their own', async (t) => {
  const host = Fastify();
  const service = await open(t, host);
  for (const member of ['session', 'source', 'pendingAuthentication']) {
    const other = Fastify();
    other.decorateRequest(member, null);
    await assert.rejects(
      async () => other.register(bienvenue, { service }),
      new RegExp(`^Error: Another plugin has added \`request\\.${member}\` already.*in a scope of its own`),
    );
  }
  await host.register(scopeOf(service));
  await host.register(async (scope) => {
    scope.decorateRequest('session', null);
  });
  assert.equal((await host.inject('/sign-in')).statusCode, 200);
});

test("an application's own routes know who is signed in", async (t) => {
  const host = Fastify();
  const service = await open(t, host);
  await host.register(bienvenue, { service, home: false });
  host.get('/open', async ({ session }) => ({ session }));
  for (const hook of ['onRequest', 'preHandler'])
    host.all(`/${hook}`, { [hook]: requireSession(service) }, async (request) => {
      const { userId, email } = sessionOf(request);
      return { userId, email };
    });
  host.get('/unguarded', async (request) => sessionOf(request));
  const auth = new Auth({ service });
  const { id } = await whenNotBusy(() => auth.registerUser('ada@example.org', 'b4l0u'));
  const cookie = `session_id=${await auth.createSession('ada@example.org')}`;
  const html = { accept: 'text/html' };
  for (const url of ['/onRequest', '/preHandler']) {
    const known = await host.inject({ url, headers: { cookie } });
    assert.deepEqual(known.json(), { userId: id, email: 'ada@example.org' });
    const page = await host.inject({ url: `${url}?a=b&c`, headers: html });
    assert.deepEqual(
      [page.statusCode, page.headers.location, page.headers['cache-control']],
      [303, `/sign-in?return_to=${encodeURIComponent(`${url}?a=b&c`)}`, 'no-store'],
    );
    for (const [method, headers] of [
      ['GET', {}],
      ['GET', { ...html, 'sec-fetch-mode': 'cors' }],
      ['GET', { ...html, 'x-requested-with': 'XMLHttpRequest' }],
      ['GET', { cookie: 'session_id=nonsense' }],
      ['POST', html],
      ['DELETE', { ...html, 'sec-fetch-mode': 'navigate' }],
    ] as const) {
      const refused = await host.inject({ url, method, headers });
      assert.deepEqual(
        [refused.statusCode, memberOf(refused.json(), 'code')],
        [403, 'session_required'],
        method,
      );
    }
  }
  assert.deepEqual((await host.inject('/open')).json(), { session: null });
  assert.equal((await host.inject('/unguarded')).statusCode, 500);
});

test('a guarded route answers 503 while the database does not answer, without the reason', async (t) => {
  const host = Fastify();
  const service = await open(t, host);
  await host.register(bienvenue, { service, home: false });
  for (const hook of ['onRequest', 'preHandler'])
    host.get(`/${hook}`, { [hook]: requireSession(service) }, async () => 'mine');
  const auth = new Auth({ service });
  await whenNotBusy(() => auth.registerUser('ada@example.org', 'b4l0u'));
  const cookie = `session_id=${await auth.createSession('ada@example.org')}`;
  await service.close();
  for (const url of ['/onRequest', '/preHandler']) {
    const reply = await host.inject({ url, headers: { cookie } });
    assert.deepEqual([reply.statusCode, memberOf(reply.json(), 'code')], [503, 'unavailable']);
    assert.doesNotMatch(reply.body, /database|closed/i);
  }
});

test('findSession says which header it needs', async (t) => {
  const service = await open(t);
  const headers = new Headers({ cookie: 'session_id=x' });
  for (const given of [headers, { headers }, ['session_id=x'], 7])
    await assert.rejects(
      findSession(service, given as unknown as string),
      /^TypeError: findSession needs the Cookie header, a text: .*request\.headers\.cookie/,
    );
  for (const given of [undefined, null, '', 'other=1'])
    assert.equal(await findSession(service, given), undefined);
});

test('the routes of the service keep their limit of bodies in a host with a larger one', async (t) => {
  const host = Fastify({ bodyLimit: 1024 * 1024 });
  await host.register(bienvenue, { service: await open(t, host), home: false });
  host.post('/own', async ({ body }) => ({ length: String(memberOf(body, 'password')).length }));
  const payload = { email: 'ada@example.org', password: 'x'.repeat(20_000) };
  for (const url of ['/users', '/sessions', '/sign-in'])
    assert.equal((await host.inject({ method: 'POST', url, payload })).statusCode, 413, url);
  assert.deepEqual((await host.inject({ method: 'POST', url: '/own', payload })).json(), { length: 20_000 });
});

test('a body that was read in front of the service fails the request and is logged, also without a logger', async (t) => {
  const service = await open(t);
  const lines: string[] = [];
  t.mock.method(service.core.context.log, 'error', (facts: { readonly err: Error }) =>
    lines.push(facts.err.message),
  );
  const accounts = Fastify();
  await accounts.register(bienvenue, { service, home: false });
  await accounts.ready();
  const server = createServer((request, response) => {
    request.on('end', () => accounts.routing(request, response)).resume(); // as express.json() does
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(async () => {
    server.close();
    server.closeAllConnections();
    await accounts.close();
  });
  const { port } = server.address() as AddressInfo;
  const base = `http://127.0.0.1:${port}`;
  const body = new URLSearchParams({ email: 'ada@example.org', password: 'b4l0u' });
  for (const path of ['/users', '/sessions', '/sign-in']) {
    const reply = await fetch(`${base}${path}`, {
      method: 'POST',
      body,
      signal: AbortSignal.timeout(60_000),
    });
    assert.equal(reply.status, 500, path);
    assert.match(String(lines.pop()), /^The body of the request was read before .* express\.json\(\)/);
  }
  assert.equal((await fetch(`${base}/sign-in`)).status, 200);
});
