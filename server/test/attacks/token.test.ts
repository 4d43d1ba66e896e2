// Secrets that were sent out: each is accepted by one route, for one user, once, for a limited time.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { dayMs, hourMs, minuteMs } from '../../src/kit/clock.ts';
import { createToken, equalDigests, type SecretKind } from '../../src/kit/secret.ts';
import { pendingAuthenticationKind, requestKind, sessionKind } from '../../src/identity/cookie-kinds.ts';
import { addPendingAuthentication } from '../../src/identity/sign-in/pending-store.ts';
import type { TokenKind } from '../../src/identity/token/kinds.ts';
import { addToken } from '../../src/identity/token/store.ts';
import { DB } from '../../src/library/db.ts';
import { everyRowOf } from '../support/contents.ts';
import { onEachEngine } from '../support/engines.ts';
import { freshEmail } from '../support/person.ts';
import {
  cookieOf,
  deviceCookie,
  pendingCookie,
  PublicService,
  sessionCookie,
  type Member,
} from '../support/public-service.ts';
import { factorKits } from '../support/kit.ts';
import type { ContractRequest, Reply } from '../support/request.ts';
import { secretKindsOf } from '../support/secret-kinds.ts';
import { median } from '../support/statistics.ts';

const wrong = 'eight herons on a yellow bicycle';
const newPassword = 'nine newts under a green umbrella';

/** One account with a live secret of every kind. */
interface TokenUser extends Member {
  readonly secrets: Readonly<Record<string, string>> & { readonly session: string; readonly device: string };
}

/** The secret with the prefix of another kind. */
const disguises = (secret: string, own: string, prefix: string): string[] => [
  secret,
  secret.replace(/\.[a-z]{3}_/, `.${prefix}_`),
  `${own.slice(0, 36)}${secret.slice(36)}`,
  `${own.slice(0, 36)}${secret.slice(36).replace(/\.[a-z]{3}_/, `.${prefix}_`)}`,
];

/** Paths of the links in mails. */
const linksIn = (texts: readonly string[]): string[] => {
  const links = texts.flatMap((text) => text.match(/https:\/\/\S+\?\S+/g) ?? []);
  assert.ok(links.length >= 2, 'there are links');
  return links.map((link) => new URL(link)).map(({ pathname, search }) => pathname + search);
};

