import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { coreOptions } from './options.ts';
import { ConfigurationFault, showOption } from './read-options.ts';
import { readOptions } from '../app/options.ts';

const folder = mkdtempSync(join(tmpdir(), 'bienvenue-picture-'));
after(() => rmSync(folder, { recursive: true }));

/** Writes a file of the given size that begins with the given bytes, and returns its path. */
function fileOf(name: string, beginning: readonly number[], size: number): string {
  const content = Buffer.alloc(size);
  content.set(beginning);
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const png = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const jpeg = [0xff, 0xd8, 0xff, 0xe0];
const maxBytes = 65_536;
const svg = [
  ...Buffer.from('<?xml version="1.0"?>\n<!-- made by hand -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'),
];
const gif = [...Buffer.from('GIF89a')];

for (const [type, name, beginning] of [
  ['image/png', 'logo.png', png],
  ['image/jpeg', 'logo.jpg', jpeg],
  ['image/jpeg', 'in-truth-a.png', jpeg],
  ['image/svg+xml', 'logo.svg', svg],
] as const) {
  test(`PRODUCT_LOGO: ${name} is read as ${type}, up to 64 KB`, () => {
    const path = fileOf(name, beginning, maxBytes);
    const { productLogo } = readOptions({ PRODUCT_LOGO: path }).options;
    assert.equal(productLogo?.type, type);
    assert.equal(productLogo.content.length, maxBytes);
    assert.equal(showOption(coreOptions.productLogo, productLogo), path);
  });
}

mkdirSync(join(folder, 'folder.png'));
const refused: readonly (readonly [title: string, path: string, says: string])[] = [
  ['a file that is missing', join(folder, 'none.png'), 'none.png cannot be read: it does not exist'],
  ['a folder', join(folder, 'folder.png'), 'folder.png cannot be read: it is not a regular file'],
  ['one byte more than 64 KB', fileOf('large.png', png, maxBytes + 1), 'large.png has 65 KB'],
  ['an empty file', fileOf('empty.png', [], 0), 'empty.png is in another format'],
  ['a truncated signature', fileOf('cut.png', png.slice(0, 7), 7), 'cut.png is in another format'],
  ['another format with the name of a PNG file', fileOf('gif.png', gif, 100), 'gif.png is in another format'],
];
for (const [title, path, says] of refused) {
  test(`PRODUCT_LOGO: ${title} is reported together with the other faults`, () => {
    assert.throws(
      () => readOptions({ PRODUCT_LOGO: path, PORT: 'x' }),
      (error) =>
        error instanceof ConfigurationFault &&
        error.faults.length === 2 &&
        error.faults.some((fault) => fault.startsWith('PRODUCT_LOGO must name') && fault.endsWith(says)),
    );
  });
}

test('PRODUCT_LOGO_DARK and PRODUCT_LOGO_ALONE need PRODUCT_LOGO, and PRODUCT_ICON is PNG or SVG', () => {
  const [logo, icon] = [fileOf('a.svg', svg, 100), fileOf('icon.jpg', jpeg, 100)];
  const faultsOf = (environment: Readonly<Record<string, string>>): readonly string[] => {
    try {
      readOptions(environment);
      return [];
    } catch (error) {
      if (error instanceof ConfigurationFault) return error.faults;
      throw error;
    }
  };
  assert.deepEqual(
    faultsOf({ PRODUCT_LOGO: logo, PRODUCT_LOGO_DARK: logo, PRODUCT_LOGO_ALONE: 'true', PRODUCT_ICON: logo }),
    [],
  );
  assert.match(faultsOf({ PRODUCT_LOGO_DARK: logo }).join(), /^PRODUCT_LOGO_DARK is the dark variant/);
  assert.match(faultsOf({ PRODUCT_LOGO_ALONE: 'true' }).join(), /^PRODUCT_LOGO_ALONE=true needs a logo/);
  assert.match(
    faultsOf({ PRODUCT_ICON: icon }).join(),
    /^PRODUCT_ICON must name a PNG or SVG file; .* another format$/,
  );
});
