// Problem codes are defined by modules and used in others: each use must load the definition, and each code needs a
// message for pages.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { languages, messageKeys } from '../src/kit/language.ts';
import { defineProblems, getProblem, Problem, problemCodes } from '../src/kit/problem.ts';

// Load every module that defines codes.
await import('../src/app/core.ts');
await import('../src/app/server.ts');

const source = join(import.meta.dirname, '../src');
const texts: ReadonlyMap<string, string> = new Map(
  globSync('**/*.ts', { cwd: source, exclude: ['**/*.test.ts'] }).map((file) => [
    file.replaceAll('\\', '/'),
    readFileSync(join(source, file), 'utf8'),
  ]),
);

const definition = /defineProblems\('[\w-]+', (\{[^]*?\n\})\)/g;
const use = /new Problem\(\s*'(\w+)'/g;
const runtimeImport = /^(?:import|export)(?! type)[^;]*?'(\.[^']+)';/gm;

/** The file that defines each code. */
function definitions(files: ReadonlyMap<string, string>): Map<string, string> {
  const found = new Map<string, string>();
  for (const [file, text] of files)
    for (const [, rows = ''] of text.matchAll(definition))
      for (const [, code = ''] of rows.matchAll(/^ {2}(\w+): \{/gm)) found.set(code, file);
  return found;
}

/** The files that a file loads: itself, and those that it imports directly or indirectly. */
function loadedBy(files: ReadonlyMap<string, string>, start: string): Set<string> {
  const loaded = new Set<string>();
  const waiting = [start];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (loaded.has(file)) continue;
    loaded.add(file);
    for (const [, target = ''] of (files.get(file) ?? '').matchAll(runtimeImport))
      waiting.push(posix.join(posix.dirname(file), target));
  }
  return loaded;
}

/** Uses of codes whose definition is not loaded, as sentences. */
function faultsIn(files: ReadonlyMap<string, string>): string[] {
  const defined = definitions(files);
  return [...files].flatMap(([file, text]) => {
    const loaded = loadedBy(files, file);
    return [...text.matchAll(use)].flatMap(([, code = '']) => {
      const owner = defined.get(code);
      if (owner === undefined) return [`${file} uses ${code}, which no file defines`];
      return loaded.has(owner) ? [] : [`${file} uses ${code}, but does not import ${owner}`];
    });
  });
}

test('a file that uses a problem code loads its definition', () => {
  assert.deepEqual(faultsIn(texts), []);
  assert.ok(definitions(texts).size >= 20);
});

test('a use without the import of its definition is found', () => {
  const rows = `defineProblems('a', {\n  a_wrong: { status: 400, title: 'A' },\n})`;
  const files = (imports: string): Map<string, string> =>
    new Map([
      ['a/problem.ts', rows],
      ['a/rule.ts', `import './problem.ts';`],
      ['b/rule.ts', `${imports}\nthrow new Problem('a_wrong');`],
    ]);
  assert.deepEqual(faultsIn(files(`import { x } from '../a/rule.ts';`)), []);
  assert.equal(faultsIn(files('')).length, 1);
  assert.equal(faultsIn(files(`import type { X } from '../a/rule.ts';`)).length, 1);
  assert.equal(faultsIn(new Map([['b/rule.ts', `throw new Problem('b_wrong');`]])).length, 1);
});

test('the registry holds what the sources define, and each code once', () => {
  assert.deepEqual(problemCodes(), [...definitions(texts).keys()].toSorted());
  assert.throws(
    () => defineProblems('test', { token_invalid: { status: 403, title: 'Second definition' } }),
    /token_invalid is defined by token and by test/,
  );
});

test('a code that no module defines is rejected by the compiler and at runtime', () => {
  // @ts-expect-error: the code is not a member of ProblemCodes
  assert.throws(() => new Problem('no_such_code'), /no_such_code is not defined/);
});

test('each code is lower snake case, with a status of an error and a title without a full stop', () => {
  for (const code of problemCodes()) {
    const { status, title } = getProblem(code);
    assert.match(code, /^[a-z]+(_[a-z]+)*$/);
    assert.ok(status >= 400 && status <= 599, code);
    assert.match(title, /^[^\s.].*[^\s.]$/, code);
    assert.equal(new Problem(code).message, title);
  }
});

/** Messages of the problem page that belong to no code. */
const pageMessages = ['title', 'not_found_title', 'home', 'again', 'id', 'wait', 'wait_minutes'];

test('each code has a message for pages in each language, and no other message is left', () => {
  for (const language of languages()) {
    const named = messageKeys(language)
      .filter((key) => key.startsWith('page.problem.'))
      .map((key) => key.slice('page.problem.'.length))
      .filter((name) => !pageMessages.includes(name));
    assert.deepEqual(
      named.toSorted(),
      problemCodes(),
      `${language}: each code needs a message page.problem.<code>, and each such message a code`,
    );
  }
});
