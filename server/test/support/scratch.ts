// Puts the databases of a run in memory, if there is space, because they are not needed after the run.
import { chmod, mkdtemp, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const memory = '/dev/shm';
/** Several times what a run takes, which is less than a gigabyte. */
const spaceBytes = 4 * 2 ** 30;

/** Creates a folder that other users may enter, as PostgreSQL must if the tests run as root. The caller removes it. */
export async function makeScratchFolder(): Promise<string> {
  const space = await statfs(memory).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0, // this system has none
  );
  const folder = await mkdtemp(join(space >= spaceBytes ? memory : tmpdir(), 'bienvenue-tests-'));
  await chmod(folder, 0o755);
  return folder;
}
