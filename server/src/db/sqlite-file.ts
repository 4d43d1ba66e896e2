// Which files we take for a SQLite database of ours. A file that is anything else is refused and never written to.
import { closeSync, existsSync, mkdirSync, openSync, readSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** The database cannot be used as it stands; the message says why and what to do. */
export class DatabaseRefused extends Error {
  override readonly name = 'DatabaseRefused';
}

/** `application_id` of our files, in the header of each (https://www.sqlite.org/fileformat2.html §1.3.12): "Bnve". */
export const applicationId = 0x426e7665;

const sqliteMagic = 'SQLite format 3\0';
const headerBytes = 100;
const applicationIdOffset = 68;

/** `f_type` of file systems whose locks SQLite cannot rely on (statfs(2); https://www.sqlite.org/useovernet.html). */
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

/** Name of the network file system that a folder is on, `undefined` for a local one. */
export function networkFileSystem(folder: string): string | undefined {
  return networkFileSystems.get(statfsSync(folder).type >>> 0);
}

/** @throws {DatabaseRefused} unless the path may be opened as a database of ours, or made anew. */
export function checkSqliteFile(path: string): void {
  const folder = dirname(path);
  try {
    // 0700: the folder holds every account; other users of the machine have no business in it.
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new DatabaseRefused(
      `The folder ${folder} cannot be created. Create it, or set DATA_DIR to another folder.`,
      { cause: error },
    );
  }
  const network = networkFileSystem(folder);
  if (network !== undefined) {
    throw new DatabaseRefused(
      `${folder} is on a network file system (${network}), where SQLite's locks do not work. Put DATA_DIR on a local disk, or use PostgreSQL (DATABASE_URL=postgres://…).`,
    );
  }
  if (existsSync(path)) checkHeader(path);
  else createFile(path);
}

/** Made here and not by SQLite, which would let other users of the machine read it; the files beside it take its rights. */
function createFile(path: string): void {
  try {
    closeSync(openSync(path, 'a', 0o600));
  } catch (error) {
    throw new DatabaseRefused(`${path} cannot be created. Check the owner and permissions of its folder.`, {
      cause: error,
    });
  }
}

function checkHeader(path: string): void {
  if (!statSync(path).isFile())
    throw new DatabaseRefused(`${path} is not a regular file. Set DATABASE_URL to a file.`);
  const header = Buffer.alloc(headerBytes);
  let length: number;
  try {
    const file = openSync(path, 'r+');
    length = readSync(file, header, 0, headerBytes, 0);
    closeSync(file);
  } catch (error) {
    throw new DatabaseRefused(
      `${path} cannot be opened for reading and writing. Check its owner and permissions.`,
      { cause: error },
    );
  }
  if (length === 0) return; // an empty file holds nothing that could be lost
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
