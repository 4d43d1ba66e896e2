// What follows from the code is written out in the repository, where it can be read and reviewed. Here it is written
// anew and compared.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { generate } from '../../tools/generate.ts';

const root = new URL('../../', import.meta.url);

/** What to do about a file that is not what the code says; `undefined` when it is. */
function driftOf(file: string, written: string, generated: string): string | undefined {
  if (written === generated) return undefined;
  const [ours, theirs] = [written.split('\n'), generated.split('\n')];
  const at = ours.findIndex((line, i) => line !== theirs[i]);
  const line = at === -1 ? ours.length : at;
  return (
    `${file} is not what the code says: run "npm run generate", look at the difference, and commit it. ` +
    `The first is in line ${line + 1}: "${ours[line] ?? ''}" should be "${theirs[line] ?? ''}".`
  );
}

test('what is generated is what the code says', async (t) => {
  const files = await generate();
  assert.ok(files.size >= 4);
  for (const [file, generated] of files) {
    await t.test(file, async () => {
      assert.ok(generated.length > 500, 'it says something');
      const drift = driftOf(file, await readFile(new URL(file, root), 'utf8'), generated);
      assert.ok(drift === undefined, drift);
    });
  }
});

test('a difference is told with its line and its remedy', () => {
  assert.equal(driftOf('a.md', 'x\ny\n', 'x\ny\n'), undefined);
  const drift = /^a\.md is not what the code says: run "npm run generate", .* line 2: "y" should be "z"\.$/;
  assert.match(driftOf('a.md', 'x\ny\n', 'x\nz\n') ?? '', drift);
  assert.match(driftOf('a.md', 'x\n', 'x\ny\n') ?? '', /line 2: "" should be "y"/);
});
