// Every way in which access ends, and every kind of code and token: what ends is refused in the next request, and the
// clients that want to hear of it are notified once.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { programSource } from '../../../audit/event.ts';
import { dayMs, minuteMs } from '../../../kit/clock.ts';
import { DB } from '../../../library/db.ts';
import { StepDatabase, type Countdown } from '../../../../test/faults/step-database.ts';
import { rowsIn } from '../../../../test/support/contents.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { entriesOf } from '../../../../test/support/feature.ts';
import { memberOf } from '../../../../test/support/request.ts';
import type { TestCore } from '../../../../test/support/service.ts';
import { removeClient } from '../client/store.ts';
import { oidcPaths } from '../engine/paths.ts';
import { confirmDevice, Program, tokensIn, type IssuedTokens } from '../test/program.ts';
import { deviceGrant, password, Person, ProviderSite } from '../test/site.ts';

const other = 'seven herons on a bicycle';
const perUser = 3;
const offline = 'openid email offline_access';

/** A person in two browsers; the application knows the session of the first one. */
interface Stage {
  readonly site: ProviderSite;
  readonly core: TestCore;
  readonly person: Person;
  /** Another session of the same user. */
  readonly elsewhere: Person;
  readonly userId: number;
  readonly program: Program;
}

interface Ending {
  readonly end: (stage: Stage) => Promise<unknown>;
  /** `nothing` ends, what is bound to the session, or everything that the user gave to the application. */
  readonly ends: 'nothing' | 'session' | 'everything';
  /** The clock moves, so that also what has a short life ends. */
  readonly isLater?: true;
  /** The client gets no logout token, because the session goes on, or because its row is removed later. */
  readonly isUnnoticed?: true;
}

const handleOf = ({ sessionToken = '' }: Person): string => sessionToken.split('.')[0] ?? '';

async function sends(browser: Person, ...request: Parameters<Person['send']>): Promise<void> {
  const { status, text } = await browser.send(...request);
  assert.ok(status < 400, text);
}

const endings: Readonly<Record<string, Ending>> = {
  'a sign-out': {
    end: ({ person }) => sends(person, 'DELETE', '/sessions'),
    ends: 'session',
  },
  'a sign-out at the application': {
    end: async ({ person, program }) => {
      const { id } = await program.tokensOf(person);
      await sends(person, 'GET', `${oidcPaths.endSession}?id_token_hint=${id}`);
    },
    ends: 'session',
  },
  'the end of the session in the list': {
    end: ({ person, elsewhere }) => sends(elsewhere, 'DELETE', `/sessions/${handleOf(person)}`),
    ends: 'session',
  },
  'the command that ends the session': {
    end: ({ core, person }) => core.auth.endSession(handleOf(person)),
    ends: 'session',
  },
  'the maximum number of sessions': {
    end: async ({ core, person }) => {
      for (let n = 1; n < perUser; n += 1) await core.auth.createSession(person.email);
    },
    ends: 'session',
  },
  'another sign-in in the browser': {
    end: ({ person }) => sends(person, 'POST', '/sessions', { email: person.email, password }),
    ends: 'session',
  },
  'a sign-in of another user in the browser': {
    end: async ({ site, person }) => {
      const { email } = await site.person({ isSignedIn: false });
      await sends(person, 'POST', '/sessions', { email, password });
    },
    ends: 'session',
  },
  'its idle limit': {
    end: async ({ site }) => site.service.clock.advance(7 * dayMs),
    ends: 'session',
    isLater: true,
    isUnnoticed: true,
  },
  'its idle limit, and the purge': {
    end: async ({ site, core }) => {
      site.service.clock.advance(7 * dayMs + minuteMs);
      await core.purge();
    },
    ends: 'session',
    isLater: true,
  },
  'its maximum age': {
    end: async ({ site, userId }) => {
      const at = site.service.clock.now() + 31 * dayMs; // used all the time, so that it is not idle
      await site.db.query((sql) =>
        sql.updateTable('sessions').set({ last_seen_at: at }).where('user_id', '=', userId),
      );
      site.service.clock.advance(31 * dayMs);
    },
    ends: 'session',
    isLater: true,
    isUnnoticed: true,
  },
  'the end of the other sessions': {
    end: ({ elsewhere }) => sends(elsewhere, 'DELETE', '/sessions?others=true'),
    ends: 'everything',
  },
  'the end of all sessions by a command': {
    end: ({ core, userId }) => core.sessions.endAll(userId, programSource),
    ends: 'everything',
  },
  'destroySession of the library': {
    end: ({ core, userId }) => core.auth.destroySession(userId),
    ends: 'everything',
  },
  'a reset of the password': {
    end: async ({ core, person }) => {
      const token = await core.auth.getResetPasswordToken(person.email);
      await core.auth.updatePassword(token, other);
    },
    ends: 'everything',
  },
  'a password that the operator sets': {
    end: ({ core, person }) => core.auth.setPassword(person.email, other),
    ends: 'everything',
  },
  'a session that a program sets': {
    end: ({ site, userId }) => new DB(site.db).updateUser(userId, { sessionId: crypto.randomUUID() }),
    ends: 'session',
  },
  'a change of the password elsewhere': {
    end: ({ elsewhere }) => sends(elsewhere, 'PUT', '/profile/password', { password, new_password: other }),
    ends: 'everything',
  },
  'a change of the password in the session': {
    end: ({ person }) => sends(person, 'PUT', '/profile/password', { password, new_password: other }),
    ends: 'everything',
  },
  'a change of the password that keeps other access': {
    end: ({ elsewhere }) =>
      sends(elsewhere, 'PUT', '/profile/password', {
        password,
        new_password: other,
        keep_others: 'true',
      }),
    ends: 'nothing',
  },
  'disabling the user': {
    end: ({ core, userId }) => core.accounts.setDisabled(userId, true, programSource),
    ends: 'everything',
  },
  'disabling the user and enabling it again': {
    end: async ({ core, userId }) => {
      await core.accounts.setDisabled(userId, true, programSource);
      await core.accounts.setDisabled(userId, false, programSource);
    },
    ends: 'everything',
  },
  ...entriesOf<Ending>('account-deletion', {
    'closing the account': {
      end: ({ person }) => sends(person, 'DELETE', '/profile'),
      ends: 'everything',
    },
  }),
  'removing the user': {
    end: ({ core, userId }) => core.accounts.remove(userId, programSource),
    ends: 'everything',
  },
  'taking the consent away': {
    end: ({ person, program }) => sends(person, 'DELETE', `/profile/applications/${program.application.id}`),
    ends: 'everything',
  },
  'removing the client': {
    end: ({ site, program }) => site.db.transaction((tx) => removeClient(tx, program.application.id)),
    ends: 'everything',
    isUnnoticed: true,
  },
  'a step-up': {
    end: async ({ person }) => {
      const former = handleOf(person);
      await sends(person, 'POST', '/sessions/step_up', { factor: 'password', proof: password });
      assert.notEqual(handleOf(person), former, 'the session has another handle');
    },
    ends: 'nothing',
  },
};

