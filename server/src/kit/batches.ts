// Removes many rows in small batches, because SQLite has a single writer and a batch holds it.

/** Maximum size of a batch, and the size of the first one. */
const maxRows = 500;
/** Minimum size: a commit alone may take longer than the goal, and only the number of batches would grow. */
const minRows = 100;
/**
 * Milliseconds that a batch may take. After a slower batch the size is halved; after a batch of half the time it is
 * doubled.
 */
const goalMs = 20;

/**
 * Calls `remove` until it removes fewer rows than the limit, and returns the total. The limit depends on the time that
 * the last batch took, because the rows of a large table are read from the disk.
 * @param remove Removes up to `limit` rows and returns how many.
 */
export async function removeInBatches(remove: (limit: number) => Promise<number>): Promise<number> {
  let total = 0;
  let limit = maxRows;
  for (;;) {
    const begun = performance.now();
    const removed = await remove(limit);
    total += removed;
    if (removed < limit) return total;
    const tookMs = performance.now() - begun;
    if (tookMs > goalMs) limit = Math.max(minRows, Math.floor(limit / 2));
    else if (tookMs < goalMs / 2) limit = Math.min(maxRows, limit * 2);
  }
}
