// Runs a build of an older commit under load while this release migrates its database; the older instance must keep serving.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { migratedModules } from '../../src/app/migrations.ts';
import type { Database } from '../../src/db/database.ts';
import { migrationTimes } from '../../src/db/database-times.ts';
import { migrate } from '../../src/db/migrate.ts';
import type { Migration } from '../../src/db/migration.ts';
import { connectDatabase } from '../../src/db/open-database.ts';
import { allTableNames } from '../support/contents.ts';
import { onEachEngine, withEmptyDatabase } from '../support/engines.ts';
import { temporaryFolder } from '../support/running-service.ts';
import { wideLimits } from '../support/service.ts';
import { checkOut, findOlderCommit, startOlder, type OlderInstance } from './warm-instance.ts';

const password = 'nine newts under a green umbrella';
/** Users that are signed in concurrently: enough that PostgreSQL has several warm connections. */
const users = 4;
/** Rounds of each user before, and after the migrations. */
const rounds = 5;

/**
 * Adds a column to every table, each in a migration of its own: in one migration, they and a request could wait for
 * each other.
 */
function plantColumns(database: Database): Migration[] {
  return allTableNames(database).map((table) => ({
    name: `a column of ${table}`,
    statements: ({ integer }) => [`alter table ${table} add column planted ${integer}`],
  }));
}

const older = await findOlderCommit();
const skip = 'reason' in older && older.reason;
if (skip !== false) process.stderr.write(`Left out: a warm older instance, for there is ${skip}\n`);

/** One user's requests to the instance: registration, then sign-in, session check, reset, failed sign-in, sign-out. */
class Visitor {
  readonly #baseUrl: string;
  readonly #email = `${crypto.randomUUID()}@example.org`;
  /** Unexpected answers; empty if nothing failed. */
  readonly faults: string[] = [];

  constructor({ baseUrl }: OlderInstance) {
    this.#baseUrl = baseUrl;
  }

  async register(): Promise<void> {
    await this.#send('POST', '/users', 200, { email: this.#email, password });
  }

  async round(): Promise<void> {
    const cookie = await this.#send('POST', '/sessions', 200, { email: this.#email, password });
    await Promise.all([1, 2, 3].map(() => this.#send('GET', '/profile', 200, undefined, cookie)));
    await this.#send('POST', '/reset_password', 200, { email: this.#email });
    await this.#send('POST', '/sessions', 401, { email: this.#email, password: 'wrong' });
    await this.#send('GET', '/health/ready', 200);
    await this.#send('DELETE', '/sessions', 200, undefined, cookie);
  }

  /** Returns the cookie of the answer. */
  async #send(
    method: string,
    path: string,
    status: number,
    fields?: Record<string, string>,
    cookie = '',
  ): Promise<string> {
    const reply = await fetch(this.#baseUrl + path, {
      method,
      headers: { cookie },
      redirect: 'follow',
      ...(fields && { body: new URLSearchParams(fields) }),
    });
    const text = await reply.text();
    if (reply.status !== status) this.faults.push(`${method} ${path}: ${reply.status} ${text}`);
    return (reply.headers.getSetCookie()[0] ?? '').split(';')[0] ?? '';
  }
}

onEachEngine('a running older instance', (engine) => {
  let folder: string | undefined;
  before(async () => {
    if ('commit' in older) folder = await checkOut(older.commit);
  });
  after(async () => {
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  test('serves next to the migrations of this release, and to a column added to each table', { skip }, (t) =>
    withEmptyDatabase(engine, async (url) => {
      const environment = {
        ...wideLimits,
        DATABASE_URL: url,
        DATA_DIR: await temporaryFolder(t),
        HASH_THREADS: '1',
      };
      const instance = await startOlder(folder ?? '', environment);
      const database = await connectDatabase(url, { times: migrationTimes() });
      try {
        const visitors = Array.from({ length: users }, () => new Visitor(instance));
        const forEachVisitor = async (work: (visitor: Visitor) => Promise<void>): Promise<void> =>
          void (await Promise.all(visitors.map(work)));
        const visit = async (count: number): Promise<void> => {
          for (let n = 0; n < count; n += 1) await forEachVisitor((visitor) => visitor.round());
        };
        await forEachVisitor((visitor) => visitor.register());
        await visit(rounds);
        const migrated = new AbortController();
        const load = (async () => {
          while (!migrated.signal.aborted) await visit(1);
        })();
        await migrate(database, migratedModules);
        const planted = plantColumns(database);
        assert.ok(planted.length > 5, 'the tables are found');
        for (let n = 1; n <= planted.length; n += 1)
          await migrate(database, [...migratedModules, { name: 'planted', migrations: planted.slice(0, n) }]);
        migrated.abort();
        await load;
        await visit(rounds);
        assert.deepEqual(
          visitors.flatMap(({ faults }) => faults),
          [],
        );
      } finally {
        await database.close();
        await instance.stop();
      }
    }),
  );
});
