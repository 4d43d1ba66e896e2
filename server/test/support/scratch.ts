// Where the tests of a run put their databases: in memory, where there is room, since nothing of them outlives the run.
import { chmod, mkdtemp, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const memory = '/dev/shm';
/** Several times what a run takes, which is less than a gigabyte. */
const roomBytes = 4 * 2 ** 30;

/** Makes a folder that others may enter, as PostgreSQL does where the tests run as root. Whoever asked removes it. */
export async function makeScratchFolder(): Promise<string> {
  const room = await statfs(memory).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0, // none on this system
  );
  const folder = await mkdtemp(join(room >= roomBytes ? memory : tmpdir(), 'bienvenue-tests-'));
  await chmod(folder, 0o755);
  return folder;
}
