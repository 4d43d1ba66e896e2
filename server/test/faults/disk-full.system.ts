// The disk of the database is full: writes are rejected with a clear reply, sessions keep working, and the service
// recovers by itself when there is space again.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { migratedModules } from '../../src/app/migrations.ts';
import { DatabaseRefused } from '../../src/db/database.ts';
import { openDatabase } from '../../src/db/open-database.ts';
import { minuteMs } from '../../src/kit/clock.ts';
import { startService } from '../support/service.ts';
import { History, sendRequest } from './history.ts';
import { assertSound } from './soundness.ts';

/** Space for the empty database and some accounts. */
const diskMb = 4;
/** Requests that are rejected while the disk is full. */
const refusals = 40;
/** Maximum of log lines about the fault in that time, in addition to one line for each request. */
const maxLines = 8;

/** Mounts a small disk at a folder; returns why it cannot. */
function mountDisk(folder: string): string | undefined {
  const { status, error } = spawnSync('mount', [
    '-t',
    'tmpfs',
    '-o',
    `size=${diskMb}m`,
    'bienvenue-test',
    folder,
  ]);
  if (error !== undefined) return 'mount is not installed';
  return status === 0 ? undefined : 'no disk may be mounted here';
}

/** Writes a file until the disk has no free byte left. */
function fillDisk(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let size = 65_536; size >= 1;) {
      try {
        writeSync(file, Buffer.alloc(size, 1));
      } catch {
        size = Math.floor(size / 2);
      }
    }
  } finally {
    closeSync(file);
  }
}

test('a full disk rejects writes, does not affect sessions, is logged in a few lines, and recovers', async (t: TestContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'bienvenue-disk-'));
  const reason = mountDisk(folder);
  if (reason !== undefined) {
    await rmdir(folder);
    return t.skip(`no disk is filled: ${reason}`);
  }
  const url = `sqlite:${join(folder, 'accounts.db')}`;
  const service = await startService({ DATABASE_URL: url, DATA_DIR: folder, LOG_LEVEL: 'info' });
  t.after(async () => {
    await service.stop('SIGKILL');
    spawnSync('umount', [folder]);
    await rmdir(folder);
  });
  const { baseUrl } = service;

  const history = new History();
  await history.once(baseUrl);
  assert.deepEqual([history.refused, history.unexpected], [0, []]);
  const fields = { email: 'watcher@example.org', password: 'watching' };
  assert.equal((await sendRequest(baseUrl, 'POST', '/users', { fields }))?.status, 200);
  const cookie = (await sendRequest(baseUrl, 'POST', '/sessions', { fields }))?.cookie ?? '';

  fillDisk(join(folder, 'filler'));
  const [before, begun] = [service.lines.length, performance.now()];
  for (let i = 0; i < refusals; i += 1) {
    const refused = await fetch(`${baseUrl}/reset_password`, {
      method: 'POST',
      body: new URLSearchParams({ email: fields.email }),
    });
    assert.equal(refused.status, 503);
    assert.match(refused.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
    assert.equal(refused.headers.get('content-type'), 'application/problem+json; charset=utf-8');
    assert.equal(((await refused.json()) as { code: string }).code, 'unavailable');
    assert.equal((await sendRequest(baseUrl, 'GET', '/profile', { cookie }))?.status, 200);
  }
  assert.equal((await sendRequest(baseUrl, 'POST', '/sessions', { fields }))?.status, 503);
  for (const path of ['/', '/health/live', '/health/ready'])
    assert.equal((await sendRequest(baseUrl, 'GET', path))?.status, 200);
  await pause(3000); // the jobs meet the full disk as well
  const lines = service.lines.slice(before).filter((line) => !line.includes('"msg":"request"'));
  const minutes = Math.ceil((performance.now() - begun) / minuteMs); // each fault is logged again after a minute
  const isShort = lines.length > 0 && lines.length <= maxLines * minutes;
  assert.ok(isShort, `${lines.length} lines, the first: ${lines[0]}`);
  assert.ok(
    lines.some((line) => line.includes('disk is full')),
    lines[0],
  );

  rmSync(join(folder, 'filler'));
  await history.once(baseUrl);
  assert.deepEqual([history.refused, history.unexpected], [0, []], 'it recovers by itself');
  assert.equal((await sendRequest(baseUrl, 'GET', '/profile', { cookie }))?.status, 200);
  await history.check(baseUrl);
  await service.stop();
  fillDisk(join(folder, 'filler'));
  for (const isExamined of [true, false])
    await assert.rejects(
      openDatabase(url, migratedModules, { isExamined }),
      (error) => error instanceof DatabaseRefused && /cannot be opened: .*free space/.test(error.message),
    );
  rmSync(join(folder, 'filler'));
  await (await openDatabase(url, migratedModules, { isExamined: true })).close();
  assertSound(url);
});
