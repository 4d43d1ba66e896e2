// A busy machine fails no test: a limit that only finds what hangs is a minute or more, and what another program does is
// awaited by `eventually`.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { minuteMs } from '../src/kit/clock.ts';

const root = join(import.meta.dirname, '../..');
const files = [
  ...globSync('server/{src,test}/**/*.{test,system,long}.ts', { cwd: root }),
  ...globSync('server/test/**/*.ts', { cwd: root }),
  ...globSync('server/src/features/*/test/*.ts', { cwd: root }),
  ...globSync('tools/*.system.mjs', { cwd: root }),
];

/** What limits a time of the machine: a number of milliseconds is the first group. */
const limits = [
  /performance\.now\(\) - \w+ < ([\d_]+)/g,
  /\bassert\.ok\(.*\b\w*[mM]s < ([\d_]{3,})/g,
  /\btimeout: ([\d_]+)/g,
  /AbortSignal\.timeout\(([\d_]+)\)/g,
  /setDefaultTimeout\(([\d_]+)\)/g,
];

/** Returns the first lines of loops that look for something, with pauses, a number of times. */
function countedSearches(text: string): string[] {
  const lines = text.split('\n');
  return lines.filter((line, at) => {
    const [, indentation] = /^( *)for \(let (\w+) = \d+; .*\b\2 [<>]/.exec(line) ?? [];
    if (indentation === undefined) return false;
    const isPause = /\bawait (?:pause|sleep|wait)\(|\bsetTimeout\(resolve/;
    if (!line.endsWith('{')) return isPause.test(line);
    const body = lines.slice(at + 1, lines.indexOf(`${indentation}}`, at));
    return body.some((one) => isPause.test(one)) && body.some((one) => /\breturn\b/.test(one));
  });
}

/** Returns what a busy machine can make fail. */
function hasty(text: string): string[] {
  const short = limits.flatMap((limit) =>
    [...text.matchAll(limit)]
      .filter(([, ms = '']) => Number(ms.replaceAll('_', '')) < minuteMs)
      .map(([found]) => found),
  );
  return [...short, ...countedSearches(text)];
}

test('limits of time in tests are a minute or more, and no search ends after a number of pauses', () => {
  const found = [...new Set(files)]
    .filter((file) => join(root, file) !== import.meta.filename)
    .flatMap((file) =>
      hasty(readFileSync(join(root, file), 'utf8')).map((text) => `${file}: ${text.trim()}`),
    );
  assert.deepEqual(found, []);
});

test('a short limit and a counted search are found', () => {
  for (const text of [
    'assert.ok(performance.now() - begun < 5000);',
    'assert.ok(tookMs < 5_000);',
    "test('x', { timeout: 30_000 }, () => {});",
    'fetch(url, { signal: AbortSignal.timeout(15_000) })',
    'for (let i = 0; i < 250 && !found(); i += 1) await pause(20);',
    '  for (let tries = 200; tries > 0; tries -= 1) {\n    if (found()) return;\n    await pause(50);\n  }\n',
  ])
    assert.equal(hasty(text).length, 1, text);
  for (const text of [
    'assert.ok(performance.now() - begun < 60_000);',
    'for (let i = 0; i < 3; i += 1) {\n  await pause(20);\n  send();\n}\n',
  ])
    assert.deepEqual(hasty(text), [], text);
});
