/** Tests the launcher, server/bin/bienvenue.js, in a folder of its own with a stand-in for the server. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../server/bin/bienvenue.js', import.meta.url));
const onPosix = { skip: process.platform === 'win32' && 'Windows has no signals' };

/** Prints its arguments, then ends with a code, or waits and counts the signals that it receives. */
const SERVER = `
const [verb, value] = process.argv.slice(2);
let heard = 0;
if (verb === 'count') for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => {
  console.log(signal, ++heard);
  setTimeout(() => process.exit(heard), 400);
});
console.log('runs', JSON.stringify(process.argv.slice(2)));
if (verb === 'exit') process.exit(Number(value));
setTimeout(() => {}, 20_000);
`;

/** `isOld` makes the copy behave as if it ran on an old Node, next to a pinned runtime that starts the stand-in. */
function createPackage(t, { isOld = false, hasRuntime = true } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bienvenue-launcher-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const write = (place, text, mode = 0o644) => {
    fs.mkdirSync(path.dirname(path.join(folder, place)), { recursive: true });
    fs.writeFileSync(path.join(folder, place), text, { mode });
  };
  const launcher = fs.readFileSync(LAUNCHER, 'utf8');
  const least = 'const LEAST = [24, 16];';
  assert.ok(launcher.includes(least));
  write('server/package.json', '{ "type": "module" }');
  write('server/bin/bienvenue.js', isOld ? launcher.replace(least, 'const LEAST = [999, 0];') : launcher);
  for (const name of ['use-bundle.js', 'program-bundle.js'])
    fs.copyFileSync(path.join(path.dirname(LAUNCHER), name), path.join(folder, 'server/bin', name));
  write('server/src/main.ts', SERVER);
  if (isOld && hasRuntime) {
    const runtime = `node_modules/node-${process.platform}-${process.arch}`;
    write(`${runtime}/package.json`, '{ "version": "999.1.0" }');
    const standIn = path.join(folder, 'server/src/main.ts');
    write(`${runtime}/bin/node`, `#!/bin/sh\nshift\nexec "${process.execPath}" "${standIn}" "$@"\n`, 0o755);
  }
  return path.join(folder, 'server', 'bin', 'bienvenue.js');
}

/** Starts it. `begun` resolves at the first line of output, `ended` when it and all its children have ended. */
function launch(command, args, env = {}) {
  const { npm_lifecycle_event: _ours, ...clean } = process.env;
  const child = spawn(command, args, {
    env: { ...clean, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  const begun = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
        resolve();
      });
    }
  });
  const ended = new Promise((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, output })),
  );
  return { child, begun, ended };
}

for (const isOld of [false, true]) {
  const where = isOld ? 'on an old Node, through the pinned runtime,' : 'in the same process';
  const options = isOld ? onPosix : {};

  test(`${where} passes arguments and the exit code through`, options, async (t) => {
    const run = launch(process.execPath, [createPackage(t, { isOld }), 'exit', '3', 'a b']);
    assert.deepEqual(await run.ended, { code: 3, signal: null, output: 'runs ["exit","3","a b"]\n' });
  });

  test(`${where} ends by the signal that ended the server`, onPosix, async (t) => {
    const run = launch(process.execPath, [createPackage(t, { isOld }), 'wait']);
    await run.begun;
    run.child.kill('SIGTERM');
    assert.equal((await run.ended).signal, 'SIGTERM');
  });

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    test(`${where} passes ${signal} on once`, onPosix, async (t) => {
      const run = launch(process.execPath, [createPackage(t, { isOld }), 'count']);
      await run.begun;
      process.kill(-Number(run.child.pid), signal); // the whole group, as a terminal does
      assert.deepEqual(await run.ended, { code: 1, signal: null, output: `runs ["count"]\n${signal} 1\n` });
    });
  }
}

test('on an old Node without a pinned runtime, prints what to do', async (t) => {
  const run = launch(process.execPath, [createPackage(t, { isOld: true, hasRuntime: false }), 'wait']);
  const { code, output } = await run.ended;
  assert.equal(code, 1);
  assert.match(output, /needs Node\.js 999\.0 or later\..*Install Node\.js 24 LTS/s);
});

test('under npm, stops the server with one signal when the shell in between dies', onPosix, async (t) => {
  // The colon keeps any shell from replacing itself with node, as dash never does.
  const script = `"${process.execPath}" "${createPackage(t)}" count; :`;
  const run = launch('/bin/sh', ['-c', script], { npm_lifecycle_event: 'start' });
  await run.begun;
  run.child.kill('SIGTERM');
  assert.equal((await run.ended).output, 'runs ["count"]\nSIGTERM 1\n');
});
