import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, statSync, utimesSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dayMs } from '../../src/kit/clock.ts';

/** Below the ports that systems give to clients and to listeners on port 0: no other program gets one by chance. */
const [firstPort, endPort] = [20_000, 32_000];

/** Ports to try: with a thousand claims, one in twelve is taken. */
const maxTries = 100;

/**
 * A port of loopback without a listener. No other test of the run gets it: each is claimed by a file in the folder for
 * temporary files of the run.
 */
export async function freePort(): Promise<number> {
  const claims = join(tmpdir(), `bienvenue-ports-${process.getuid?.() ?? 0}`);
  mkdirSync(claims, { recursive: true });
  for (let tries = 0; tries < maxTries; tries += 1) {
    const port = randomInt(firstPort, endPort);
    if (claim(join(claims, String(port))) && (await isFree(port))) return port;
  }
  throw new Error(`No free port found. If no test runs, remove ${claims}`);
}

/** Creates the file; returns false if it exists, and is not left by a run of long ago. */
function claim(file: string): boolean {
  try {
    closeSync(openSync(file, 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (Date.now() - statSync(file).mtimeMs < dayMs) return false;
    utimesSync(file, new Date(), new Date());
    return true;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
