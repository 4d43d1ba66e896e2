// Decides which SQLite files the service may open: a file of another program or a damaged one is rejected and never
// changed. Also converts the result codes of SQLite to errors.
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { codeOf, makeFolder, writeRemedy } from '../../kit/file.ts';
import { Problem } from '../../kit/problem.ts';
import { DatabaseRefused, ReferenceViolation, UniqueViolation } from '../database.ts';

// An import would fail on an older Node.js before library/require-node.ts could say which one is needed.
const { DatabaseSync } = process.getBuiltinModule('node:sqlite');

/** `application_id` in the header of the service's files (https://www.sqlite.org/fileformat2.html §1.3.12): "Bnve". */
export const applicationId = 0x426e7665;

const sqliteMagic = 'SQLite format 3\0';
const headerBytes = 100;
const applicationIdOffset = 68;

/** `f_type` of file systems on whose locks SQLite cannot rely (statfs(2); https://www.sqlite.org/useovernet.html). */
const networkFileSystems = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'kAFS'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x73757245, 'Coda'],
]);

/** Returns the name of the network file system that contains a folder; `undefined` for a local one. */
export function networkFileSystem(folder: string): string | undefined {
  return networkFileSystems.get(statfsSync(folder).type >>> 0);
}

/**
 * Checks that a path can be opened as a database of the service. Creates the file and its folder if they do not exist.
 * @throws {DatabaseRefused} if the file is of another program, is on a network file system, or cannot be opened or
 *   created.
 */
export function checkSqliteFile(path: string): void {
  const folder = dirname(path);
  try {
    // 0700: the folder contains all accounts, so other users of the machine must not read it.
    makeFolder(folder, 0o700);
  } catch (error) {
    throw new DatabaseRefused(
      `The folder ${folder} cannot be created. ${writeRemedy(error, 'Create it, or set DATA_DIR to another folder.')}`,
      { cause: error },
    );
  }
  const network = networkFileSystem(folder);
  if (network !== undefined) {
    throw new DatabaseRefused(
      `${folder} is on a network file system (${network}), where SQLite's locks do not work. Put DATA_DIR on a local disk, or use PostgreSQL (DATABASE_URL=postgres://…).`,
    );
  }
  if (existsSync(path)) checkExistingFile(path);
  else createFile(path);
}

/** Files that SQLite keeps next to a database in WAL mode (https://www.sqlite.org/wal.html). */
const companions = ['-wal', '-shm'];

/**
 * Checks that an existing file can be opened as a database of the service.
 * @throws {DatabaseRefused} if it cannot.
 */
export function checkExistingFile(path: string): void {
  checkHeader(path);
  for (const file of companions.map((ending) => path + ending))
    if (existsSync(file))
      requireAccess(
        file,
        `${file} cannot be opened for reading and writing.`,
        `It must have the owner and permissions of ${path}.`,
      );
  requireAccess(
    dirname(path),
    `The folder ${dirname(path)} is not writable, and SQLite creates files in it.`,
    'Check its owner and permissions.',
  );
}

function requireAccess(path: string, fault: string, remedy: string): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw new DatabaseRefused(`${fault} ${writeRemedy(error, remedy)}`, { cause: error });
  }
}

/**
 * Creates the file so that only its owner can read it; SQLite would let other users of the machine read it. The WAL file
 * gets the same permissions.
 */
function createFile(path: string): void {
  try {
    closeSync(openSync(path, 'ax', 0o600)); // never an existing file, see `isOwnFile`
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    const remedy = writeRemedy(error, 'Check the owner and permissions of its folder.');
    throw new DatabaseRefused(`${path} cannot be created. ${remedy}`, { cause: error });
  }
}

/**
 * Returns whether a file has the application id of the service. Reads it by SQLite: if this process had the database
 * open, then closing any other descriptor of the file would release the locks of SQLite, and another process could
 * remove the WAL file that is in use (https://www.sqlite.org/howtocorrupt.html §2.2).
 */
function isOwnFile(path: string): boolean {
  const url = pathToFileURL(path);
  url.searchParams.set('immutable', '1'); // takes no locks, reads no WAL file, and creates none
  try {
    using database = new DatabaseSync(url, { readOnly: true });
    return database.prepare('pragma application_id').get()?.['application_id'] === applicationId;
  } catch {
    return false; // not a database
  }
}

function checkHeader(path: string): void {
  const stats = statSync(path);
  if (!stats.isFile())
    throw new DatabaseRefused(`${path} is not a regular file. Set DATABASE_URL to a file.`);
  requireAccess(
    path,
    `${path} cannot be opened for reading and writing.`,
    'Check its owner and permissions.',
  );
  // An empty file contains no data that could be lost.
  if (stats.size > 0 && !isOwnFile(path)) checkForeignHeader(path);
}

