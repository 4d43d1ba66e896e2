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

/** Waits until the function returns nothing. @param {() => string[]} left @returns {Promise<void>} */
async function waitForNone(left) {
  for (let i = 0; i < 1200 && left().length > 0; i += 1) await pause(250);
  assert.deepEqual(left(), []);
}

test(
  'a lane that is ended by SIGTERM ends its tests and its database server',
  { skip: !isLinux && 'reads /proc', timeout: 600_000 },
  async (t) => {
    const mark = crypto.randomUUID();
    const env = {
      ...process.env,
      NODE_TEST_CONTEXT: undefined,
      TEST_DATABASE_URL: undefined,
      LANE_MARK: mark,
    };
    const lane = spawn(process.execPath, [tool, 'main'], { env, stdio: 'ignore' });
    t.after(() => lane.kill('SIGKILL'));
    const ended = once(lane, 'exit');
    // A program that a test has started ends with its own time limit: only its parent knows it.
    const own = () => processesWith(`LANE_MARK=${mark}`).filter((line) => /\/lane-\w+\/|postgres/.test(line));
    await waitForNone(() => (own().some((line) => line.includes('/lane-')) ? [] : ['no test process yet']));
    lane.kill('SIGTERM');
    await ended;
    await waitForNone(own);
  },
);
