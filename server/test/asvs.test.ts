// Compares docs/project/asvs.md with the numbers of the standard, and with the tests and headings that it names.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');

/** Levels of the requirements of ASVS 5.0.0, in order: one digit per requirement, one group per section. */
const levels: Readonly<Record<string, string>> = {
  V1: '22 1111122223 112222222223 222 123',
  V2: '122 112 12223 23',
  V3: '3 113 12223 11222233 11122333 3 22333',
  V4: '12233 23333 22 1222',
  V5: '2 112333 113 222',
  V6: '122 111111112222 11223333 112233 22222333 2223 33 2222',
  V7: '222 1111 22 11222 223 22',
  V8: '1233 1123 133 23',
  V9: '111 1222',
  V10: '22 223 22223 1111122222233333 22222 22 222',
  V11: '2233 22233 11233 1222 23 23 33',
  V12: '12233 11 22223',
  V13: '2333 222223 2233 1222233',
  V14: '22 12223333 122',
  V15: '12233 12233 1222222 3333',
  V16: '2 22222 2222 222 2223',
  V17: '23 22223333 22',
};

/** Numbers of the requirements of levels 1 and 2, each with its level: `7.2.1 (1)`. */
const required = Object.entries(levels).flatMap(([chapter, sections]) =>
  sections
    .split(' ')
    .flatMap((section, i) =>
      section
        .split('')
        .flatMap((level, j) => (level === '3' ? [] : [`${chapter.slice(1)}.${i + 1}.${j + 1} (${level})`])),
    ),
);

const kinds = ['Test', 'Written', 'Absent', 'Operator', 'Waits'] as const;
type Kind = (typeof kinds)[number];

interface Row {
  readonly id: string;
  readonly level: number;
  readonly kind: string;
  readonly answer: string;
}

const rowPattern =
  /^\| (?<id>\d+\.\d+\.\d+) \| (?<level>\d) \| (?<asks>[^|]+) \| (?:\*\*(?<kind>\w+)\*\*)?(?<answer>[^|]*) \|$/;
/** A reference of a row: `path` "part of a title or heading". */
const reference = /`(?<path>[\w./-]+\.(?:ts|mjs|md))` "(?<words>[^"]+)"/g;
/** Minimum number of words of an answer in prose. */
const minWords = 2;

function rowsOf(page: string): Row[] {
  return page.split('\n').flatMap((line) => {
    const { id, level, kind = '', answer = '' } = rowPattern.exec(line)?.groups ?? {};
    return id === undefined ? [] : [{ id, level: Number(level), kind, answer: answer.trim() }];
  });
}

