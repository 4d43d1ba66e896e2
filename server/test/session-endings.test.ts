// Every way in which sessions end tells the modules, once and in its own transaction; and nothing else deletes a session
// or a user. A way that is missing here is found by the last test: it has to delete rows somewhere.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { modules } from '../src/app/modules.ts';
import { programSource } from '../src/audit/event.ts';
import type { Database } from '../src/db/database.ts';
import type { EndedSessions, SessionEndReason } from '../src/identity/contribution.ts';
import type { Session } from '../src/identity/session/session-entry.ts';
import { dayMs, minuteMs } from '../src/kit/clock.ts';
import { DB } from '../src/library/db.ts';
import { module } from '../src/module.ts';
import { requireEmailAddress } from '../src/user/email-address.ts';
import { readSources } from './support/architecture.ts';
import { Browser } from './support/browser.ts';
import { onEachEngine } from './support/engines.ts';
import { entriesOf } from './support/feature.ts';
import { anyHash } from './support/hashing.ts';
import { formIn } from './support/page-form.ts';
import { freshEmail } from './support/person.ts';
import { cookieOf, PublicService, sessionCookie, type Member } from './support/public-service.ts';
import { onlyParts } from './support/source-text.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = programSource;
const perUser = 4;

/** A member with two sessions. */
interface Stage {
  readonly service: PublicService;
  readonly member: Member;
  readonly db: DB;
  /** The session of the login. */
  readonly session: Session;
  readonly other: Session;
}

interface Ending {
  /** Ends sessions. Whatever it has to prepare is done by `prepare`. */
  readonly end: (stage: Stage, prepared: string) => Promise<unknown>;
  readonly prepare?: (stage: Stage) => Promise<string>;
  readonly reason: SessionEndReason;
  /** Which of the two sessions end. */
  readonly ends: 'session' | 'other' | 'both';
  /** The work reports no error, and the sessions stay: a batch of many that logs what fails. */
  readonly isQuiet?: true;
}

const set = async ({ db, member }: Stage, columns: object): Promise<string> => {
  await db.database.query((sql) => sql.updateTable('users').set(columns).where('id', '=', member.id));
  return '';
};
const cookie = ({ sessionId }: Member): { cookie: string } => ({ cookie: `${sessionCookie}=${sessionId}` });

/** Sends a request and reports an internal error, which is that of the planted fault. */
async function send({ service }: Stage, ...[request]: Parameters<PublicService['send']>): Promise<void> {
  const { status, text } = await service.send(request);
  if (status === 500) throw new Error('planted');
  assert.ok(status < 400, text);
}

const core = ({ service }: Stage): PublicService['service']['core'] => service.service.core;

