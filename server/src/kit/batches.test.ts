import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeInBatches } from './batches.ts';

/** A table, and the sizes of the batches in which its rows are removed. */
function table(
  rows: number,
  msPerRow: number,
): { batches: number[]; remove: (limit: number) => Promise<number> } {
  const batches: number[] = [];
  let left = rows;
  return {
    batches,
    remove: async (limit) => {
      const removed = Math.min(limit, left);
      left -= removed;
      batches.push(removed);
      await sleep(removed * msPerRow);
      return removed;
    },
  };
}

describe('removing in batches', () => {
  test('removes all rows', async () => {
    const { batches, remove } = table(1234, 0);
    assert.equal(await removeInBatches(remove), 1234);
    assert.deepEqual(batches.slice(0, 1), [500]);
  });

  test('continues after a full batch', async () => {
    const { batches, remove } = table(500, 0);
    assert.equal(await removeInBatches(remove), 500);
    assert.equal(batches.at(-1), 0);
  });

  test('uses smaller batches if they take long, of at least a hundred rows', async () => {
    const { batches, remove } = table(1500, 0.2);
    assert.equal(await removeInBatches(remove), 1500);
    assert.deepEqual(batches.slice(0, 3), [500, 250, 125]);
    assert.ok(batches.slice(0, -1).every((rows) => rows >= 100));
  });
});
