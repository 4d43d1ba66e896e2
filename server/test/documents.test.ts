// Checks the documentation without running it: links, pages, commands, scripts and log lines that it names.
import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from '../src/cli/cli.ts';
import * as library from '../src/index.ts';
import type { Description } from '../../tools/http-reference.ts';
import { anchorsOf, listPages, readPage, relativeLinks } from './support/document.ts';

const root = join(import.meta.dirname, '../..');

describe('the Markdown files', () => {
  const files = listPages();

  test('each relative link and picture leads to a file, and to a heading if it names one', () => {
    const faults = files.flatMap((page) =>
      relativeLinks(readPage(page)).flatMap(({ target, anchor }) => {
        const path = target === '' ? page : join(dirname(page), target);
        if (!existsSync(join(root, path))) return [`${page} links to ${target}, which does not exist`];
        if (anchor === '' || !path.endsWith('.md')) return [];
        return anchorsOf(readPage(path)).includes(anchor) ? [] : [`${page} links to ${target}#${anchor}`];
      }),
    );
    const pictures =
      '"npm run mails -- --pictures docs/guides/email" makes the pictures of emails, "npm run screenshots" those of pages';
    assert.deepEqual(faults, [], pictures);
    assert.deepEqual(relativeLinks('[a](b.md#c) `[x](y)` ![d](e.png) [f](https://g)'), [
      { target: 'b.md', anchor: 'c' },
      { target: 'e.png', anchor: '' },
    ]);
  });

  test('each page in docs is linked from another page', () => {
    const linked = new Set(
      files.flatMap((page) =>
        relativeLinks(readPage(page)).map(({ target }) => (target === '' ? '' : join(dirname(page), target))),
      ),
    );
    const lost = files.filter(
      (page) => page.startsWith('docs/') && !page.startsWith('docs/decisions/') && !linked.has(page),
    );
    assert.deepEqual(lost, []);
  });

  test('each command and option of bienvenue that they name exists', async () => {
    const program = await createProgram({ environment: {} });
    const faults = files.flatMap((page) =>
      [
        ...readPage(page).matchAll(
          /(?:^|`|bin\/)bienvenue ((?:[a-z-]+ ?)+)((?:[<[]?[\w.]+[>\]]? ?|--[\w-]+ ?)*)/gm,
        ),
      ]
        .map(([, words = '', rest = '']) => `${words}${rest}`.trim())
        .filter((words) => !isCommand(program, words.split(/\s+/)))
        .map((words) => `${page}: bienvenue ${words}`),
    );
    assert.deepEqual(faults, []);
    assert.equal(isCommand(program, ['user', 'show', '<email>']), true);
    assert.equal(isCommand(program, ['user', 'shout']), false);
    assert.equal(isCommand(program, ['session', 'end', '--usher']), false);
  });

  test('each log line that the guide to monitoring explains is written by the service', () => {
    const [, table = ''] = readPage('docs/guides/monitor.md').split('## Log lines');
    const lines = [...table.matchAll(/`([^`]+)` \((?:warn|error)\)/g)].map(([, line = '']) => line);
    assert.ok(lines.length > 5, 'the table is read');
    const sources = globSync('server/src/**/*.ts', { cwd: root }).map(readPage).join('\n');
    assert.deepEqual(
      lines.filter((line) => !sources.includes(line)),
      [],
    );
  });

  test('each source file that they name in full exists', () => {
    const faults = files
      .filter((page) => page !== 'CHANGELOG.md') // names files of earlier versions
      .flatMap((page) =>
        [...readPage(page).matchAll(/`((?:server|tools|mutate|bench|deploy)\/[\w./-]+\.\w+)`/g)]
          .map(([, path = '']) => path)
          .filter((path) => !existsSync(join(root, path)))
          .map((path) => `${page}: ${path}`),
      );
    assert.deepEqual(faults, []);
  });

  test('the README has at most 120 lines', () => {
    assert.ok(readPage('README.md').split('\n').length <= 120);
  });

  test('each script of npm that they name exists', () => {
    const manifest = JSON.parse(readPage('package.json')) as { scripts: Record<string, string> }; // our own file
    const faults = files.flatMap((page) =>
      [...readPage(page).matchAll(/npm run (?:-s )?([\w:-]+)/g)]
        .map(([, name = '']) => name)
        .filter((name) => manifest.scripts[name] === undefined)
        .map((name) => `${page}: npm run ${name}`),
    );
    assert.deepEqual(faults, []);
  });
});

test('the reference of the library names each export, and each method of its classes', () => {
  const page = readPage('docs/reference/library.md');
  const methodsOf = (one: { readonly prototype: object }): string[] =>
    Object.getOwnPropertyNames(one.prototype).filter((name) => name !== 'constructor');
  const names = [...Object.keys(library), ...methodsOf(library.Auth), ...methodsOf(library.DB)];
  assert.ok(names.length > 35, 'they are read');
  assert.deepEqual(
    names.filter((name) => !new RegExp(`\\b${name}\\b`).test(page)),
    [],
  );
});

test('each field of a request has a description', () => {
  const { paths } = JSON.parse(readPage('openapi.json')) as Description; // our own file
  const fields = Object.entries(paths ?? {}).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { parameters = [], requestBody }]) => [
      ...parameters.map(({ name, description }) => [`${method} ${path} ${name}`, description] as const),
      ...Object.entries(requestBody?.content?.['application/json']?.schema?.properties ?? {}).map(
        ([name, { description }]) => [`${method} ${path} ${name}`, description] as const,
      ),
    ]),
  );
  assert.ok(fields.length > 40, 'they are read');
  assert.deepEqual(
    fields.flatMap(([field, description = '']) => (description === '' ? [field] : [])),
    [],
  );
});

