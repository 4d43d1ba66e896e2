// Rejecting a login takes as long for a password hash that was imported from another product as for any other account.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patient } from '../support/hashing.ts';
import { Hasher } from '../../src/hash/hasher.ts';

const hashOfC = '{SSHA256}uRCbKp3n+XcQHg+j2i0CKEb7rcw17EoFpI/Cnuqw8+1zYWx0c2FsdA==';

// SECURITY A12: the time of a rejection must not reveal that the account exists and was imported.
test('A12 enumeration by time: rejecting a login takes no less time for an imported hash than for an unknown user', async (t) => {
  const hasher = new Hasher({ ...patient, threads: 1 });
  t.after(() => hasher.close());
  await hasher.warm();
  const timeOf = async (hashed: string | null): Promise<number> => {
    const start = performance.now();
    await hasher.verify(hashed, 'a wrong password');
    return performance.now() - start;
  };
  for (const hashed of [hashOfC, 'no hash at all', '$argon2id$v=19$m=19456,t=2,p=1$damaged']) {
    // Interleaved, so that other load on the machine affects both equally.
    const ratios: number[] = [];
    for (let i = 0; i < 9; i += 1) {
      const unknown = await timeOf(null);
      ratios.push((await timeOf(hashed)) / unknown);
    }
    const [, , , , median = 0] = ratios.toSorted((a, b) => a - b);
    // The shortcut that this test detects takes a hundredth of the time.
    assert.ok(median > 1 / 3, `${hashed}: ${ratios.map((ratio) => ratio.toFixed(2)).join()}`);
  }
});
