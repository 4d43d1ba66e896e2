/**
 * Resolves imports faster than Node.js would: those of the packages in the bundle of tools/bundle.mjs to that bundle,
 * which shortens a start by a third, and those between our own files to the file that they name, without searching for
 * manifests. Without a bundle, or if its versions differ from the installed ones, the packages are loaded as usual.
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
    return undefined; // no bundle was made
  }
}

/**
 * Resolves a package as Node.js would, from the importing package: if any of them was patched, it is used instead of
 * the bundled one.
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
    return false; // one of them is missing
  }
}

/** Our own files, whose imports of each other are paths with an extension. */
const own = ['../src/', '../dist/', '../bundle/program/'].map((each) => new URL(each, import.meta.url).href);
const ownFile = /^\.\.?\/.*\.(?<extension>ts|js|mjs)$/;
const formats = { ts: 'module-typescript', js: 'module', mjs: 'module' };

// Threads import little; resolving would only delay their start.
if (isMainThread && module.registerHooks !== undefined) {
  const bundle = readBundle();
  const files = bundle !== undefined && isInstalled(bundle.packages) ? bundle.files : {};
  const places = new Map(
    Object.entries(files).map(([specifier, file]) => [specifier, new URL(file, folder).href]),
  );
  module.registerHooks({
    resolve(specifier, context, next) {
      const place = places.get(specifier);
      if (place !== undefined) return { url: place, format: 'module', shortCircuit: true };
      const extension = ownFile.exec(specifier)?.groups.extension;
      const { parentURL } = context;
      if (extension === undefined || !own.some((each) => parentURL?.startsWith(each)))
        return next(specifier, context);
      return { url: new URL(specifier, parentURL).href, format: formats[extension], shortCircuit: true };
    },
  });
}
