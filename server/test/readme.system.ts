// Runs the tour of the README.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { blockOf, stepsOf } from './support/document.ts';
import { temporaryFolder } from './support/running-service.ts';
import { realMain, startService } from './support/service.ts';

const page = 'README.md';
const hasCurl = spawnSync('curl', ['--version']).status === 0;

test(
  'the tour with curl prints what the README shows',
  { skip: !hasCurl && 'There is no curl on this machine' },
  async (t) => {
    const folder = await temporaryFolder(t);
    const service = await startService({ DATA_DIR: folder }, realMain);
    t.after(() => service.stop());
    const steps = stepsOf(blockOf(page, 'A tour with curl', 'console'));
    assert.ok(steps.length >= 3, 'the transcript is read');
    for (const { command, output } of steps) {
      assert.match(command, /^curl /);
      const send = (): string =>
        spawnSync(command.replaceAll('localhost:5000', new URL(service.baseUrl).host), {
          shell: true,
          cwd: folder,
          encoding: 'utf8',
        }).stdout.trim();
      let reply = send();
      while (reply.includes('too_busy')) reply = send(); // as a user would, next to busy programs
      assert.equal(reply, output, command);
    }
  },
);
