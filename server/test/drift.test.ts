// Generates the files that follow from the code and compares them with the files in the repository.
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { messageKeys } from '../src/kit/language.ts';
import { isKnownHash } from '../src/hash/format.ts';
import { assembledPages } from '../../tools/feature-pages.ts';
import { generate } from '../../tools/generate.ts';
import { unsupportedHashes } from '../../tools/hash-reference.ts';

const root = new URL('../../', import.meta.url);

/** Says how a file differs from the generated text and what to do; `undefined` if it is the same. */
function driftOf(file: string, written: string, generated: string): string | undefined {
  if (written === generated) return undefined;
  const [ours, theirs] = [written.split('\n'), generated.split('\n')];
  const at = ours.findIndex((line, i) => line !== theirs[i]);
  const line = at === -1 ? ours.length : at;
  return (
    `${file} is out of date: run "npm run generate", review the difference, and commit it. ` +
    `The first is in line ${line + 1}: "${ours[line] ?? ''}" should be "${theirs[line] ?? ''}".`
  );
}

test('the generated files in the repository are up to date', async (t) => {
  const files = await generate();
  assert.ok(files.size >= 4);
  for (const [file, generated] of files) {
    await t.test(file, async () => {
      // A page of parts has only its heading after its feature was deleted.
      assert.ok(generated.length > (generated.includes('<!-- features: ') ? 10 : 500), 'it has content');
      const drift = driftOf(file, await readFile(new URL(file, root), 'utf8'), generated);
      assert.ok(drift === undefined, drift);
    });
  }
});

test('the hashes that the reference lists as unsupported are rejected', () => {
  for (const { name, hashes } of unsupportedHashes) {
    assert.ok(hashes.length > 0, name);
    assert.deepEqual(
      hashes.filter((hash) => isKnownHash(hash)),
      [],
      name,
    );
  }
});

test('each part of a guide in the folder of a feature has a place in a guide', async () => {
  const parts = new Set(globSync('server/src/features/*/*.md', { cwd: root }).map((file) => basename(file)));
  const guides = assembledPages(fileURLToPath(root)).map(([, text]) => text);
  assert.ok(parts.size > 5);
  assert.deepEqual(
    [...parts].filter((part) => !guides.some((text) => text.includes(`<!-- features: ${part} -->`))),
    [],
    'add "<!-- features: NAME.md -->" and "<!-- end -->" to a guide, and the guide to tools/feature-pages.ts',
  );
});

/** Kinds of email that the page does not show, and pictures that are missing or not shown. */
function mailFaults(page: string, kinds: readonly string[], pictures: readonly string[]): string[] {
  const shown = [...page.matchAll(/\]\(email\/([^)]+)\)/g)].map(([, file = '']) => file);
  return [
    ...kinds.filter((kind) => !page.includes(`**${kind}**`) || !shown.includes(`${kind}.en.png`)),
    ...shown.filter((file) => !pictures.includes(file)),
    ...pictures.filter((file) => !shown.includes(file)),
  ];
}

test('docs/guides/email.md describes each kind of email and shows each picture', async () => {
  const page = await readFile(new URL('docs/guides/email.md', root), 'utf8');
  const pictures = await readdir(new URL('docs/guides/email', root));
  const kinds = messageKeys('en').flatMap((key) => /^mail\.(\w+)\.subject$/.exec(key)?.[1] ?? []);
  assert.ok(kinds.length > 10);
  assert.deepEqual(
    mailFaults(page, kinds, pictures),
    [],
    'describe each email as **name** with its picture in email.md of its feature; run "npm run generate", then "npm run mails -- --pictures docs/guides/email"',
  );
  assert.deepEqual(mailFaults(page, [...kinds, 'new_kind'], pictures), ['new_kind']);
  assert.deepEqual(mailFaults(page, kinds, pictures.slice(1)), pictures.slice(0, 1));
  assert.deepEqual(mailFaults(page, kinds, [...pictures, 'old.png']), ['old.png']);
});

test('docs/guides/pages.md shows each picture of a page', async () => {
  const page = await readFile(new URL('docs/guides/pages.md', root), 'utf8');
  const shown = [...page.matchAll(/\]\(pages\/([^)]+)\)/g)].map(([, file = '']) => file);
  const pictures = await readdir(new URL('docs/guides/pages', root));
  assert.ok(pictures.length >= 7, 'the pictures of no feature are read');
  assert.deepEqual(pictures.toSorted(), shown.toSorted(), 'run "npm run screenshots"');
});

test('a difference is reported with its line and what to do', () => {
  assert.equal(driftOf('a.md', 'x\ny\n', 'x\ny\n'), undefined);
  const drift = /^a\.md is out of date: run "npm run generate", .* line 2: "y" should be "z"\.$/;
  assert.match(driftOf('a.md', 'x\ny\n', 'x\nz\n') ?? '', drift);
  assert.match(driftOf('a.md', 'x\n', 'x\ny\n') ?? '', /line 2: "" should be "y"/);
});
