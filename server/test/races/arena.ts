// Runs the races: the service behind real sockets on a new database. On SQLite it is one process, on PostgreSQL two
// that share the database; the test itself uses the database as a third one, as the operator's commands do.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKey, formatKeys } from '../../src/kit/keyring.ts';
import type { Environment } from '../../src/config/read-options.ts';
import type { Database } from '../../src/db/database.ts';
import { Hasher } from '../../src/hash/hasher.ts';
import { Auth } from '../../src/library/auth.ts';
import { DB } from '../../src/library/db.ts';
import { freshDatabase, openPatiently, type EngineName } from '../support/engines.ts';
import { cheapHashing } from '../support/hashing.ts';
import { startMailCatcher } from '../support/mail-catcher.ts';
import { startService, type ServiceProcess } from '../support/service.ts';
import type { Outcome, Racer } from './landing.ts';

export interface Arena {
  /** Base URL of the process for the n-th racer; the processes take turns. */
  readonly to: (n: number) => string;
  /** The rules, as the operator's commands use them. */
  readonly auth: Auth;
  readonly database: Database;
  /** Hashes cheaply, for accounts that the test adds itself. */
  readonly hasher: Hasher;
  /** True in public mode. */
  readonly isPublic: boolean;
  readonly close: () => Promise<void>;
}

/** Options of public mode. */
const publicMode: Environment = {
  PUBLIC_URL: 'https://accounts.test',
  MAIL_FROM: 'accounts@accounts.test',
};

/** Starts the service. */
export async function openArena(
  engine: EngineName,
  { isPublic = false, hashesReally = false } = {},
): Promise<Arena> {
  const fresh = await freshDatabase(engine);
  const folder = await mkdtemp(join(tmpdir(), 'bienvenue-arena-'));
  // It accepts each mail: one that failed would give its place to the next one.
  const catcher = isPublic ? await startMailCatcher() : undefined;
  const environment = {
    DATABASE_URL: fresh.url,
    DATA_DIR: folder,
    SECRET_KEY: formatKeys([createKey()]),
    ...(hashesReally && { TEST_HASHES: 'real' }),
    ...(catcher && { ...publicMode, SMTP_URL: catcher.url }),
  };
  const services: ServiceProcess[] = [];
  for (let i = 0; i < (engine === 'sqlite' ? 1 : 2); i += 1) services.push(await startService(environment));
  const database = await openPatiently(fresh.url);
  const auth = new Auth({ db: new DB(database) });
  const hasher = new Hasher(cheapHashing);
  return {
    to: (n) => services[n % services.length]?.baseUrl ?? '',
    auth,
    database,
    hasher,
    isPublic,
    async close() {
      await auth.close();
      await hasher.close();
      await database.close();
      await Promise.all(services.map((service) => service.stop()));
      await catcher?.close();
      await fresh.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

let people = 0;

/** An address without an account. */
export function freshAddress(): string {
  people += 1;
  return `racer${people}@example.org`;
}

export const passwordOf = (email: string): string => `the password of ${email}`;

/** Requests of the contract, as racers. */
export const requests = {
  register: (to: string, email: string, password = passwordOf(email)): Racer => ({
    to,
    method: 'POST',
    path: '/users',
    fields: { email, password },
  }),
  logIn: (to: string, email: string, password = passwordOf(email)): Racer => ({
    to,
    method: 'POST',
    path: '/sessions',
    fields: { email, password },
  }),
  profile: (to: string, cookie: string): Racer => ({ to, method: 'GET', path: '/profile', cookie }),
  logOut: (to: string, cookie: string): Racer => ({ to, method: 'DELETE', path: '/sessions', cookie }),
  forget: (to: string, email: string): Racer => ({
    to,
    method: 'POST',
    path: '/reset_password',
    fields: { email },
  }),
  reset: (to: string, email: string, token: string, password: string): Racer => ({
    to,
    method: 'PUT',
    path: '/reset_password',
    fields: { email, reset_token: token, new_password: password },
  }),
};

/** The session cookie that a reply sets, in the form of a request header. */
export function sessionCookie({ cookies, text }: Outcome): string {
  const cookie = cookies.find((pair) => pair.includes('session_id='));
  if (cookie === undefined) throw new Error(`No session: ${text}`);
  return cookie;
}

/** The reset token in a reply. */
export function resetToken({ text }: Outcome): string {
  const { reset_token: token } = JSON.parse(text) as { reset_token?: string };
  if (token === undefined) throw new Error(`No reset token: ${text}`);
  return token;
}
