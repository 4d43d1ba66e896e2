import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Languages } from '../kit/language.ts';
import { readOptions } from '../app/options.ts';
import { ConfigurationFault } from './read-options.ts';

const folder = mkdtempSync(join(tmpdir(), 'bienvenue-languages-'));
after(() => rmSync(folder, { recursive: true }));

let folders = 0;
/** Writes a folder with these files and returns its path. */
function folderOf(files: Readonly<Record<string, unknown>>): string {
  folders += 1;
  const path = join(folder, `languages-${folders}`);
  mkdirSync(path);
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(path, name), typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

/** Returns the faults of a folder. */
function faultsOf(path: string): readonly string[] {
  try {
    readOptions({ LANGUAGES_DIR: path });
    return [];
  } catch (error) {
    if (error instanceof ConfigurationFault) return error.faults;
    throw error;
  }
}

const languagesOf = (files: Readonly<Record<string, unknown>>): Languages =>
  new Languages(readOptions({ LANGUAGES_DIR: folderOf(files) }).options.languagesDir?.catalogs);

describe('LANGUAGES_DIR', () => {
  test('replaces texts of a language', () => {
    const languages = languagesOf({ 'en.json': { 'page.sign_in.act': 'Log in' } });
    assert.equal(languages.message('en', 'page.sign_in.act'), 'Log in');
    assert.equal(
      languages.message('fr', 'page.sign_in.act'),
      new Languages().message('fr', 'page.sign_in.act'),
    );
    assert.equal(new Languages().message('en', 'page.sign_in.act'), 'Sign in', 'in this service only');
  });

  test('adds a language, which is in English where it has no text', () => {
    const languages = languagesOf({
      'de.json': { 'page.sign_in.act': 'Anmelden' },
      'pt-BR.json': { 'page.sign_in.act': 'Entrar', 'page.frame.language': 'Português' },
    });
    assert.deepEqual(languages.tags, ['en', 'fr', 'de', 'pt-BR']);
    assert.equal(languages.message('de', 'page.sign_in.act'), 'Anmelden');
    assert.equal(
      languages.message('de', 'page.sign_up.act'),
      new Languages().message('en', 'page.sign_up.act'),
    );
    assert.equal(languages.message('de', 'mail.when', { at: 0 }), 'When: January 1, 1970, 00:00 UTC');
    assert.deepEqual(
      ['de', 'pt-BR', 'fr'].map((tag) => languages.nameOf(tag)),
      ['Deutsch', 'Português', 'Français'],
    );
  });

  test('takes part in the choice of a language', () => {
    const languages = languagesOf({
      'de.json': { 'page.sign_in.act': 'Anmelden' },
      'pt-BR.json': { 'page.sign_in.act': 'Entrar' },
    });
    const rows = [
      ['de-AT, en', 'de'],
      ['pt-BR', 'pt-BR'],
      ['pt', 'pt-BR'],
      ['pt-PT', 'pt-BR'],
      ['nl, pt;q=0.5', 'pt-BR'],
      ['d', undefined],
    ] as const;
    for (const [header, expected] of rows) assert.equal(languages.preferred(header), expected, header);
  });

  test('is refused with one sentence for each fault', () => {
    const faults = faultsOf(
      folderOf({
        'en.json': {
          'page.nothing.title': 'x',
          'page.confirm.what': 'Confirm your address.',
          'page.sign_in.act': 'Log in, {name}',
          'page.sign_up.act': 'Open {',
          'page.frame.skip': '  ',
          'page.frame.terms': '<b>Terms</b>',
        },
        'he.json': { 'page.frame.direction': 'right' },
      }),
    );
    assert.deepEqual(
      faults.map((fault) => fault.replace(/(ICU format).*/, '$1')),
      [
        'LANGUAGES_DIR: page.nothing.title in en.json is not a text of this release',
        'LANGUAGES_DIR: page.confirm.what in en.json must have the placeholders {email}, and no others',
        'LANGUAGES_DIR: page.sign_in.act in en.json must have no placeholders',
        'LANGUAGES_DIR: page.sign_up.act in en.json is not a message in ICU format',
        'LANGUAGES_DIR: page.frame.skip in en.json is empty',
        'LANGUAGES_DIR: page.frame.terms in en.json is not a message in ICU format',
        'LANGUAGES_DIR: page.frame.direction in he.json must be ltr or rtl',
      ],
    );
  });

  const refused: readonly (readonly [title: string, path: string, says: RegExp])[] = [
    [
      'a folder that is missing',
      join(folder, 'none'),
      /^LANGUAGES_DIR must name a folder; .*none cannot be read: it does not exist$/,
    ],
    ['a folder without JSON files', folderOf({ 'notes.txt': '' }), /has none$/],
    ['a name that is no language', folderOf({ 'deutsch-.json': {} }), /rename .*deutsch-\.json$/],
    ['a language in an unusual form', folderOf({ 'pt-br.json': { a: 'b' } }), /rename .*pt-br\.json$/],
    ['a file that is not JSON', folderOf({ 'de.json': '{ "a": ' }), /de\.json: SyntaxError/],
    ['a list', folderOf({ 'de.json': ['a'] }), /has another form$/],
    ['texts in groups', folderOf({ 'de.json': { page: { title: 'x' } } }), /has another form$/],
  ];
  for (const [title, path, says] of refused) {
    test(`refuses ${title}`, () => {
      const faults = faultsOf(path);
      assert.equal(faults.length, 1);
      assert.match(faults[0] ?? '', says);
    });
  }
});
