// Splits a TypeScript or JavaScript file into code, comments, strings and regular expressions, and reads its imports and
// functions. It needs no parser, because the formatter keeps the layout: a function ends at the first line with the
// indentation of its head that begins with a closing bracket.

export type PartKind = 'code' | 'comment' | 'string' | 'regex';

export interface SourcePart {
  readonly kind: PartKind;
  readonly text: string;
  /** Offset of the first character in the file. */
  readonly start: number;
}

/** A slash after one of these begins a regular expression; after anything else it divides. */
const beforeRegex = /(?:^|[(,=:[!&|?{};+*%~^<>-]|\b(?:return|typeof|case|in|of|void|delete|await|yield))\s*$/;

const cache = new Map<string, readonly SourcePart[]>();

/** Splits a file into parts that join to the whole file again. Expressions inside of a template are code. */
export function splitSource(source: string): readonly SourcePart[] {
  const parts = cache.get(source) ?? split(source);
  cache.set(source, parts);
  return parts;
}

function split(source: string): SourcePart[] {
  const parts: SourcePart[] = [];
  /** For each open template, how many braces are open in its current expression. */
  const templates: number[] = [];
  let start = 0;
  let at = 0;
  const end = (kind: PartKind, next: number): void => {
    if (next > start) parts.push({ kind, text: source.slice(start, next), start });
    start = next;
    at = next;
  };
  const endTemplateText = (from: number): void => {
    const stop = endOf(/(?<!\\)(?:\\\\)*(?:`|\$\{)/g, source, from);
    if (source[stop - 1] === '{') templates.push(0);
    end('string', stop);
  };
  while (at < source.length) {
    const [one = '', two = ''] = [source[at], source[at + 1]];
    const special = /['"`/{}]/.test(one);
    if (
      !special ||
      (one === '/' && !/[/*]/.test(two) && !beforeRegex.test(lastCode(parts, source, start, at)))
    ) {
      at += 1;
    } else if (one === '/' && (two === '/' || two === '*')) {
      end('code', at);
      end('comment', two === '/' ? lineEnd(source, at) : endOf(/\*\//g, source, at + 2));
    } else if (one === '/') {
      end('code', at);
      end('regex', endOf(/\/(?:[^\\/[\n]|\\.|\[(?:[^\\\]\n]|\\.)*\])+\/[a-z]*/gy, source, at));
    } else if (one === '`') {
      end('code', at);
      endTemplateText(at + 1);
    } else if (one === '{' || one === '}') {
      const open = templates.at(-1);
      if (open === 0 && one === '}') {
        end('code', at);
        templates.pop();
        endTemplateText(at + 1);
      } else {
        if (open !== undefined) templates[templates.length - 1] = open + (one === '{' ? 1 : -1);
        at += 1;
      }
    } else {
      end('code', at);
      end('string', endOf(one === "'" ? /'(?:[^'\\\n]|\\.)*'/gsy : /"(?:[^"\\\n]|\\.)*"/gsy, source, at));
    }
  }
  end('code', source.length);
  return parts;
}

/** The code before an offset; what ends a string or comment there counts as a value or as nothing. */
function lastCode(parts: readonly SourcePart[], source: string, start: number, at: number): string {
  const text = source.slice(start, at);
  if (text.trim() !== '') return text.slice(-40);
  const before = parts.findLast(({ kind }) => kind !== 'comment');
  if (before === undefined) return '';
  return before.kind === 'code' ? before.text.slice(-40) : 'x';
}

function endOf(pattern: RegExp, source: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.exec(source) === null ? Math.min(from + 1, source.length) : pattern.lastIndex;
}

function lineEnd(source: string, from: number): number {
  const newline = source.indexOf('\n', from);
  return newline === -1 ? source.length : newline;
}

/** The file with the parts of other kinds replaced by spaces: offsets and lines stay. */
export function onlyParts(source: string, ...kinds: readonly PartKind[]): string {
  return splitSource(source)
    .map(({ kind, text }) => (kinds.includes(kind) ? text : text.replaceAll(/[^\n]/g, ' ')))
    .join('');
}

export interface SourceImport {
  /** As written: `../kit/clock.ts`, `node:fs`, `kysely`. */
  readonly target: string;
  /** Names as the other file exports them; empty for an import of everything or for its effect. */
  readonly names: readonly string[];
}

const importPattern =
  /(?<![.\w])(?:(?:import|export)\s+(?:type\s+)?(?:[\w$*\s,]*\{(?<names>[^}]*)\}|[\w$*\s,]+?)\s*from|import)\s*\(?\s*'(?<target>[^']+)'/g;

/** Imports and re-exports of a file: static, dynamic, and of types. */
export function importsOf(source: string): SourceImport[] {
  const code = onlyParts(source, 'code');
  return [...onlyParts(source, 'code', 'string').matchAll(importPattern)]
    .filter(({ index }) => code.startsWith('import', index) || code.startsWith('export', index))
    .map(({ groups }) => ({
      target: groups?.['target'] ?? '',
      names: (groups?.['names'] ?? '')
        .split(',')
        .map(
          (name) =>
            name
              .trim()
              .replace(/^type\s+/, '')
              .split(/\s/)[0] ?? '',
        )
        .filter((name) => name !== ''),
    }));
}

export interface SourceFunction {
  readonly name: string;
  /** Lines from head to closing bracket. */
  readonly lines: number;
}

const statement = /^\s*(?:if|for|while|switch|catch|else|do|try|return|throw|await|new|super)\b/;
const functionHead =
  /^\s*(?:export |async |static |override |get |set )*(?:function\*? ?)?(?<name>#?[\w$]+)\??(?:<.*>)?\((?=.*[{(,]$|$)/;

/** Functions, methods and arrow functions whose bodies span several lines, each by the name that stands at its head. */
export function functionsOf(source: string): SourceFunction[] {
  const lines = onlyParts(source, 'code').split('\n');
  const written = source.split('\n');
  return lines.flatMap((line, i) => {
    const isArrow = /=> \{\s*$/.test(line);
    const head = headName(line);
    if (!isArrow && head === undefined) return [];
    const first = isArrow ? headOf(lines, i) : i;
    const last = closingLine(lines, i);
    if (last === undefined || (!isArrow && !/\{\s*$/.test(lines[bodyLine(lines, i)] ?? ''))) return [];
    const isReturned = isArrow && /^\s*return\b/.test(line);
    const named = isReturned ? headOf(lines, enclosingLine(lines, first)) : first;
    return [
      {
        name: nameAt(written[named] ?? '', isReturned ? headName(lines[named]) : head),
        lines: last - first + 1,
      },
    ];
  });
}

function headName(line: string | undefined): string | undefined {
  return statement.test(line ?? '') ? undefined : functionHead.exec(line ?? '')?.groups?.['name'];
}

/** The nearest line before with a smaller indentation. */
function enclosingLine(lines: readonly string[], at: number): number {
  const indent = indentOf(lines[at] ?? '');
  const before = lines.slice(0, at).findLastIndex((line) => line.trim() !== '' && indentOf(line) < indent);
  return Math.max(before, 0);
}

function nameAt(line: string, head: string | undefined): string {
  const declared = /(?:const|let) (#?[\w$]+)|^\s*(#?[\w$]+)(?:\??:| =)/.exec(line);
  const call = /([\w$.]+\([^)]*?)(?:async )?\(?[^()]*\)? => \{$/.exec(line);
  return declared?.[1] ?? declared?.[2] ?? head ?? `callback of ${call?.[1] ?? line.trim().slice(0, 40)}`;
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

/** The line that begins the statement of a line: the formatter indents what lies between them. */
function headOf(lines: readonly string[], at: number): number {
  const line = lines[at] ?? '';
  if (!/^\s*[)\]}>]/.test(line)) return at;
  const before = lines
    .slice(0, at)
    .findLastIndex((one) => one.trim() !== '' && indentOf(one) <= indentOf(line));
  return before === -1 ? at : headOf(lines, before);
}

/** The line that opens the body: that of the head, or the one that closes its parameters. */
function bodyLine(lines: readonly string[], at: number): number {
  if (/\{\s*$/.test(lines[at] ?? '')) return at;
  const indent = indentOf(lines[at] ?? '');
  const next = lines.findIndex((line, i) => i > at && line.trim() !== '' && indentOf(line) <= indent);
  return next === -1 ? at : next;
}

function closingLine(lines: readonly string[], at: number): number | undefined {
  const indent = indentOf(lines[at] ?? '');
  const from = bodyLine(lines, at);
  const last = lines.findIndex((line, i) => i > from && line.trim() !== '' && indentOf(line) <= indent);
  return last === -1 || !/^\s*[}\])]/.test(lines[last] ?? '') ? undefined : last;
}