test('CONTRIBUTING.md lists each folder of the sources', () => {
  const [, layout = ''] = readPage('CONTRIBUTING.md').split('server/src/\n');
  const folders = globSync('server/src/*/', { cwd: root }).map((path) => `${basename(path)}/`);
  assert.ok(folders.length > 10, 'they are read');
  assert.deepEqual(
    folders.filter((name) => !layout.includes(` ${name}`)),
    [],
  );
});

describe('docs/adding-a-feature.md', () => {
  const sections = readPage('docs/adding-a-feature.md').split(/^## /m);
  /** Names in the first column of the tables of a section. */
  const namedIn = (heading: string): string[] => {
    const section = sections.find((one) => one.startsWith(heading)) ?? '';
    const [table = ''] = section.split('Access levels of routes:');
    const cells = [...table.matchAll(/^\| ([^|]+?) +\|/gm)].map(([, cell = '']) => cell);
    return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name));
  };
  /** Members of an interface of a source. */
  const membersOf = (file: string, name: string): string[] => {
    const [, body = ''] = new RegExp(`interface ${name}\\b[^{]*\\{([^]*?)\\n\\}`).exec(readPage(file)) ?? [];
    return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, member = '']) => member);
  };
  const tables = [
    ['What a module declares', 'server/src/module.ts', 'Definition'],
    ['What `build` returns', 'server/src/module.ts', 'Contribution'],
    ['Test it', 'server/test/support/kit.ts', 'FeatureKit'],
  ] as const;
  for (const [heading, file, name] of tables)
    test(`"${heading}" lists the members of ${name}`, () => {
      const members = membersOf(file, name);
      assert.ok(members.length > 10, 'they are read');
      assert.deepEqual(
        namedIn(heading).toSorted(),
        members.toSorted(),
        `update the table "${heading}" of docs/adding-a-feature.md`,
      );
    });
});

/** Whether these words are a command of the program with its options. */
function isCommand(program: Command, words: readonly string[]): boolean {
  let command = program;
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (next !== undefined) command = next;
    else if (word.startsWith('-')) {
      const known = ['--help', '--version', ...command.options.map(({ long }) => long)];
      if (!known.includes(word)) return false;
    } else if (command.commands.length > 0) return false;
  }
  return true;
}
