// The service behind PgBouncer, in both modes: every kind of statement, more clients than connections of the server, and
// no setting that another client of the pooler would inherit.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import type { Environment } from '../../src/config/read-options.ts';
import { serviceTimes } from '../../src/db/database-times.ts';
import { DatabaseRefused } from '../../src/db/database.ts';
import { connectDatabase } from '../../src/db/open-database.ts';
import { statementsFor } from '../../src/db/statement.ts';
import { minuteMs } from '../../src/kit/clock.ts';
import { isProblem } from '../../src/kit/problem.ts';
import { engineNames, freshDatabase } from '../support/engines.ts';
import { pgBouncer, startPgBouncer, type PgBouncerOptions } from '../support/pgbouncer.ts';
import { temporaryFolder } from '../support/running-service.ts';
import { startService } from '../support/service.ts';
import type { CoreTables } from '../support/tables.ts';
import { History, sendRequest } from './history.ts';

const skip = engineNames.includes('postgres')
  ? 'reason' in pgBouncer && pgBouncer.reason
  : 'TEST_ENGINES leaves PostgreSQL out';

/** PgBouncer keeps prepared statements from 1.21 on. */
const version = 'version' in pgBouncer ? /(\d+)\.(\d+)/.exec(pgBouncer.version) : null;
const canKeepStatements = Number(version?.[1]) > 1 || Number(version?.[2]) >= 21;

const { statement } = statementsFor<CoreTables>();
const selectUser = statement((sql, p: { id: number }) =>
  sql.selectFrom('users').select('email').where('id', '=', p.id),
);

/** Creates a database and starts PgBouncer before it. */
async function setUp(
  t: TestContext,
  options: PgBouncerOptions,
): Promise<{ direct: string; through: string }> {
  const { url, drop } = await freshDatabase('postgres');
  t.after(drop);
  return { direct: url, through: await startPgBouncer(t, url, options) };
}

/** A value of a setting as another client of the pooler has it, on each of its connections to the server. */
async function settingsOfOthers(url: string, connections: number): Promise<Set<string>> {
  const clients = Array.from({ length: connections }, () => new pg.Client({ connectionString: url }));
  const seen = new Set<string>();
  for (const client of clients) {
    await client.connect();
    await client.query('begin');
    for (const name of [
      'statement_timeout',
      'idle_in_transaction_session_timeout',
      'plan_cache_mode',
      'random_page_cost',
    ])
      seen.add(
        String(Object.values((await client.query<Record<string, string>>(`show ${name}`)).rows[0] ?? {})[0]),
      );
  }
  for (const client of clients) await client.end();
  return seen;
}

const modes: readonly (readonly [title: string, bouncer: PgBouncerOptions, environment: Environment])[] = [
  ['transaction mode', { mode: 'transaction', poolSize: 4 }, {}],
  ['transaction mode, declared', { mode: 'transaction', poolSize: 4 }, { DATABASE_POOLER: 'transaction' }],
  ['session mode', { mode: 'session', poolSize: 20 }, {}],
  ['session mode, declared', { mode: 'session', poolSize: 20 }, { DATABASE_POOLER: 'session' }],
];

for (const [title, bouncer, environment] of modes)
  test(
    `two instances behind PgBouncer in ${title} serve six clients without an error`,
    { skip },
    async (t) => {
      const { direct, through } = await setUp(t, bouncer);
      const common = {
        ...environment,
        DATABASE_URL: through,
        DATA_DIR: await temporaryFolder(t),
        HASH_THREADS: '1',
      };
      const services = [await startService(common), await startService(common)];
      t.after(async () => {
        for (const service of services) await service.stop('SIGKILL');
      });
      const histories = services.map(() => new History());
      for (const [i, history] of histories.entries()) history.start(services[i]?.baseUrl ?? '', 3);
      for (const history of histories) await history.progress(30);
      for (const history of histories) await history.stop();
      for (const [i, history] of histories.entries()) {
        assert.equal(history.refused, 0, services[i]?.lines.join('\n'));
        assert.ok(history.acknowledged >= 30);
        await history.check(services[i]?.baseUrl ?? '');
      }
      assert.equal((await sendRequest(services[0]?.baseUrl ?? '', 'GET', '/health/ready'))?.status, 200);
      if (bouncer.mode === 'transaction') {
        const ours = await settingsOfOthers(through, bouncer.poolSize);
        assert.deepEqual(ours, await settingsOfOthers(direct, 1), 'a setting reached another client');
      }
    },
  );

