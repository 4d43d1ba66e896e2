// Standard output cannot be written, because the disk of its file is full or its reader has ended, or the input ends: the
// service goes on and can be stopped, and a command says so in a sentence.
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { patienceMs } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { createData, temporaryFolder } from '../support/running-service.ts';

const program = join(import.meta.dirname, '../../bin/bienvenue.js');
/** A device that answers every write with "no space left". */
const full = '/dev/full';
const skip = !existsSync(full) && 'This system has no /dev/full';

function start(args: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
  const output = openSync(full, 'w');
  try {
    const env = { PATH: process.env['PATH'] ?? '', ...environment };
    return spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', output, 'pipe'] });
  } finally {
    closeSync(output);
  }
}

for (const format of ['json', 'pretty'])
  test(
    `a service that cannot write its log (${format}) answers, and stops at a signal`,
    { skip, timeout: patienceMs },
    async (t) => {
      const port = await freePort();
      const environment = { DATA_DIR: await temporaryFolder(t), PORT: String(port), LOG_FORMAT: format };
      const child = start(['serve'], environment);
      t.after(() => child.kill('SIGKILL'));
      const ask = async (path: string): Promise<number | undefined> =>
        (await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined))?.status;
      while ((await ask('/health/live')) !== 200) {
        assert.deepEqual([child.exitCode, child.signalCode], [null, null]);
        await pause(100);
      }
      for (let i = 0; i < 20; i += 1) assert.equal(await ask('/profile'), 403); // each writes a line
      child.kill('SIGTERM');
      assert.deepEqual(await once(child, 'exit'), [0, null]);
    },
  );

test('a command that cannot write its output says so', { skip }, async (t) => {
  const child = start(['config'], { DATA_DIR: await temporaryFolder(t) });
  const said = text(child.stderr ?? assert.fail('it is a pipe'));
  assert.deepEqual(await once(child, 'exit'), [1, null]);
  assert.match(await said, /^The output cannot be written: ENOSPC/);
});

test('a command whose reader has ended is silent', async (t) => {
  const env = { PATH: process.env['PATH'] ?? '', DATA_DIR: await temporaryFolder(t) };
  const child = spawn(process.execPath, [program, 'help'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  const said = text(child.stderr);
  assert.deepEqual(await once(child, 'exit'), [0, null]);
  assert.equal(await said, '');
});

/** `script` of util-linux gives a program a terminal, and passes on what is written to it. */
const hasScript = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux');
for (const [key, code] of [
  ['Ctrl+C', '\u0003'],
  ['Ctrl+D', '\u0004'],
] as const)
  test(
    `a command that asks for a password ends with a sentence at ${key}`,
    { skip: !hasScript && 'This system has no script of util-linux', timeout: patienceMs },
    async (t) => {
      const environment = { DATA_DIR: await temporaryFolder(t) };
      await createData(environment);
      const env = { PATH: process.env['PATH'] ?? '', TERM: 'xterm', ...environment };
      const command = `stty cols 80 && '${process.execPath}' '${program}' user add ada@example.org`;
      const child = spawn('script', ['-qec', command, '/dev/null'], {
        env,
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      let said = '';
      let isAsked = false;
      child.stdout.setEncoding('utf8').on('data', (part: string) => {
        said += part;
        if (isAsked || !said.includes('Password')) return;
        isAsked = true;
        setTimeout(() => child.stdin.write(code), 200); // the prompt listens after its first picture
      });
      assert.deepEqual(await once(child, 'exit'), [1, null], said);
      assert.match(said, /Nothing was changed/);
      assert.doesNotMatch(said, /Warning/);
    },
  );
