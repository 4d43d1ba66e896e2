/**
 * Prints figures about the structure and language of checkouts side by side, to show what a change of the structure
 * brought. Not shipped: it knows names of this project (`Auth`, `Core`, passkeys), today's and those of older commits.
 *
 *   node tools/figures.ts                    this checkout
 *   node tools/figures.ts OLD_CHECKOUT .     two checkouts, a column each
 *
 *   git worktree add /tmp/base 4f8c6a4 && node tools/figures.ts /tmp/base .
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import {
  filesInCircles,
  filesThatName,
  lineCount,
  longestChain,
  moduleOf,
  readSources,
  type SourceFile,
} from '../server/test/support/architecture.ts';
import { functionsOf, importsOf, onlyParts } from '../server/test/support/source-text.ts';
import { ratesOf, readPassages } from '../server/test/support/words.ts';

type Figures = ReadonlyMap<string, string>;

const maxFunctionLines = 80;
const maxImports = 16;

function figuresOf(root: string): Figures {
  const sources = readSources(root);
  const modules = modulesOf(sources);
  const [largest] = modules;
  const functions = sources.flatMap(({ text }) => functionsOf(text).map(({ lines }) => lines));
  const widths = sources
    .filter(({ path: file }) => !/^app\/(?:core|rooms|modules)\.ts$/.test(file))
    .map(({ path: file, text }) => ({
      file,
      imports: new Set(importsOf(text).map(({ target }) => target)).size,
    }))
    .toSorted((a, b) => b.imports - a.imports);
  return new Map([
    ['source files', `${sources.length}`],
    ['source lines', `${sources.reduce((sum, { text }) => sum + lineCount(text), 0)}`],
    ['modules', `${modules.length}`],
    ['largest module', largest === undefined ? '' : showModule(largest)],
    [
      'modules over 12 files or 1,500 lines',
      `${modules.filter(({ files, lines }) => files > 12 || lines > 1500).length}`,
    ],
    ['longest import chain, in files', `${longestChain(sources).length}`],
    ['files in import circles', `${filesInCircles(sources).length}`],
    ['imports of the widest file', `${widths[0]?.imports} (${widths[0]?.file})`],
    [
      `files with more than ${maxImports} imports`,
      `${widths.filter((one) => one.imports > maxImports).length}`,
    ],
    [`functions over ${maxFunctionLines} lines`, `${functions.filter((n) => n > maxFunctionLines).length}`],
    ['longest function, in lines', `${Math.max(...functions)}`],
    ['files over 300 lines', `${sources.filter(({ text }) => lineCount(text) > 300).length}`],
    ['lines of app.ts / server.ts', `${linesOf(sources, /^app\/(?:app|server)\.ts$/)}`],
    ['lines of rooms.ts / core.ts', `${linesOf(sources, /^app\/(?:rooms|core)\.ts$/)}`],
    ['lines of auth.ts', `${linesOf(sources, /^(?:auth|library)\/auth\.ts$/)}`],
    ['public methods of Auth', `${methodsOf(sources, 'Auth')}`],
    ['members of the core', `${membersOf(sources, 'Core') || membersOf(sources, 'Rooms')}`],
    ['sources outside its folder that name passkeys', `${filesThatName(sources, 'passkey').length}`],
    ['the same, with scripts, styles and messages', `${namedInServer(root, sources)}`],
    ...Object.entries(ratesOf(readPassages(root))).map(
      ([group, { rate, words, mannerisms }]) =>
        [
          `mannerisms per 1,000 words: ${group}`,
          `${rate.toFixed(1)} (${mannerisms} in ${words.toLocaleString('en')})`,
        ] as const,
    ),
    ...modules.map((one) => [`module ${one.name}`, showSize(one)] as const),
  ]);
}

interface ModuleSize {
  readonly name: string;
  readonly files: number;
  readonly lines: number;
}

/** Modules by their lines, the largest first. */
function modulesOf(sources: readonly SourceFile[]): ModuleSize[] {
  const byName = Map.groupBy(sources, ({ path: file }) => moduleOf(file));
  return [...byName]
    .map(([name, files]) => ({
      name,
      files: files.length,
      lines: files.reduce((sum, { text }) => sum + lineCount(text), 0),
    }))
    .toSorted((a, b) => b.lines - a.lines);
}

function showModule(module: ModuleSize): string {
  return `${module.name}: ${showSize(module)}`;
}

function showSize({ files, lines }: ModuleSize): string {
  return `${files} ${files === 1 ? 'file' : 'files'}, ${lines.toLocaleString('en')} lines`;
}

function linesOf(sources: readonly SourceFile[], file: RegExp): number {
  return lineCount(sources.find((one) => file.test(one.path))?.text ?? '');
}

/** Methods of a class that are neither private nor its constructor. */
function methodsOf(sources: readonly SourceFile[], name: string): number {
  const method = /^ {2}(?:static )?(?:async |get )?(?!constructor\b)[a-z]\w*(?:<.*>)?\(/gm;
  return (bodyOf(sources, `class ${name}`)?.body ?? '').match(method)?.length ?? 0;
}

/** Members of an interface or class, with those of the interfaces that it extends. */
function membersOf(sources: readonly SourceFile[], name: string): number {
  const found = bodyOf(sources, `interface ${name}`) ?? bodyOf(sources, `class ${name}`);
  if (found === undefined) return 0;
  const own = found.body.match(/^ {2}(?:readonly )?[a-z]\w*\??[:(<]/gm)?.length ?? 0;
  const parents = /\bextends ([^{]+)/.exec(found.head)?.[1] ?? '';
  if (parents.startsWith('Pick<')) return own + (parents.match(/'\w+'/g)?.length ?? 0);
  return parents
    .split(',')
    .filter((parent) => parent.trim() !== '')
    .reduce((sum, parent) => sum + membersOf(sources, parent.trim()), own);
}

function bodyOf(
  sources: readonly SourceFile[],
  declaration: string,
): { head: string; body: string } | undefined {
  const pattern = new RegExp(`^export (${declaration}\\b[^{]*)\\{\n(.*?)^\\}`, 'ms');
  for (const { text } of sources) {
    const [, head = '', body = ''] = pattern.exec(onlyParts(text, 'code', 'string')) ?? [];
    if (head !== '') return { head, body };
  }
  return undefined;
}

function namedInServer(root: string, sources: readonly SourceFile[]): number {
  const others = globSync('server/{assets,languages}/**/*.{js,css,json}', { cwd: root });
  const naming = others.filter((file) => /passkey/i.test(readFileSync(path.join(root, file), 'utf8')));
  return filesThatName(sources, 'passkey').length + naming.length;
}

const roots = process.argv.length > 2 ? process.argv.slice(2) : [path.resolve(import.meta.dirname, '..')];
const columns = roots.map(figuresOf);
const names = [...new Set(columns.flatMap((figures) => [...figures.keys()]))];
console.log(`| figure | ${roots.join(' | ')} |`);
console.log(`|---|${'--:|'.repeat(roots.length)}`);
for (const name of names)
  console.log(`| ${name} | ${columns.map((figures) => figures.get(name) ?? '').join(' | ')} |`);