onEachEngine('tokens', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  /** The kinds of mailed tokens by their names; those of a feature may be absent. */
  const kindOf = (name: string): SecretKind | undefined =>
    service.service.core.tokens.kinds.find(({ kind }) => kind === name);

  /** A token of the kind, written without its feature; nothing if the kind does not exist. */
  async function writtenToken(
    name: string,
    userId: number,
    target?: string,
  ): Promise<Record<string, string>> {
    const kind = kindOf(name);
    if (kind === undefined) return {};
    const written = createToken(kind);
    const now = service.service.clock.now();
    const row = { ...written, userId, kind: name, now, expiresAt: now + hourMs };
    await addToken(service.service.core.database, target === undefined ? row : { ...row, target });
    return { [name]: written.token };
  }

  /** Moves the account to another address, which can still be undone. The session gets another id. */
  async function moved(member: Member): Promise<[Member, Record<string, string>]> {
    if (kindOf('email_change') === undefined) return [member, {}];
    const { email: former, password, sessionId: earlier } = member;
    const email = freshEmail();
    await service.post('/profile/email', { email, password }, { cookie: `${sessionCookie}=${earlier}` });
    const reply = await moveTo(earlier, await service.tokenFor(email));
    assert.equal(reply.status, 200);
    const sessionId = cookieOf(reply, sessionCookie) ?? assert.fail(reply.text);
    return [{ ...member, email, sessionId }, { email_undo: await service.tokenFor(former) }];
  }

  async function signInToken(email: string): Promise<Record<string, string>> {
    if (kindOf('sign_in') === undefined) return {};
    await service.post('/sessions/email', { email });
    return { sign_in: await service.tokenFor(email) };
  }

  async function createUser(): Promise<TokenUser> {
    const [member, undo] = await moved(await service.member());
    const { id, email, sessionId, deviceToken } = member;
    const { database } = service.service.core;
    const change = await writtenToken('email_change', id, freshEmail());
    const signIn = await signInToken(email);
    await database.query((sql) =>
      sql.updateTable('users').set({ email_verified_at: null }).where('id', '=', id),
    );
    service.service.clock.advance(2 * minuteMs); // longer than the pause between two mails of a kind
    await service.post('/email_verification', { email });
    const verification = await service.tokenFor(email);
    const reset = await service.resetToken(email);
    const [user] = await database.query((sql) =>
      sql.selectFrom('users').select('password_changed_at').where('id', '=', id),
    );
    const deletion = await writtenToken('deletion_undo', id);
    const factor = await writtenToken('factor_undo', id, email);
    let others = {};
    for (const { kind } of otherKinds()) others = { ...others, ...(await writtenToken(kind, id)) };
    const pending = createToken(pendingAuthenticationKind);
    await addPendingAuthentication(database, {
      ...pending,
      userId: id,
      demand: 'second_factor',
      factors: '[]',
      passwordChangedAt: user?.password_changed_at ?? 0,
      endsWithBrowser: 0,
      now: service.service.clock.now(),
      expiresAt: service.service.clock.now() + hourMs,
    });
    const secrets = {
      session: sessionId,
      pending_authentication: pending.token,
      device: deviceToken,
      request: createToken(requestKind).token,
      verification,
      reset,
      ...signIn,
      ...change,
      ...undo,
      ...deletion,
      ...factor,
      ...others,
    };
    return { ...member, secrets };
  }

  const moveTo = (sessionId: string, token: string): Promise<Reply> => {
    const headers = { cookie: `${sessionCookie}=${sessionId}` };
    return service.send({ method: 'PUT', path: '/profile/email', fields: { token }, headers });
  };

  /** From here on the clock stands still, and only a known device may attempt a login. */
  async function lock({ email }: TokenUser): Promise<void> {
    for (let i = 0; i < 5; i += 1) await service.logIn(email, wrong);
  }

  const withCookie = (method: ContractRequest['method'], path: string, cookie: string): Promise<Reply> =>
    service.send({ method, path, headers: { cookie } });

  /** Every way to present a secret; true if it was accepted for its purpose. */
  const allWays: Record<
    string,
    readonly [kind: string, way: (user: TokenUser, secret: string) => Promise<boolean>]
  > = {
    'GET /profile': ['session', async (_, secret) => (await service.profile(secret)) === 200],
    getUserFromSessionId: [
      'session',
      async (_, secret) => (await service.service.core.auth.getUserFromSessionId(secret)) !== undefined,
    ],
    'findUserBy sessionId': ['session', (_, secret) => isFound({ sessionId: secret })],
    'a known device': [
      'device',
      async ({ email, password }, secret) => (await service.logIn(email, password, secret)).status !== 429,
    ],
    // No factor is enrolled, so no value is right; asking for one shows that the pending authentication was found.
    'POST /sessions/factor': [
      'pending_authentication',
      async (_, secret) => {
        const fields = { factor: factorKits[0]?.name ?? '', proof: factorKits[0]?.wrong ?? '' };
        const headers = { cookie: `${pendingCookie}=${secret}` };
        return (
          (await service.send({ method: 'POST', path: '/sessions/factor', fields, headers })).status === 401
        );
      },
    ],
    'POST /sessions/factor/passkey': [
      'pending_authentication',
      async (_, secret) => {
        const headers = { cookie: `${pendingCookie}=${secret}` };
        const request = { method: 'POST', path: '/sessions/factor/passkey', headers } as const;
        return (await service.send(request)).status === 200;
      },
    ],
    'GET /profile/totp': [
      'session',
      async (_, secret) =>
        (await withCookie('GET', '/profile/totp', `${sessionCookie}=${secret}; ${pendingCookie}=${secret}`))
          .status === 200,
    ],
    // 409 says that another change can still be undone: the token was accepted.
    'PUT /profile/email': [
      'email_change',
      async ({ secrets }, secret) => (await moveTo(secrets.session, secret)).status === 409,
    ],
    // The account stays marked for removal during the request, so that the session remains valid.
    'PUT /profile/undo': ['deletion_undo', ({ id }, secret) => isReopened(id, secret)],
    'PUT /email_verification': [
      'verification',
      async ({ email, password }, secret) =>
        (await service.put('/email_verification', { email, token: secret, password })).status === 200,
    ],
    'PUT /sessions/email': [
      'sign_in',
      async ({ email }, secret) =>
        (await service.put('/sessions/email', { email, token: secret })).status === 200,
    ],
    'findUserBy resetToken': ['reset', (_, secret) => isFound({ resetToken: secret })],
    'PUT /reset_password': [
      'reset',
      async ({ email }, secret) => (await service.reset(email, secret, newPassword)).status === 200,
    ],
    'PUT /profile/factors/undo': [
      'factor_undo',
      async (_, secret) => (await service.put('/profile/factors/undo', { token: secret })).status === 200,
    ],
    'PUT /profile/email/undo': [
      'email_undo',
      async (_, secret) => (await service.put('/profile/email/undo', { token: secret })).status === 200,
    ],
    'DELETE /sessions': [
      'session',
      async (_, secret) =>
        (await withCookie('DELETE', '/sessions', `${sessionCookie}=${secret}`)).status === 302,
    ],
  };

  /** The kinds of mailed tokens that have no way above: those of other features. */
  const otherKinds = (): readonly TokenKind[] => {
    const known = new Set(Object.values(allWays).map(([kind]) => kind));
    return service.service.core.tokens.kinds.filter(({ kind }) => !known.has(kind));
  };

  /** Those whose route exists, since a feature may be absent, and the routes of the other kinds. */
  const ways = (): typeof allWays => {
    const routes = new Set(service.service.routes.map(({ method, url }) => `${method} ${url}`));
    const others = otherKinds().map(({ kind, route }): [string, (typeof allWays)[string]] => [
      `PUT ${route}`,
      [
        kind,
        async ({ email }, secret) =>
          (await service.put(route, { email, token: secret, new_password: newPassword })).status === 200,
      ],
    ]);
    return {
      ...Object.fromEntries(
        Object.entries(allWays).filter(([name]) => !/^[A-Z]+ \//.test(name) || routes.has(name)),
      ),
      ...Object.fromEntries(others),
    };
  };

  async function isReopened(id: number, token: string): Promise<boolean> {
    const { database } = service.service.core;
    const set = (deleteAt: number | null): Promise<unknown> =>
      database.query((sql) => sql.updateTable('users').set({ delete_at: deleteAt }).where('id', '=', id));
    await set(service.service.clock.now() + hourMs);
    const { status } = await service.put('/profile/undo', { token });
    await set(null);
    return status === 200;
  }

  async function isFound(filter: { sessionId: string } | { resetToken: string }): Promise<boolean> {
    const db = new DB(service.service.core.database, service.service.clock.now);
    return db.findUserBy(filter).then(
      () => true,
      () => false,
    );
  }

  test('A37 namespaces: every kind has a prefix and a name of its own', () => {
    const rows = secretKindsOf(service.service.core);
    assert.ok(rows.length >= 7);
    for (const { prefix } of rows) assert.match(prefix, /^[a-z]{3}$/);
    assert.equal(new Set(rows.map(({ prefix }) => prefix)).size, rows.length);
    assert.equal(new Set(rows.map(({ kind }) => kind)).size, rows.length);
  });

  test('A37 namespaces: each route accepts only secrets of its own kind', async () => {
    const user = await createUser();
    const other = await createUser();
    for (const one of [user, other]) await lock(one);
    const rows = secretKindsOf(service.service.core);
    const kinds = rows.map(({ kind }) => kind);
    const secretOf = ({ secrets }: TokenUser, kind: string): string => secrets[kind] ?? assert.fail(kind);
    assert.deepEqual(
      Object.keys(user.secrets).toSorted(),
      kinds.toSorted(),
      'createUser of this test makes a secret of every kind',
    );
    assert.deepEqual(
      [...new Set(Object.values(ways()).map(([kind]) => kind))].toSorted(),
      kinds.filter((kind) => kind !== 'request').toSorted(),
      'every kind has a route, except those that are useless without a code',
    );
    const earlier = await everyRowOf(service.service.core.database);
    let presented = 0;
    for (const [name, [kind, way]] of Object.entries(ways())) {
      const { prefix } = rows.find((row) => row.kind === kind) ?? assert.fail(kind);
      for (const foreign of kinds.filter((one) => one !== kind)) {
        for (const secret of disguises(secretOf(user, foreign), secretOf(user, kind), prefix)) {
          assert.equal(await way(user, secret), false, `${foreign} at ${name}: ${secret}`);
          presented += 1;
        }
      }
      // Values in lists and mails that are not secret.
      const { id, email, password } = user;
      const own = secretOf(user, kind);
      for (const text of [String(id), email, password, own.slice(0, 36), own.slice(37), '', 'null']) {
        assert.equal(await way(user, text), false, `${text} at ${name}`);
      }
    }
    assert.equal(presented, Object.keys(ways()).length * (kinds.length - 1) * 4);
    const { users, sessions, one_time_tokens, known_devices, attempts } = await everyRowOf(
      service.service.core.database,
    );
    const now = { users, sessions, one_time_tokens, known_devices, attempts };
    assert.deepEqual(
      now,
      Object.fromEntries(Object.keys(now).map((table) => [table, earlier[table]])),
      'nothing changed',
    );

    for (const [name, [kind, way]] of Object.entries(ways())) {
      const { email } = user;
      if (name === 'DELETE /sessions') continue; // the reset has ended the session
      if (kind === 'verification' || kind === 'reset' || kind === 'sign_in') {
        if (!name.startsWith('find'))
          assert.equal(
            await way({ ...user, email: other.email }, secretOf(user, kind)),
            false,
            `${name} for another account`,
          );
      }
      if (kind === 'device')
        assert.equal(await way(other, secretOf(user, kind)), false, `${name} of another account`);
      assert.equal(await way(user, secretOf(user, kind)), true, `${name} for ${email}`);
    }
    assert.equal(await allWays['DELETE /sessions']?.[1](other, other.secrets.session), true);
  });

  test('A37 namespaces: ignores a cookie of another name', async () => {
    const user = await createUser();
    await lock(user);
    const { secrets, email, password } = user;
    const names = [
      'session_id',
      'device',
      '__Host-session',
      '__Secure-session_id',
      '__host-session_id',
      'x__Host-session_id',
      deviceCookie,
    ];
    for (const name of names) {
      const reply = await withCookie('GET', '/profile', `${name}=${secrets.session}`);
      assert.equal(reply.status, 403, name);
    }
    for (const name of ['device', sessionCookie, 'session_id']) {
      const reply = await service.post(
        '/sessions',
        { email, password },
        { cookie: `${name}=${secrets.device}` },
      );
      assert.equal(reply.status, 429, name);
    }
  });

  test('A52 reset token: works once, for its owner, until another one was used, the password changed or an hour later', async () => {
    const refused = async (email: string, token: string, why: string): Promise<void> => {
      const reply = await service.reset(email, token, newPassword);
      assert.deepEqual(
        [reply.status, Reflect.get(reply.body as object, 'code')],
        [403, 'token_invalid'],
        why,
      );
    };
    const { email } = await service.member();
    const eve = await service.member();
    const first = await service.resetToken(email);
    await refused(eve.email, first, 'of another account');
    service.service.clock.advance(2 * minuteMs);
    const second = await service.resetToken(email);
    assert.notEqual(second, first);
    assert.equal((await service.reset(email, first, newPassword)).status, 200);
    await refused(email, first, 'a second time');
    await refused(email, second, 'after another one was used');

    service.service.clock.advance(dayMs);
    const third = await service.resetToken(email);
    await service.service.core.auth.setPassword(email, 'ten toads behind a blue door');
    await refused(email, third, 'after the password was changed in another way');

    service.service.clock.advance(2 * minuteMs);
    const fourth = await service.resetToken(email);
    service.service.clock.advance(hourMs);
    await refused(email, fourth, 'after an hour');

    const fifth = await service.resetToken(email);
    const db = new DB(service.service.core.database, service.service.clock.now);
    await db.updateUser(await service.idOf(email), { email: `new.${email}` });
    await refused(email, fifth, 'for the address that it was sent to, which is no longer theirs');
    await refused(`new.${email}`, fifth, 'after a change of the address');
  });

  test('A52 reset token: only one of many concurrent uses succeeds, and its password is set', async () => {
    const { email } = await service.member();
    const token = await service.resetToken(email);
    const words = Array.from({ length: 16 }, (_, i) => `${newPassword} number ${i}`);
    const replies = await Promise.all(words.map((word) => service.reset(email, token, word)));
    const winners = words.filter((_, i) => replies[i]?.status === 200);
    assert.equal(winners.length, 1);
    assert.deepEqual(
      replies.filter(({ status }) => status !== 200 && status !== 403),
      [],
    );
    assert.equal((await service.logIn(email, winners[0] ?? '')).status, 200);
  });

  test('A52 reset token: a login with the old password does not revoke it', async () => {
    // Otherwise an attacker who has the password could keep the owner from changing it.
    const { email, password } = await service.member();
    const token = await service.resetToken(email);
    assert.equal((await service.logIn(email, password)).status, 200);
    assert.equal((await service.reset(email, token, newPassword)).status, 200);
  });

  test('A54 pre-fetched links: reading requests consume no token and change nothing', async () => {
    const { email, password } = await service.newcomer();
    const verification = await service.tokenFor(email);
    const reset = await service.resetToken(email);
    const earlier = await everyRowOf(service.service.core.database);
    for (const [path, name, token] of [
      ['/reset_password', 'reset_token', reset],
      ['/email_verification', 'token', verification],
    ] as const) {
      const query = String(new URLSearchParams({ email, [name]: token, new_password: newPassword }));
      for (let i = 0; i < 10; i += 1) {
        for (const method of ['GET', 'HEAD', 'OPTIONS'] as const) {
          for (const url of [`${path}?${query}`, `${path}/${token}`, `${path}/?${query}`]) {
            const { status } = await service.send({ method, path: url });
            const expected = url.startsWith(`${path}/${token}`)
              ? [404]
              : method === 'OPTIONS'
                ? [204]
                : [405];
            assert.ok(expected.includes(status), `${method} ${url}: ${status}`);
          }
        }
      }
    }
    // The links themselves, as a mail scanner opens them: from other addresses and browsers, many times.
    for (const link of linksIn(service.mails.filter(({ to }) => to === email).map(({ text }) => text))) {
      for (let i = 0; i < 10; i += 1) {
        for (const method of ['GET', 'HEAD'] as const) {
          const headers = { accept: i % 2 === 0 ? 'text/html' : '*/*', 'user-agent': `scanner ${i}` };
          assert.equal((await service.send({ method, path: link, headers })).status, 200, link);
        }
      }
    }
    assert.deepEqual(await everyRowOf(service.service.core.database), earlier);
    const fields = { email, token: verification, password };
    assert.equal((await service.put('/email_verification', fields)).status, 200);
    const { email: resetting } = await service.newcomer();
    assert.equal(
      (await service.reset(resetting, await service.resetToken(resetting), newPassword)).status,
      200,
    );
  });

  test('A68 confirmation token: works for its address, purpose and account, once, within a day', async () => {
    const bob = await service.newcomer();
    const eve = await service.newcomer();
    const confirm = async (email: string, token: string): Promise<number> => {
      const { password } = email === eve.email ? eve : bob;
      return (await service.put('/email_verification', { email, token, password })).status;
    };
    const bobs = await service.tokenFor(bob.email);
    const eves = await service.tokenFor(eve.email);
    assert.equal(await confirm(bob.email, eves), 403, "Eve's token for Bob's address");
    assert.equal(await confirm(eve.email, bobs), 403, "Bob's token for Eve's address");
    service.service.clock.advance(2 * minuteMs);
    await service.post('/email_verification', { email: bob.email });
    const newer = await service.tokenFor(bob.email);
    assert.equal((await service.reset(bob.email, newer, newPassword)).status, 403, 'as a reset token');
    assert.equal(await confirm(` ${bob.email.toUpperCase()}`, newer), 200);
    assert.equal(await confirm(bob.email, newer), 403, 'a second time');
    assert.equal(await confirm(bob.email, bobs), 403, 'after another one was used');
    assert.equal((await service.logIn(bob.email, bob.password)).status, 200);
    service.service.clock.advance(24 * hourMs);
    assert.equal(await confirm(eve.email, eves), 403, 'after a day');
    assert.equal((await service.logIn(eve.email, eve.password)).status, 401);
  });
});

