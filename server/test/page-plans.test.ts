// Every query of every route is bounded by an index, on both engines. The routes are walked, and each statement that they
// run is explained: none reads a whole table or sorts, and none returns more rows than a page.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dayMs, minuteMs } from '../src/kit/clock.ts';
import type { Database } from '../src/db/database.ts';
import { Browser } from './support/browser.ts';
import { onEachEngine } from './support/engines.ts';
import { formIn } from './support/page-form.ts';
import { planOf, unboundedStepsOf } from './support/plan.ts';
import { PublicService, type Member } from './support/public-service.ts';
import { Recorder, type Recorded } from './support/recorder.ts';
import type { ContractRequest } from './support/request.ts';

/** Rows of the account in each table that others can make grow, and of other accounts. */
const many = 1500;
/** Rows that one statement may return: a page of the export. */
const maxRows = 200;

const uuid = (n: number, kind: number): string =>
  `${kind.toString(16).padStart(8, '0')}-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;

/**
 * Fills the tables with `many` rows each. Half of them are of the account, or as many as the rules of the service allow:
 * others end the oldest.
 */
async function fill(database: Database, userId: number, now: number): Promise<void> {
  const binary = database.engine.name === 'sqlite' ? "x'00'" : "'\\x00'";
  const [past, end] = [now - dayMs, now + dayMs];
  const into = async (
    table: string,
    row: (n: number, user: number) => string,
    own = many / 2,
  ): Promise<void> => {
    const rows = Array.from({ length: many }, (_, n) => `(${row(n, n < own ? userId : 100_000 + n)})`);
    await database.execute(`insert into ${table} values ${rows.join()}`);
  };
  await into(
    'users (id, email, email_key, created_at, password_changed_at)',
    (n) => `${100_000 + n}, 'u${n}@example.org', 'u${n}@example.org', ${past}, ${past}`,
  );
  await into(
    'audit_events (id, at, event, outcome, reason, actor, user_id, form, mac)',
    (n, user) =>
      `'${uuid(n, 1)}', ${past + n}, 'authn_login_fail', 'failure', 'wrong_password', 'anonymous', ${user}, 2, 'mac'`,
  );
  await into(
    'mails (id, user_id, kind, recipient, content, created_at, next_at, expires_at, tries, sent_at)',
    (n, user) =>
      `'${uuid(n, 2)}', ${user}, 'new_device', 'x', null, ${past + n}, ${past}, ${end}, 1, ${user === userId ? past + n : 'null'}`,
  );
  await into(
    'sessions (id, user_id, secret_hash, created_at, last_seen_at, expires_at)',
    (n, user) => `'${uuid(n, 3)}', ${user}, ${binary}, ${past + n}, ${now - minuteMs}, ${end}`,
    50,
  );
  await into(
    'known_devices (id, user_id, secret_hash, created_at, expires_at)',
    (n, user) => `'${uuid(n, 4)}', ${user}, ${binary}, ${past + n}, ${end}`,
  );
  await into(
    'one_time_tokens (id, user_id, kind, secret_hash, created_at, expires_at, spent_at)',
    (n, user) => `'${uuid(n, 5)}', ${user}, 'kind${n}', ${binary}, ${past + n}, ${end}, null`,
    20,
  );
  await into(
    'attempts (subject, factor, failures, last_at, next_at)',
    (n) => `'email:${n}', 'password', 3, ${past + n}, 0`,
  );
  await into(
    'pending_logins (id, user_id, secret_hash, demand, factors, password_changed_at, created_at, expires_at)',
    (n, user) => `'${uuid(n, 6)}', ${user}, ${binary}, 'required', '[]', ${past}, ${past}, ${end}`,
  );
  if (database.engine.name === 'postgres') await database.execute('analyze');
}

/** The value of a field of this name: that of the account, so that routes get far. */
function valueOf(name: string, { email, password }: Member): string {
  if (name === 'email') return email;
  if (name === 'password' || name === 'proof') return password;
  if (name === 'factor') return 'password';
  return name === 'new_password' ? 'nine herons on a bicycle' : 'ABCD-EFGH';
}

/** Its rows are the modules of the service, or the few keys that are published. */
const isBounded = (text: string): boolean => /schema_versions|signing_keys/.test(text);

onEachEngine('the statements of every route', (engine) => {
  let service: PublicService;
  let member: Member;
  let browser: Browser;
  const recorded: Recorded[] = [];
  /** Statements by their text, with the routes that run them. */
  const statements = new Map<string, Recorded & { route: string }>();
  /** Statuses of the replies. */
  const statuses = new Map<string, number>();
  /** Number of statements that each route runs. */
  const ran = new Map<string, number>();

  async function signIn(): Promise<void> {
    browser = new Browser(service);
    await browser.post('/sessions', { email: member.email, password: member.password });
  }

  async function walk(method: ContractRequest['method'], url: string, isPage: boolean): Promise<void> {
    if ((await browser.get('/profile')).status !== 200) {
      member = await service.member();
      await signIn();
    }
    const path = url.replace(':id', uuid(2, 3)).replace(':code', 'not_found');
    const headers = isPage ? { accept: 'text/html' } : {};
    const names = [
      'email',
      'password',
      'new_password',
      'token',
      'reset_token',
      'proof',
      'factor',
      'code',
      'id',
    ];
    const form = isPage && method === 'POST' ? await browser.get('/account/password', headers) : undefined;
    const fields = {
      ...Object.fromEntries(names.map((name) => [name, valueOf(name, member)])),
      ...(form?.status === 200 && { form_token: formIn(form).fields['form_token'] ?? '' }),
    };
    recorded.length = 0;
    const { status } = await browser.send({ method, path, headers, ...(method !== 'GET' && { fields }) });
    const route = `${method} ${url}`;
    statuses.set(route, status);
    ran.set(route, recorded.length);
    for (const one of recorded) {
      const known = statements.get(one.compiled.text);
      if (known === undefined || known.rows < one.rows) statements.set(one.compiled.text, { ...one, route });
    }
  }

  before(async () => {
    service = await PublicService.start(
      engine,
      { EMAIL_SIGN_IN: 'true', REMEMBERED_DEVICE_DAYS: '30', SESSIONS_PER_USER: '1000' },
      { watchDatabase: (database) => new Recorder(database, recorded) },
    );
    member = await service.member();
    await fill(service.service.core.database, member.id, service.service.clock.now());
    await signIn();
    const routes = service.service.routes.filter(({ isRefusal, method }) => !isRefusal && method !== 'HEAD');
    // Reads first: a change may close the account.
    for (const { method, url, isPage } of routes.toSorted(
      (a, b) => Number(b.cost === 0) - Number(a.cost === 0),
    ))
      await walk(method as ContractRequest['method'], url, isPage); // the list has no others
  });
  after(() => service.close());

  test('are found', () => {
    assert.ok(statements.size > 40, `${statements.size}`);
    for (const { url, method, access } of service.service.routes)
      if (method === 'GET' && (access === 'session' || access === 'enrollment'))
        assert.ok(
          [200, 303].includes(statuses.get(`GET ${url}`) ?? 0),
          `${url} ${statuses.get(`GET ${url}`)}`,
        );
  });

  test('read by an index, sort nothing and return at most a page', async () => {
    const faults: string[] = [];
    for (const one of statements.values()) {
      const plan = await planOf(service.service.url, one, { prefersIndices: true });
      const steps = unboundedStepsOf(plan);
      const isLong = one.compiled.isRead && one.rows > maxRows;
      if ((steps.length > 0 && !isBounded(one.compiled.text)) || isLong)
        faults.push(`${one.route}: ${one.rows} rows\n${one.compiled.text}\n${plan.join('\n')}`);
    }
    const remedy = `add an index for the condition and the order, or a limit of ${maxRows} rows or fewer`;
    assert.deepEqual(faults, [], `${remedy}:\n${faults.join('\n\n')}`);
  });

  test('of a read that is not counted are that of the session alone', () => {
    for (const { method, url, access, isCountedRead } of service.service.routes)
      if (method === 'GET' && access !== 'open' && !isCountedRead)
        assert.ok((ran.get(`GET ${url}`) ?? 0) <= 1, `GET ${url} runs ${ran.get(`GET ${url}`)} statements`);
  });
});
