// Reads from package-lock.json which packages an installation of the library brings.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A package of the lock. */
interface LockedPackage {
  readonly place: string;
  /** The programs that npm links to node_modules/.bin. */
  readonly commands: readonly string[];
}

/** The members of an entry that are read here. */
interface Entry {
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Returns the packages of the names and of all on which they depend, for every platform. */
export function lockedClosure(root: string, names: readonly string[]): LockedPackage[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, Entry>>;
  }; // our own file, checked by tools/check-lock.mjs
  const found = new Map<string, LockedPackage>();
  const add = (from: string, name: string): void => {
    const place = placeOf(packages, from, name);
    const entry = packages[place];
    if (entry === undefined || found.has(place)) return;
    found.set(place, { place, commands: Object.keys(entry.bin ?? {}) });
    for (const each of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }))
      add(place, each);
  };
  for (const name of names) add('server', name);
  return [...found.values()];
}

/** Resolves a package as Node.js does: in the node_modules of its parent, then of each folder above. */
function placeOf(packages: Readonly<Record<string, Entry>>, from: string, name: string): string {
  for (let folder = from; folder !== ''; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/'))))
    if (packages[`${folder}/node_modules/${name}`] !== undefined) return `${folder}/node_modules/${name}`;
  return `node_modules/${name}`;
}
