// Reads, creates and rotates the key file. A new version is written to a temporary file, flushed, and put in place
// atomically, so that a crash at any time leaves either the old file or the new one.
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { codeOf, makeFolder, unreadable, writeRemedy } from '../kit/file.ts';
import { createKey, formatKeys, KeysRefused, parseKeys, type Key } from '../kit/keyring.ts';

/**
 * Only the owner may read the file. Wider permissions are accepted, because container secrets often have them; `doctor`
 * reports them.
 */
const fileMode = 0o600;
const folderMode = 0o700;
/** Permissions in the mode of a file (stat(2)). */
const permissionBits = 0o777;

/** Error codes of link(2) on a file system without hard links. */
const noLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Reads the keys of the file; `undefined` if the file does not exist.
 * @throws {KeysRefused} if the file cannot be read or is malformed.
 */
export function readKeyFile(path: string): Key[] | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) {
      if (codeOf(error) === 'ENOTDIR' || !isLink(path)) return undefined;
      throw new KeysRefused(
        `The key file ${path} is a link to a file that does not exist. Restore that file, or remove the link.`,
        { cause: error },
      );
    }
    if (codeOf(error) === 'EISDIR')
      throw new KeysRefused(
        `The key file ${path} is a folder. Remove it, or set SECRET_KEY_FILE to a file; Docker creates such a folder for a bind mount of a missing file.`,
        { cause: error },
      );
    throw new KeysRefused(`The key file ${unreadable(path, error)}. Check its owner and permissions.`, {
      cause: error,
    });
  }
  try {
    return parseKeys(text);
  } catch (error) {
    if (!(error instanceof KeysRefused)) throw error;
    throw new KeysRefused(
      `The key file ${path} ${error.message}. The file was not changed; restore it from a backup.`,
      { cause: error },
    );
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

/** Returns the fault of a command that needs the file. */
export function missingKeyFile(path: string): KeysRefused {
  return new KeysRefused(
    `The key file ${path} does not exist. The first start of the service creates it; if the service was started before, restore the file from a backup.`,
  );
}

/**
 * Creates the file with one new key, unless it already exists, and returns the keys in it.
 * @throws {KeysRefused} if the file cannot be written.
 */
export function createKeyFile(path: string): Key[] {
  writing(path, () => {
    makeFolder(dirname(path), folderMode);
    const text = formatKeys([createKey()]);
    try {
      throughTemporary(path, { text, mode: fileMode }, linkSync); // unlike a rename, a link never replaces a file
    } catch (error) {
      if (noLinks.has(codeOf(error))) writeFileSync(path, text, { flag: 'wx', mode: fileMode, flush: true });
      else throw error;
    }
  });
  return readKeyFile(path) ?? [];
}

/**
 * Adds a new key in front of the keys in the file and returns all of them.
 * @throws {KeysRefused} if the file does not exist, or cannot be read or written; it is then unchanged.
 */
export function addKeyToFile(path: string): Key[] {
  const old = readKeyFile(path);
  if (old === undefined) throw missingKeyFile(path);
  const keys = [createKey(), ...old];
  parseKeys(formatKeys(keys)); // ids are random: a duplicate id would make the file unreadable
  // If the path is a symbolic link, the target is replaced and the link stays.
  writing(path, () => {
    const target = realpathSync(path);
    const { uid, gid, mode } = statSync(target);
    const content = { text: formatKeys(keys), mode: mode & permissionBits, owner: { uid, gid } };
    throughTemporary(target, content, renameSync);
  });
  return keys;
}

function writing(path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return; // another process has just created it
    if (error instanceof KeysRefused) throw error;
    const remedy = writeRemedy(
      error,
      'Check the owner and permissions of its folder, or set the keys in SECRET_KEY.',
    );
    throw new KeysRefused(`The key file ${path} cannot be written. ${remedy}`, { cause: error });
  }
}

/** What a new version of the file has. */
interface Content {
  readonly text: string;
  readonly mode: number;
  /** The owner of the former version, which the new one keeps. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** Writes a temporary file in the same folder, flushes it, and moves it to the path with `place`. */
function throughTemporary(
  path: string,
  { text, mode, owner }: Content,
  place: (from: string, to: string) => void,
): void {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    // Through the descriptor: the owner of the folder could replace the name by a link, and root would give
    // the target of the link away (CWE-59).
    const file = openSync(temporary, 'wx', fileMode);
    try {
      writeFileSync(file, text);
      if (owner !== undefined) keepOwner(file, path, owner);
      fchmodSync(file, mode); // after the change of owner; the umask does not apply
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    place(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  flushFolder(dirname(path));
}

/** @throws {KeysRefused} if this user may not give the new version to the owner of the former one. */
function keepOwner(file: number, path: string, { uid, gid }: NonNullable<Content['owner']>): void {
  const own = fstatSync(file);
  if (own.uid === uid && own.gid === gid) return;
  try {
    fchownSync(file, uid, gid);
  } catch (error) {
    throw new KeysRefused(
      `The key file ${path} belongs to another user (uid ${uid}, gid ${gid}), who could not read a file that this user writes. Run the command as that user: sudo -u '#${uid}' bienvenue …`,
      { cause: error },
    );
  }
}

/** Makes a new file name durable by flushing its folder (fsync(2)). Windows cannot flush a folder. */
function flushFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
