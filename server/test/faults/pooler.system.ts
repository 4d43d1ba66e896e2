// The service behind PgBouncer, in both modes: every kind of statement, more clients than connections of the server, and
// no setting that another client of the pooler would inherit.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import type { Environment } from '../../src/config/read-options.ts';
import type { Database } from '../../src/db/database.ts';
import { connectDatabase } from '../../src/db/open-database.ts';
import { statementsFor } from '../../src/db/statement.ts';
import { isProblem } from '../../src/kit/problem.ts';
import { engineNames, freshDatabase } from '../support/engines.ts';
import { pgBouncer, startPgBouncer, type PgBouncerOptions } from '../support/pgbouncer.ts';
import { temporaryFolder } from '../support/running-service.ts';
import { cheapMain, startService } from '../support/service.ts';
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
      const services = [await startService(common, cheapMain), await startService(common, cheapMain)];
      t.after(async () => {
        for (const service of services) await service.stop('SIGKILL');
      });
      const histories = services.map(() => new History());
      for (const [i, history] of histories.entries()) history.start(services[i]?.baseUrl ?? '', 3);
      for (const history of histories) await history.progress(30, 20_000);
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

test(
  'a pooler in transaction mode that is declared as a session is named in the error',
  { skip },
  async (t) => {
    const more = canKeepStatements ? ['max_prepared_statements = 0'] : [];
    const { through } = await setUp(t, { mode: 'transaction', poolSize: 2, more });
    const open = (): Promise<Database> =>
      connectDatabase(through, { databasePooler: 'session', databaseConnections: 6 });
    const dbs = [await open(), await open()];
    t.after(async () => {
      for (const db of dbs) await db.close();
    });
    const outcomes = await Promise.allSettled(
      dbs.flatMap((db) => Array.from({ length: 30 }, (_, id) => db.run(selectUser, { id }))),
    );
    const errors = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
    );
    assert.ok(errors.length > 0);
    for (const error of errors)
      assert.ok(
        isProblem(error, 'unavailable') && error.message.includes('DATABASE_POOLER=transaction'),
        String(error),
      );
  },
);

test('a transaction behind a pooler has the limits of the service', { skip }, async (t) => {
  const { through } = await setUp(t, { mode: 'transaction', poolSize: 2 });
  const db = await connectDatabase(through);
  t.after(() => db.close());
  assert.match(db.connectedBy ?? '', /through a pooler/);
  const begun = performance.now();
  await assert.rejects(
    db.transaction((tx) => tx.execute('select pg_sleep(20)')),
    (error) => isProblem(error, 'unavailable') && /statement timeout/.test(error.message),
  );
  await assert.rejects(db.execute('select pg_sleep(20)'), (error) => isProblem(error, 'unavailable'));
  assert.ok(performance.now() - begun < 12_000);
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
