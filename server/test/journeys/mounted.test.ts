// Bienvenue as a plugin in another program's Fastify.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import formbody from '@fastify/formbody';
import Fastify, { type FastifyInstance } from 'fastify';
import { bienvenue, openService } from '../../src/index.ts';
import { temporaryFolder } from '../support/running-service.ts';
import { runJourney } from './contract-journey.ts';

/** Listens with the service mounted, and returns the address. */
async function listen(t: TestContext, host: FastifyInstance, prefix = ''): Promise<string> {
  const service = await openService({ DATA_DIR: await temporaryFolder(t), LOG_LEVEL: 'silent' });
  t.after(async () => {
    await host.close();
    await service.close();
  });
  await host.register(bienvenue, { service, prefix });
  return host.listen({ host: '127.0.0.1', port: 0 });
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
  host.post('/own', async (request) => request.body);
  host.get('/fails', async () => {
    throw new Error('on purpose');
  });
  const baseUrl = await listen(t, host);
  await runJourney(baseUrl);
  const echoed = await fetch(`${baseUrl}/own`, { method: 'POST', body: new URLSearchParams({ a: 'b' }) });
  assert.deepEqual(await echoed.json(), { a: 'b' });
  assert.equal(await (await fetch(`${baseUrl}/own`, { method: 'POST', body: 'words' })).text(), 'words');
  assert.equal((await fetch(`${baseUrl}/fails`)).status, 418);
  const refused = await fetch(`${baseUrl}/users`, { method: 'POST', body: 'words' });
  assert.equal(refused.status, 415, 'our routes do not accept content types of the host');
});

test('the client finds no difference in a host that mounts the service below a prefix', async (t) => {
  const baseUrl = await listen(t, Fastify(), '/accounts');
  const reply = await fetch(`${baseUrl}/accounts/users`, {
    method: 'POST',
    body: new URLSearchParams({ email: 'a@example.org', password: 'b4l0u' }),
  });
  assert.deepEqual(
    [reply.status, await reply.json()],
    [200, { email: 'a@example.org', message: 'user created' }],
  );
});
