import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { coreOptions } from './options.ts';
import { OptionFault } from './parse.ts';
import { showOption } from './read-options.ts';
import { themeAddress } from '../brand/theme.ts';
import { readTheme } from './theme-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'bienvenue-theme-'));
after(() => rmSync(folder, { recursive: true }));

let folders = 0;
/** Writes a folder with these files and returns its path. */
function folderOf(files: Readonly<Record<string, string | Buffer>>): string {
  folders += 1;
  const path = join(folder, `theme-${folders}`);
  mkdirSync(path);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return path;
}

describe('THEME_DIR', () => {
  test('is read with its folders, and each file has the type of its extension', () => {
    const path = folderOf({
      'theme.css': 'h1 { color: red }',
      'fonts/Inter.woff2': 'wOF2',
      'fonts/OFL.txt': 'a license',
      'back.SVG': '<svg/>',
      '.DS_Store': 'hidden',
      LICENSE: 'a license',
    });
    const theme = readTheme(path);
    assert.deepEqual(
      theme.files.map(({ name, type }) => [name, type]),
      [
        ['back.SVG', 'image/svg+xml'],
        ['fonts/Inter.woff2', 'font/woff2'],
        ['theme.css', 'text/css; charset=utf-8'],
      ],
    );
    assert.equal(showOption(coreOptions.themeDir, theme), path);
  });

  test('may consist of links, as a folder that Kubernetes mounts', () => {
    const path = folderOf({ '..data/theme.css': 'h1 { color: red }' });
    symlinkSync(join(path, '..data/theme.css'), join(path, 'theme.css'));
    assert.deepEqual(
      readTheme(path).files.map(({ name }) => name),
      ['theme.css'],
    );
  });

  test('gets the digests of its files into the addresses of its style sheets', () => {
    const sheet = `/* url(https://example.org/not-read.woff2) */
      @font-face { src: url(fonts/a.woff2) format("woff2"), url('./fonts/a.woff2#x') }
      body { background: url("data:image/gif;base64,R0lG"), url(/theme/b.png) }`;
    const { files } = readTheme(folderOf({ 'theme.css': sheet, 'fonts/a.woff2': 'wOF2', 'b.png': 'PNG' }));
    const addressOf = (name: string): string =>
      themeAddress(files.find((file) => file.name === name) ?? assert.fail());
    assert.match(addressOf('fonts/a.woff2'), /^\/theme\/fonts\/a\.woff2\?v=[\w-]{12}$/);
    assert.deepEqual(
      [
        ...(files
          .find(({ name }) => name === 'theme.css')
          ?.content.toString()
          .matchAll(/url\(([^)]+)\)/g) ?? []),
      ].map(([, target]) => target),
      [
        `"${addressOf('fonts/a.woff2')}"`,
        `"${addressOf('fonts/a.woff2')}#x"`,
        '"data:image/gif;base64,R0lG"',
        `"${addressOf('b.png')}"`,
      ],
    );
  });

  const refused: readonly (readonly [title: string, path: string, says: RegExp])[] = [
    ['a folder that is missing', join(folder, 'none'), /must name a folder; .*none cannot be read/],
    ['an empty folder', folderOf({}), /is empty/],
    ['a script', folderOf({ 'a.js': '' }), /a\.js has another type/],
    ['a page', folderOf({ 'a.html': '' }), /a\.html has another type/],
    ['a name with a space', folderOf({ 'a b.png': '' }), /rename .*a b\.png/],
    ['a name that a route would read as a parameter', folderOf({ ':a.png': '' }), /rename .*:a\.png/],
    ['a large file', folderOf({ 'a.png': Buffer.alloc(1_048_577) }), /at most 1 MB; .*a\.png has 1025 KB/],
    [
      'too many files',
      folderOf(Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`${i}.png`, '']))),
      /at most 100 files; .* has 101/,
    ],
    [
      'a file that is absent',
      folderOf({ 'theme.css': 'a { b: url(c.png) }' }),
      /theme\.css loads c\.png, which is not in it/,
    ],
    [
      'a file outside',
      folderOf({ 'theme.css': 'a { b: url(../../c.png) }' }),
      /loads \.\.\/\.\.\/c\.png, which/,
    ],
    ['another site', folderOf({ 'theme.css': 'a { b: url(https://example.org/c.png) }' }), /own files only/],
    [
      'another site without a scheme',
      folderOf({ 'theme.css': 'a { b: url("//example.org/c") }' }),
      /own files only/,
    ],
  ];
  for (const [title, path, says] of refused) {
    test(`refuses ${title}`, () => {
      assert.throws(
        () => readTheme(path),
        (error) => error instanceof OptionFault && says.test(error.message),
      );
    });
  }
});
