// Ends a lane by a signal: nothing that it started goes on.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const tool = fileURLToPath(new URL('test.mjs', import.meta.url));
const isLinux = process.platform === 'linux';

/** Command lines of all processes that a process has started, by their ids. @param {number} root @returns {Map<string, string>} */
function startedBy(root) {
  /** @type {Map<string, { parent: string, command: string }>} */
  const all = new Map();
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${id}/stat`, 'utf8').replace(/^.*\) /s, '');
      const command = readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ');
      all.set(id, { parent: stat.split(' ')[1] ?? '', command });
    } catch {
      // It has just ended.
    }
  }
  /** @type {(id: string) => boolean} */
  const isOwn = (id) => {
    const { parent } = all.get(id) ?? {};
    return parent !== undefined && (parent === String(root) || isOwn(parent));
  };
  return new Map([...all].filter(([id]) => isOwn(id)).map(([id, { command }]) => [id, command]));
}

/** @param {string} id @param {string} command */
function isRunning(id, command) {
  try {
    return readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ') === command;
  } catch {
    return false;
  }
}

/** Waits until the function returns nothing. @param {() => string[]} left @returns {Promise<void>} */
async function waitForNone(left) {
  for (let i = 0; i < 3000 && left().length > 0; i += 1) await pause(50);
  assert.deepEqual(left(), []);
}

test(
  'a lane that is ended by SIGTERM ends its tests, their services and its database server',
  { skip: !isLinux && 'reads /proc', timeout: 600_000 },
  async (t) => {
    // Without those of the lane that runs this test: its server and its templates are not those of the other lane.
    const own = ['NODE_TEST_CONTEXT', 'TEST_DATABASE_URL', 'TEST_TEMPLATE', 'TEST_TEMPLATE_FILE'];
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.includes(name)));
    const lane = spawn(process.execPath, [tool, 'main', 'server/test/logs.test.ts'], {
      env,
      stdio: 'ignore',
    });
    t.after(() => lane.kill('SIGKILL'));
    const ended = once(lane, 'exit');
    /** @type {Map<string, string>} */
    let started = new Map();
    await waitForNone(() => {
      started = startedBy(lane.pid ?? 0);
      const commands = [...started.values()].join('\n');
      return [/\/lane-\w+\//, /postgres/, / serve\b/].filter((one) => !one.test(commands)).map(String);
    });
    lane.kill('SIGTERM');
    await ended;
    await waitForNone(() => [...started].filter(([id, command]) => isRunning(id, command)).map(String));
  },
);