/** Titles of a test file, including those in tables of cases; headings of a page. */
function titlesOf(path: string, text: string): string[] {
  if (path.endsWith('.md')) return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  const written = text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '');
  const calls =
    /(?:\b(?:test|describe|onEachEngine|needs)\(|\b(?:name|title): )\s*(['"`])((?:\\.|(?!\1).)*)\1/gs;
  return [...written.matchAll(calls)].map(([, , title = '']) => title.replaceAll(/\\(.)/g, '$1'));
}

type Read = (path: string) => string | undefined;

/** The faults of a page, as sentences. */
function faultsOf(page: string, read: Read): string[] {
  const rows = rowsOf(page);
  return [...countFaults(rows), ...rows.flatMap((row) => rowFaults(row, read)), ...summaryFaults(page, rows)];
}

function countFaults(rows: readonly Row[]): string[] {
  const found = rows.map(({ id, level }) => `${id} (${level})`);
  return [
    ...required.filter((one) => !found.includes(one)).map((one) => `${one} is missing`),
    ...found.filter((one, i) => found.indexOf(one) !== i).map((one) => `${one} is listed twice`),
    ...found
      .filter((one) => !required.includes(one))
      .map((one) => `${one} is not a requirement of level 1 or 2`),
  ];
}

function isTest(path: string): boolean {
  return /\.(?:test|system)\.(?:ts|mjs)$/.test(path);
}

function rowFaults({ id, kind, answer }: Row, read: Read): string[] {
  if (!kinds.includes(kind as Kind)) return [`${id} has no answer`]; // any text, before it is checked
  const references = [...answer.matchAll(reference)].map(({ groups }) => ({
    path: groups?.['path'] ?? '',
    words: groups?.['words'] ?? '',
  }));
  const faults = references.flatMap(({ path, words }) => {
    const text = read(path);
    if (text === undefined) return [`${id} names ${path}, which does not exist`];
    return titlesOf(path, text).some((title) => title.includes(words))
      ? []
      : [`${id} names "${words}", which is not in ${path}`];
  });
  if (kind === 'Test' && !references.some(({ path }) => isTest(path))) faults.push(`${id} names no test`);
  if (kind === 'Written' && !references.some(({ path }) => path.endsWith('.md')))
    faults.push(`${id} names no page`);
  if (kind !== 'Test' && kind !== 'Written' && answer.split(/\s+/).length < minWords)
    faults.push(`${id} has no reason`);
  return faults;
}

/** Checks the counts in the table at the top of the page. */
function summaryFaults(page: string, rows: readonly Row[]): string[] {
  return kinds.flatMap((kind) => {
    const stated = new RegExp(`^\\| \\*\\*${kind}\\*\\* \\|.*\\| (\\d+) \\|$`, 'm').exec(page)?.[1];
    const found = rows.filter((row) => row.kind === kind).length;
    return Number(stated) === found
      ? []
      : [`The page states ${stated} rows of the kind ${kind} and has ${found}`];
  });
}

const page = readFileSync(join(root, 'docs/project/asvs.md'), 'utf8');
const readFile: Read = (path) =>
  existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined;

test('every requirement of ASVS 5.0.0, levels 1 and 2, has an answer whose references exist', () => {
  assert.deepEqual(faultsOf(page, readFile), []);
  assert.equal(required.length, 70 + 183); // as the standard counts itself
});

/** Planted faults: each is one change of a correct page, or of a file that it names. */
const planted: readonly (readonly [
  fault: string,
  expected: RegExp,
  spoil: (text: string) => string,
  read?: Read,
])[] = [
  ['a missing row', /^7\.2\.1 \(1\) is missing/, (text) => text.replace(/^\| 7\.2\.1 .*\n/m, '')],
  [
    'a row with another level',
    /^7\.2\.1 \(2\) is not a requirement/,
    (text) => text.replace('| 7.2.1 | 1 |', '| 7.2.1 | 2 |'),
  ],
  [
    'a row that is listed twice',
    /^7\.2\.2 \(1\) is listed twice/,
    (text) => text.replace('| 7.2.1 | 1 |', '| 7.2.2 | 1 |'),
  ],
  [
    'a row without an answer',
    /^10\.2\.1 has no answer/,
    (text) => text.replace(/^(\| 10\.2\.1 .*) \*\*Waits\*\*.*$/m, '$1  |'),
  ],
  [
    'a kind without a reason',
    /^4\.3\.1 has no reason/,
    (text) => text.replace(/^(\| 4\.3\.1 .*\*\*Absent\*\*).*$/m, '$1 |'),
  ],
  [
    'a row of the kind Test that names no test',
    /^7\.2\.3 names no test/,
    (text) => text.replace(/^(\| 7\.2\.3 .*\*\*Test\*\*).*$/m, '$1 it is tested |'),
  ],
  [
    'a test whose title has changed',
    /^7\.2\.3 names "a secret has 512 random bits"/,
    (text) => text.replace(/^(\| 7\.2\.3 .*)256/m, '$1512'),
  ],
  [
    'a heading that has changed',
    /^7\.1\.1 names "Cookies"/,
    (text) => text.replace(/^(\| 7\.1\.1 .*)"Sessions"/m, '$1"Cookies"'),
  ],
  [
    'a file that does not exist',
    /does not exist$/,
    (text) => text,
    (path) => (path === 'server/src/kit/secret.test.ts' ? undefined : readFile(path)),
  ],
  [
    'a title that is only in a comment',
    /^7\.2\.3 names "a secret has 256/,
    (text) => text,
    (path) =>
      path === 'server/src/kit/secret.test.ts' ? `// test('a secret has 256 random bits')` : readFile(path),
  ],
  [
    'a wrong sum',
    /^The page states 999 rows/,
    (text) => text.replace(/^(\| \*\*Waits\*\* .*\|) \d+ \|$/m, '$1 999 |'),
  ],
];
for (const [fault, expected, spoil, read = readFile] of planted) {
  test(`reports ${fault}`, () => {
    const faults = faultsOf(spoil(page), read);
    assert.ok(
      faults.some((one) => expected.test(one)),
      faults.join('\n') || 'no fault is reported',
    );
  });
}