const endings: Readonly<Record<string, Ending>> = {
  'a sign-out': {
    end: (stage) =>
      send(stage, {
        method: 'DELETE',
        path: '/sessions',
        headers: { ...cookie(stage.member), accept: 'application/json' },
      }),
    reason: 'ended',
    ends: 'session',
  },
  'the end of a session in the list': {
    end: (stage) =>
      send(stage, {
        method: 'DELETE',
        path: `/sessions/${stage.other.id}`,
        headers: cookie(stage.member),
      }),
    reason: 'ended',
    ends: 'other',
  },
  'the end of the other sessions': {
    end: (stage) =>
      send(stage, { method: 'DELETE', path: '/sessions?others=true', headers: cookie(stage.member) }),
    reason: 'ended',
    ends: 'other',
  },
  'the command that ends a session': {
    end: (stage) => core(stage).sessions.end(stage.session.id, source),
    reason: 'ended',
    ends: 'session',
  },
  'destroySession of the library': {
    end: (stage) => core(stage).auth.destroySession(stage.member.id),
    reason: 'ended',
    ends: 'both',
  },
  'a reset of the password': {
    prepare: ({ service, member }) => service.resetToken(member.email),
    end: (stage, token) =>
      send(stage, {
        method: 'PUT',
        path: '/reset_password',
        fields: {
          email: stage.member.email,
          reset_token: token,
          new_password: 'seven herons on a bicycle',
        },
      }),
    reason: 'revoked',
    ends: 'both',
  },
  'a password that the operator sets': {
    end: (stage) => core(stage).auth.setPassword(stage.member.email, 'seven herons on a bicycle'),
    reason: 'revoked',
    ends: 'both',
  },
  'a change of the password': {
    end: (stage) =>
      send(stage, {
        method: 'PUT',
        path: '/profile/password',
        headers: cookie(stage.member),
        fields: { password: stage.member.password, new_password: 'seven herons on a bicycle' },
      }),
    reason: 'revoked',
    ends: 'other',
  },
  'disabling the user': {
    end: (stage) => core(stage).accounts.setDisabled(stage.member.id, true, source),
    reason: 'revoked',
    ends: 'both',
  },
  'removing the user': {
    end: (stage) => core(stage).accounts.remove(stage.member.id, source),
    reason: 'revoked',
    ends: 'both',
  },
  ...entriesOf<Ending>('account-deletion', {
    'closing the account': {
      end: (stage) => send(stage, { method: 'DELETE', path: '/profile', headers: cookie(stage.member) }),
      reason: 'revoked',
      ends: 'both',
    },
    'removing a closed account whose time has come': {
      prepare: (stage) => set(stage, { disabled_at: 1, delete_at: 1 }),
      end: (stage) => core(stage).purge(),
      reason: 'revoked',
      ends: 'both',
    },
  }),
  'removing a provisional account that has expired': {
    prepare: (stage) => set(stage, { provisional_until: 1 }),
    end: (stage) => core(stage).purge(),
    reason: 'revoked',
    ends: 'both',
  },
  'a provisional account that gives way to another one': {
    prepare: (stage) => set(stage, { provisional_until: 1 }),
    end: ({ member, ...stage }) =>
      core({ member, ...stage }).auth.registerUser(member.email, 'seven herons on a bicycle'),
    reason: 'revoked',
    ends: 'both',
  },
  'a provisional account that gives way to one of a program': {
    prepare: (stage) => set(stage, { provisional_until: 1 }),
    end: ({ db, member }) => db.addUser(member.email, anyHash),
    reason: 'revoked',
    ends: 'both',
  },
  'a provisional account that gives way to an address that a program sets': {
    prepare: async (stage) => {
      await set(stage, { provisional_until: 1 });
      return String((await stage.db.addUser(freshEmail(), anyHash)).id);
    },
    end: ({ db, member }, id) => db.updateUser(Number(id), { email: member.email }),
    reason: 'revoked',
    ends: 'both',
  },
  'the maximum number of sessions': {
    prepare: async (stage) => {
      for (let n = 2; n < perUser; n += 1) await core(stage).auth.createSession(stage.member.email);
      return '';
    },
    end: (stage) => core(stage).auth.createSession(stage.member.email),
    reason: 'limit',
    ends: 'session',
  },
  'a sign-in in the same browser': {
    end: (stage) =>
      send(stage, {
        method: 'POST',
        path: '/sessions',
        headers: cookie(stage.member),
        fields: { email: stage.member.email, password: stage.member.password },
      }),
    reason: 'replaced',
    ends: 'session',
  },
  'a sign-in of another account in the same browser': {
    prepare: async ({ service }) => {
      const { email, password } = await service.member();
      return JSON.stringify({ email, password });
    },
    end: (stage, fields) =>
      send(stage, {
        method: 'POST',
        path: '/sessions',
        headers: cookie(stage.member),
        fields: JSON.parse(fields) as Record<string, string>,
      }),
    reason: 'replaced',
    ends: 'session',
  },
  'a session id that a program sets': {
    end: ({ db, member }) => db.updateUser(member.id, { sessionId: crypto.randomUUID() }),
    reason: 'replaced',
    ends: 'both',
  },
  'no session id, set by a program': {
    end: ({ db, member }) => db.updateUser(member.id, { sessionId: null }),
    reason: 'replaced',
    ends: 'both',
  },
  'its maximum age': {
    prepare: async ({ service, member, ...stage }) => {
      // Used all the time, so that it is not idle.
      const now = service.service.clock.now() + 31 * dayMs;
      await stage.db.database.query((sql) =>
        sql.updateTable('sessions').set({ last_seen_at: now }).where('user_id', '=', member.id),
      );
      service.service.clock.advance(31 * dayMs);
      return '';
    },
    end: (stage) => core(stage).purge(),
    reason: 'expired',
    ends: 'both',
  },
  'its idle limit': {
    prepare: async ({ service }) => {
      service.service.clock.advance(7 * dayMs + minuteMs);
      return '';
    },
    end: (stage) => core(stage).purge(),
    reason: 'expired',
    ends: 'both',
  },
  'its use after it has expired': {
    prepare: async ({ service, member }) => {
      service.service.clock.advance(7 * dayMs);
      assert.equal(await service.profile(member.sessionId), 403);
      return '';
    },
    end: (stage) => core(stage).sessions.flush(),
    reason: 'expired',
    ends: 'session',
    isQuiet: true,
  },
};