describe('comparing secrets', () => {
  test('A69 constant time: the time of a comparison does not depend on where two digests begin to differ', () => {
    // Long digests, so that stopping at the first difference would be a thousand times as fast.
    const bytes = 1_000_000;
    const one = new Uint8Array(bytes);
    const early = new Uint8Array(bytes).fill(1, 0, 1);
    const late = new Uint8Array(bytes).fill(1, bytes - 1);
    const times = { early: [] as number[], late: [] as number[] };
    for (let i = 0; i < 60; i += 1) {
      for (const [name, other] of [
        ['early', early],
        ['late', late],
      ] as const) {
        const begun = performance.now();
        assert.equal(equalDigests(one, other), false);
        times[name].push(performance.now() - begun);
      }
    }
    const ratio = median(times.late) / median(times.early);
    assert.ok(ratio > 0.1 && ratio < 10, `${ratio}`);
    assert.equal(equalDigests(one, new Uint8Array(bytes)), true);
    assert.equal(equalDigests(one, new Uint8Array(bytes - 1)), false);
  });

  test('A69 constant time: rejects the right handle of a session with a wrong secret', async () => {
    const service = await PublicService.start('sqlite');
    try {
      const { sessionId } = await service.member();
      const handle = sessionId.slice(0, 36);
      for (let i = 0; i < 20; i += 1) {
        assert.equal(await service.profile(handle + createToken(sessionKind).token.slice(36)), 403);
      }
      assert.equal(await service.profile(sessionId), 200);
    } finally {
      await service.close();
    }
  });

  /** A comparison of a value named like a secret with something other than a word of the code. */
  const comparison =
    /(?:secret|digest|mac|signature|hash|hashed|token|password)\w*(?:\([^()]*\)|\))*\s*[!=]==?(?!=|\s*(?:undefined|null|true|false|'|\d))|\.equals\(|Buffer\.compare\(|timingSafeEqual\(/i;
  /** The file with the one comparison that all others use. */
  const comparer = 'kit/secret.ts';
  const comparing = (text: string): string[] =>
    text.split('\n').filter((line) => !/^\s*(?:\/\/|\/?\*|import )/.test(line) && comparison.test(line));

  test('A69 constant time: every comparison of secrets in the source uses the one function', () => {
    const source = join(import.meta.dirname, '../../src');
    const files = globSync('**/*.ts', { cwd: source, exclude: ['**/*.test.ts', '**/test/**', comparer] });
    assert.ok(files.length > 50);
    const found = files.flatMap((file) =>
      comparing(readFileSync(join(source, file), 'utf8')).map((line) => `${file}: ${line.trim()}`),
    );
    assert.deepEqual(found, []);
  });

  test('it reports another one', () => {
    for (const line of [
      'if (row.secret_hash === parts.secretHash)',
      'a.equals(b)',
      'return mac !== given;',
      'signature(text) == other',
    ]) {
      assert.equal(comparing(line).length, 1, line);
    }
    for (const line of [
      'if (token === undefined)',
      '// token === x',
      "if (typeof token !== 'string')",
      "url.hash !== ''",
    ])
      assert.equal(comparing(line).length, 0, line);
  });
});
