// Reads the folder with which an operator styles the pages: theme.css, fonts and pictures. Everything is read at the
// start, so that a request never names a file of the disk.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { themeAddress, type ThemeFile, type ThemeFolder } from '../brand/theme.ts';
import { unreadable } from '../kit/file.ts';
import { OptionFault } from './parse.ts';

/** Types by extension. Scripts and pages are never served. */
const types: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  woff2: 'font/woff2',
  woff: 'font/woff',
  ttf: 'font/ttf',
  otf: 'font/otf',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  svg: 'image/svg+xml',
};
/** Licenses and notes next to fonts: they are not served. */
const ignored = /(?:^|\/)\.|(?:^|\/)(?:licen[cs]e|readme|ofl)$|\.(?:txt|md)$/i;
const safeName = /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*)*$/i;
const maxFiles = 100;
const maxBytes = 1_048_576;

/**
 * Reads a theme.
 * @throws {OptionFault} if the folder or a file cannot be read or served, or a style sheet names a file that is absent.
 */
export function readTheme(path: string): ThemeFolder {
  const names = listFiles(path).filter((name) => !ignored.test(name));
  if (names.length === 0) throw new OptionFault(`must name a folder with theme.css; ${path} is empty`);
  if (names.length > maxFiles)
    throw new OptionFault(`must name a folder with at most ${maxFiles} files; ${path} has ${names.length}`);
  const files = names.map((name) => readOne(path, name));
  const byName = new Map(files.map((file) => [file.name, file]));
  return {
    path,
    files: files.map((file) => (file.type === types['css'] ? withDigests(file, byName) : file)),
  };
}

function listFiles(path: string): string[] {
  try {
    return readdirSync(path, { recursive: true, encoding: 'utf8' })
      .map((name) => name.replaceAll('\\', '/'))
      .filter((name) => ignored.test(name) || !statSync(posix.join(path, name)).isDirectory())
      .toSorted();
  } catch (error) {
    throw new OptionFault(`must name a folder; ${unreadable(path, error)}`);
  }
}

function readOne(path: string, name: string): ThemeFile {
  const file = posix.join(path, name);
  const type = types[posix.extname(name).slice(1).toLowerCase()];
  if (type === undefined)
    throw new OptionFault(
      `must name a folder with files of these types: ${Object.keys(types).join(', ')}; ${file} has another type`,
    );
  if (!safeName.test(name))
    throw new OptionFault(
      `must name a folder whose file names have only letters, digits and . _ -; rename ${file}`,
    );
  let size: number;
  try {
    const found = statSync(file);
    // Reading a pipe or a device could block forever.
    if (!found.isFile()) throw new Error('it is not a regular file');
    size = found.size;
    if (size <= maxBytes) return { name, type, content: readFileSync(file) };
  } catch (error) {
    throw new OptionFault(`must name a folder with files that can be read; ${unreadable(file, error)}`);
  }
  throw new OptionFault(
    `must name a folder with files of at most 1 MB; ${file} has ${Math.ceil(size / 1024)} KB`,
  );
}

const reference = /url\(\s*(?<quote>["']?)(?<target>[^"')]+)\k<quote>\s*\)/g;

/** Puts the version of each file into the addresses of a style sheet, so that browsers may cache the files forever. */
function withDigests(sheet: ThemeFile, files: ReadonlyMap<string, ThemeFile>): ThemeFile {
  const text = sheet.content.toString().replaceAll(/\/\*.*?\*\//gs, '');
  const versioned = text.replaceAll(reference, (whole, _quote: string, target: string) => {
    if (/^(?:data:|#)/.test(target)) return whole;
    if (/^(?:[a-z][a-z0-9+.-]*:|\/\/)/i.test(target))
      throw new OptionFault(
        `must name a folder whose style sheets load its own files only; ${sheet.name} loads ${target}`,
      );
    const [address = ''] = target.split(/[?#]/, 1);
    const name = address.startsWith('/theme/')
      ? address.slice('/theme/'.length)
      : posix.join(posix.dirname(sheet.name), address);
    const file = files.get(name);
    if (file === undefined)
      throw new OptionFault(`must name a complete folder; ${sheet.name} loads ${target}, which is not in it`);
    const [, fragment = ''] = target.split('#', 2);
    return `url("${themeAddress(file)}${fragment === '' ? '' : `#${fragment}`}")`;
  });
  return { ...sheet, content: Buffer.from(versioned) };
}
