// The rights of data subjects: an export of their data without secrets, and deletion of the account, which only the
// owner of the mailbox can undo for two weeks.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { dayMs, hourMs, minuteMs, secondMs } from '../../src/kit/clock.ts';
import { requireEmailAddress } from '../../src/user/email-address.ts';
import { codeAt, decodeBase32 } from '../support/authenticator-app.ts';
import { Browser } from '../support/browser.ts';
import { rowsIn, tableNames } from '../support/contents.ts';
import { subjectOfAddress } from '../../src/identity/attempt/attempts.ts';
import { onEachEngine } from '../support/engines.ts';
import { codeIn, tokenIn } from '../support/mail-box.ts';
import { pressButton } from '../support/page-form.ts';
import { PasskeyDevice } from '../support/passkey-device.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService, type Member } from '../support/public-service.ts';
import { assertProblem, memberOf, type Reply } from '../support/request.ts';
import { factorKits, kits, type TableColumns } from '../support/kit.ts';
import { lacks, needs } from '../support/feature.ts';

const newPassword = 'nine newts under a green umbrella';
const firefox = {
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
};
const operator = { actor: 'operator' } as const;

/** Every column of a user's data. Secret columns are in no export. */
const columns: Readonly<Record<string, TableColumns>> = {
  users: {
    secret: 'hashed_password',
    other:
      'id email email_key created_at password_changed_at email_verified_at disabled_at delete_at provisional_until last_sign_in_at language subject external_id name picture',
  },
  user_metadata: { secret: '', other: 'user_id public_metadata private_metadata' },
  sessions: {
    secret: 'secret_hash',
    other: 'id user_id created_at last_seen_at expires_at factors device address ends_with_browser',
  },
  pending_logins: {
    secret: 'secret_hash',
    other: 'id user_id demand factors password_changed_at created_at expires_at ends_with_browser',
  },
  one_time_tokens: {
    secret: 'secret_hash code_mac',
    other: 'id user_id kind created_at expires_at spent_at target code_expires_at code_tries request_mac',
  },
  pending_registrations: {
    secret: 'hashed_password credential browser_hash',
    other: 'id user_id email factor created_at expires_at',
  },
  attempts: { secret: '', other: 'subject factor failures last_at next_at' },
  known_devices: {
    secret: 'secret_hash',
    other: 'id user_id created_at expires_at remembered_until user_agent',
  },
  audit_events: {
    secret: 'mac seal',
    other:
      'id at event outcome reason facts actor actor_id user_id target_kind target_id address device request_id form seal_number',
  },
  mails: {
    secret: 'content',
    other:
      'id user_id kind recipient created_at next_at expires_at tries sent_at given_up_at last_error requested_by recipient_hash token_id leased_until',
  },
  ...Object.fromEntries(kits.flatMap((kit) => Object.entries(kit.columns ?? {}))),
};
const tables = Object.keys(columns);

/** Forms in which a secret may appear in a text. */
function formsOf(secret: unknown): string[] {
  if (typeof secret === 'string') return [secret, JSON.stringify(secret).slice(1, -1)];
  const bytes = Buffer.from(secret as Uint8Array); // the only other kind of secret column
  return [
    bytes.toString('hex'),
    bytes.toString('base64url'),
    bytes.toString('base64').replace(/=+$/, ''),
    `${[...bytes].slice(0, 8).join()},`,
  ];
}

/** The description of an export in the API. */
function documentIn(openapi: unknown): TSchema {
  const way = [
    'paths',
    '/profile/export',
    'get',
    'responses',
    '200',
    'content',
    'application/json',
    'schema',
  ];
  return way.reduce(memberOf, openapi) as TSchema; // JSON Schema, from TypeBox's own
}

interface Export {
  readonly account: Record<string, unknown>;
  readonly sessions: Record<string, unknown>[];
  readonly devices: Record<string, unknown>[];
  readonly second_factors: {
    readonly passkey: { readonly passkeys: Record<string, unknown>[] };
    readonly totp: { readonly authenticators: Record<string, unknown>[] };
    readonly recovery_code: { readonly left: number };
  };
  readonly tokens: Record<string, unknown>[];
  readonly registrations: Record<string, unknown>[];
  readonly attempts: Record<string, unknown>[];
  readonly mails: Record<string, unknown>[];
  readonly events: Record<string, unknown>[];
}

