// Creates folders, and says what to do where the system refuses to write.
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Creates a folder, and those above it that are missing. `mkdirSync` with `recursive` never returns in a file system
 * that takes no folders, such as /proc.
 * @throws the system error.
 */
export function makeFolder(path: string, mode: number): void {
  try {
    makeOne(path, mode);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    makeFolder(dirname(path), mode);
    makeOne(path, mode);
  }
}

/** Creates a folder, unless it exists or another process creates it at the same time. */
function makeOne(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    if (statSync(path).isDirectory()) return;
    // EEXIST would look as if another process had created it.
    throw Object.assign(new Error(`${path} is not a folder`, { cause: error }), { code: 'ENOTDIR' });
  }
}

/** Remedies for errors that permissions do not explain. */
const remedies: Readonly<Record<string, string>> = {
  EROFS: 'The file system is read-only: mount it writable, or set another place.',
  ENOSPC: 'The disk is full: free space, or set another place.',
  EDQUOT: 'The quota of this user is used up: free space, or set another place.',
};

/** Returns the remedy for an error of writing; `usual` for errors that owner and permissions explain. */
export function writeRemedy(error: unknown, usual: string): string {
  return remedies[codeOf(error)] ?? usual;
}

/** Why a file or folder cannot be read, by the code of the error. */
const readingFaults: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a file is where a folder should be',
  EISDIR: 'it is a folder',
  EACCES: 'this user may not read it or a folder above it',
  EPERM: 'this user may not read it or a folder above it',
  ELOOP: 'it is a link that leads to itself',
};

/** Returns a path, that it cannot be read, and why: for an error of node:fs, or one whose message says why. */
export function unreadable(path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = code === undefined ? message : (readingFaults[code] ?? code);
  const beginning = unreplacedOf(path);
  return `${path} cannot be read: ${reason}${beginning === undefined ? '' : `; ${beginning} is not replaced here, so write the whole path`}`;
}

/** Returns the beginning of a path that only a shell would replace; `undefined` for any other path. */
export function unreplacedOf(path: string): string | undefined {
  return /^(?:~|\$\w+|\$\{\w+\})/.exec(path)?.[0];
}

/** Returns the code of an error that node:fs threw. */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
