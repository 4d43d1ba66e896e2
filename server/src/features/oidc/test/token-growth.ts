// Many tokens: every statement is bounded by an index, and the purge removes what expired in short transactions.
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { sql as rawSql } from 'kysely';
import type { Database, Sql } from '../../../db/database.ts';
import { connectDatabase, sqlitePath } from '../../../db/open-database.ts';
import { migrationTimes } from '../../../db/database-times.ts';
import { dayMs, hourMs } from '../../../kit/clock.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { planOf, unboundedStepsOf } from '../../../../test/support/plan.ts';
import { Recorder, type Recorded } from '../../../../test/support/recorder.ts';
import { Stopwatch } from '../../../../test/faults/stopwatch.ts';
import type { GrantTables } from '../grant/schema.ts';
import { oidcPaths } from '../engine/paths.ts';
import { Program, tokensIn } from './program.ts';
import { deviceGrant, ProviderSite } from './site.ts';

/** Tokens of one grant, and grants and sessions of one user: all of one filled user's tokens are of one session. */
const perUser = 10;
/** Rows written by one statement of the preparation: a statement may take a few seconds. */
const chunk = 20_000;
/** The share of the actions of the purge that may take longer, because the machine runs other programs as well. */
const grace = 0.01;

/** Some tables are read as a whole by design: few rows, written by the operator. */
const isBounded = (text: string): boolean => /schema_versions|signing_keys/.test(text);

/** What a refresh token stores, with names and values as long as those of a real one. */
const payload = JSON.stringify({
  iat: 1_790_000_000,
  exp: 1_800_000_000,
  accountId: '0197a2b4-0000-7000-8000-000000000000',
  authTime: 1_790_000_000,
  claims: { id_token: { auth_time: { essential: true } } },
  grantId: 'g'.repeat(43),
  gty: 'authorization_code',
  scope: 'openid email profile offline_access',
  sessionUid: 's'.repeat(21),
  kind: 'RefreshToken',
  rotations: 0,
  iiat: 1_790_000_000,
  clientId: 'app-filled',
});

/** Adds `count` tokens. The first half expires at `ends`, the others a hundred days later. */
async function fill(
  db: Database,
  { count, now, ends }: { readonly count: number; readonly now: number; readonly ends: number },
): Promise<void> {
  const isSqlite = db.engine.name === 'sqlite';
  const users = Math.ceil(count / perUser);
  const [binary, hex] = isSqlite ? ["x'00'", 'hex(randomblob(16))'] : ["'\\x00'", 'md5(random()::text)'];
  const numbers = (first: number, last: number): string =>
    isSqlite
      ? `(with recursive c(n) as (select ${first} union all select n + 1 from c where n < ${last}) select n from c)`
      : `generate_series(${first}, ${last}) as s(n)`;
  const user = (of: string): string => `(1000000 + (${of} - 1) / ${perUser} + 1)`;
  const expiry = `case when n <= ${count} / 2 then ${ends} else ${ends + 100 * dayMs} end`;
  const add = async (into: string, values: string, last: number): Promise<void> => {
    for (let n = 1; n <= last; n += chunk)
      await db.execute(
        `insert into ${into} select ${values} from ${numbers(n, Math.min(n + chunk - 1, last))}`,
      );
  };
  await add(
    'users (id, email, email_key, created_at, password_changed_at)',
    `1000000 + n, 'u' || n || '@example.org', 'u' || n || '@example.org', ${now}, ${now}`,
    users,
  );
  await add(
    'sessions (id, user_id, secret_hash, created_at, last_seen_at, expires_at)',
    `'session-' || n, 1000000 + n, ${binary}, ${now}, ${now}, ${ends + 200 * dayMs}`,
    users,
  );
  await add('oidc_sessions (uid, session_id, created_at)', `'uid-' || n, 'session-' || n, ${now}`, users);
  await add(
    'oidc_session_clients (uid, client_id, sid, grant_id)',
    `'uid-' || n, 'app-filled', 'sid-' || n, 'grant-' || n`,
    users,
  );
  await add(
    'oidc_grants (id, user_id, client_id, outlives_session, payload, created_at, expires_at)',
    `'grant-' || n, 1000000 + n, 'app-filled', 0, '{}', ${now}, case when n <= ${users} / 2 then ${ends} else ${ends + 100 * dayMs} end`,
    users,
  );
  await add(
    'oidc_tokens (id, kind, grant_id, user_id, client_id, session_uid, payload, created_at, expires_at)',
    `${hex} || n, 'RefreshToken', 'grant-' || (${user('n')} - 1000000), ${user('n')}, 'app-filled', 'uid-' || (${user('n')} - 1000000), '${payload}', ${now}, ${expiry}`,
    count,
  );
  await add('oidc_used (id, expires_at)', `${hex} || n, ${expiry}`, count);
  await add(
    'oidc_consents (user_id, client_id, scopes, created_at, last_used_at)',
    `1000000 + n, 'app-filled', '["openid"]', ${now}, ${now}`,
    users,
  );
  if (!isSqlite) await db.execute('analyze');
}