for (const databasePooler of ['session', 'none'] as const)
  test(
    `a pooler in transaction mode that is declared as ${databasePooler} is refused, with the right value`,
    { skip },
    async (t) => {
      const { through } = await setUp(t, { mode: 'transaction', poolSize: 2 });
      await assert.rejects(
        connectDatabase(through, { databasePooler }),
        (error) =>
          error instanceof DatabaseRefused &&
          error.message.endsWith(`Set DATABASE_POOLER=transaction, not ${databasePooler}.`),
      );
    },
  );

for (const [mode, databasePooler, poolSize] of [
  ['session', 'session', 2],
  ['session', 'none', 2],
  ['session', 'session', 1],
  ['transaction', 'transaction', 2],
  ['transaction', 'auto', 2],
] as const)
  test(
    `a pooler in ${mode} mode with ${poolSize} connections that is declared as ${databasePooler} is accepted`,
    { skip },
    async (t) => {
      const { through } = await setUp(t, { mode, poolSize });
      const db = await connectDatabase(through, { databasePooler, databaseConnections: 2 });
      assert.deepEqual(await db.run(selectUser, { id: 1 }), []);
      await db.close();
    },
  );

test('what a pooler rejects is said with the remedy', { skip }, async (t) => {
  const { through } = await setUp(t, { mode: 'transaction', poolSize: 2 });
  const check = /^PostgreSQL rejects the connection: .*\. Check user, password, database and options/;
  const changes: readonly (readonly [change: (url: URL) => void, says: RegExp])[] = [
    [(url) => (url.password = 'wrong'), check],
    [(url) => (url.username = 'missing'), check],
    [
      (url) => (url.search = 'options=-c%20search_path%3Dx'),
      /remove options .* alter role … set search_path/,
    ],
    [(url) => (url.search = 'lock_timeout=9'), /remove lock_timeout .* alter role … set lock_timeout/],
    [(url) => (url.pathname = '/missing'), check], // the last one: then the pooler does not answer for a while
  ];
  for (const [change, says] of changes) {
    const url = new URL(through);
    change(url);
    await assert.rejects(
      connectDatabase(url.href),
      (error) => error instanceof DatabaseRefused && says.test(error.message),
      url.search,
    );
  }
});

test('a transaction behind a pooler has the limits of the service', { skip }, async (t) => {
  const { through } = await setUp(t, { mode: 'transaction', poolSize: 2 });
  // The limit of the client is half a second above that of the server, which is tested first.
  const patient = await connectDatabase(through, { times: { ...serviceTimes, queryMs: minuteMs } });
  t.after(() => patient.close());
  await assert.rejects(
    patient.transaction((tx) => tx.execute('select pg_sleep(20)')),
    (error) => isProblem(error, 'unavailable') && /statement timeout/.test(error.message),
  );
  const db = await connectDatabase(through);
  t.after(() => db.close());
  assert.match(db.connectedBy ?? '', /through a pooler/);
  await assert.rejects(db.execute('select pg_sleep(20)'), (error) => isProblem(error, 'unavailable'));
  assert.deepEqual(await db.run(selectUser, { id: 1 }), []);
});

test(
  'prepared statements are used where the pooler keeps them',
  {
    skip:
      skip !== false
        ? skip
        : !canKeepStatements && `${version?.[0]} keeps no prepared statements; 1.21 and later do`,
  },
  async (t) => {
    for (const count of [0, 200]) {
      const { through } = await setUp(t, {
        mode: 'transaction',
        poolSize: 2,
        more: [`max_prepared_statements = ${count}`],
      });
      const db = await connectDatabase(through);
      t.after(() => db.close());
      await Promise.all(Array.from({ length: 60 }, (_, id) => db.run(selectUser, { id })));
      assert.match(
        db.connectedBy ?? '',
        count === 0 ? /without prepared statements/ : /keeps prepared statements/,
      );
    }
  },
);
