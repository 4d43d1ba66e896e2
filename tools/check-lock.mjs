/**
 * Decides whether a package-lock.json installs on every machine, not only on the one that wrote it.
 *
 *   node tools/check-lock.mjs [LOCK…]        default: the locks of the project
 *
 * Three faults have occurred. npm drops a package from the lock when a registry lacks its build for another platform,
 * and `npm ci` then fails elsewhere with "EUSAGE … Missing … from lock file". A `resolved` address ties all users to the
 * registry of the person who wrote the lock. And a package without an integrity digest may be replaced in transit.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Returns one sentence per fault; none for a lock in order.
 *
 * @param {{ packages?: Record<string, any> }} lock the parsed package-lock.json, format 3
 * @returns {string[]}
 */
export function findLockFaults(lock) {
  const packages = lock.packages ?? {};
  // Otherwise an empty or foreign file would pass.
  if (packages[''] === undefined) return ['this is no package-lock.json of format 3: it has no root package'];
  const faults = [];
  for (const [place, entry] of Object.entries(packages)) {
    const name = place === '' ? 'the root package' : place;
    for (const dependency of neededBy(entry)) {
      if (!isLocked(packages, place, dependency))
        faults.push(`${name} needs ${dependency}, which is not in the lock`);
    }
    if (/^[a-z+.-]*:?\/\//i.test(entry.resolved ?? ''))
      faults.push(`${name} is tied to an address: ${entry.resolved}`);
    const isFetched = place.includes('node_modules/') && !entry.link && !entry.inBundle;
    if (isFetched && !entry.integrity) faults.push(`${name} has no integrity`);
  }
  return faults;
}

function neededBy(entry) {
  const peers = Object.keys(entry.peerDependencies ?? {}).filter(
    (name) => entry.peerDependenciesMeta?.[name]?.optional !== true,
  );
  return [
    ...Object.keys(entry.dependencies ?? {}),
    ...Object.keys(entry.optionalDependencies ?? {}),
    ...peers,
  ];
}

/** Resolves a package as Node does: in the node_modules of the package itself, then of each folder above it. */
function isLocked(packages, place, dependency) {
  let folder = place;
  for (;;) {
    if (packages[`${folder === '' ? '' : `${folder}/`}node_modules/${dependency}`] !== undefined) return true;
    if (folder === '') return false;
    folder = folder.includes('/') ? folder.slice(0, folder.lastIndexOf('/')) : '';
  }
}

function checkFiles(files) {
  let faulty = false;
  for (const file of files) {
    for (const fault of findLockFaults(JSON.parse(fs.readFileSync(file, 'utf8')))) {
      process.stderr.write(`${file}: ${fault}\n`);
      faulty = true;
    }
  }
  if (!faulty) return 0;
  process.stderr.write(
    'Write the lock anew, as a whole: rm -rf node_modules package-lock.json && npm install --package-lock-only\n',
  );
  return 1;
}

/** The benchmarks have a lock of their own, which may be absent; the project's must exist. */
function ownLocks() {
  const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
  const bench = path.join(root, 'bench', 'package-lock.json');
  return [path.join(root, 'package-lock.json'), ...(fs.existsSync(bench) ? [bench] : [])];
}

// Not import.meta.main: the Node of a continuous integration may be older than 24.2.
if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const named = process.argv.slice(2);
  process.exitCode = checkFiles(named.length > 0 ? named : ownLocks());
}
