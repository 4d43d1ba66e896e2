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

/** A package like ours, with a bundle of `little` and of what that imports, which says that they are of these versions. */
function createPackage(t, versions) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bienvenue-bundle-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const write = (place, text) => {
    fs.mkdirSync(path.dirname(path.join(folder, place)), { recursive: true });
    fs.writeFileSync(path.join(folder, place), text);
  };
  const little = 'node_modules/little';
  write('package.json', '{ "type": "module" }');
  write(`${little}/package.json`, '{ "version": "1.0.0", "type": "module", "exports": "./index.js" }');
  write(`${little}/index.js`, "export const from = 'the package';");
  write(`${little}/node_modules/less/package.json`, '{ "version": "2.0.0" }');
  write('node_modules/less/package.json', '{ "version": "1.9.0" }'); // somebody else's
  write('bin/use-bundle.js', fs.readFileSync(path.join(SERVER, 'bin/use-bundle.js'), 'utf8'));
  write('program.js', "import { from } from 'little'; console.log(from);");
  write('bin/bienvenue.js', fs.readFileSync(path.join(SERVER, 'bin/bienvenue.js'), 'utf8'));
  write('src/main.ts', "import '../program.js';");
  if (versions === undefined) return folder;
  const packages = [
    { name: 'little', version: versions[0], parent: -1 },
    { name: 'less', version: versions[1], parent: 0 },
  ];
  write('bundle/bundle.json', JSON.stringify({ packages, files: { little: 'little.mjs' } }));
  write('bundle/little.mjs', "export const from = 'the bundle';");
  return folder;
}

function run(folder, ...args) {
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env: {} });
  return stdout.trim() + stderr;
}

function runWithBundle(folder, ...args) {
  return run(folder, '--import', './bin/use-bundle.js', ...args);
}

test('a bundle of the versions that are installed stands for them', (t) => {
  assert.equal(runWithBundle(createPackage(t, ['1.0.0', '2.0.0']), 'program.js'), 'the bundle');
});

test('the launcher starts with it', (t) => {
  assert.equal(run(createPackage(t, ['1.0.0', '2.0.0']), 'bin/bienvenue.js'), 'the bundle');
});

test('a bundle of another version of anything is left alone', (t) => {
  for (const versions of [
    ['1.0.1', '2.0.0'],
    ['1.0.0', '1.9.0'],
  ])
    assert.equal(runWithBundle(createPackage(t, versions), 'program.js'), 'the package', String(versions));
});

test('a bundle of what is not installed is left alone', (t) => {
  const folder = createPackage(t, ['1.0.0', '2.0.0']);
  for (const place of ['node_modules/little/node_modules', 'node_modules/less'])
    fs.rmSync(path.join(folder, place), { recursive: true });
  assert.equal(runWithBundle(folder, 'program.js'), 'the package');
});

test('without a bundle the packages are read', (t) => {
  assert.equal(runWithBundle(createPackage(t), 'program.js'), 'the package');
});

test('threads read the packages', (t) => {
  const folder = createPackage(t, ['1.0.0', '2.0.0']);
  const program = `import { isMainThread, Worker } from 'node:worker_threads';
    if (isMainThread) new Worker(new URL(import.meta.url));
    else console.log((await import('little')).from);`;
  fs.writeFileSync(path.join(folder, 'program.js'), program);
  assert.equal(runWithBundle(folder, 'program.js'), 'the package');
});

test('half a bundle is none', (t) => {
  const folder = createPackage(t, ['1.0.0', '2.0.0']);
  fs.writeFileSync(path.join(folder, 'bundle/bundle.json'), '{ "versions": ');
  assert.equal(runWithBundle(folder, 'program.js'), 'the package');
});

test('ours exports what the packages export, with their licences beside it', async (t) => {
  const folder = path.join(createPackage(t), 'bundle');
  await createBundle(folder);
  const { files, packages } = JSON.parse(fs.readFileSync(path.join(folder, 'bundle.json'), 'utf8'));
  for (const [specifier, file] of Object.entries(files)) {
    const [bundled, original] = await Promise.all([
      import(pathToFileURL(path.join(folder, file)).href),
      import(specifier),
    ]);
    const names = Object.keys(original).filter((name) => name !== 'module.exports'); // Node.js adds that to CommonJS
    assert.deepEqual(Object.keys(bundled).toSorted(), names.toSorted(), specifier);
  }
  for (const name of ['kysely', 'typebox', 'fastify', 'ajv']) {
    assert.ok(
      packages.some((one) => one.name === name),
      name,
    );
    assert.match(
      fs.readFileSync(path.join(folder, `${name}.LICENSE`), 'utf8'),
      /Permission is hereby granted/,
    );
  }
});

test('the service of this folder starts with it', () => {
  const resolved = runWithBundle(
    SERVER,
    '--input-type=module',
    '--eval',
    "console.log(import.meta.resolve('kysely'))",
  );
  assert.equal(resolved, pathToFileURL(path.join(SERVER, 'bundle/kysely.mjs')).href);
});
