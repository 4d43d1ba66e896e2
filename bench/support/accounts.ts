// The accounts of a run. Every property of the n-th account follows from n, so that a million need no list: the program
// that creates the database and the one that sends requests compute the same values.
import { createHash } from 'node:crypto';
import { hashSync } from '@node-rs/argon2';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { migratedModules } from '../../server/src/app/migrations.ts';
import { openDatabase } from '../../server/src/db/open-database.ts';
import { defaultHashCost } from '../../server/src/hash/options.ts';

export const password = 'a password of the benchmark';

export function emailOf(n: number): string {
  return `user${n}@bench.example`;
}

/** A session's token in the service's format, from a digest instead of random bytes. */
export interface BenchSession {
  readonly id: string;
  readonly token: string;
  readonly secretHash: Buffer;
}

/** Milliseconds at which the first session was created: its id begins with them, as a UUID of version 7 does. */
const firstMs = 1_750_000_000_000;

export function sessionOf(n: number): BenchSession {
  const chance = createHash('sha256').update(`bench ${n}`).digest();
  const time = (firstMs + n).toString(16).padStart(12, '0');
  const hex = chance.toString('hex', 0, 12);
  const id = `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(0, 3)}-8${hex.slice(3, 6)}-${hex.slice(6, 18)}`;
  const secret = `ses_${chance.toString('base64url')}`;
  return { id, token: `${id}.${secret}`, secretHash: createHash('sha256').update(secret).digest() };
}

/** One hash for all: creating a million would take hours, and verification costs the same. */
export function hashOfPassword(): string {
  return hashSync(password, {
    memoryCost: defaultHashCost.memoryKib,
    timeCost: defaultHashCost.passes,
    parallelism: 1,
  });
}

/**
 * Numbers of accounts spread over all of them, for requests that must not read the same page of the database
 * repeatedly.
 */
export function spread(accounts: number, wanted: number): number[] {
  const step = 7919; // a prime, so that the steps reach every number before one repeats
  return Array.from({ length: Math.min(wanted, accounts) }, (_, i) => ((i * step) % accounts) + 1);
}

const sessionMs = 30 * 24 * 3_600_000;
/** Rows per statement if the database is across a socket. */
const batch = 10_000;

/** Creates a database of this release's schema with this many users, each with a password and one session. */
export async function fillDatabase(url: string, accounts: number): Promise<void> {
  await openDatabase(url, migratedModules).then((database) => database.close());
  await (url.startsWith('sqlite:')
    ? fillSqlite(url.slice('sqlite:'.length), accounts)
    : fillPostgres(url, accounts));
}

async function fillSqlite(path: string, accounts: number): Promise<void> {
  const database = new DatabaseSync(path);
  const now = Date.now();
  const hash = hashOfPassword();
  const addUser = database.prepare(
    'insert into users (id, email, email_key, hashed_password, created_at, password_changed_at) values (?, ?, ?, ?, ?, ?)',
  );
  const addSession = database.prepare(
    'insert into sessions (id, user_id, secret_hash, created_at, last_seen_at, expires_at) values (?, ?, ?, ?, ?, ?)',
  );
  database.exec('begin');
  for (let n = 1; n <= accounts; n += 1) {
    const session = sessionOf(n);
    addUser.run(n, emailOf(n), emailOf(n), hash, now, now);
    addSession.run(session.id, n, session.secretHash, now, now, now + sessionMs);
  }
  database.exec('commit; pragma wal_checkpoint(truncate)');
  database.close();
}

async function fillPostgres(url: string, accounts: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await fillTables(client, accounts);
  } finally {
    await client.end(); // dropping the database would break an open connection, which would hide the error
  }
}

async function fillTables(client: pg.Client, accounts: number): Promise<void> {
  const now = Date.now();
  await client.query(
    `insert into users (email, email_key, hashed_password, created_at, password_changed_at)
     select e, e, $2, $3, $3 from (select 'user' || n || '@bench.example' as e from generate_series(1, $1::bigint) n order by n) as emails`,
    [accounts, hashOfPassword(), now],
  );
  for (let first = 1; first <= accounts; first += batch) {
    const sessions = Array.from({ length: Math.min(batch, accounts - first + 1) }, (_, i) =>
      sessionOf(first + i),
    );
    await client.query(
      `insert into sessions (id, user_id, secret_hash, created_at, last_seen_at, expires_at)
       select id, $3 + place - 1, hash, $4, $4, $5 from unnest($1::text[], $2::bytea[]) with ordinality as s (id, hash, place)`,
      [
        sessions.map(({ id }) => id),
        sessions.map(({ secretHash }) => secretHash),
        first,
        now,
        now + sessionMs,
      ],
    );
  }
  await client.query('vacuum analyze'); // autovacuum would do this within minutes, possibly during a measurement
  await client.query('checkpoint');
}
