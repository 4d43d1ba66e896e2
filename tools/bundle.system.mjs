/**
 * The bundles of dependencies and of the sources (bundle.mjs), and how they are found (server/bin/use-bundle.js and
 * program-bundle.js).
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findProgram } from '../server/bin/program-bundle.js';
import { createBundle, createProgramBundle } from './bundle.mjs';

const SERVER = fileURLToPath(new URL('../server/', import.meta.url));

/** Creates a package like ours, with a bundle of `little` and its dependency, which claims these versions. */
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
  write('node_modules/less/package.json', '{ "version": "1.9.0" }'); // another package's copy
  fs.cpSync(path.join(SERVER, 'bin'), path.join(folder, 'bin'), { recursive: true });
  write('program.js', "import { from } from 'little'; console.log(from);");
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

test('imports resolve to a bundle of the installed versions', (t) => {
  assert.equal(runWithBundle(createPackage(t, ['1.0.0', '2.0.0']), 'program.js'), 'the bundle');
});

test('the launcher uses the bundle', (t) => {
  assert.equal(run(createPackage(t, ['1.0.0', '2.0.0']), 'bin/bienvenue.js'), 'the bundle');
});

test('our own files import each other as they are, with and without a bundle', (t) => {
  for (const versions of [['1.0.0', '2.0.0'], undefined]) {
    const folder = createPackage(t, versions);
    fs.mkdirSync(path.join(folder, 'src/part'));
    fs.writeFileSync(
      path.join(folder, 'src/main.ts'),
      "import { said } from './part/first.ts'; console.log(said);",
    );
    fs.writeFileSync(path.join(folder, 'src/part/first.ts'), "export { said } from '../second.ts';");
    for (const said of ['before the edit', 'after it']) {
      fs.writeFileSync(path.join(folder, 'src/second.ts'), `export const said: string = '${said}';`);
      assert.equal(run(folder, 'bin/bienvenue.js'), said);
    }
    fs.rmSync(path.join(folder, 'src/second.ts'));
    assert.match(run(folder, 'bin/bienvenue.js'), /second\.ts/);
  }
});

test('compiled files import each other as they are', (t) => {
  const folder = createPackage(t, ['1.0.0', '2.0.0']);
  fs.rmSync(path.join(folder, 'src'), { recursive: true });
  fs.mkdirSync(path.join(folder, 'dist'));
  fs.writeFileSync(path.join(folder, 'dist/main.js'), "import './part.js'; import 'little';");
  fs.writeFileSync(path.join(folder, 'dist/part.js'), "import '../program.js';");
  assert.equal(run(folder, 'bin/bienvenue.js'), 'the bundle');
});

test('a bundle that differs from any installed version is ignored', (t) => {
  for (const versions of [
    ['1.0.1', '2.0.0'],
    ['1.0.0', '1.9.0'],
  ])
    assert.equal(runWithBundle(createPackage(t, versions), 'program.js'), 'the package', String(versions));
});

test('a bundle of packages that are not installed is ignored', (t) => {
  const folder = createPackage(t, ['1.0.0', '2.0.0']);
  for (const place of ['node_modules/little/node_modules', 'node_modules/less'])
    fs.rmSync(path.join(folder, place), { recursive: true });
  assert.equal(runWithBundle(folder, 'program.js'), 'the package');
});

test('without a bundle, imports resolve to the packages', (t) => {
  assert.equal(runWithBundle(createPackage(t), 'program.js'), 'the package');
});

test('threads load the packages, not the bundle', (t) => {
  const folder = createPackage(t, ['1.0.0', '2.0.0']);
  const program = `import { isMainThread, Worker } from 'node:worker_threads';
    if (isMainThread) new Worker(new URL(import.meta.url));
    else console.log((await import('little')).from);`;
  fs.writeFileSync(path.join(folder, 'program.js'), program);
  assert.equal(runWithBundle(folder, 'program.js'), 'the package');
});

test('an incomplete bundle is ignored', (t) => {
  const folder = createPackage(t, ['1.0.0', '2.0.0']);
  fs.writeFileSync(path.join(folder, 'bundle/bundle.json'), '{ "versions": ');
  assert.equal(runWithBundle(folder, 'program.js'), 'the package');
});

test('our bundle exports what the packages export, and contains their licenses', async (t) => {
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

test('the service of this checkout starts with the bundle', () => {
  const resolved = runWithBundle(
    SERVER,
    '--input-type=module',
    '--eval',
    "console.log(import.meta.resolve('kysely'))",
  );
  assert.equal(resolved, pathToFileURL(path.join(SERVER, 'bundle/kysely.mjs')).href);
});

/** Sources that read files next to them, and import each other, one of them later. */
const sources = {
  'main.ts':
    "import { name } from './part/name.ts';\nif (process.argv[2] === 'fail') await import('./part/fail.ts');\nconsole.log(name());",
  'part/name.ts': `import { readFileSync } from 'node:fs';
    const folder = new URL('./text/', import.meta.url).href;
    export function name(): string {
      const { from } = process.argv[2] === 'package' ? { from: import.meta.resolve('little') } : { from: '' };
      return [new URL('../../data', import.meta.url), new URL('name', folder)].map((file) => readFileSync(file, 'utf8')).join(' ') + from;
    }`,
  'part/fail.ts': "interface Nothing {}\n\nthrow new Error('of line 3') as Nothing;",
};

async function createProgram(t) {
  const folder = createPackage(t);
  for (const [name, text] of Object.entries({ ...sources, '../data': 'data', 'part/text/name': 'text' })) {
    fs.mkdirSync(path.dirname(path.join(folder, 'src', name)), { recursive: true });
    fs.writeFileSync(path.join(folder, 'src', name), text);
  }
  await createProgramBundle(folder);
  return folder;
}

const program = 'bundle/program/main.mjs';

test('the launcher runs the bundle of the sources, which reads the files next to them', async (t) => {
  const folder = await createProgram(t);
  assert.equal(run(folder, 'bin/bienvenue.js'), 'data text');
  assert.match(
    run(folder, 'bin/bienvenue.js', 'package'),
    /^data textfile:.*\/node_modules\/little\/index\.js$/,
  );
  fs.writeFileSync(path.join(folder, program), "console.log('the bundle');");
  assert.equal(run(folder, 'bin/bienvenue.js'), 'the bundle');
});

test('a stack trace of the bundle names the line of the source', async (t) => {
  const said = run(await createProgram(t), 'bin/bienvenue.js', 'fail');
  assert.match(said, /of line 3[^]*src\/part\/fail\.ts:3:/);
});

test('the sources run if one of them differs from the bundle, or was removed', async (t) => {
  const changes = [
    (file) => fs.appendFileSync(file, ' '),
    (file) => fs.utimesSync(file, 1, 1), // another text of the same length
    (file) => fs.rmSync(file),
  ];
  for (const change of changes) {
    const folder = await createProgram(t);
    fs.writeFileSync(path.join(folder, program), "console.log('the bundle');");
    change(path.join(folder, 'src/part/fail.ts'));
    assert.equal(run(folder, 'bin/bienvenue.js'), 'data text');
  }
});

test('an incomplete bundle of the sources is ignored', async (t) => {
  const folder = await createProgram(t);
  fs.writeFileSync(path.join(folder, 'bundle/program/program.json'), '{ "main.ts":');
  assert.equal(run(folder, 'bin/bienvenue.js'), 'data text');
});

test('the service of this checkout starts from the bundle of its sources', () => {
  assert.equal(findProgram(), path.join(SERVER, program));
});
