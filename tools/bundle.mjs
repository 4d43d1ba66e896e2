/**
 * Makes few large files of the dependencies that consist of a thousand small ones: to look each of them up is half of the
 * time that a start takes (docs/decisions/0010-bundle.md). server/bin/use-bundle.js puts them in their place.
 *
 *   node tools/bundle.mjs [FOLDER]        default: server/bundle
 */
import fs from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import { build } from 'esbuild';

const SERVER = path.resolve(import.meta.dirname, '../server');
/** What is imported of them, and the name of its file. */
const ENTRIES = { kysely: 'kysely', typebox: 'typebox', 'typebox/compile': 'typebox-compile' };

/**
 * Replaces the folder. Its `bundle.json` tells which file stands for which import, and of which versions they are.
 *
 * @param {string} folder
 * @throws {Error} with what the bundler says.
 */
export async function createBundle(folder) {
  const made = `${folder}.${process.pid}`;
  await build({
    absWorkingDir: SERVER,
    entryPoints: Object.entries(ENTRIES).map(([specifier, out]) => ({ in: specifier, out })),
    outdir: made,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true, // what two of them share must stay one
    format: 'esm',
    platform: 'node',
    target: 'node24',
    logLevel: 'silent',
  });
  const versions = {};
  for (const name of new Set(Object.keys(ENTRIES).map((specifier) => specifier.split('/')[0]))) {
    const manifest = module.findPackageJSON(name, path.join(SERVER, 'package.json'));
    versions[name] = JSON.parse(fs.readFileSync(manifest, 'utf8')).version;
    const home = path.dirname(manifest);
    const license = fs.readdirSync(home).find((each) => /^licen[cs]e/i.test(each));
    fs.copyFileSync(path.join(home, license), path.join(made, `${name}.LICENSE`));
  }
  const files = Object.fromEntries(
    Object.entries(ENTRIES).map(([specifier, out]) => [specifier, `${out}.mjs`]),
  );
  fs.writeFileSync(path.join(made, 'bundle.json'), JSON.stringify({ versions, files }));
  fs.rmSync(folder, { recursive: true, force: true });
  fs.renameSync(made, folder);
}

if (import.meta.main) await createBundle(path.resolve(process.argv[2] ?? path.join(SERVER, 'bundle')));
