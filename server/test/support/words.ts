// Counts mannerisms: words and turns that plain technical English does not use (CONTRIBUTING.md). They are counted in
// comments, titles of tests, message catalogs, texts of the program and documentation; quotations and code are left out.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Counts, Findings } from './ceilings.ts';
import { onlyParts, splitSource } from './source-text.ts';

const mannerism =
  /\b(?:whoever|of whom|for who|tells? of|told|is none|nobody|somebody|anew|once more|in the place of|meanwhile|deeds?|at once|alike|beside|what is (?:none|no))\b/gi;

/** Texts of one kind in one file. */
export interface Passage {
  readonly group: string;
  readonly path: string;
  readonly text: string;
}

const sourceGlobs = ['{server/{src,test,bin,assets},tools,bench,mutate}/**/*.{ts,mjs,js}'];
const ignored = ['**/node_modules/**', '**/dist/**', '**/*.generated.*'];
const catalogGlobs = ['server/languages/en.json', 'server/src/**/messages/en.json'];
const pageGlobs = ['*.md', 'docs/**/*.md', 'deploy/**/*.md', 'bench/**/*.md'];

/** A string of the program with this many words in a row is read by people. */
const textForPeople = /[\p{L}'’,;:.)-] [\p{L}(]\S* \p{L}/u;

/** Per 1,000 words, where a group's ceiling need not fall any further; 1 for the groups that are not named. */
const goals: Readonly<Record<string, number>> = {
  comments: 3,
  'comments of tests': 3,
  'comments of tools': 3,
};

/** Reads every text of a checkout that the test counts. */
export function readPassages(root: string): Passage[] {
  return [
    ...readAll(root, sourceGlobs).flatMap(([path, text]) => sourcePassages(path, text)),
    ...readAll(root, catalogGlobs).flatMap(([path, text]) => catalogPassages(path, text)),
    ...readAll(root, pageGlobs).map(([path, text]) => ({ group: 'docs', path, text: proseOf(text) })),
  ];
}

function readAll(root: string, globs: readonly string[]): [path: string, text: string][] {
  return globSync(globs, { cwd: root, exclude: ignored })
    .toSorted()
    .map((path) => [path.replaceAll('\\', '/'), readFileSync(join(root, path), 'utf8')]);
}

/** Returns the comments of a file, the titles of its tests, and its texts. */
export function sourcePassages(path: string, text: string): Passage[] {
  const parts = splitSource(text);
  const comments = parts.filter(({ kind }) => kind === 'comment').map((part) => part.text);
  const isTest = /\.(?:test|system|long)\.\w+$/.test(path) || path.startsWith('server/test/');
  const group = isTest ? 'titles of tests' : textGroup(path, text);
  const strings = isTest ? titlesOf(text) : group === undefined ? [] : textsOf(text);
  return [
    { group: commentGroup(path, isTest), path, text: comments.join('\n') },
    ...(group === undefined ? [] : [{ group, path, text: strings.join('\n') }]),
  ];
}

function commentGroup(path: string, isTest: boolean): string {
  if (isTest) return 'comments of tests';
  return path.startsWith('server/') ? 'comments' : 'comments of tools';
}

/** Returns the group of a file's strings; `undefined` if people do not read them. */
function textGroup(path: string, text: string): string | undefined {
  if (!path.startsWith('server/src/') || path.startsWith('server/src/db/')) return undefined;
  if (path.startsWith('server/src/cli/')) return 'command line';
  if (/problem/.test(path) || text.includes('defineProblems(')) return 'problems';
  return /(?:^server\/src\/config\/|\/options\.ts$)/.test(path) ? 'options' : 'other texts';
}

function textsOf(text: string): string[] {
  return splitSource(text)
    .filter(({ kind, text: one }) => kind === 'string' && textForPeople.test(one) && !/[<>]/.test(one))
    .map(({ text: one }) => one);
}

function titlesOf(text: string): string[] {
  const written = onlyParts(text, 'code', 'string');
  const call = /\b(?:test|describe|it|suite|onEachEngine)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gs;
  return [...written.matchAll(call)].map(([, , title = '']) => title);
}

export function catalogPassages(path: string, text: string): Passage[] {
  const messages = JSON.parse(text) as Record<string, string>; // our own file
  const isMail = (key: string): boolean => key.startsWith('mail.');
  const joined = (keep: (key: string) => boolean): string =>
    Object.entries(messages)
      .filter(([key]) => keep(key))
      .map(([, message]) => message)
      .join('\n');
  return [
    { group: 'mails', path, text: joined(isMail) },
    { group: 'pages', path, text: joined((key) => !isMail(key)) },
  ];
}

/** Prose of a Markdown page: without code, comments, quotations and addresses of links. */
export function proseOf(markdown: string): string {
  return markdown
    .replaceAll(/^(```+|~~~+)[\s\S]*?^\1\s*$/gm, '')
    .replaceAll(/<!--[\s\S]*?-->/g, '')
    .replaceAll(/^>.*$/gm, '')
    .replaceAll(/`[^`\n]*`/g, '')
    .replaceAll(/"[^"\n]*"|“[^”]*”/g, '')
    .replaceAll(/\]\([^)]*\)/g, ']');
}

function wordCount(text: string): number {
  return text.match(/\p{L}[\p{L}\p{N}'’-]*/gu)?.length ?? 0;
}

/** Mannerisms in a text; a line break inside of one does not hide it. */
export function mannerismsIn(text: string): string[] {
  return text.replaceAll(/\s*\n[\s/*]*/g, ' ').match(mannerism) ?? [];
}

/** Mannerisms per file, in all groups. */
export function wordFindings(passages: readonly Passage[]): Findings {
  const counts: Record<string, number> = {};
  for (const { path, text } of passages) counts[path] = (counts[path] ?? 0) + mannerismsIn(text).length;
  return { mannerisms: { limit: 0, counts } };
}

export interface Rate {
  readonly words: number;
  readonly mannerisms: number;
  /** Mannerisms per 1,000 words. */
  readonly rate: number;
}

export function ratesOf(passages: readonly Passage[]): Readonly<Record<string, Rate>> {
  const groups = [...new Set(passages.map(({ group }) => group))].toSorted();
  return Object.fromEntries(
    groups.map((group) => {
      const texts = passages.filter((one) => one.group === group).map(({ text }) => text);
      const words = texts.reduce((sum, text) => sum + wordCount(text), 0);
      const mannerisms = texts.reduce((sum, text) => sum + mannerismsIn(text).length, 0);
      return [group, { words, mannerisms, rate: words === 0 ? 0 : (1000 * mannerisms) / words }];
    }),
  );
}

/** Ceilings of the rates: rounded up to tenths, and never below the goal. */
export function rateCeilings(rates: Readonly<Record<string, Rate>>): Counts {
  return Object.fromEntries(
    Object.entries(rates).map(([group, { rate }]) => [
      group,
      Math.max(Math.ceil(rate * 10) / 10, goals[group] ?? 1),
    ]),
  );
}

/** Sentences about rates above their ceiling, and about ceilings that are more than 1 too high. */
export function rateFaults(rates: Readonly<Record<string, Rate>>, ceilings: Counts): string[] {
  const due = rateCeilings(rates);
  return Object.entries(rates).flatMap(([group, { rate }]) => {
    const [ceiling, lower] = [ceilings[group] ?? 0, due[group] ?? 0];
    const found = `${group} have ${rate.toFixed(1)} mannerisms per 1,000 words`;
    if (rate > ceiling) return [`${found}, allowed are ${ceiling}`];
    return ceiling - lower > 1 ? [`${found}; lower the ceiling of ${ceiling} to ${lower}`] : [];
  });
}
