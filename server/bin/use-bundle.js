/**
 * From here on imports of what tools/bundle.mjs has bundled lead to the bundle: a start in two thirds of the time. Without a
 * bundle, or with one of other versions than are installed, nothing changes.
 *
 *   node --import ./server/bin/use-bundle.js …
 */
import { readFileSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

const folder = new URL('../bundle/', import.meta.url);

/**
 * `parent` is the index in the list of the package that imports this one, -1 for the service.
 *
 * @returns {{ packages: { name: string, version: string, parent: number }[], files: Record<string, string> } | undefined}
 */
function readBundle() {
  try {
    return JSON.parse(readFileSync(new URL('bundle.json', folder), 'utf8'));
  } catch {
    return undefined; // not made here
  }
}

/**
 * Looks where Node.js would, from the importing package: a patched version of any of them is used instead of the
 * bundled one.
 */
function isInstalled(packages) {
  const manifests = [];
  try {
    return packages.every(({ name, version, parent }) => {
      const manifest = module.findPackageJSON(name, manifests[parent] ?? fileURLToPath(import.meta.url));
      manifests.push(manifest);
      return JSON.parse(readFileSync(manifest, 'utf8')).version === version;
    });
  } catch {
    return false; // one of them is not there
  }
}

// Threads import nothing that is bundled: to look for it would only make each start later.
const bundle = isMainThread ? readBundle() : undefined;
if (bundle !== undefined && module.registerHooks !== undefined && isInstalled(bundle.packages)) {
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
