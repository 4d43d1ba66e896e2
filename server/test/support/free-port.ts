import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Below the ports that systems give to clients and to listeners on port 0: no other program gets one by chance. */
const [firstPort, endPort] = [20_000, 32_000];

/** A port of loopback without a listener. No other test of the run gets it. */
export async function freePort(): Promise<number> {
  const claims = join(tmpdir(), 'bienvenue-ports');
  mkdirSync(claims, { recursive: true });
  for (;;) {
    const port = randomInt(firstPort, endPort);
    if (claim(join(claims, String(port))) && (await isFree(port))) return port;
  }
}

/** Creates the file; returns false if it exists. */
function claim(file: string): boolean {
  try {
    closeSync(openSync(file, 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
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