onEachEngine('what an application holds after', (engine) => {
  let site: ProviderSite;
  before(async () => {
    site = await ProviderSite.open(engine, { SESSIONS_PER_USER: String(perUser) });
  });
  after(() => site.close());

  async function stageOf(): Promise<Stage> {
    const person = await site.person();
    const elsewhere = new Person(site.origin, person.email);
    await elsewhere.signIn();
    const rows = await site.db.query((sql) =>
      sql.selectFrom('users').select('id').where('email', '=', person.email),
    );
    const program = new Program(
      site,
      await site.application({
        grantTypes: ['authorization_code', 'refresh_token', deviceGrant],
        backchannelLogoutUri: 'https://wiki.example.org/logout',
      }),
    );
    return { site, core: site.service.core, person, elsewhere, userId: rows[0]?.id ?? 0, program };
  }

  /** The number of logouts of which the client is to be notified. */
  async function logouts({ program }: Stage): Promise<number> {
    const rows = await site.db.query((sql) =>
      sql
        .selectFrom('oidc_logouts' as never)
        .select('sid' as never)
        .where('client_id' as never, '=', program.application.id as never),
    );
    const sids = (rows as { sid: string }[]).map(({ sid }) => sid);
    assert.equal(new Set(sids).size, sids.length, 'each session once');
    return sids.length;
  }

  /** What the application holds, by kind: each is presented once. */
  async function holdings({ program, person }: Stage): Promise<{
    readonly ofSession: Readonly<Record<string, () => Promise<boolean>>>;
    readonly ofUser: Readonly<Record<string, () => Promise<boolean>>>;
  }> {
    const tokens = await program.tokensOf(person);
    const [code, offlineCode] = [
      await program.codeOf(person),
      await program.codeOf(person, { scope: offline, prompt: 'consent' }),
    ];
    const lasting = await program.tokensOf(person, { scope: offline, prompt: 'consent' });
    const device = await program.device();
    await confirmDevice(person, device);
    const holdsToken = async ({ access, refresh }: IssuedTokens): Promise<boolean> => {
      const userinfo = (await program.userinfo(access)).status === 200;
      const known = (await program.post(oidcPaths.introspection, { token: access })).body;
      assert.equal(memberOf(known, 'active') === true, userinfo, 'userinfo and introspection agree');
      const { status, text } = await program.refresh(refresh);
      assert.equal(status === 200, userinfo, text);
      return userinfo;
    };
    const redeems = async (issued: typeof code): Promise<boolean> => {
      const reply = await program.redeem(issued);
      return reply.status === 200 && holdsToken(tokensIn(reply));
    };
    return {
      ofSession: {
        tokens: () => holdsToken(tokens),
        code: () => redeems(code),
        'device code': async () => (await program.poll(device.deviceCode)).status === 200,
      },
      ofUser: { tokens: () => holdsToken(lasting), code: () => redeems(offlineCode) },
    };
  }

  for (const [name, { end, ends, isLater = false, isUnnoticed = false }] of Object.entries(endings))
    describe(name, () => {
      test(`is ${ends === 'nothing' ? 'all' : `all but that of the ${ends === 'session' ? 'session' : 'user'}`}`, async () => {
        const stage = await stageOf();
        const { ofSession, ofUser } = await holdings(stage);
        await end(stage);
        const isRemoved = name === 'removing the client';
        for (const [kind, isHeld] of Object.entries(ofSession))
          assert.equal(isRemoved ? false : await isHeld(), ends === 'nothing', `${kind} of the session`);
        // A code and an access token live for minutes.
        for (const [kind, isHeld] of Object.entries(isLater ? {} : ofUser))
          assert.equal(isRemoved ? false : await isHeld(), ends !== 'everything', `${kind} of the user`);
        if (isRemoved) {
          const rows = await site.db.query((sql) =>
            sql
              .selectFrom('oidc_tokens' as never)
              .select('id' as never)
              .where('client_id' as never, '=', stage.program.application.id as never),
          );
          assert.equal(rows.length, 0);
        }
        assert.equal(await logouts(stage), ends === 'nothing' || isUnnoticed ? 0 : 1);
      });
    });

  test('its refreshes is what it held, until the maximum age of the session', async () => {
    const { program, person, core } = await stageOf();
    let { refresh } = await program.tokensOf(person);
    for (let day = 3; day < 30; day += 3) {
      site.service.clock.advance(3 * dayMs);
      const reply = await program.refresh(refresh);
      ({ refresh } = tokensIn(reply));
      await core.sessions.flush();
      const seconds = Number(memberOf(reply.body, 'refresh_token_expires_in'));
      const left = (Math.min(7, 30 - day) * dayMs) / 1000;
      assert.ok(seconds <= left && seconds > left - 60, `${seconds} on day ${day}`);
    }
    site.service.clock.advance(3 * dayMs);
    assert.equal((await program.refresh(refresh)).status, 400);
  });

  test('introspection alone ends with the idle limit of the session', async () => {
    const { program, person, core } = await stageOf();
    const { refresh } = await program.tokensOf(person);
    for (const isActive of [true, false]) {
      site.service.clock.advance(4 * dayMs);
      assert.equal(await program.isActive(refresh), isActive);
      await core.sessions.flush();
    }
  });

  test('each end is in logout tokens that name the session as the ID tokens do', async () => {
    const quiet = new Program(
      site,
      await site.application({
        backchannelLogoutUri: 'https://wiki.example.org/logout',
        backchannelLogoutSessionRequired: false,
      }),
    );
    for (const name of ['a sign-out', 'a change of the password in the session', 'taking the consent away']) {
      const stage = { ...(await stageOf()), program: quiet };
      const { id } = await quiet.tokensOf(stage.person);
      assert.doesNotMatch(Buffer.from(id.split('.')[1] ?? '', 'base64url').toString(), /"sid"/);
      await endings[name]?.end(stage);
      const rows = await rowsIn(site.db, 'oidc_logouts');
      const own = rows.filter((row) => row['client_id'] === quiet.application.id);
      assert.deepEqual(
        own.map(({ sid }) => sid),
        [null],
        name,
      );
      await site.db.query((sql) => sql.deleteFrom('oidc_logouts' as never));
    }
  });

  test('a step-up during the request is what it held before', async () => {
    const { program, person } = await stageOf();
    const handles = new Set<string>();
    const countdown: Countdown = {
      steps: 0,
      passesTransactions: true,
      act: async () => {
        await sends(person, 'POST', '/sessions/step_up', { factor: 'password', proof: password });
        handles.add(handleOf(person));
      },
    };
    const at = await site.another({}, { watchDatabase: (database) => new StepDatabase(database, countdown) });
    try {
      for (let n = 1; n < 20; n += 1) {
        const { access, refresh } = await program.tokensOf(person);
        countdown.steps = n;
        tokensIn(await program.refresh(refresh, { at }));
        const isOver = countdown.steps > 0;
        countdown.steps = 0;
        if (isOver) break;
        countdown.steps = n;
        assert.equal((await program.userinfo(access, { at })).status, 200, `step ${n}`);
        countdown.steps = 0;
      }
      assert.ok(handles.size > 6, 'each has changed the handle');
    } finally {
      await at.close();
    }
  });

  test('a step-up has the same sid', async () => {
    const { program, person } = await stageOf();
    const sidOf = async (): Promise<unknown> => {
      const { id } = await program.tokensOf(person);
      return (JSON.parse(Buffer.from(id.split('.')[1] ?? '', 'base64url').toString()) as { sid?: string })
        .sid;
    };
    const sid = await sidOf();
    await sends(person, 'POST', '/sessions/step_up', { factor: 'password', proof: password });
    assert.equal(await sidOf(), sid);
    assert.equal(typeof sid, 'string');
  });
});
