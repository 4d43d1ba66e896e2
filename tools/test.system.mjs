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

/** Ids and command lines of the processes with this variable. @param {string} variable @returns {string[]} */
function processesWith(variable) {
  return readdirSync('/proc')
    .filter((id) => /^\d+$/.test(id))
    .flatMap((id) => {
      try {
        if (!readFileSync(`/proc/${id}/environ`, 'utf8').split('\0').includes(variable)) return [];
        return [`${id} ${readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ')}`];
      } catch {
        return []; // it has ended, or belongs to another user
      }
    });
}

/** @param {() => boolean} isTrue @param {string} what */
async function waitUntil(isTrue, what) {
  for (let i = 0; i < 1200; i += 1) {
    if (isTrue()) return;
    await pause(50);
  }
  assert.fail(`after a minute: ${what}`);
}

test(
  'a lane that is ended by SIGTERM ends its tests and its database server',
  { skip: !isLinux && 'reads /proc' },
  async () => {
    const mark = `LANE_MARK=${crypto.randomUUID()}`;
    const env = {
      ...process.env,
      NODE_TEST_CONTEXT: undefined,
      TEST_DATABASE_URL: undefined,
      LANE_MARK: mark.split('=')[1],
    };
    const lane = spawn(process.execPath, [tool, 'main'], { env, stdio: 'ignore' });
    const ended = once(lane, 'exit');
    const isTesting = () => processesWith(mark).some((line) => /lane-\w+\//.test(line));
    await waitUntil(isTesting, 'no test process has started');
    lane.kill('SIGTERM');
    await ended;
    await waitUntil(() => processesWith(mark).length === 0, processesWith(mark).join('\n'));
  },
);