onEachEngine(needs('the rights of data subjects', 'account-deletion', 'data-export'), (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true', REMEMBERED_DEVICE_DAYS: '30' });
  });
  after(() => service.close());

  const wait = (ms: number): void => service.service.clock.advance(ms);
  const core = (): PublicService['service']['core'] => service.service.core;
  const logIn = ({ email, password }: Pick<Member, 'email' | 'password'>): Promise<Reply> =>
    service.logIn(email, password);
  const close = (at: Browser): Promise<Reply> => at.send({ method: 'DELETE', path: '/profile' });
  const undo = (token: string): Promise<Reply> => service.put('/profile/undo', { token });
  const exportOf = (at: Browser): Promise<Reply> => at.get('/profile/export');

  interface Person {
    readonly member: Member;
    readonly at: Browser;
  }

  async function signedIn(): Promise<Person> {
    const member = await service.member();
    const at = new Browser(service, firefox);
    assert.equal(
      (await at.post('/sessions', { email: member.email, password: member.password })).status,
      200,
    );
    return { member, at };
  }

  /** A user who has just closed the account, and the token of the mail about it. */
  async function closed(): Promise<Person & { token: string }> {
    const person = await signedIn();
    const reply = await close(person.at);
    assert.equal(reply.status, 200, reply.text);
    return { ...person, token: await service.tokenFor(person.member.email) };
  }

  /** Current columns of the account; `undefined` if it was removed. */
  async function rowOf(
    id: number,
  ): Promise<{ disabled_at: number | null; delete_at: number | null } | undefined> {
    const [row] = await core().database.query((sql) =>
      sql.selectFrom('users').select(['disabled_at', 'delete_at']).where('id', '=', id),
    );
    return row && { ...row };
  }

  /** Rows of a table that belong to the account. */
  async function rowsOf(table: string, id: number): Promise<Record<string, unknown>[]> {
    const rows = await rowsIn(core().database, table);
    return rows.filter((row) => {
      if (table === 'users') return row['id'] === id;
      return table === 'attempts' ? row['subject'] === `user:${id}` : row['user_id'] === id;
    });
  }

  /** Failed attempts on an address. */
  async function failuresOn(email: string): Promise<unknown[]> {
    const rows = await rowsIn(core().database, 'attempts');
    return rows.filter(({ subject }) => subject === subjectOfAddress(email)).map(({ failures }) => failures);
  }

  /** A user with rows in every table, and all secrets that were shown to them. */
  async function wellKnown(): Promise<Person & { shown: string[]; id: number }> {
    const { member, at } = await signedIn();
    const { id, email, password } = member;
    assert.equal((await at.put('/profile/details', { name: 'Ada' })).status, 200);
    const metadata = { publicMetadata: { plan: 'pro' }, privateMetadata: { note: 'x' } };
    await core().details.change(id, { externalId: `crm-${id}`, ...metadata }, operator);
    const { secret = '', id: appId = '' } = (await at.post('/profile/totp', { name: 'Blue phone' }))
      .body as Record<string, string>;
    const code = (): string => {
      wait(30 * secondMs); // each time step is used once
      return codeAt(decodeBase32(secret), service.service.clock.now());
    };
    assert.equal((await at.put('/profile/totp', { id: appId, code: code() })).status, 200);
    const made = await at.post('/profile/recovery_codes', {});
    const codes = memberOf(made.body, 'recovery_codes') as string[]; // the first of ten
    const device = new PasskeyDevice('https://accounts.test');
    const begun = await at.post('/profile/passkeys', {});
    const credential = device.create(memberOf(begun.body, 'public_key'));
    const added = await at.put('/profile/passkeys', { name: 'Red key', credential });
    assert.equal(added.status, 200, added.text);
    const others = factorKits.filter(({ name }) => !['totp', 'recovery_code', 'passkey'].includes(name));
    for (const kit of others)
      await kit.enroll(at, { clock: service.service.clock, origin: 'https://accounts.test' });
    const phone = new Browser(service, firefox);
    await phone.post('/sessions', { email, password });
    const attempt = { factor: 'totp', proof: code(), remember_device: 'true' };
    assert.equal((await phone.post('/sessions/factor', attempt)).status, 200);
    const wished = freshEmail();
    assert.equal((await at.post('/profile/email', { email: wished, password })).status, 200);
    await service.deliver();
    const text = service.mails.findLast(({ to }) => to === wished)?.text ?? '';
    await service.post('/reset_password', { email }); // a mail that waits
    await new Browser(service).post('/sessions', { email, password }); // a login without the second factor
    await service.logIn(email, 'a wrong guess at it');
    await core().attempts.begin({ userId: id }, 'recovery_code'); // a wrong one
    await core().database.transaction(async (tx) => {
      const { registrations } = core().auth.identity;
      const address = requireEmailAddress(email);
      for (const authenticator of [
        { hashedPassword: 'the hash of a registration' },
        { hashedPassword: null, factor: 'passkey', credential: 'the passkey of a registration' },
      ]) {
        const requestToken = crypto.randomUUID();
        await registrations.add(tx, id, { address, authenticator, requestToken });
      }
    });
    for (const kit of kits) await kit.addRowsOf?.(core().database, id, core().keyring);
    await core().audit.seal();
    const shown = [password, secret, ...codes, tokenIn(text), codeIn(text), at.sessionId, phone.sessionId];
    return { member, at, id, shown: shown.map((one) => one ?? assert.fail('every secret was shown')) };
  }

  test('an export contains all data of its owner, as a file', async (t) => {
    if (lacks(t, 'email-change', 'passkey', 'recovery-code', 'remembered-device', 'totp')) return;
    const { member, at } = await wellKnown();
    await at.post('/sessions', { email: member.email, password: 'a wrong guess on a known device' });
    const reply = await exportOf(at);
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.headers['content-type'], 'application/json; charset=utf-8');
    assert.equal(reply.headers['cache-control'], 'no-store');
    assert.match(
      String(reply.headers['content-disposition']),
      /^attachment; filename="account-2026-\d\d-\d\d\.json"$/,
    );
    const { body: description } = await service.send({ method: 'GET', path: '/openapi.json' });
    const schema = documentIn(description);
    assert.deepEqual([...Value.Errors(schema, reply.body)], [], 'it matches its description');
    assert.deepEqual(Value.Clean(schema, JSON.parse(reply.text)), reply.body, 'it has no other members');
    const { account, sessions, devices, second_factors, tokens, registrations, attempts, mails, events } =
      reply.body as Export;
    assert.deepEqual(
      {
        ...account,
        created_at: undefined,
        email_verified_at: undefined,
        last_sign_in_at: undefined,
        password_changed_at: undefined,
      },
      {
        id: member.id,
        email: member.email,
        created_at: undefined,
        email_verified_at: undefined,
        last_sign_in_at: undefined,
        password_changed_at: undefined,
        subject: (await core().details.find(member.id))?.subject,
        external_id: `crm-${member.id}`,
        name: 'Ada',
      },
    );
    assert.deepEqual(memberOf(reply.body, 'metadata'), { public: { plan: 'pro' }, private: { note: 'x' } });
    assert.match(String(account['password_changed_at']), /^2026-\d\d-\d\dT.*Z$/);
    const listed = (await at.get('/sessions')).body;
    assert.deepEqual({ sessions }, listed);
    assert.equal(sessions.filter(({ current }) => current === true).length, 1);
    assert.ok(
      devices.some(({ device, remembered_until }) => device === 'Firefox, Linux' && remembered_until),
    );
    const [passkey] = second_factors.passkey.passkeys;
    assert.deepEqual(
      [passkey?.['name'], passkey?.['kind'], passkey?.['storage']],
      ['Red key', 'passkey', 'synced'],
    );
    assert.match(String(passkey?.['credential_id']), /^[\w-]{22}$/);
    const [app] = second_factors.totp.authenticators;
    assert.equal(app?.['name'], 'Blue phone');
    assert.match(String(app?.['last_used_at']), /^2026/);
    assert.deepEqual(second_factors.recovery_code, { left: 10 });
    assert.deepEqual(
      tokens.map(({ kind }) => kind),
      ['email_change', 'factor_undo', 'reset'],
    );
    assert.match(String(tokens[0]?.['email']), /@/);
    assert.deepEqual(registrations.map(({ factor }) => String(factor)).toSorted(), ['passkey', 'password']);
    const passwordAttempts = attempts.filter(({ factor }) => factor === 'password');
    assert.deepEqual(
      passwordAttempts.map(({ failures, device_id }) => [
        failures,
        devices.some(({ id }) => id === device_id),
      ]),
      [
        [1, true],
        [1, false],
      ],
    );
    assert.deepEqual([...new Set(mails.map(({ kind }) => String(kind)))].toSorted(), [
      'email_change',
      'email_verification',
      'factor_changed',
      'first_factor',
      'new_device',
      'reset_password',
    ]);
    const waiting = mails.find(({ kind }) => kind === 'reset_password');
    assert.ok(
      waiting && !('sent_at' in waiting) && !('given_up_at' in waiting),
      'members without a value are absent',
    );
    const names = events.map(({ event, reason }) => `${String(event)} ${String(reason)}`);
    for (const one of [
      'user_created account_created',
      'user_updated first_factor_added',
      'sensitive_read data_exported',
    ])
      assert.ok(names.includes(one), `${one}: ${names.join(', ')}`);
    const login = events.findLast(({ event }) => event === 'authn_login_success');
    assert.match(String(login?.['address']), /^10\.0\.\d+\.\d+$/);
    assert.equal(login?.['user_agent'], firefox['user-agent']);
    assert.ok(typeof login?.['request_id'] === 'string');
    assert.match(login['request_id'], /^[\w-]{8,}$/);
    const instants = events.map(({ at: when }) => String(when));
    assert.deepEqual(instants, instants.toSorted());
  });

  test('an export contains no secret in any form', async (t) => {
    if (lacks(t, 'email-change', 'passkey', 'recovery-code', 'remembered-device', 'totp')) return;
    const { at, id, shown } = await wellKnown();
    const { text } = await exportOf(at);
    const others = kits.flatMap(({ otherTables = [] }) => otherTables);
    const known = [...tables, ...others, 'mail_paces', 'spent_challenges'].toSorted();
    assert.deepEqual(
      tableNames(core().database).toSorted(),
      known,
      'name each table in "columns" or "otherTables" in test/kit.ts of its feature, or in this test',
    );
    for (const one of shown) assert.ok(!text.includes(one), `${one} was shown to the user once`);
    for (const table of tables) {
      const rows = await rowsOf(table, id);
      const { secret, other } = columns[table] ?? assert.fail(table);
      assert.ok(rows.length > 0, `${table} has no row: add one to "addRowsOf" in test/kit.ts of its feature`);
      const named = `${secret} ${other}`.trim().split(' ').toSorted();
      assert.deepEqual(
        Object.keys(rows[0] ?? {}).toSorted(),
        named,
        `say of each column of ${table} whether it is secret: in "columns" in test/kit.ts of its feature, or in this test`,
      );
      for (const column of secret.split(' ').filter((name) => name !== '')) {
        const values = rows.map((row) => row[column]).filter((value) => value !== null);
        assert.ok(values.length > 0, `there is a ${column} in ${table}`);
        for (const value of values)
          for (const form of formsOf(value))
            assert.ok(form.length >= 8 && !text.includes(form), `${table}.${column}: ${form}`);
      }
    }
  });

  test('an export contains no data of other users', async (t) => {
    if (lacks(t, 'email-change', 'passkey', 'recovery-code', 'remembered-device', 'totp')) return;
    const [ada, eve] = [await wellKnown(), await wellKnown()];
    const { text } = await exportOf(ada.at);
    assert.ok(!text.includes(eve.member.email));
    const handles = (await rowsOf('sessions', eve.id)).map(({ id }) => String(id));
    for (const handle of handles) assert.ok(!text.includes(handle));
    assert.equal((await new Browser(service).get('/profile/export')).status, 403);
  });

  test('who opens the export with a proof that is too old confirms it first, and returns to the page of the data', async () => {
    const { at } = await signedIn();
    const page = { accept: 'text/html' };
    wait(hourMs);
    for (const [browser, way] of [
      [at, '/step-up'],
      [new Browser(service), '/sign-in'],
    ] as const) {
      const reply = await browser.get('/profile/export', page);
      assert.deepEqual(
        [reply.status, reply.headers['location']],
        [303, `${way}?return_to=%2Faccount%2Fdata`],
      );
    }
    const { status, body } = await at.get('/profile/export');
    assert.deepEqual([status, memberOf(body, 'code')], [401, 'step_up_required'], 'a program');
  });

  test('a link on a page of another site does not start an export', async () => {
    const { at } = await signedIn();
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    assertProblem(await at.get('/profile/export', link), 403, 'cross_site');
    assert.equal((await at.get('/profile', link)).status, 200);
    assert.equal((await at.get('/profile/export', { 'sec-fetch-site': 'same-origin' })).status, 200);
  });

  test('an export has every event of an account, each once and in order, however many there are', async () => {
    const { member, at } = await signedIn();
    const { audit, database } = core();
    const reasons = Array.from({ length: 1203 }, (_, i) => `event_${i}`);
    await database.transaction(async (tx) => {
      for (const [i, reason] of reasons.entries()) {
        // Several of the same instant, with others of another user between them.
        if (i % 7 === 0) wait(1);
        const event = { event: 'user_updated', outcome: 'success', reason } as const;
        await audit.record(tx, { ...event, userId: member.id }, operator);
        if (i % 100 === 0) await audit.record(tx, { ...event, userId: 0 }, operator);
      }
    });
    const { events } = (await exportOf(at)).body as Export;
    const found = events.map(({ reason }) => String(reason)).filter((reason) => reason.startsWith('event_'));
    assert.equal(found.length, reasons.length);
    assert.deepEqual(found.toSorted(), reasons.toSorted());
    const order = events.map(({ at: when }) => String(when));
    assert.deepEqual(order, order.toSorted());
  });

  test('an export and a deletion require a recent factor', async () => {
    const { member, at } = await signedIn();
    wait(10 * minuteMs);
    for (const reply of [await exportOf(at), await close(at)]) {
      assert.equal(reply.status, 401, reply.text);
      assert.equal(memberOf(reply.body, 'code'), 'step_up_required');
      assert.deepEqual(memberOf(reply.body, 'factors'), ['password']);
      assert.equal(memberOf(reply.body, 'max_age'), 600);
    }
    assert.deepEqual(await rowOf(member.id), { disabled_at: null, delete_at: null });
    await at.post('/sessions/step_up', { factor: 'password', proof: member.password });
    assert.equal((await exportOf(at)).status, 200);
  });

  test('an export and a deletion require the second factor if there is one', async (t) => {
    if (lacks(t, 'email-change', 'passkey', 'recovery-code', 'remembered-device', 'totp')) return;
    const ada = await wellKnown();
    wait(10 * minuteMs);
    await ada.at.post('/sessions/step_up', { factor: 'password', proof: ada.member.password });
    const accepted = memberOf((await close(ada.at)).body, 'factors') as string[]; // of the problem step_up_required
    assert.deepEqual(accepted.toSorted(), factorKits.map(({ name }) => name).toSorted());
    const proof = ada.shown[2] ?? '';
    await ada.at.post('/sessions/step_up', { factor: 'recovery_code', proof });
    assert.equal((await close(ada.at)).status, 200);
  });

  test('an export whose last page is full is complete', async () => {
    const { member, at } = await signedIn();
    const { audit, database } = core();
    const recorded = (await rowsOf('audit_events', member.id)).length;
    await database.transaction(async (tx) => {
      const event = { event: 'user_updated', outcome: 'success', reason: 'more' } as const;
      for (let i = recorded; i < 199; i += 1)
        await audit.record(tx, { ...event, userId: member.id }, operator);
    });
    const { events } = (await exportOf(at)).body as Export;
    assert.equal(events.length, 200, 'itself included');
  });

  test('an export of an account without a password mentions none', async () => {
    const { member, at } = await signedIn();
    await core().database.query((sql) =>
      sql.updateTable('users').set({ hashed_password: null }).where('id', '=', member.id),
    );
    const { account } = (await exportOf(at)).body as Export;
    assert.deepEqual(Object.keys(account), [
      'id',
      'email',
      'created_at',
      'email_verified_at',
      'last_sign_in_at',
      'subject',
    ]);
  });

  test('the exports of one account per minute are limited', async () => {
    const { at } = await signedIn();
    for (let i = 0; i < 5; i += 1) assert.equal((await exportOf(at)).status, 200);
    const refused = await exportOf(at);
    assert.deepEqual([refused.status, refused.headers['retry-after']], [429, '12']);
    assert.equal((await exportOf((await signedIn()).at)).status, 200, 'another account');
    wait(12 * secondMs);
    assert.equal((await exportOf(at)).status, 200);
  });

  test('a deletion closes the account immediately, and the mail about it opens it again', async () => {
    const { member, at } = await signedIn();
    const { email, password, id } = member;
    const resetToken = await service.resetToken(email);
    const deleteAt = service.service.clock.now() + 14 * dayMs;
    const reply = await close(at);
    assert.deepEqual(
      [reply.status, reply.body],
      [200, { email, message: 'account closed', delete_at: new Date(deleteAt).toISOString() }],
    );
    assert.equal(at.sessionId, undefined, 'the cookie is cleared');
    assert.equal(await service.profile(member.sessionId), 403, 'every session ends');
    assert.equal((await logIn(member)).status, 401);
    assertProblem(await service.reset(email, resetToken, newPassword), 403, 'token_invalid');
    for (const table of ['sessions', 'known_devices', 'pending_logins'] as const)
      assert.deepEqual(await rowsOf(table, id), [], table);

    const token = await service.tokenFor(email);
    const said = service.mails.findLast(({ to }) => to === email);
    assert.match(said?.subject ?? '', /was closed/);
    assert.match(said?.text ?? '', new RegExp(String(new Date(deleteAt).getUTCFullYear())));
    wait(14 * dayMs - 1);
    await core().auth.purge();
    const undone = await undo(token);
    assert.deepEqual([undone.status, undone.body], [200, { email, message: 'account reopened' }]);
    assert.deepEqual(undone.cookies, [], 'it creates no session');
    assert.deepEqual(await rowOf(id), { disabled_at: null, delete_at: null });
    assert.equal((await logIn(member)).status, 200);
    await service.deliver();
    assert.match(service.mails.findLast(({ to }) => to === email)?.subject ?? '', /was reopened/);
    wait(2 * dayMs);
    await core().auth.purge();
    assert.equal((await logIn({ email, password })).status, 200, 'it stays');
    const reasons = (await rowsOf('audit_events', id)).map(({ reason }) => reason);
    assert.ok(reasons.includes('deletion_requested') && reasons.includes('deletion_undone'));
  });

  test('the button of the page that the mail links to opens the account again', async () => {
    const { member, token } = await closed();
    const page = await pressButton(new Browser(service), `/account/delete/undo?token=${token}`);
    assert.equal(page.status, 200, page.text);
    assert.match(page.text, /open again/);
    assert.equal((await logIn(member)).status, 200);
  });

  test('after two weeks the account is removed with all its rows, and its address is free', async (t) => {
    if (lacks(t, 'email-change', 'passkey', 'recovery-code', 'remembered-device', 'totp')) return;
    const { at, id, member } = await wellKnown();
    const { email } = member;
    assert.equal((await close(at)).status, 200);
    const token = await service.tokenFor(email);
    wait(14 * dayMs);
    await service.logIn(email, 'a wrong guess at it');
    assertProblem(await undo(token), 403, 'token_invalid');
    assert.notEqual(await rowOf(id), undefined, 'it waits for the purge');
    const count = async (): Promise<number> =>
      (await core().database.query((sql) => sql.selectFrom('users').select('id'))).length;
    const earlier = await count();
    const closedAccounts = core().plugged.purges.find(({ name }) => name === 'closed accounts');
    const removed = (await closedAccounts?.purge(1000)) ?? 0;
    assert.ok(removed > 0 && removed === earlier - (await count()), 'as many as went');
    await core().auth.purge();
    for (const table of tables.filter((one) => one !== 'audit_events'))
      assert.deepEqual(await rowsOf(table, id), [], table);
    assert.deepEqual(await failuresOn(email), [2], 'as of an address that never had an account');
    const events = await rowsOf('audit_events', id);
    const removal = events.find(({ event }) => event === 'user_deleted');
    assert.deepEqual([removal?.['reason'], removal?.['actor']], ['account_deleted', 'service']);
    assert.ok(!JSON.stringify(events).includes(email), 'the record remains, without the address');
    assertProblem(await undo(token), 403, 'token_invalid');
    await service.post('/users', { email, password: newPassword });
    assert.equal((await service.confirm({ email, password: newPassword })).status, 200);
    assert.equal((await service.logIn(email, newPassword)).status, 200);
    assert.notEqual(await service.idOf(email), id);
  });

  test('the address of a closed account is taken', async () => {
    const { member, token } = await closed();
    const { email } = member;
    const free = await service.post('/users', { email: freshEmail(), password: newPassword });
    const taken = await service.post('/users', { email, password: newPassword });
    assert.deepEqual(
      [taken.status, memberOf(taken.body, 'message')],
      [free.status, memberOf(free.body, 'message')],
    );
    assert.equal((await service.logIn(email, newPassword)).status, 401);
    await service.deliver();
    assert.match(service.mails.findLast(({ to }) => to === email)?.subject ?? '', /already have an account/);
    assert.equal((await undo(token)).status, 200);
    assert.equal((await logIn(member)).status, 200);
  });

  test('a deletion can be undone once, and each one has a token of its own', async () => {
    const { member, token, at } = await closed();
    assert.equal((await undo(token)).status, 200);
    assertProblem(await undo(token), 403, 'token_invalid');
    const events = await rowsOf('audit_events', member.id);
    assert.ok(
      events.some(
        ({ event, facts }) => event === 'authn_token_reuse' && facts === '{"kind":"deletion_undo"}',
      ),
    );
    await at.post('/sessions', { email: member.email, password: member.password });
    assert.equal((await close(at)).status, 200);
    assertProblem(await undo(token), 403, 'token_invalid');
    assert.notEqual((await rowOf(member.id))?.delete_at, null);
    assert.equal((await undo(await service.tokenFor(member.email))).status, 200);
  });

  test('one of two concurrent deletions of an account succeeds', async () => {
    const { member, at } = await signedIn();
    const replies = await Promise.all([close(at), close(at)]);
    const [first = 0, second = 0] = replies.map(({ status }) => status).toSorted((a, b) => a - b);
    // The other one no longer has a session, wherever it notices.
    assert.ok(first === 200 && (second === 401 || second === 403), `${first} ${second}`);
    assert.notEqual((await rowOf(member.id))?.delete_at, null);
  });

  test('undoing a deletion does not enable a disabled account, and an account that the operator enables is not removed', async () => {
    const { auth, database } = core();
    const ada = await closed();
    await auth.setDisabled(ada.member.id, true, operator);
    assertProblem(await undo(ada.token), 403, 'token_invalid');
    assert.equal((await logIn(ada.member)).status, 401);

    const eve = await closed();
    await auth.setDisabled(eve.member.id, false, operator);
    assert.deepEqual(await rowOf(eve.member.id), { disabled_at: null, delete_at: null });
    await database.query((sql) =>
      sql.updateTable('users').set({ disabled_at: 1 }).where('id', '=', eve.member.id),
    );
    assertProblem(await undo(eve.token), 403, 'token_invalid');
    assert.deepEqual(await rowOf(eve.member.id), { disabled_at: 1, delete_at: null });

    const joe = await closed();
    await auth.setDisabled(joe.member.id, false, operator);
    const old = await closed();
    // As an older release, which does not know deletions, enables it.
    await database.query((sql) =>
      sql.updateTable('users').set({ disabled_at: null }).where('id', '=', old.member.id),
    );
    wait(15 * dayMs);
    await auth.purge();
    assert.equal(
      await rowOf(ada.member.id),
      undefined,
      'a requested deletion takes place while the account is disabled',
    );
    assert.notEqual(await rowOf(eve.member.id), undefined);
    assert.equal((await logIn(joe.member)).status, 200);
    assert.equal((await logIn(old.member)).status, 200);
  });

  test('the undo token of one user opens no other account', async () => {
    const [ada, eve] = [await closed(), await closed()];
    assert.equal((await undo(ada.token)).status, 200);
    assert.notEqual((await rowOf(eve.member.id))?.delete_at, null);
    const mixed = `${eve.token.slice(0, 36)}${ada.token.slice(36)}`;
    assertProblem(await undo(mixed), 403, 'token_invalid');
    assert.equal((await logIn(eve.member)).status, 401);
  });

  test('an account whose address was changed recently is not closed: its true owner may undo the change', async (t) => {
    if (lacks(t, 'email-change')) return;
    const { member, at } = await signedIn();
    const { email, password } = member;
    const loot = freshEmail();
    await at.post('/profile/email', { email: loot, password });
    assert.equal((await at.put('/profile/email', { token: await service.tokenFor(loot) })).status, 200);
    assertProblem(await close(at), 409, 'change_pending');
    assert.equal((await at.get('/profile')).status, 200);
    const restored = await service.put('/profile/email/undo', { token: await service.tokenFor(email) });
    assert.equal(restored.status, 200);
    await service.post('/users', { email: freshEmail(), password }); // not relevant here

    const settled = await signedIn();
    const later = freshEmail();
    await settled.at.post('/profile/email', { email: later, password: settled.member.password });
    await settled.at.put('/profile/email', { token: await service.tokenFor(later) });
    wait(72 * hourMs);
    await settled.at.post('/sessions/step_up', { factor: 'password', proof: settled.member.password });
    assert.equal((await close(settled.at)).status, 200);
  });
});