onEachEngine('sessions end', (engine) => {
  let service: PublicService;
  let db: DB;
  let isBroken = false;
  let reported: { ended: EndedSessions; rows: string[] }[] = [];

  async function ending(tx: Database, ended: EndedSessions): Promise<void> {
    const ids = ended.sessions.map(({ id }) => id);
    const rows = await tx.query((sql) => sql.selectFrom('sessions').select('id').where('id', 'in', ids));
    reported.push({ ended, rows: rows.map(({ id }) => id) });
    if (isBroken) throw new Error('planted');
  }

  before(async () => {
    service = await PublicService.start(
      engine,
      { SESSIONS_PER_USER: String(perUser) },
      { modules: [...modules, module({ name: 'probe', sessionEndings: [ending] })] },
    );
    db = new DB(service.service.core.database, service.service.clock.now, [ending]);
  });
  after(() => service.close());

  async function stageOf(): Promise<Stage> {
    const member = await service.member();
    const { sessions } = service.service.core;
    service.service.clock.advance(1);
    const second = cookieOf(
      await service.logIn(member.email, member.password, member.deviceToken),
      sessionCookie,
    );
    const [session, other] = [await sessions.find(member.sessionId), await sessions.find(second)];
    assert.ok(session !== undefined && other !== undefined);
    return { service, member, db, session, other };
  }

  async function livingOf(userId: number): Promise<string[]> {
    const rows = await db.database.query((sql) =>
      sql.selectFrom('sessions').select('id').where('user_id', '=', userId).orderBy('id'),
    );
    return rows.map(({ id }) => id);
  }

  async function eventsOf(userId: number): Promise<{ events: string[] }> {
    const rows = await db.database.query((sql) =>
      sql
        .selectFrom('audit_events')
        .select('reason')
        .where('user_id', '=', userId)
        .where('reason', 'like', 'password_changed%'),
    );
    return { events: rows.map(({ reason }) => String(reason)) };
  }

  const meant = ({ session, other }: Stage, ends: Ending['ends']): string[] =>
    ends === 'both' ? [session.id, other.id] : [ends === 'session' ? session.id : other.id];

  for (const [title, { prepare, end, reason, ends, isQuiet = false }] of Object.entries(endings)) {
    describe(`by ${title}`, () => {
      test('and the modules hear of each of them once, while it exists', async () => {
        const stage = await stageOf();
        const prepared = (await prepare?.(stage)) ?? '';
        reported = [];
        await end(stage, prepared);
        const own = reported
          .flatMap(({ ended, rows }) => ended.sessions.map((one) => ({ ...one, ended, rows })))
          .filter(({ userId }) => userId === stage.member.id);
        assert.deepEqual(own.map(({ id }) => id).toSorted(), meant(stage, ends).toSorted());
        for (const { id, ended, rows } of own) {
          assert.equal(ended.reason, reason);
          assert.equal(ended.at, service.service.clock.now());
          assert.ok(rows.includes(id), 'its row exists');
        }
        const living = await livingOf(stage.member.id);
        assert.deepEqual(
          living.filter((id) => meant(stage, ends).includes(id)),
          [],
        );
      });

      test('unless a module fails: then all stays as it was', async () => {
        const stage = await stageOf();
        const prepared = (await prepare?.(stage)) ?? '';
        const living = await livingOf(stage.member.id);
        isBroken = true;
        try {
          if (isQuiet) await end(stage, prepared);
          else await assert.rejects(end(stage, prepared), /planted/);
        } finally {
          isBroken = false;
        }
        assert.deepEqual(await livingOf(stage.member.id), living);
        const user = await db.findUserBy({ id: stage.member.id });
        assert.equal(user.email, stage.member.email);
        await service.service.core.accounts.remove(stage.member.id, source);
      });
    });
  }

  test('of two transactions that end it at the same time, only one tells', async () => {
    const stage = await stageOf();
    const { sessions } = service.service.core;
    reported = [];
    const ended = await Promise.all([
      sessions.end(stage.session.id, source),
      sessions.end(stage.session.id, source),
      sessions.endAll(stage.member.id, source),
    ]);
    assert.ok(ended.filter((one) => one === true).length <= 1);
    const own = reported.flatMap(({ ended: one }) => one.sessions.map(({ id }) => id));
    assert.deepEqual(own.toSorted(), meant(stage, 'both').toSorted());
  });

  test('is not what a step-up does, nor a session that ends twice', async () => {
    const stage = await stageOf();
    const { sessions, stepUp } = service.service.core;
    reported = [];
    const renewed = await stepUp.give(
      stage.session,
      { factor: 'password', proof: stage.member.password },
      source,
    );
    assert.deepEqual(reported, []);
    assert.equal(await sessions.end(renewed.id, source), true);
    assert.equal(await sessions.end(renewed.id, source), false);
    assert.equal(reported.length, 1);
  });

  test('with the access of programs if all or the others end, but not by a plain sign-out', async () => {
    const { sessions, plugged, accounts } = service.service.core;
    const { member, session, other } = await stageOf();
    const revoked: number[] = [];
    plugged.revokes.push({ kind: 'grant', revokeAll: async (_tx, userId) => void revoked.push(userId) });
    await sessions.end(other.id, source);
    assert.deepEqual(revoked, []);
    await sessions.endOthers(session, source);
    await sessions.endAll(member.id, source);
    assert.deepEqual(revoked, [member.id, member.id]);
    await accounts.setDisabled(member.id, true, source);
    await accounts.remove(member.id, source);
    assert.deepEqual(
      revoked,
      Array.from({ length: 4 }, () => member.id),
    );
  });

  test('with the access of programs if the password changes, unless the user keeps both', async () => {
    const { plugged } = service.service.core;
    const revoked: number[] = [];
    plugged.revokes.push({ kind: 'grant', revokeAll: async (_tx, userId) => void revoked.push(userId) });
    const password = 'seven herons on a bicycle';
    for (const [keeps, left] of [
      ['true', 2],
      [undefined, 1],
    ] as const) {
      const { member, ...stage } = await stageOf();
      revoked.length = 0;
      await send(
        { member, ...stage },
        {
          method: 'PUT',
          path: '/profile/password',
          headers: cookie(member),
          fields: {
            password: member.password,
            new_password: password,
            ...(keeps !== undefined && { keep_others: keeps }),
          },
        },
      );
      assert.equal((await livingOf(member.id)).length, left);
      assert.equal(revoked.length, left === 2 ? 0 : 1);
      const { events } = await eventsOf(member.id);
      assert.deepEqual(events, [left === 2 ? 'password_changed_only' : 'password_changed']);
    }
  });

  test('of the page of the password unless its box is cleared', async () => {
    for (const [others, left] of [
      ['true', 1],
      [undefined, 2],
    ] as const) {
      const { member } = await stageOf();
      const browser = new Browser(service);
      await browser.post('/sessions', { email: member.email, password: member.password });
      const page = await browser.get('/account/password', { accept: 'text/html' });
      assert.match(page.text, /<input type="checkbox" name="others" value="true" checked/);
      const changed = await browser.post('/account/password', {
        ...formIn(page).fields,
        password: member.password,
        new_password: 'seven herons on a bicycle',
        ...(others !== undefined && { others }),
      });
      assert.equal(changed.status, 303, changed.text);
      assert.equal((await livingOf(member.id)).length, left === 1 ? 1 : 3);
    }
  });

  test('an idle session that was used before another instance could write so does not end', async () => {
    const { member } = await stageOf();
    service.service.clock.advance(7 * dayMs + minuteMs - 2);
    await service.service.core.purge();
    assert.equal((await livingOf(member.id)).length, 2);
    service.service.clock.advance(2);
    await service.service.core.purge();
    assert.equal((await livingOf(member.id)).length, 0);
  });

  test('the oldest session is recorded when a new one ends it', async () => {
    const { member, session } = await stageOf();
    for (let n = 2; n <= perUser; n += 1)
      await service.service.core.sessions.create(requireEmailAddress(member.email), source);
    const rows = await db.database.query((sql) =>
      sql
        .selectFrom('audit_events')
        .select('target_id')
        .where('user_id', '=', member.id)
        .where('reason', '=', 'oldest_session_ended'),
    );
    assert.deepEqual(
      rows.map((row) => row.target_id),
      [session.id],
    );
  });
});

