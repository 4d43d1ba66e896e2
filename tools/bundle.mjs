/**
 * Bundles dependencies that consist of a thousand small files into a few large ones, and so the service's own sources:
 * finding the small files takes almost half of the time of a start (docs/decisions/0010-bundle.md).
 * server/bin/use-bundle.js resolves imports to the bundle, server/bin/program-bundle.js finds that of the sources.
 *
 *   node tools/bundle.mjs                 both, in server/bundle
 *   node tools/bundle.mjs FOLDER          the dependencies only, in another folder
 */
import fs from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { stampOf } from '../server/bin/program-bundle.js';

const SERVER = path.resolve(import.meta.dirname, '../server');
/** The imported packages, and the name of the file of each. */
const ENTRIES = {
  commander: 'commander',
  kysely: 'kysely',
  typebox: 'typebox',
  'typebox/compile': 'typebox-compile',
  fastify: 'fastify',
  '@fastify/formbody': 'fastify-formbody',
  '@fastify/swagger': 'fastify-swagger',
};
/** Also imported from the bundle by name, because its threads load files of it. */
const EXTERNAL = ['pino'];
/** Defines `require` for CommonJS packages, which load modules of Node.js with it. */
const BANNER = `import { createRequire as createRequireHere } from 'node:module'; const require = createRequireHere(import.meta.url);`;

/** Re-exports by name what a package exports: Node.js finds the names of CommonJS exports, esbuild does not. */
const entries = {
  name: 'entries',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^entry:/ }, ({ path: entry }) => ({
      path: entry.slice('entry:'.length),
      namespace: 'entry',
    }));
    onLoad({ filter: /.*/, namespace: 'entry' }, async ({ path: specifier }) => {
      const names = Object.keys(await import(specifier));
      const from = JSON.stringify(specifier);
      const named = names.filter((name) => /^[a-z_$][\w$]*$/i.test(name) && name !== 'default').join(', ');
      const contents = names.includes('module.exports')
        ? `import all from ${from}; export default all; export const { ${named} } = all;`
        : `export { ${names.join(', ')} } from ${from};`;
      return { contents, resolveDir: SERVER };
    });
  },
};

/** Returns the folder and name of the package to which a file of the bundle belongs. */
function packageOf(file) {
  return /^(?<folder>.*node_modules\/(?<name>(?:@[^/]+\/)?[^/]+))\//.exec(file)?.groups;
}

/**
 * Who has which package, and of which version it is: `parent` is the place of the one that imports it, -1 for the service.
 *
 * @param {Record<string, { imports: { path: string }[] }>} inputs
 * @returns {{ name: string, version: string, parent: number }[]}
 */
function listPackages(inputs) {
  const list = [];
  const places = new Map();
  const add = (folder, name, parent) => {
    const { version } = JSON.parse(fs.readFileSync(path.join(SERVER, folder, 'package.json'), 'utf8'));
    list.push({ name, version, parent });
    if (!places.has(folder)) places.set(folder, list.length - 1);
  };
  const edges = Object.entries(inputs).flatMap(([file, { imports }]) =>
    imports.map((one) => ({ from: packageOf(file), to: packageOf(one.path) })),
  );
  const known = new Set();
  for (let isNew = true; isNew;) {
    isNew = false;
    for (const { from, to } of edges) {
      const parent = from === undefined ? -1 : places.get(from.folder);
      const edge = `${from?.folder} ${to?.folder}`;
      if (to === undefined || parent === undefined || from?.folder === to.folder || known.has(edge)) continue;
      known.add(edge);
      add(to.folder, to.name, parent);
      isNew = true;
    }
  }
  return list;
}

/**
 * Replaces the folder. Its `bundle.json` maps each import to its file, and lists the bundled packages.
 *
 * @param {string} folder
 * @throws {Error} with the message of the bundler.
 */
export async function createBundle(folder) {
  const made = `${folder}.${process.pid}`;
  const { metafile } = await build({
    absWorkingDir: SERVER,
    entryPoints: Object.entries(ENTRIES).map(([specifier, out]) => ({ in: `entry:${specifier}`, out })),
    outdir: made,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true, // files that two entries share must stay one
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minifyWhitespace: true, // the text of a program stays in memory
    lineLimit: 200, // an error shows the line where it was thrown
    external: EXTERNAL,
    plugins: [entries],
    banner: { js: BANNER },
    metafile: true,
    logLevel: 'silent',
  });
  const packages = listPackages(metafile.inputs);
  for (const home of new Set(Object.keys(metafile.inputs).map((file) => packageOf(file)?.folder))) {
    if (home === undefined) continue;
    const license = fs.readdirSync(path.join(SERVER, home)).find((each) => /^licen[cs]e/i.test(each));
    const { name } = packageOf(`${home}/`);
    if (license !== undefined)
      fs.copyFileSync(path.join(SERVER, home, license), path.join(made, `${name.replace('/', '-')}.LICENSE`));
  }
  const files = Object.fromEntries(
    Object.entries(ENTRIES).map(([specifier, out]) => [specifier, `${out}.mjs`]),
  );
  fs.writeFileSync(path.join(made, 'bundle.json'), JSON.stringify({ packages, files }));
  fs.rmSync(folder, { recursive: true, force: true });
  fs.renameSync(made, folder);
}

/**
 * Replaces the place of a source in its text: in the bundle it must still find the files next to it.
 *
 * @param {string} folder of the bundle
 * @param {Record<string, [size: number, seconds: number]>} stamps receives what identifies each source
 */
const ownPlaces = (folder, stamps) => ({
  name: 'own places',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
      const place = path.relative(folder, file).split(path.sep).join('/');
      stamps[place] = stampOf(file);
      const url = `new URL(${JSON.stringify(place)}, import.meta.url).href`;
      const contents = fs.readFileSync(file, 'utf8').replaceAll('import.meta.url', () => url);
      return { contents, loader: 'ts' };
    });
  },
});

/**
 * Bundles the program of the checkout into `program/` of the bundle, with maps of its lines. Imports that are made later
 * stay files of their own.
 *
 * @throws {Error} with the message of the bundler.
 */
export async function createProgramBundle(server = SERVER) {
  const folder = path.join(server, 'bundle', 'program');
  const made = `${folder}.${process.pid}`;
  const stamps = {};
  const { outputFiles } = await build({
    absWorkingDir: server,
    entryPoints: ['src/main.ts'],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minifyWhitespace: true,
    lineLimit: 200,
    packages: 'external',
    plugins: [ownPlaces(folder, stamps)],
    sourcemap: true,
    sourcesContent: false,
    write: false, // the maps name the sources from where the folder will be
    logLevel: 'silent',
  });
  fs.mkdirSync(made, { recursive: true });
  for (const { path: file, contents } of outputFiles)
    fs.writeFileSync(path.join(made, path.relative(folder, file)), contents);
  fs.writeFileSync(path.join(made, 'program.json'), JSON.stringify(stamps));
  fs.rmSync(folder, { recursive: true, force: true });
  fs.renameSync(made, folder);
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  await createBundle(path.resolve(folder ?? path.join(SERVER, 'bundle')));
  if (folder === undefined) await createProgramBundle();
}