/** Checks the header of a file that no connection of this process has open. */
function checkForeignHeader(path: string): void {
  const header = Buffer.alloc(headerBytes);
  let length: number;
  try {
    const file = openSync(path, 'r');
    length = readSync(file, header, 0, headerBytes, 0);
    closeSync(file);
  } catch (error) {
    throw new DatabaseRefused(`${path} cannot be read. ${writeRemedy(error, 'Check the disk.')}`, {
      cause: error,
    });
  }
  if (header.toString('latin1', 0, sqliteMagic.length) !== sqliteMagic) {
    throw new DatabaseRefused(
      `${path} is not a SQLite database. The file was not changed; set DATABASE_URL to another file.`,
    );
  }
  if (length < headerBytes)
    throw new DatabaseRefused(
      `${path} is damaged: it is truncated. The file was not changed; restore a backup.`,
    );
  const found = header.readUInt32BE(applicationIdOffset);
  if (found !== applicationId) {
    throw new DatabaseRefused(
      `${path} is a SQLite database of another program. The file was not changed; set DATABASE_URL to another file.`,
    );
  }
}

/** SQLite result codes of temporary faults: busy, read-only, I/O, full, cannot open. */
const temporaryFaults = new Set([5, 8, 10, 13, 14]);
/** SQLITE_CONSTRAINT_UNIQUE and SQLITE_CONSTRAINT_PRIMARYKEY. */
const uniqueFaults = new Set([2067, 1555]);
/** SQLITE_CONSTRAINT_FOREIGNKEY. */
const referenceFault = 787;
/** SQLITE_CORRUPT and SQLITE_NOTADB. */
const damages = new Set([11, 26]);
/** The lower bits of an extended result code are the primary one. */
const primaryCodeMask = 0xff;

/** Converts a message and a result code of SQLite to an error. */
export function toSqliteError(message: string, errcode: number): Error {
  const cause = new Error(`SQLite: ${message} (code ${errcode})`);
  if (uniqueFaults.has(errcode)) return new UniqueViolation(message, { cause });
  if (errcode === referenceFault) return new ReferenceViolation(message, { cause });
  if (temporaryFaults.has(errcode & primaryCodeMask))
    return new Problem('unavailable', { message: cause.message, cause, retryAfterSeconds: 2 });
  if (damages.has(errcode & primaryCodeMask))
    return new DatabaseRefused(
      `The database is damaged (${cause.message}). Stop the service, and restore a backup; "bienvenue doctor" examines the whole file.`,
      { cause },
    );
  return cause;
}

/** What to do if SQLite cannot open a file, by primary result code: busy, I/O, full. */
const openingRemedies = new Map([
  [5, 'Another program locks it: end that program, or wait until it is done.'],
  [10, 'Its disk is full, or fails: free space, and read the log of the system.'],
  [13, 'Its disk is full: free space, or set DATA_DIR to another folder.'],
]);

/**
 * Returns the error of a file that cannot be opened, for an error of node:sqlite that the operator can solve; any other
 * error unchanged.
 */
export function openingFault(path: string, error: unknown): unknown {
  const { errcode, message } = (error ?? {}) as { errcode?: number; message?: string }; // node:sqlite throws errors with a result code
  if (errcode === undefined) return error;
  const code = errcode & primaryCodeMask;
  if (damages.has(code)) return damagedFile(path, error);
  const remedy = openingRemedies.get(code);
  if (remedy === undefined) return error;
  return new DatabaseRefused(`${path} cannot be opened: ${message} (code ${errcode}). ${remedy}`, {
    cause: error,
  });
}

function damagedFile(path: string, cause: unknown): DatabaseRefused {
  const [wal, shm] = companions.map((ending) => path + ending);
  // SQLite takes the pages of a WAL file for those of the database, whose former file may have left it.
  const { size = 0 } = statSync(String(wal), { throwIfNoEntry: false }) ?? {}; // an empty one is of this process
  const remedy =
    size > 0
      ? `If you put a backup in its place, delete ${wal} and ${shm}, which belong to the former file, and put it there again. Otherwise restore a backup.`
      : 'The file was not changed; restore a backup.';
  return new DatabaseRefused(`${path} is damaged. ${remedy}`, { cause });
}

/** How long the check for damage waits for another process that locks the file. */
const checkBusyTimeoutMs = 1000;

/**
 * Checks every page of a file for damage, which takes about 2 ms per megabyte. Skips a file larger than `maxBytes`.
 * Without this check, a later request would find the damage, and restoring the backup would lose everything written
 * since.
 * @throws {DatabaseRefused} if the file is not a database of the service, cannot be read, or a page is damaged.
 */
export function examineSqliteFile(path: string, maxBytes: number = Infinity): void {
  checkSqliteFile(path);
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? Infinity) > maxBytes) return;
  try {
    using database = new DatabaseSync(path, { readOnly: true, timeout: checkBusyTimeoutMs });
    const finding = database.prepare('pragma quick_check(1)').get()?.['quick_check'];
    if (finding !== 'ok') throw damagedFile(path, new Error(String(finding)));
  } catch (error) {
    throw openingFault(path, error);
  }
}
