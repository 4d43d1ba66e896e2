// Every attack of the list has a test, or waits for the feature that it attacks.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { kits } from '../support/kit.ts';
import { pendingRows } from './pending.ts';
import { rows, type Row } from './row.ts';

const titlePattern = /\btest\(\s*[`'"](A\d+) /g;

/** Codes at the beginning of test titles. */
function testedIn(text: string): string[] {
  return [...text.matchAll(titlePattern)].map(([, code = '']) => code);
}

/** Sentences about faults in the three lists. */
function faultsOf(all: readonly Row[], tested: ReadonlySet<string>, pending: readonly Row[]): string[] {
  const codes = all.map(({ row }) => row);
  const waiting = pending.map(({ row }) => row);
  return [
    ...codes.filter((code, i) => codes.indexOf(code) !== i).map((code) => `${code} is listed twice`),
    ...codes
      .filter((code) => !tested.has(code) && !waiting.includes(code))
      .map((code) => `${code} has no test and is not pending`),
    ...waiting.filter((code) => tested.has(code)).map((code) => `${code} is pending and has a test`),
    ...[...tested, ...waiting].filter((code) => !codes.includes(code)).map((code) => `${code} is in no list`),
    ...pending
      .filter(({ row, title }) => all.some((one) => one.row === row && one.title !== title))
      .map(({ row }) => `${row} has two titles`),
  ];
}

test('every attack has a test or waits for a feature', () => {
  const places = [
    '*.{test,system,long}.ts',
    '../journeys/*.{test,system}.ts',
    '../../src/features/**/*.{test,system}.ts',
  ];
  const files = globSync(places, { cwd: import.meta.dirname, exclude: ['row.test.ts'] });
  assert.ok(files.some((file) => file.includes('journeys')));
  const tested = files.flatMap((file) => testedIn(readFileSync(join(import.meta.dirname, file), 'utf8')));
  const all = [...rows, ...kits.flatMap(({ attacks = [] }) => attacks)];
  assert.deepEqual(faultsOf(all, new Set(tested), pendingRows), []);
  assert.ok(new Set(tested).size > 30, 'the tests were read');
});

const some: readonly Row[] = [
  { row: 'A1', title: 'one' },
  { row: 'A2', title: 'two' },
];
const planted: Record<string, readonly [Row[], string[], Row[]]> = {
  'a forgotten attack': [[...some], ['A1'], []],
  'an attack in both lists': [[...some], ['A1', 'A2'], [{ row: 'A2', title: 'two' }]],
  'a test of an unknown attack': [[...some], ['A1', 'A2', 'A99'], []],
  'an attack that is listed twice': [[...some, { row: 'A1', title: 'one' }], ['A1', 'A2'], []],
  'an attack with two titles': [[...some], ['A1'], [{ row: 'A2', title: 'zwei' }]],
};
for (const [fault, [all, tested, pending]] of Object.entries(planted)) {
  test(`it reports ${fault}`, () => assert.equal(faultsOf(all, new Set(tested), pending).length, 1));
}

test('it reads the codes from the titles of tests', () => {
  assert.deepEqual(
    testedIn("test('A1 one: x', f);\n  test(`A12 ${two}`, f); test('a1 no', f); latest('A3 no')"),
    ['A1', 'A12'],
  );
});
