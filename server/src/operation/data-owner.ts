// Commands work on the files of the service, so they run as the user who owns them: root becomes that user before it
// opens anything, and any other user is rejected. Otherwise SQLite would leave files that the service cannot open. Root
// never works in a folder of another user: that user could replace any file by a link (CWE-59).
import { readdirSync, readFileSync, realpathSync, statSync, type Stats } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { sqlitePath } from '../db/open-database.ts';
import { CommandError } from './refusal.ts';

/** The options that say where the data is. */
export interface DataPlace {
  readonly databaseUrl: string;
  readonly secretKey: string | undefined;
  readonly secretKeyFile: string;
  readonly dataDir: string;
}

const root = 0;

/**
 * Returns what is known about a file; `undefined` if it does not exist.
 * @throws {CommandError} if this user may not look, with the user who may.
 */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException; // node:fs throws system errors
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unreachable(path, error);
  }
}

/**
 * Returns the paths of all files and folders in a folder, without links and what they lead to.
 * @throws {CommandError} as `statOf` does.
 */
export function pathsIn(folder: string): string[] {
  try {
    // Not `recursive`, which follows links to folders.
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isSymbolicLink()) return [];
      return entry.isDirectory() ? [path, ...pathsIn(path)] : [path];
    });
  } catch (error) {
    throw unreachable(folder, error);
  }
}

/** Returns the path of a file without links; the path itself if there is no file. */
export function targetOf(path: string): string {
  return statOf(path) === undefined ? path : realpathSync(path);
}

function unreachable(path: string, cause: unknown): CommandError {
  const folder = nearestVisible(path);
  const uid = process.getuid?.() ?? root;
  const reason =
    folder.uid === uid
      ? 'it is a link to a file that is closed to this user. Correct the owner and permissions of the target.'
      : `${folder.path} belongs to ${userName(folder.uid)}. ${asOwner(folder.uid)}`;
  return new CommandError(`${path} cannot be reached by ${userName(uid)}: ${reason}`, { cause });
}

/** Returns a path, or the nearest folder above it, that this user can see. */
function nearestVisible(path: string): { readonly path: string; readonly uid: number } {
  try {
    return { path, uid: statSync(path).uid };
  } catch {
    return nearestVisible(dirname(path)); // ends at the root of the file system, which everyone can see
  }
}

/**
 * Makes this process run as the owner of the data. Windows has no such users: there it does nothing.
 * @throws {CommandError} if the database file belongs to another user, and this one is not root.
 */
export function becomeOwner({ databaseUrl, secretKey, secretKeyFile }: DataPlace): void {
  const uid = process.getuid?.();
  if (uid === undefined) return;
  const file = sqlitePath(databaseUrl) ?? (secretKey === undefined ? resolve(secretKeyFile) : undefined);
  if (file === undefined) return; // PostgreSQL, and keys in an option
  const isDatabase = sqlitePath(databaseUrl) !== undefined;
  const owned = statOf(file);
  const owner = owned ?? statOf(dirname(file)); // a new file belongs to the owner of its folder
  if (owner === undefined) return;
  if (uid === root) {
    if (owner.uid !== root) dropTo(owner, file);
    else becomeOwnerOfFolder(file);
    return;
  }
  // A key file is only read, and often belongs to root. Of a folder, the system decides who may write.
  if (owner.uid !== uid && owned !== undefined && isDatabase)
    throw new CommandError(
      owner.uid === root && statOf(dirname(file))?.uid === uid
        ? `${file} belongs to root, its folder to ${userName(uid)}: if root restored it, run as root: chown ${uid} ${file}`
        : `${file} belongs to ${userName(owner.uid)}, and this command runs as ${userName(uid)}, whose files the service could not open. ${asOwner(owner.uid)}`,
    );
}

/**
 * Makes root the owner of the folder in which a command replaces or reads a file; of the link to it first, if the path is
 * one.
 */
export function becomeOwnerOfFolder(path: string): void {
  if (process.getuid?.() !== root || statOf(path) === undefined) return;
  for (const file of [path, realpathSync(path)]) {
    const folder = statOf(dirname(file));
    if (folder !== undefined && folder.uid !== root) return dropTo(folder, file);
  }
}

/** Gives up the rights of root for those of a user, for good: also its groups, unless the system does not know the user. */
function dropTo({ uid, gid: groupOfFile }: Stats, file: string): void {
  const { name, gid = groupOfFile } = knownUser(uid) ?? {};
  const { initgroups } = process as { initgroups?: (user: string, group: number) => void }; // not in @types/node
  if (name === undefined) process.setgroups?.([gid]);
  else initgroups?.(name, gid);
  process.setgid?.(gid);
  process.setuid?.(uid);
  try {
    statSync(dirname(file));
  } catch (error) {
    throw new CommandError(
      `${dirname(file)} belongs to ${userName(uid)}, who cannot enter a folder above it. If systemd keeps the folder (DynamicUser=), run the command with systemd-run and the options of the unit.`,
      { cause: error },
    );
  }
}

const asOwner = (uid: number): string => `Run it as that user: sudo -u ${accountOf(uid)} bienvenue …`;

/** As `sudo -u` takes it. */
const accountOf = (uid: number): string => knownUser(uid)?.name ?? `'#${uid}'`;

/** For a sentence. */
export const userName = (uid: number): string => knownUser(uid)?.name ?? `the user ${uid}`;

/** Returns the name and group of a user (passwd(5)); `undefined` if the file does not list the id. */
function knownUser(uid: number): { readonly name: string; readonly gid: number } | undefined {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
    const [name, , , gid] = lines.map((line) => line.split(':')).find(([, , id]) => id === String(uid)) ?? [];
    return name === undefined ? undefined : { name, gid: Number(gid) };
  } catch {
    return undefined;
  }
}
