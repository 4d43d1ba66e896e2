/**
 * From here on imports of what tools/bundle.mjs has bundled lead to the bundle: a start in half of the time. Without a
 * bundle, or with one of other versions than are installed, nothing changes.
 *
 *   node --import ./server/bin/use-bundle.js …
 */
import { readFileSync } from 'node:fs';
import module from 'node:module';

const folder = new URL('../bundle/', import.meta.url);

/** @returns {{ versions: Record<string, string>, files: Record<string, string> } | undefined} */
function readBundle() {
  try {
    return JSON.parse(readFileSync(new URL('bundle.json', folder), 'utf8'));
  } catch {
    return undefined; // not made here
  }
}

function installedVersion(name) {
  const manifest = module.findPackageJSON(name, import.meta.url);
  return manifest === undefined ? undefined : JSON.parse(readFileSync(manifest, 'utf8')).version;
}

const bundle = readBundle();
if (
  bundle !== undefined &&
  module.registerHooks !== undefined &&
  Object.entries(bundle.versions).every(([name, version]) => installedVersion(name) === version)
) {
  const places = new Map(
    Object.entries(bundle.files).map(([specifier, file]) => [specifier, new URL(file, folder).href]),
  );
  module.registerHooks({
    resolve(specifier, context, next) {
      const url = places.get(specifier);
      return url === undefined ? next(specifier, context) : { url, format: 'module', shortCircuit: true };
    },
  });
}