/** Files whose statements delete rows of a table, in SQL or through the builder. */
function deletersOf(table: string): string[] {
  const deletes = new RegExp(
    `\\bdeleteFrom\\(\\s*'${table}'|\\bremove(?:Oldest|Expired)\\(\\s*'${table}'|\\bdelete\\s+from\\s+"?${table}\\b`,
    'gi',
  );
  return readSources(root).flatMap(({ path, text }) =>
    Array.from(onlyParts(text, 'code', 'string').matchAll(deletes), () => path),
  );
}

/** Files that call a function. */
function callersOf(name: string): string[] {
  const call = new RegExp(`(?<!function )\\b${name}\\(`);
  return readSources(root)
    .filter(({ text }) => call.test(onlyParts(text, 'code')))
    .map(({ path }) => path);
}

describe('no other statement', () => {
  test('deletes sessions', () => {
    assert.deepEqual(new Set(deletersOf('sessions')), new Set(['identity/session/ending-store.ts']));
    assert.deepEqual(callersOf('removeLocked'), ['identity/session/ending.ts']);
    assert.deepEqual(callersOf('endSessions'), ['identity/session/ending.ts', 'library/ending.ts']);
  });

  test('deletes users, whose access ends before', () => {
    assert.deepEqual(deletersOf('users'), ['user/store.ts']);
    assert.deepEqual(
      callersOf('removeUser').filter((path) => !path.startsWith('cli/') && path !== 'library/auth.ts'),
      ['identity/removal.ts', 'library/ending.ts'],
    );
  });
});
