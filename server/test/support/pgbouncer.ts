// PgBouncer before a PostgreSQL server, where it is installed.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { temporaryFolder, type Owner } from './running-service.ts';

const candidates = ['pgbouncer', '/usr/sbin/pgbouncer'];

/** The program, or the reason why it is missing. */
export const pgBouncer: { readonly path: string; readonly version: string } | { readonly reason: string } =
  findPgBouncer();

function findPgBouncer(): typeof pgBouncer {
  for (const path of [process.env['TEST_PGBOUNCER'] ?? '', ...candidates].filter((name) => name !== '')) {
    const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
    if (status === 0) return { path, version: stdout.split('\n', 1)[0] ?? '' };
  }
  return { reason: 'pgbouncer is not installed (TEST_PGBOUNCER names its path)' };
}

export interface PgBouncerOptions {
  readonly mode: 'session' | 'transaction';
  /** Connections to the server for all clients. */
  readonly poolSize: number;
  /** More lines of its file, such as `max_prepared_statements = 200` (1.21 and later). */
  readonly more?: readonly string[];
}

/** As root, PgBouncer refuses to run: it then runs as the user `postgres`, who exists where it is installed. */
const unprivileged = 'postgres';

function idOf(flag: '-u' | '-g'): number {
  return Number(spawnSync('id', [flag, unprivileged], { encoding: 'utf8' }).stdout);
}

/** Starts PgBouncer before the database of the URL; returns the URL through it. It ends with the test. */
export async function startPgBouncer(
  t: Owner,
  url: string,
  { mode, poolSize, more = [] }: PgBouncerOptions,
): Promise<string> {
  if ('reason' in pgBouncer) throw new Error(pgBouncer.reason);
  const folder = await temporaryFolder(t);
  const target = new URL(url);
  const port = await freePort();
  const file = join(folder, 'pgbouncer.ini');
  const { hostname, port: targetPort, username, password } = target;
  await writeFile(join(folder, 'users.txt'), `"${username}" "${password}"\n`);
  await writeFile(
    file,
    [
      '[databases]',
      `* = host=${hostname} port=${targetPort}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = plain',
      `auth_file = ${join(folder, 'users.txt')}`,
      `pool_mode = ${mode}`,
      `default_pool_size = ${poolSize}`,
      'max_client_conn = 200',
      'log_connections = 0',
      'log_disconnections = 0',
      ...more,
      '',
    ].join('\n'),
  );
  const isRoot = process.getuid?.() === 0;
  const user = isRoot ? { uid: idOf('-u'), gid: idOf('-g') } : {};
  if (isRoot) {
    await chmod(folder, 0o755);
    for (const name of ['pgbouncer.ini', 'users.txt'])
      await chown(join(folder, name), idOf('-u'), idOf('-g'));
  }
  const child = spawn(pgBouncer.path, ['-q', file], { ...user, stdio: 'ignore' });
  t.after(async () => {
    if (child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });
  await accepts(port);
  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = String(port);
  return through.href;
}

/** Resolves when a program accepts connections on the port. */
async function accepts(port: number): Promise<void> {
  const isOpen = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  await eventually(`a program that listens on port ${port}`, isOpen);
}
