// Checks the files of the service for `bienvenue doctor`: their file system, owner and permissions, and free space.
import { statfsSync, type Stats } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { CoreOptions } from '../config/options.ts';
import { sqlitePath } from '../db/open-database.ts';
import { networkFileSystem } from '../db/sqlite/sqlite-file.ts';
import { pathsIn, statOf, targetOf, userName } from './data-owner.ts';
import type { Finding } from './finding.ts';

const about = 'files';
/** Rights of group and others in a file's mode. */
const othersMask = 0o077;
/** Files that are listed one by one; a data folder has a handful and some backups. */
const maxFiles = 1000;
const megabyte = 2 ** 20;
/** Below it, a busy service fills the disk within days: the audit log alone takes 500 bytes per event. */
const fewMegabytes = 1024;
/** Below it, the next backup or migration may fail. */
const tooFewMegabytes = 100;

interface DataFile {
  readonly path: string;
  readonly stats: Stats;
}

/** Checks every file of the data folder, the database and the key file. */
export function checkFiles(options: CoreOptions): Finding[] {
  // A remedy names the file itself: through a link, it would give away a file that the operator does not see.
  const named = sqlitePath(options.databaseUrl);
  const database = named === undefined ? undefined : targetOf(named);
  const keys = options.secretKey === undefined ? targetOf(resolve(options.secretKeyFile)) : undefined;
  const folders = new Set([
    targetOf(resolve(options.dataDir)),
    ...(database === undefined ? [] : [dirname(database)]),
  ]);
  const paths = new Set([...(database === undefined ? [] : companionsOf(database)), ...(keys ? [keys] : [])]);
  for (const folder of folders)
    if (isOwnFolder(folder, options)) for (const each of listAll(folder)) paths.add(each);
  const single = new Set([database, keys]);
  const files = [...paths].flatMap((path): DataFile[] => {
    const stats = statOf(path);
    // A folder in place of a file has no permissions that help; the checks of the database and the keys report it.
    return stats === undefined || (single.has(path) && stats.isDirectory()) ? [] : [{ path, stats }];
  });
  if (process.getuid === undefined || files.length === 0) return [];
  const owner = ownerOf(files, database);
  const wrong = files.flatMap((file) => [...checkOwner(file, owner, keys), ...checkMode(file)]);
  const disks = [...folders].filter((folder) => statOf(folder)?.isDirectory() === true);
  return [
    ...wrong,
    ...(wrong.length > 0
      ? []
      : [
          {
            about,
            verdict: 'ok' as const,
            says: `only ${userName(owner.uid)} can read the ${files.length} files and folders of the service`,
          },
        ]),
    ...(database === undefined ? [] : checkFileSystem(dirname(database))),
    ...disks.map(checkSpace),
  ];
}

/** The database with the files that SQLite keeps next to it. */
function companionsOf(database: string): string[] {
  return [database, `${database}-wal`, `${database}-shm`];
}

/** Whether everything in a folder belongs to the service: not so in one that the operator only put a database into. */
function isOwnFolder(folder: string, { dataDir }: CoreOptions): boolean {
  return folder === targetOf(resolve(dataDir)) && statOf(folder)?.isDirectory() === true;
}

function listAll(folder: string): string[] {
  return [folder, ...pathsIn(folder).slice(0, maxFiles)];
}

/** The owner of the service, and of what this is known. */
interface ServiceOwner {
  readonly uid: number;
  readonly of: 'the database' | 'its folder';
}

/** The owner of the database; without one, that of the first file. */
function ownerOf(files: readonly DataFile[], database: string | undefined): ServiceOwner {
  const main = files.find(({ path }) => path === database) ?? files[0];
  const uid = main?.stats.uid ?? 0;
  const folder = main === undefined || main.path !== database ? undefined : statOf(dirname(main.path));
  // Root put a backup into the folder of the service: everything else there has the right owner.
  if (uid === 0 && folder !== undefined && folder.uid !== 0) return { uid: folder.uid, of: 'its folder' };
  return { uid, of: 'the database' };
}

function checkOwner(
  { path, stats }: DataFile,
  { uid: owner, of }: ServiceOwner,
  keys: string | undefined,
): Finding[] {
  if (stats.uid === owner) return [];
  const says = `${path} belongs to ${userName(stats.uid)}, ${of} to ${userName(owner)}`;
  // A folder or key file of root may be as the operator wants it: the service only has to reach them.
  if (stats.isDirectory() || path === keys)
    return [
      { about, verdict: 'unsafe', says: `${says}; unless that is intended, run: chown ${owner} ${path}` },
    ];
  return [{ about, verdict: 'fault', says: `${says}; run: chown ${owner} ${path}` }];
}

function checkMode({ path, stats }: DataFile): Finding[] {
  if ((stats.mode & othersMask) === 0) return [];
  return [
    {
      about,
      verdict: 'unsafe',
      says: `${path} can be read by other users of this machine; run: chmod go= ${path}`,
    },
  ];
}

function checkFileSystem(folder: string): Finding[] {
  if (statOf(folder) === undefined) return [];
  const network = networkFileSystem(folder);
  if (network === undefined) return [];
  return [{ about, verdict: 'fault', says: `${folder} is on ${network}; SQLite requires a local disk` }];
}

function checkSpace(folder: string): Finding {
  const { bavail, bsize } = statfsSync(folder);
  const free = Math.floor((bavail * bsize) / megabyte);
  const says = `${free} MB are free for ${folder}`;
  const remedy = 'free space, or move the folder to a larger disk';
  if (free < tooFewMegabytes) return { about: 'disk', verdict: 'fault', says: `${says}; ${remedy}` };
  if (free < fewMegabytes) return { about: 'disk', verdict: 'unsafe', says: `${says}; ${remedy}` };
  return { about: 'disk', verdict: 'ok', says };
}
