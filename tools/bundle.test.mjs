/** The bundle of dependencies (bundle.mjs), and what puts it in their place (server/bin/use-bundle.js). */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createBundle } from './bundle.mjs';

const SERVER = fileURLToPath(new URL('../server/', import.meta.url));

/** A package like ours, with a dependency `little` of version 1.0.0 and a bundle that says it is of `version`. */
function createPackage(t, version) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bienvenue-bundle-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const write = (place, text) => {
    fs.mkdirSync(path.dirname(path.join(folder, place)), { recursive: true });
    fs.writeFileSync(path.join(folder, place), text);
  };
  write('package.json', '{ "type": "module" }');
  write(
    'node_modules/little/package.json',
    '{ "version": "1.0.0", "type": "module", "exports": "./index.js" }',
  );
  write('node_modules/little/index.js', "export const from = 'the package';");
  write('bin/use-bundle.js', fs.readFileSync(path.join(SERVER, 'bin/use-bundle.js'), 'utf8'));
  write('program.js', "import { from } from 'little'; console.log(from);");
  if (version === undefined) return folder;
  write(
    'bundle/bundle.json',
    JSON.stringify({ versions: { little: version }, files: { little: 'little.mjs' } }),
  );
  write('bundle/little.mjs', "export const from = 'the bundle';");
  return folder;
}

function run(folder, ...args) {
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', './bin/use-bundle.js', ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: {},
  });
  return stdout.trim() + stderr;
}

test('a bundle of the versions that are installed stands for them', (t) => {
  assert.equal(run(createPackage(t, '1.0.0'), 'program.js'), 'the bundle');
});

test('a bundle of another version is left alone', (t) => {
  assert.equal(run(createPackage(t, '1.0.1'), 'program.js'), 'the package');
});

test('without a bundle the packages are read', (t) => {
  assert.equal(run(createPackage(t), 'program.js'), 'the package');
});

test('half a bundle is none', (t) => {
  const folder = createPackage(t, '1.0.0');
  fs.writeFileSync(path.join(folder, 'bundle/bundle.json'), '{ "versions": ');
  assert.equal(run(folder, 'program.js'), 'the package');
});

test('ours exports what the packages export, with their licences beside it', async (t) => {
  const folder = path.join(createPackage(t), 'bundle');
  await createBundle(folder);
  const { files, versions } = JSON.parse(fs.readFileSync(path.join(folder, 'bundle.json'), 'utf8'));
  for (const [specifier, file] of Object.entries(files)) {
    const [bundled, original] = await Promise.all([
      import(pathToFileURL(path.join(folder, file)).href),
      import(specifier),
    ]);
    assert.deepEqual(Object.keys(bundled).toSorted(), Object.keys(original).toSorted(), specifier);
  }
  for (const name of Object.keys(versions))
    assert.match(
      fs.readFileSync(path.join(folder, `${name}.LICENSE`), 'utf8'),
      /Permission is hereby granted/,
    );
});

test('the service of this folder starts with it', () => {
  const told = run(SERVER, '--input-type=module', '--eval', "console.log(import.meta.resolve('kysely'))");
  assert.equal(told, pathToFileURL(path.join(SERVER, 'bundle/kysely.mjs')).href);
});
