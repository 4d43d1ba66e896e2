// Reads the documentation as tests need it: code blocks, transcripts and relative links of a page.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../..');

/** A fenced code block of a page. */
export interface CodeBlock {
  /** `page # heading # language`, and a number from the second block of the same heading and language on. */
  readonly key: string;
  readonly language: string;
  readonly text: string;
}

/** Text of a page; the path is relative to the repository. */
export function readPage(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

/** Paths of the Markdown files at the root and in `docs/`, and of the README of the package. */
export function listPages(): string[] {
  return [
    ...globSync(['*.md', 'server/README.md'], { cwd: root }),
    ...globSync('docs/**/*.md', { cwd: root }),
  ].toSorted();
}

/** The code blocks of a page, in order. */
export function blocksOf(page: string): CodeBlock[] {
  const seen = new Map<string, number>();
  let heading = '';
  const blocks: CodeBlock[] = [];
  for (const [, title, language = '', text = ''] of readPage(page).matchAll(
    /^#+ ([^\n]+)$|^```(\w*)\n(.*?)^```$/gms,
  )) {
    if (title !== undefined) {
      heading = title;
      continue;
    }
    const name = `${page} # ${heading} # ${language}`;
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    blocks.push({ key: count === 1 ? name : `${name} ${count}`, language, text });
  }
  return blocks;
}

/** The block of a page with this heading and language. @throws {Error} if the page has no such block. */
export function blockOf(page: string, heading: string, language: string): string {
  const key = `${page} # ${heading} # ${language}`;
  const block = blocksOf(page).find((one) => one.key === key);
  if (block === undefined) throw new Error(`There is no block "${key}"`);
  return block.text;
}

/** A command of a transcript, with the output shown below it. */
export interface TranscriptStep {
  readonly command: string;
  readonly output: string;
}

/** The commands of a transcript: lines that begin with `$ `. */
export function stepsOf(transcript: string): TranscriptStep[] {
  return transcript
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const [command = '', ...output] = text.trimEnd().split('\n');
      return { command, output: output.join('\n') };
    });
}

/** Targets of the relative links and pictures of a text, without the part after `#`; code is skipped. */
export function relativeLinks(text: string): { target: string; anchor: string }[] {
  const prose = text.replaceAll(/^```.*?^```$/gms, '').replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(
    ([, target = '', anchor = '']) => ({ target, anchor }),
  );
}

/** Anchors of the headings of a text, as code hosts build them. */
export function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
