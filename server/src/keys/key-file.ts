// The file in which the service keeps its keys. It is written whole, flushed, and put in its place in one step, so that
// a fall at any moment leaves the old file or the new one.
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { createKey, formatKeys, KeysRefused, parseKeys, type Key } from '../kit/keyring.ts';

/** For the owner alone. A file that others can read is not refused: a container's secrets often are; doctor tells it. */
const fileMode = 0o600;
const folderMode = 0o700;

/** What link(2) answers on a file system that has no links. */
const noLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * The keys of the file; `undefined` when there is none.
 * @throws {KeysRefused} when it cannot be read, or holds something else.
 */
export function readKeyFile(path: string): Key[] | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new KeysRefused(`The key file ${path} cannot be read. Check its owner and permissions.`, {
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

/**
 * Makes the file with one new key, unless somebody was faster, and returns the keys that are in it.
 * @throws {KeysRefused} when it cannot be written.
 */
export function createKeyFile(path: string): Key[] {
  writing(path, () => {
    mkdirSync(dirname(path), { recursive: true, mode: folderMode });
    const text = formatKeys([createKey()]);
    try {
      throughTemporary(path, text, linkSync); // unlike a rename, a link never takes the place of a file
    } catch (error) {
      if (noLinks.has(codeOf(error) ?? ''))
        writeFileSync(path, text, { flag: 'wx', mode: fileMode, flush: true });
      else throw error;
    }
  });
  return readKeyFile(path) ?? [];
}

/**
 * Puts a new key in front of those in the file and returns them all.
 * @throws {KeysRefused} when there is no file, or it cannot be read or written; it is then as it was.
 */
export function addKeyToFile(path: string): Key[] {
  const old = readKeyFile(path);
  if (old === undefined)
    throw new KeysRefused(
      `The key file ${path} does not exist yet. The first start of the service creates it.`,
    );
  const keys = [createKey(), ...old];
  parseKeys(formatKeys(keys)); // ids are random: two alike would make the file unreadable
  // A link to the file stays one: the keys are where their owner put them.
  writing(path, () => throughTemporary(realpathSync(path), formatKeys(keys), renameSync));
  return keys;
}

function writing(path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return; // another process made it a moment ago
    if (error instanceof KeysRefused) throw error;
    throw new KeysRefused(
      `The key file ${path} cannot be written. Check the owner and permissions of its folder, or set the keys in SECRET_KEY.`,
      { cause: error },
    );
  }
}

/** Writes a file beside the path, flushes it, and puts it at the path by `place`. */
function throughTemporary(path: string, text: string, place: (from: string, to: string) => void): void {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    writeFileSync(temporary, text, { flag: 'wx', mode: fileMode, flush: true });
    place(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  flushFolder(dirname(path));
}

/** A file's name is durable once its folder is flushed (fsync(2)). Windows cannot do that to a folder. */
function flushFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code; // what node:fs throws
}