/** Bytes of the table of tokens with its indices. */
async function sizeOfTokens(db: Database, url: string): Promise<number> {
  const path = sqlitePath(url);
  if (path !== undefined) {
    using file = new DatabaseSync(path, { readOnly: true });
    const row = file.prepare("select sum(pgsize) as bytes from dbstat where name like 'oidc_tokens%'").get();
    return Number(row?.['bytes']);
  }
  const bytes = rawSql<number>`pg_total_relation_size('oidc_tokens')`.as('bytes');
  const [row] = await db.query((sql: Sql<object>) => sql.selectNoFrom(bytes));
  return Number(row?.bytes);
}

export interface TokenGrowth {
  /** Tokens, and identifiers that are used once. */
  readonly tokens: number;
  /** The longest time, in milliseconds, for which one action of the purge may hold the writer. */
  readonly longestMs: number;
}

export function declareTokenGrowth({ tokens, longestMs }: TokenGrowth): void {
  onEachEngine(`${tokens} tokens`, (engine) => {
    const recorded: Recorded[] = [];
    let site: ProviderSite;
    let stopwatch: Stopwatch;
    let ends = 0;
    before(async () => {
      site = await ProviderSite.open(
        engine,
        {},
        { watchDatabase: (database) => (stopwatch = new Stopwatch(new Recorder(database, recorded))) },
      );
      const now = site.service.clock.now();
      ends = now + hourMs;
      await site.application({ id: 'app-filled' });
      const db = await connectDatabase(site.service.url, { times: migrationTimes() }); // analyzing the tables takes seconds
      await fill(db, { count: tokens, now, ends });
      await db.close();
    });
    after(() => site.close());

    test('every statement of every flow reads by an index', async (t) => {
      recorded.length = 0;
      const web = new Program(
        site,
        await site.application({
          isFirstParty: false,
          grantTypes: ['authorization_code', 'refresh_token', 'client_credentials', deviceGrant],
        }),
      );
      const person = await site.person();
      const first = tokensIn(
        await web.redeem(
          await web.codeOf(person, { scope: 'openid email offline_access', prompt: 'consent' }),
        ),
      );
      await web.isActive(first.access);
      await web.userinfo(first.access);
      const refreshToken = first.refresh;
      const second = tokensIn(await web.refresh(refreshToken));
      await web.refresh(refreshToken);
      await web.post(oidcPaths.revocation, { token: second.access });
      const code = await web.codeOf(person);
      await web.redeem(code);
      await web.redeem(code);
      await web.post(oidcPaths.token, { grant_type: 'client_credentials' });
      const { deviceCode, userCode } = await web.device();
      await person.answer(
        await person.submit(await person.visit('/device'), { user_code: userCode }),
        'allow',
      );
      await web.poll(deviceCode);
      await person.visit('/account/sessions');
      await person.send('DELETE', '/sessions');
      const statements = new Map(recorded.map((one) => [one.compiled.text, one]));
      const faults: string[] = [];
      for (const one of statements.values()) {
        const plan = await planOf(site.service.url, one, { prefersIndices: true });
        if (unboundedStepsOf(plan).length > 0 && !isBounded(one.compiled.text))
          faults.push(`${one.compiled.text}\n${plan.join('\n')}`);
      }
      t.diagnostic(`${statements.size} statements`);
      assert.deepEqual(faults, [], faults.join('\n\n'));
      const tables = [...statements.keys()].join(' ');
      for (const table of [
        'oidc_tokens',
        'oidc_grants',
        'oidc_sessions',
        'oidc_consents',
        'oidc_interactions',
      ])
        assert.ok(tables.includes(table), table);
    });

    test(`the purge removes all that expired, and holds the writer for at most ${longestMs} ms each time`, async (t) => {
      t.diagnostic(
        `${Math.round((await sizeOfTokens(site.db, site.service.url)) / tokens)} bytes for a token with its indices`,
      );
      site.service.clock.advance(2 * hourMs);
      stopwatch.takeMs();
      const begun = performance.now();
      await site.service.core.purge();
      const took = Math.round(performance.now() - begun);
      const all = stopwatch.takeMs();
      const slow = all.filter((ms) => ms > longestMs);
      t.diagnostic(
        `${took} ms, ${all.length} actions, the longest ${Math.max(...all).toFixed(1)} ms, ${slow.length} over ${longestMs} ms`,
      );
      assert.ok(slow.length <= Math.ceil(all.length * grace), slow.map(Math.round).join());
      for (const table of ['oidc_tokens', 'oidc_grants', 'oidc_used'] as const) {
        const rows = await site.db.query((sql: Sql<GrantTables>) =>
          sql
            .selectFrom(table)
            .select((e) => e.fn.countAll<number>().as('n'))
            .where('expires_at', '<=', ends),
        );
        assert.equal(Number(rows[0]?.n), 0, table);
      }
      const left = await site.db.query((sql: Sql<GrantTables>) =>
        sql
          .selectFrom('oidc_tokens')
          .select((e) => e.fn.countAll<number>().as('n'))
          .where('client_id', '=', 'app-filled'),
      );
      assert.equal(Number(left[0]?.n), tokens / 2, 'tokens that are valid are kept');
    });
  });
}
