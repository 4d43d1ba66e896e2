// Every route that answers is listed in routes.snapshot.txt with its access level and cost, and the list has no other
// routes: a reviewer sees each new route.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { PublicService } from '../support/public-service.ts';
import { send } from '../support/request.ts';
import { testService, type TestService } from '../support/service.ts';

const snapshot = readFileSync(new URL('../routes.snapshot.txt', import.meta.url), 'utf8');
const lines = [
  ...snapshot.matchAll(/^([\w-]+) +cost (\d+) +([A-Z]+) +(\/\S*)( +\(a read\))?(?: +\((in [^()]+)\))?$/gm),
].map(([, access, cost, method, path, read, mode = '']) => ({
  text: `${access} ${cost} ${method} ${path} ${read !== undefined}`,
  isInLocal: !mode.startsWith('in public'),
  isInPublic: !mode.startsWith('in local'),
}));

/** Routes that answer. On each known path, other methods are rejected with 405, and OPTIONS lists the allowed ones. */
async function answeringRoutes({ app, routes }: TestService): Promise<string[]> {
  const answering: string[] = [];
  for (const { method, url, access, cost, isCountedRead, isRefusal } of routes) {
    if (method === 'OPTIONS' && isRefusal) continue;
    const { status } = await send(app, { method: method as 'GET', path: url.replace(':code', 'not_found') });
    if (status !== 405) answering.push(`${access} ${cost} ${method} ${url} ${isCountedRead}`);
  }
  return answering.toSorted();
}

test('A70 unguarded routes: in local mode every route that answers is listed with its access level', async () => {
  const service = await testService('sqlite');
  try {
    const expected = lines.filter(({ isInLocal }) => isInLocal).map(({ text }) => text);
    assert.ok(expected.length > 10, 'the list was read');
    assert.deepEqual(await answeringRoutes(service), expected.toSorted());
  } finally {
    await service.close();
  }
});

/** Paths that other services have left open by mistake. */
const usual = [
  'metrics',
  'debug',
  'docs',
  'documentation/json',
  'swagger',
  '.env',
  '.git/config',
  'admin',
  'status',
  'actuator',
];

test('A70 unguarded routes: in public mode every route that answers is listed, and no reply reveals how the service is built', async () => {
  const { service } = await PublicService.start('sqlite', {
    EMAIL_SIGN_IN: 'true',
    REMEMBERED_DEVICE_DAYS: '30',
    PASSKEY_ORIGINS: 'https://app.test',
  });
  try {
    const expected = lines.filter(({ isInPublic }) => isInPublic).map(({ text }) => text);
    assert.deepEqual(await answeringRoutes(service), expected.toSorted());
    for (const path of usual)
      assert.equal((await send(service.app, { method: 'GET', path: `/${path}` })).status, 404, path);
    const { headers } = await send(service.app, { method: 'GET', path: '/' });
    for (const name of ['server', 'x-powered-by', 'x-runtime', 'via'])
      assert.equal(headers[name], undefined, name);
  } finally {
    await service.close();
  }
});
