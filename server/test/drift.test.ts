// What follows from the code is written out in the repository, where it can be read and reviewed. Here it is written
// anew and compared.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { messageKeys } from '../src/kit/language.ts';
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

/** What is wrong with the page of the mails: kinds that it does not show, pictures that are not there or not shown. */
function mailFaults(page: string, kinds: readonly string[], pictures: readonly string[]): string[] {
  const shown = [...page.matchAll(/\]\(mails\/([^)]+)\)/g)].map(([, file = '']) => file);
  return [
    ...kinds.filter((kind) => !page.includes(`**${kind}**`) || !shown.includes(`${kind}.en.png`)),
    ...shown.filter((file) => !pictures.includes(file)),
    ...pictures.filter((file) => !shown.includes(file)),
  ];
}

test('docs/mails.md tells of every kind of mail, and shows each of its pictures', async () => {
  const page = await readFile(new URL('docs/mails.md', root), 'utf8');
  const pictures = await readdir(new URL('docs/mails', root));
  const kinds = messageKeys('en').flatMap((key) => /^mail\.(\w+)\.subject$/.exec(key)?.[1] ?? []);
  assert.ok(kinds.length > 10);
  assert.deepEqual(mailFaults(page, kinds, pictures), [], 'run "npm run mails -- --pictures docs/mails"');
  assert.deepEqual(mailFaults(page, [...kinds, 'new_kind'], pictures), ['new_kind']);
  assert.deepEqual(mailFaults(page, kinds, pictures.slice(1)), pictures.slice(0, 1));
  assert.deepEqual(mailFaults(page, kinds, [...pictures, 'old.png']), ['old.png']);
});

test('docs/pages.md shows each picture of a page that is there', async () => {
  const page = await readFile(new URL('docs/pages.md', root), 'utf8');
  const shown = [...page.matchAll(/\]\(pages\/([^)]+)\)/g)].map(([, file = '']) => file);
  const pictures = await readdir(new URL('docs/pages', root));
  assert.ok(pictures.length >= 10, 'they were read at all');
  assert.deepEqual(pictures.toSorted(), shown.toSorted(), 'run "npm run screenshots"');
});

test('a difference is told with its line and its remedy', () => {
  assert.equal(driftOf('a.md', 'x\ny\n', 'x\ny\n'), undefined);
  const drift = /^a\.md is not what the code says: run "npm run generate", .* line 2: "y" should be "z"\.$/;
  assert.match(driftOf('a.md', 'x\ny\n', 'x\nz\n') ?? '', drift);
  assert.match(driftOf('a.md', 'x\n', 'x\ny\n') ?? '', /line 2: "" should be "y"/);
});
