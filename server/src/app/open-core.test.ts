import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createData, temporaryFolder } from '../../test/support/running-service.ts';
import { threadsAt } from '../../test/support/thread.ts';
import { withCore } from './open-core.ts';

test(
  'a command hashes at the priority of its process, so that it ends soon next to busy programs',
  { skip: process.platform !== 'linux' && 'only Linux has priorities of threads' },
  async (t) => {
    const environment = { DATA_DIR: await temporaryFolder(t), HASH_THREADS: '2' };
    await createData(environment);
    const before = threadsAt(19);
    await withCore(environment, async ({ context }) => {
      await Promise.all([context.hasher.hash('x'), context.hasher.hash('x')]);
      assert.equal(threadsAt(19), before);
    });
  },
);
