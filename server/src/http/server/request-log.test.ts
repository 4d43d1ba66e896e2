// Tests that every request leaves a line in the log, even if a hook fails after the reply.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { pino } from 'pino';
import { ClientAddress } from '../limit/client-address.ts';
import { changesNothing, logRequests } from './request-log.ts';
import { createServer } from './server.ts';

/** Returns the log lines of one POST to a server with the given hook after the reply, before or after that of the log. */
async function linesWith(
  fails: () => void,
  isBefore: boolean,
  clientAddress = new ClientAddress([]),
): Promise<Record<string, unknown>[]> {
  const stream = new PassThrough({ encoding: 'utf8' });
  const app = createServer(pino({ base: null }, stream), { headers: {}, isClosed: false });
  const install = (): unknown =>
    app.addHook('onResponse', (_request, _reply, done) => {
      fails();
      done();
    });
  if (isBefore) install();
  logRequests(app, clientAddress);
  if (!isBefore) install();
  app.post('/', async () => ({}));
  const { statusCode } = await app.inject({ method: 'POST', url: '/?token=secret' });
  assert.equal(statusCode, 200);
  await app.close();
  const text = String(stream.read() ?? '');
  assert.doesNotMatch(text, /secret/);
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>); // pino writes objects
}

const fails = (): void => {
  throw new Error('a hook failed');
};

test('a request has a line if a hook throws after its reply, before or after the hook of the log', async () => {
  for (const isBefore of [true, false]) {
    const lines = await linesWith(fails, isBefore);
    const error = lines.find(({ err }) => err !== undefined);
    assert.deepEqual([error?.['method'], error?.['path'], error?.['status']], ['POST', '/', 200]);
    assert.match(JSON.stringify(error), /a hook failed/);
    assert.equal(lines.length, isBefore ? 1 : 2);
  }
});

test('a request has a line if the hook of the log itself throws', async () => {
  class Broken extends ClientAddress {
    override of(): never {
      throw new Error('no address');
    }
  }
  const [error, ...others] = await linesWith(() => {}, false, new Broken([]));
  assert.deepEqual([error?.['path'], others], ['/', []]);
  assert.match(JSON.stringify(error), /no address/);
});

test('successful reads have a line at level debug: safe methods, and routes that change nothing', async () => {
  const stream = new PassThrough({ encoding: 'utf8' });
  const log = pino({ base: null, level: 'info' }, stream);
  const app = createServer(log, { headers: {}, isClosed: false });
  logRequests(app, new ClientAddress([]));
  app.post('/asks', { config: changesNothing }, async () => ({}));
  app.post('/fails', { config: changesNothing }, async (_request, reply) => reply.code(400).send({}));
  app.options('/asks', async () => ({}));
  app.post('/changes', async () => ({}));
  for (const [method, url] of [
    ['POST', '/asks'],
    ['OPTIONS', '/asks'],
    ['POST', '/fails'],
    ['POST', '/changes'],
  ] as const)
    await app.inject({ method, url });
  await app.close();
  const lines = String(stream.read()).trim().split('\n');
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { path: string }).path),
    ['/fails', '/changes'],
  );
});
