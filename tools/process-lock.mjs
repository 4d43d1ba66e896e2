/**
 * Lets one process at a time do a piece of work in a folder, and lets the next one continue if the first has died.
 *
 * The lock is a directory that contains the process ids of its owner. It appears and disappears by `rename`, which is
 * atomic, so no process sees it half made. Plain `fs` only: Node has no flock, and this runs before any dependency
 * exists.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;
const BEAT_MS = 2_000;
/** Fifteen missed beats. Only used if a process id means nothing: the holder runs on another host or in a container. */
const SILENT_MS = 30_000;
/** A take-over is a few system calls; one that is this old was itself killed before it was done. */
const TAKE_OVER_MS = 10_000;

/**
 * Runs `work` while holding the lock `directory`, after waiting for a living holder and taking over from a dead one.
 *
 * @template Result
 * @param {string} directory created and removed here; its parent is created too
 * @param {{ waitMs: number, onWait?: (pid: number) => void }} options `waitMs` bounds the wait for a living holder
 * @param {(lock: { include(pid: number): void }) => Promise<Result>} work `include` names a child that must also have
 *   ended before anybody may take over: a killed parent leaves its child at work
 * @returns {Promise<Result>}
 */
export async function withProcessLock(directory, options, work) {
  fs.mkdirSync(path.dirname(directory), { recursive: true });
  await take(directory, options);
  const beat = setInterval(() => {
    const now = new Date();
    fs.utimes(directory, now, now, () => {});
  }, BEAT_MS);
  beat.unref();
  try {
    return await work({ include: (pid) => writeHolder(directory, [process.pid, pid]) });
  } finally {
    clearInterval(beat);
    remove(directory);
  }
}

async function take(directory, { waitMs, onWait }) {
  const deadline = Date.now() + waitMs;
  let isReported = false;
  while (!tryTake(directory)) {
    const holder = readHolder(directory);
    if (holder === undefined || !isAlive(directory, holder)) {
      takeOver(directory);
    } else {
      if (!isReported) onWait?.(holder.pids[0]);
      isReported = true;
      if (Date.now() > deadline) {
        throw new Error(
          `process ${holder.pids[0]} on ${holder.host} still holds ${directory}. ` +
            'If no such process is at work there, remove that folder and try again.',
        );
      }
    }
    await sleep(POLL_MS);
  }
}

function tryTake(directory) {
  const draft = `${directory}.${process.pid}.draft`;
  fs.rmSync(draft, { recursive: true, force: true });
  fs.mkdirSync(draft);
  writeHolder(draft, [process.pid]);
  try {
    fs.renameSync(draft, directory);
    return true;
  } catch (error) {
    fs.rmSync(draft, { recursive: true, force: true });
    // POSIX returns ENOTEMPTY or EEXIST for a taken name, Windows EPERM or EACCES.
    if (fs.existsSync(directory) || error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return false;
    if (process.platform === 'win32') return false;
    throw error;
  }
}

/**
 * Removes a dead holder's lock. The second lock makes "is it still the dead one?" and "remove it" one step: without it,
 * two waiters could both see the dead holder, and the slower one would remove the lock of the faster.
 */
function takeOver(directory) {
  const guard = `${directory}.take-over`;
  try {
    fs.mkdirSync(guard);
  } catch {
    if (ageMs(guard) > TAKE_OVER_MS) fs.rmSync(guard, { recursive: true, force: true });
    return;
  }
  try {
    const holder = readHolder(directory);
    if (holder === undefined || !isAlive(directory, holder)) remove(directory);
  } finally {
    fs.rmSync(guard, { recursive: true, force: true });
  }
}

/** Renames before it deletes: another process could take a directory that is being emptied in place. */
function remove(directory) {
  const grave = `${directory}.${process.pid}.gone`;
  try {
    fs.renameSync(directory, grave);
  } catch {
    return;
  }
  fs.rmSync(grave, { recursive: true, force: true });
}

function writeHolder(directory, pids) {
  fs.writeFileSync(path.join(directory, 'holder.json'), JSON.stringify({ pids, host: os.hostname() }));
}

function readHolder(directory) {
  try {
    return JSON.parse(fs.readFileSync(path.join(directory, 'holder.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

function isAlive(directory, holder) {
  if (holder.host !== os.hostname()) return ageMs(directory) < SILENT_MS;
  return holder.pids.some(isRunning);
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM'; // it runs, as another user
  }
  return !isZombie(pid);
}

/** An ended process that its parent never asked about still has its id: usual in a container without an init. */
function isZombie(pid) {
  try {
    // proc_pid_stat(5): the state follows the name, which is in brackets and may contain brackets itself.
    return fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.startsWith('Z') === true;
  } catch {
    return false; // no /proc: not Linux
  }
}

function ageMs(file) {
  try {
    return Date.now() - fs.statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}
