// What each mailed proof leaves behind: its row in the record, its mails and how long they are worth sending; asked for,
// redeemed, refused and used again.
import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { Browser } from '../../test/support/browser.ts';
import { onEachEngine } from '../../test/support/engines.ts';
import { addApp } from '../../test/support/factor.ts';
import { codeIn } from '../../test/support/mail-box.ts';
import { freshEmail } from '../../test/support/person.ts';
import { PublicService, sessionCookie, type Member } from '../../test/support/public-service.ts';
import { assertProblem, memberOf, send, type Reply } from '../../test/support/request.ts';
import { testService } from '../../test/support/service.ts';
import { dayMs, hourMs, minuteMs } from '../kit/clock.ts';
import { isProblem } from '../kit/problem.ts';
import { createToken } from '../kit/secret.ts';
import type { ClientSource } from './context.ts';
import { unkeyedCodes } from './one-time-token.ts';

const newPassword = 'nine newts under a green umbrella';
/** Somebody of whom nothing else is known. */
const somebody: ClientSource = { actor: 'user' };

onEachEngine('the record of', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  interface Traces {
    /** `event outcome reason`, and whose it was by name, in alphabetical order. */
    readonly record: string[];
    /** `kind to whom for so many minutes`, in alphabetical order. */
    readonly mails: string[];
  }

  /** What a deed leaves behind. People are called by the names that are given. */
  async function traces(people: Record<string, number>, deed: () => Promise<unknown>): Promise<Traces> {
    const { database, audit } = service.service.rooms;
    const names = new Map(Object.entries(people).map(([name, id]) => [id, name]));
    const nameOf = (id: number | null): string => (id === null ? 'nobody' : (names.get(id) ?? `user ${id}`));
    const eventsNow = () => audit.list({ limit: 10_000 });
    const mailsNow = () => database.query((sql) => sql.selectFrom('mails').selectAll());
    const known = new Set([...(await eventsNow()), ...(await mailsNow())].map(({ id }) => id));
    await deed();
    const events = (await eventsNow()).filter(({ id }) => !known.has(id));
    const mails = (await mailsNow()).filter(({ id }) => !known.has(id));
    return {
      record: events
        .map(({ event, outcome, reason, userId }) => `${event} ${outcome} ${reason} ${nameOf(userId)}`)
        .toSorted(),
      mails: mails
        .map((mail) => {
          const life = (mail.expires_at - mail.created_at) / minuteMs;
          return `${mail.kind} to ${nameOf(mail.user_id)} for ${life}`;
        })
        .toSorted(),
    };
  }

  const later = (): void => service.service.clock.advance(2 * minuteMs); // beyond the pause between two mails
  const signedIn = async ({ email, password }: Member): Promise<Browser> => {
    const browser = new Browser(service);
    assert.equal((await browser.post('/sessions', { email, password })).status, 200);
    return browser;
  };

  test('a registration: a new one, and one of an address that is taken', async () => {
    const email = freshEmail();
    const register = (): Promise<Reply> => service.post('/users', { email, password: newPassword });
    const { record, mails } = await traces({}, register);
    const bob = await service.idOf(email);
    assert.deepEqual(record, [`user_created success null user ${bob}`]);
    assert.deepEqual(mails, [`email_verification to user ${bob} for 1440`]);
    await service.put('/email_verification', { email, token: await service.tokenFor(email) });
    assert.deepEqual(await traces({ bob }, register), {
      record: ['user_created failure email_taken bob'],
      mails: ['already_registered to bob for 1440'],
    });
    const again = await traces({ bob }, register);
    assert.deepEqual(again.mails, [], 'told once in a while');
  });

  test('a registration of an address that nobody has confirmed: the newest counts', async () => {
    const { email, password, id: ada } = await service.newcomer();
    const early = await service.tokenFor(email);
    const again = () => service.post('/users', { email, password: newPassword });
    assert.deepEqual(await traces({ ada }, again), {
      record: ['user_created failure email_taken ada'],
      mails: ['email_verification to ada for 1440'],
    });
    assert.equal((await service.put('/email_verification', { email, token: early })).status, 403);
    await service.put('/email_verification', { email, token: await service.tokenFor(email) });
    assert.equal((await service.logIn(email, password)).status, 401);
    assert.equal((await service.logIn(email, newPassword)).status, 200);
  });

  test('a registration of an address whose account is disabled: its owner is told, nothing else', async () => {
    const { email, id: ada } = await service.newcomer();
    const { auth, database } = service.service.rooms;
    await auth.setDisabled(ada, true);
    const rows = () => database.query((sql) => sql.selectFrom('users').selectAll().where('id', '=', ada));
    const earlier = await rows();
    const again = () => service.post('/users', { email, password: newPassword });
    assert.deepEqual(await traces({ ada }, again), {
      record: ['user_created failure email_taken ada'],
      mails: ['already_registered to ada for 1440'],
    });
    assert.deepEqual(await rows(), earlier);
  });

  test('a request for a mail: of a member, a moment later, of nobody and of a disabled one', async () => {
    const asks = [
      ['/reset_password', 'reset', 'reset_password', 60],
      ['/sessions/email', 'sign_in', 'sign_in', 10],
    ] as const;
    for (const [path, reason, mail, minutes] of asks) {
      const member = await service.member();
      const ask = (email: string) => () => service.post(path, { email });
      const people = { ada: member.id };
      assert.deepEqual(await traces(people, ask(member.email)), {
        record: [`authn_token_created success ${reason} ada`],
        mails: [`${mail} to ada for ${minutes}`],
      });
      assert.deepEqual(await traces(people, ask(member.email)), {
        record: [`authn_token_created failure ${reason} ada`],
        mails: [],
      });
      assert.deepEqual(await traces(people, ask(freshEmail())), {
        record: [`authn_token_created failure ${reason} nobody`],
        mails: [],
      });
      later();
      await service.service.rooms.auth.setDisabled(member.id, true);
      assert.deepEqual(await traces(people, ask(member.email)), {
        record: [`authn_token_created failure ${reason} ada`],
        mails: [],
      });
    }
  });

  test('a mail that waits still when another takes its place: it is withdrawn', async () => {
    const { database } = service.service.rooms;
    const waiting = async (id: number): Promise<string[]> => {
      const rows = await database.query((sql) =>
        sql.selectFrom('mails').select('kind').where('user_id', '=', id).where('content', 'is not', null),
      );
      return rows.map(({ kind }) => kind);
    };
    const ada = await service.member();
    const browser = await signedIn(ada);
    await service.deliver();
    const wish = () => browser.post('/profile/email', { email: freshEmail(), password: ada.password });
    const asks: Record<string, () => Promise<Reply>> = {
      reset_password: () => service.post('/reset_password', { email: ada.email }),
      sign_in: () => service.post('/sessions/email', { email: ada.email }),
      email_change: wish,
    };
    for (const [kind, ask] of Object.entries(asks)) {
      for (let i = 0; i < 2; i += 1) {
        assert.equal((await ask()).status, 200);
        later();
      }
      assert.deepEqual(await waiting(ada.id), [kind]);
      await service.deliver();
    }
    const newcomer = await service.newcomer();
    later();
    await service.post('/email_verification', { email: newcomer.email });
    assert.deepEqual(await waiting(newcomer.id), ['email_verification']);
    const { auth } = service.service.rooms;
    for (let i = 0; i < 2; i += 1) await auth.setPassword(ada.email, `${newPassword} ${i}`);
    assert.deepEqual(await waiting(ada.id), ['password_changed', 'password_changed'], 'each is told');
  });

  test('a request for another confirmation: of who needs one, and of who does not', async () => {
    const { email, id: ada } = await service.newcomer();
    const ask = async (): Promise<void> => {
      const { body } = await service.post('/email_verification', { email });
      assert.deepEqual(body, { email, message: 'confirmation token sent' });
    };
    const deed = (outcome: string, whose = 'ada'): string =>
      `authn_token_created ${outcome} email_verification ${whose}`;
    const early = await traces({ ada }, ask);
    assert.deepEqual(early, { record: [deed('success')], mails: [] }, 'the first mail is a moment old');
    later();
    assert.deepEqual(await traces({ ada }, ask), {
      record: [deed('success')],
      mails: ['email_verification to ada for 1440'],
    });
    await service.put('/email_verification', { email, token: await service.tokenFor(email) });
    later();
    assert.deepEqual(await traces({ ada }, ask), { record: [deed('failure')], mails: [] });
    const stranger = await traces({}, () => service.post('/email_verification', { email: freshEmail() }));
    assert.deepEqual(stranger, { record: [deed('failure', 'nobody')], mails: [] });
    const other = await service.newcomer();
    later();
    await service.service.rooms.auth.setDisabled(other.id, true);
    const disabled = await traces({ ada: other.id }, () =>
      service.post('/email_verification', { email: other.email }),
    );
    assert.deepEqual(disabled, { record: [deed('failure')], mails: [] });
  });

  describe('a proof:', () => {
    interface Proof {
      /** Asks for it, and gives the token. */
      readonly ask: (member: Member, browser: Browser) => Promise<string>;
      readonly redeem: (member: Member, browser: Browser, token: string) => Promise<Reply>;
      readonly kind: string;
      /** What the reply to it says. */
      readonly said: string;
      readonly spent: Traces;
      /** What is recorded of one that is refused. */
      readonly refusal: string;
    }
    const mail = (kind: string, minutes: number): string => `${kind} to ada for ${minutes}`;
    const wished = new Map<string, string>();
    const proofs: readonly Proof[] = [
      {
        kind: 'reset',
        said: 'Password updated',
        ask: async ({ email }) => service.resetToken(email),
        redeem: ({ email }, _browser, token) => service.reset(email, token, newPassword),
        spent: {
          record: ['authn_password_change success reset ada'],
          mails: [mail('password_changed', 1440)],
        },
        refusal: 'authn_password_change_fail failure token_invalid ada',
      },
      {
        kind: 'sign_in',
        said: 'logged in',
        ask: async ({ email }) => {
          await service.post('/sessions/email', { email });
          return service.tokenFor(email);
        },
        redeem: ({ email, deviceToken }, _browser, token) =>
          service.send({
            method: 'PUT',
            path: '/sessions/email',
            fields: { email, token },
            headers: { cookie: `__Host-device=${deviceToken}` },
          }),
        spent: {
          record: ['authn_login_success success email ada', 'session_created success null ada'],
          mails: [],
        },
        refusal: 'authn_login_fail failure token_invalid ada',
      },
      {
        kind: 'email_change',
        said: 'email changed',
        ask: async ({ email, password }, browser) => {
          const other = freshEmail();
          wished.set(email, other);
          const asked = await browser.post('/profile/email', { email: other, password });
          assert.deepEqual(asked.body, { email: other, message: 'confirmation token sent' });
          return service.tokenFor(other);
        },
        redeem: (_member, browser, token) => browser.put('/profile/email', { token }),
        spent: {
          record: ['user_updated success email_changed ada'],
          mails: [mail('email_changed', 72 * 60)],
        },
        refusal: 'user_updated failure token_invalid ada',
      },
      {
        kind: 'email_undo',
        said: 'email restored',
        ask: async ({ email, password }, browser) => {
          const other = freshEmail();
          await browser.post('/profile/email', { email: other, password });
          await browser.put('/profile/email', { token: await service.tokenFor(other) });
          return service.tokenFor(email);
        },
        redeem: (_member, _browser, token) => service.put('/profile/email/undo', { token }),
        spent: {
          record: ['user_updated success email_change_undone ada'],
          mails: [mail('email_change_undone', 1440), mail('reset_password', 60)],
        },
        refusal: 'user_updated failure token_invalid ada',
      },
      {
        kind: 'factor_undo',
        said: 'factors removed',
        ask: async ({ email }, browser) => {
          await addApp(browser, service.service.clock);
          return service.tokenFor(email);
        },
        redeem: (_member, _browser, token) => service.put('/profile/factors/undo', { token }),
        spent: {
          record: ['user_updated success factor_undone ada'],
          mails: [mail('factor_undone', 1440), mail('reset_password', 60)],
        },
        refusal: 'user_updated failure token_invalid ada',
      },
    ];
    const lives: Record<string, number> = {
      reset: hourMs,
      sign_in: 10 * minuteMs,
      email_change: hourMs,
      email_undo: 3 * dayMs,
      factor_undo: 3 * dayMs,
    };
    for (const { kind, ask, redeem, said, spent, refusal } of proofs) {
      test(`${kind}, redeemed and used again`, async () => {
        const member = await service.member();
        const browser = await signedIn(member);
        const people = { ada: member.id };
        const token = await ask(member, browser);
        const left = await traces(people, async () => {
          const { body } = await redeem(member, browser, token);
          assert.equal(memberOf(body, 'message'), said);
        });
        assert.deepEqual(left, spent);
        assert.deepEqual(await traces(people, () => redeem(member, browser, token)), {
          record: [`authn_token_reuse failure ${kind} ada`],
          mails: [],
        });
      });

      test(`${kind}, redeemed to the millisecond of its end, and gone then`, async () => {
        const member = await service.member();
        const browser = await signedIn(member);
        const token = await ask(member, browser);
        service.service.clock.advance(lives[kind] ?? 0);
        const late = () => redeem(member, browser, token);
        assert.deepEqual(await traces({ ada: member.id }, late), { record: [refusal], mails: [] });
        service.service.clock.advance(-hourMs);
        assert.equal((await late()).status, 403, 'also for a clock that goes back');
        const other = await service.member();
        const there = await signedIn(other);
        const intime = await ask(other, there);
        service.service.clock.advance((lives[kind] ?? 0) - 1);
        assert.equal((await redeem(other, there, intime)).status, 200);
        service.service.clock.advance(hourMs);
      });
    }

    test('verification, redeemed, used again and refused', async () => {
      const { email, id: ada } = await service.newcomer();
      const token = await service.tokenFor(email);
      const redeem = (address: string) => () => service.put('/email_verification', { email: address, token });
      const stranger = await traces({ ada }, redeem(freshEmail()));
      assert.deepEqual(stranger.record, ['user_updated failure token_invalid ada']);
      assert.deepEqual(await traces({ ada }, redeem(email)), {
        record: ['user_updated success email_verified ada'],
        mails: [],
      });
      const again = await traces({ ada }, redeem(email));
      assert.deepEqual(again.record, ['authn_token_reuse failure verification ada']);
      const next = await service.newcomer();
      const late = await service.tokenFor(next.email);
      service.service.clock.advance(dayMs - 1);
      const { email: patient } = await service.newcomer();
      const intime = await service.tokenFor(patient);
      service.service.clock.advance(1);
      const over = () => service.put('/email_verification', { email: next.email, token: late });
      assert.deepEqual((await traces({ ada: next.id }, over)).record, [
        'user_updated failure token_invalid ada',
      ]);
      service.service.clock.advance(dayMs - 2);
      const last = await service.put('/email_verification', { email: patient, token: intime });
      assert.deepEqual([last.status, last.body], [200, { email: patient, message: 'email confirmed' }]);
    });

    test('sign_in, redeemed with the address of another', async () => {
      const [ada, eve] = [await service.member(), await service.member()];
      await service.post('/sessions/email', { email: ada.email });
      const token = await service.tokenFor(ada.email);
      const give = (email: string) => () => service.put('/sessions/email', { email, token });
      assert.deepEqual(await traces({ ada: ada.id, eve: eve.id }, give(eve.email)), {
        record: ['authn_login_fail failure token_invalid ada'],
        mails: [],
      });
      assert.equal((await give(ada.email)()).status, 200);
    });

    test('whose link is redeemed forgets the wrong codes before', async () => {
      const { email, id } = await service.member();
      const asking = new Browser(service);
      await asking.post('/reset_password', { email });
      const give = (code: string): Promise<Reply> =>
        asking.put('/reset_password', { email, reset_token: code, new_password: newPassword });
      const tries = async (): Promise<number[]> => {
        const rows = await service.service.rooms.database.query((sql) =>
          sql
            .selectFrom('attempts')
            .select('failures')
            .where('subject', '=', `user:${id}`)
            .where('factor', '=', 'email_code'),
        );
        return rows.map(({ failures }) => failures);
      };
      for (let i = 0; i < 5; i += 1) assert.equal((await give('2222-2222')).status, 403);
      assert.equal((await give('2222-2222')).status, 429);
      assert.deepEqual(await tries(), [5]);
      assert.equal((await give(await service.tokenFor(email))).status, 200);
      assert.deepEqual(await tries(), []);
    });

    test('what is neither a token nor a code that was asked for here costs no try, and leaves nothing', async () => {
      const { email, id: ada } = await service.member();
      const asking = new Browser(service);
      await asking.post('/reset_password', { email });
      const give = (browser: Browser, proof: string) => () =>
        browser.put('/reset_password', { email, reset_token: proof, new_password: newPassword });
      for (const [browser, proof] of [
        [asking, 'neither of them'],
        [new Browser(service), '2222-2222'],
      ] as const) {
        for (let i = 0; i < 6; i += 1) {
          const left = await traces({ ada }, async () =>
            assertProblem(await give(browser, proof)(), 403, 'token_invalid'),
          );
          assert.deepEqual(left, { record: [], mails: [] });
        }
      }
    });

    test('wrong codes for one unknown address leave another alone', async () => {
      const asking = new Browser(service);
      await asking.post('/reset_password', { email: freshEmail() });
      const give = async (email: string): Promise<number> => {
        const fields = { email, reset_token: '2222-2222', new_password: newPassword };
        return (await asking.put('/reset_password', fields)).status;
      };
      const unknown = freshEmail();
      for (let i = 0; i < 5; i += 1) assert.equal(await give(unknown), 403);
      assert.equal(await give(unknown), 429);
      assert.equal(await give(freshEmail()), 403);
    });

    test('a code that is wrong, of somebody and of nobody', async () => {
      const member = await service.member();
      const asking = new Browser(service);
      await asking.post('/reset_password', { email: member.email });
      const give = (email: string) => () =>
        asking.put('/reset_password', { email, reset_token: '2222-2222', new_password: newPassword });
      assert.deepEqual((await traces({ ada: member.id }, give(member.email))).record, [
        'authn_password_change_fail failure token_invalid ada',
      ]);
      assert.deepEqual((await traces({}, give(freshEmail()))).record, [
        'authn_password_change_fail failure token_invalid nobody',
      ]);
    });
  });

  test('a mail tells who asked for it as far as that is known, and its link leads back to where they came from', async () => {
    const { email } = await service.member();
    const { auth, database } = service.service.rooms;
    const mailed = async (source: ClientSource): Promise<string> => {
      later();
      await auth.requestSignIn(email, source);
      await service.deliver();
      return service.mails.findLast(({ to }) => to === email)?.text ?? '';
    };
    const returnTo = 'https://accounts.test/account?tab=1';
    const device = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
    const { token: requestToken } = createToken('request');
    const known = await mailed({ ...somebody, address: '203.0.113.7', device, requestToken, returnTo });
    assert.match(known, /From: Firefox, Linux \(203\.0\.113\.7\)/);
    assert.match(known, /&return_to=https%3A%2F%2Faccounts\.test%2Faccount%3Ftab%3D1\n/);
    assert.notEqual(codeIn(known), undefined);
    const nameless = await mailed({ ...somebody, address: '203.0.113.7' });
    assert.match(nameless, /From: a program \(203\.0\.113\.7\)/);
    assert.doesNotMatch(nameless, /return_to/);
    assert.equal(codeIn(nameless), undefined, 'nobody waits for one');
    const rows = await database.query((sql) =>
      sql.selectFrom('one_time_tokens').select(['code_mac', 'request_mac']).orderBy('created_at', 'desc'),
    );
    assert.deepEqual({ ...rows[0] }, { code_mac: null, request_mac: null });
    const unknown = await mailed(somebody);
    assert.doesNotMatch(unknown, /From:|undefined/);
  });

  test('an account without a password is confirmed, and asks again, in the browser that made it', async () => {
    const { auth } = service.service.rooms;
    const asker = { ...somebody, requestToken: createToken('request').token };
    const made = async (): Promise<{ email: string; id: number }> => {
      const email = freshEmail();
      const { id } = await auth.registerWith(email, async () => {}, asker);
      return { email, id };
    };
    const ada = await made();
    const ask = (source: ClientSource) => () => auth.requestVerification(ada.email, source);
    const stranger = { ...somebody, requestToken: createToken('request').token };
    later();
    for (const source of [somebody, stranger])
      assert.deepEqual(await traces({ ada: ada.id }, ask(source)), {
        record: ['authn_token_created failure email_verification ada'],
        mails: [],
      });
    const eve = await made();
    later();
    assert.deepEqual(await traces({ ada: eve.id }, () => auth.requestVerification(eve.email, asker)), {
      record: ['authn_token_created success email_verification ada'],
      mails: ['email_verification to ada for 1440'],
    });
    const token = await service.tokenFor(eve.email);
    for (const source of [somebody, stranger])
      await assert.rejects(auth.verifyEmail(eve.email, token, source), (error) =>
        isProblem(error, 'same_browser_required'),
      );
    assert.equal((await auth.verifyEmail(eve.email, token, asker)).id, eve.id);

    const joe = await made();
    await service.deliver();
    const code = codeIn(service.mails.findLast(({ to }) => to === joe.email)?.text ?? '') ?? '';
    assert.equal((await auth.verifyEmail(joe.email, code, asker)).id, joe.id);
    const nobody = freshEmail();
    assert.deepEqual(await traces({}, () => auth.requestVerification(nobody, asker)), {
      record: ['authn_token_created failure email_verification nobody'],
      mails: [],
    });
  });

  test('another confirmation is redeemed by its code where it was asked for', async () => {
    const { email } = await service.newcomer();
    later();
    const asking = new Browser(service);
    await asking.post('/email_verification', { email });
    await service.deliver();
    const token = codeIn(service.mails.findLast(({ to }) => to === email)?.text ?? '') ?? '';
    assert.equal((await new Browser(service).put('/email_verification', { email, token })).status, 403);
    assert.equal((await asking.put('/email_verification', { email, token })).status, 200);
  });

  test('a mailed reset gives back the user whose address it proves, confirmed or not', async () => {
    const { auth } = service.service.rooms;
    for (const { email, id } of [await service.member(), await service.newcomer()]) {
      const user = await auth.updatePassword(await service.resetToken(email), newPassword, email);
      assert.equal(user.id, id);
      assert.notEqual(user.emailVerifiedAt, null);
    }
    const { email } = await service.newcomer();
    const given = await auth.getResetPasswordToken(email); // by a program: it proves no address
    assert.equal((await auth.updatePassword(given, newPassword, email)).emailVerifiedAt, null);
  });

  test('a confirmation ends what was open before it', async () => {
    const { id, email, sessionId } = await service.member();
    const { database } = service.service.rooms;
    await database.query((sql) =>
      sql.updateTable('users').set({ email_verified_at: null }).where('id', '=', id),
    );
    later();
    await service.post('/email_verification', { email });
    const token = await service.tokenFor(email);
    assert.equal((await service.put('/email_verification', { email, token })).status, 200);
    assert.equal(await service.profile(sessionId), 403);
    for (const table of ['known_devices', 'pending_logins'] as const) {
      const rows = await database.query((sql) =>
        sql.selectFrom(table).select('id').where('user_id', '=', id),
      );
      assert.deepEqual(rows, [], table);
    }
  });

  test('the undoing of a first factor waits while the account is disabled, or has another address', async () => {
    const member = await service.member();
    const browser = await signedIn(member);
    const { auth } = service.service.rooms;
    await addApp(browser, service.service.clock);
    const token = await service.tokenFor(member.email);
    const undo = async (): Promise<number> => (await service.put('/profile/factors/undo', { token })).status;
    await auth.setDisabled(member.id, true);
    assert.equal(await undo(), 403);
    await auth.setDisabled(member.id, false);
    const other = freshEmail();
    await service.service.rooms.database.query((sql) =>
      sql.updateTable('users').set({ email: other }).where('id', '=', member.id),
    );
    assert.equal(await undo(), 403);
    await service.service.rooms.database.query((sql) =>
      sql.updateTable('users').set({ email: member.email }).where('id', '=', member.id),
    );
    assert.equal(await undo(), 200);
  });

  describe('nothing, of whoever is gone in the moment between look and deed:', () => {
    const token = async (email: string, path: string): Promise<string> => {
      await service.post(path, { email });
      return service.tokenFor(email);
    };
    const change = async (browser: Browser, password: string): Promise<string> => {
      const email = freshEmail();
      await browser.post('/profile/email', { email, password });
      return service.tokenFor(email);
    };
    /** Prepares a deed, and gives the request that does it. */
    type Deed = (member: Member, browser: Browser) => Promise<() => Promise<Reply>>;
    /** Deeds, with what a disabled and a removed person are told. */
    const deeds: Record<string, { deed: Deed; disabled: string; removed: string }> = {
      'a reset': {
        deed: async ({ email }) => {
          const proof = await token(email, '/reset_password');
          return () => service.reset(email, proof, newPassword);
        },
        disabled: 'token_invalid',
        removed: 'token_invalid',
      },
      'a sign-in by mail': {
        deed: async ({ email }) => {
          const proof = await token(email, '/sessions/email');
          return () => service.put('/sessions/email', { email, token: proof });
        },
        disabled: 'token_invalid',
        removed: 'token_invalid',
      },
      'the undoing of a first factor': {
        deed: async ({ email }, browser) => {
          await addApp(browser, service.service.clock);
          const proof = await service.tokenFor(email);
          return () => service.put('/profile/factors/undo', { token: proof });
        },
        disabled: 'token_invalid',
        removed: 'token_invalid',
      },
      'a wish for another address': {
        deed: async ({ password }, browser) => {
          const fields = { email: freshEmail(), password };
          return () => browser.post('/profile/email', fields);
        },
        disabled: '',
        removed: 'session_required',
      },
      'another address': {
        deed: async ({ password }, browser) => {
          const proof = await change(browser, password);
          return () => browser.put('/profile/email', { token: proof });
        },
        disabled: 'session_required',
        removed: 'session_required',
      },
      'the old address again': {
        deed: async ({ email, password }, browser) => {
          await browser.put('/profile/email', { token: await change(browser, password) });
          const proof = await service.tokenFor(email);
          return () => service.put('/profile/email/undo', { token: proof });
        },
        disabled: 'token_invalid',
        removed: 'token_invalid',
      },
      'another password': {
        deed: async ({ password }, browser) => {
          const fields = { password, new_password: newPassword };
          return () => browser.put('/profile/password', fields);
        },
        disabled: 'session_required',
        removed: 'password_wrong',
      },
    };
    const ends = {
      disabled: (id: number) => `update users set disabled_at = 1 where id = ${id}`,
      removed: (id: number) => `delete from users where id = ${id}`,
    };
    for (const [name, row] of Object.entries(deeds))
      for (const [end, statement] of Object.entries(ends)) {
        const code = end === 'disabled' ? row.disabled : row.removed;
        if (code === '') continue; // a mail to somebody who may not come in opens nothing
        test(`${name}, ${end}`, async (context: TestContext) => {
          const member = await service.member();
          const act = await row.deed(member, await signedIn(member));
          const { database } = service.service.rooms;
          const transaction = database.transaction.bind(database);
          context.mock.method(
            database,
            'transaction',
            async (work: Parameters<typeof transaction>[0]) => {
              await database.execute(statement(member.id));
              return transaction(work);
            },
            { times: 1 },
          );
          const left = await traces({ ada: member.id }, async () => {
            const reply = await act();
            assert.deepEqual([reply.status, memberOf(reply.body, 'code')], [403, code]);
          });
          assert.deepEqual(left, { record: [], mails: [] });
        });
      }

    test('a confirmation, disabled', async (context: TestContext) => {
      const { email, id } = await service.newcomer();
      const proof = await service.tokenFor(email);
      const { database } = service.service.rooms;
      const transaction = database.transaction.bind(database);
      context.mock.method(
        database,
        'transaction',
        async (work: Parameters<typeof transaction>[0]) => {
          await database.execute(ends.disabled(id));
          return transaction(work);
        },
        { times: 1 },
      );
      assertProblem(await service.put('/email_verification', { email, token: proof }), 403, 'token_invalid');
    });
  });

  test('an old address that somebody else has confirmed meanwhile: it stays theirs', async () => {
    const ada = await service.member();
    const browser = await signedIn(ada);
    const other = freshEmail();
    await browser.post('/profile/email', { email: other, password: ada.password });
    await browser.put('/profile/email', { token: await service.tokenFor(other) });
    const undo = await service.tokenFor(ada.email);
    later();
    await service.post('/users', { email: ada.email, password: newPassword });
    await service.put('/email_verification', {
      email: ada.email,
      token: await service.tokenFor(ada.email),
    });
    const taken = await traces({ ada: ada.id }, async () =>
      assertProblem(await service.put('/profile/email/undo', { token: undo }), 400, 'email_taken'),
    );
    assert.deepEqual(taken, { record: [], mails: [] });
    assert.equal((await service.logIn(ada.email, newPassword)).status, 200);
    assert.equal((await service.logIn(other, ada.password)).status, 200);
  });

  test('a change of address: asked for, of a free and of a taken one', async () => {
    const [ada, eve] = [await service.member(), await service.member()];
    const browser = await signedIn(ada);
    const { password } = ada;
    const people = { ada: ada.id, eve: eve.id };
    const record = ['authn_token_created success email_change ada'];
    const ask = (email: string) => () => browser.post('/profile/email', { email, password });
    const own = await ask(` ${ada.email.toUpperCase()}`)();
    assert.match(own.text, /is the address of the account already/);
    assert.deepEqual(await traces(people, ask(freshEmail())), {
      record,
      mails: ['email_change to ada for 60'],
    });
    assert.deepEqual(await traces(people, ask(freshEmail())), { record, mails: [] }, 'a moment later');
    later();
    assert.deepEqual(await traces(people, ask(eve.email)), {
      record,
      mails: ['already_registered to eve for 1440'],
    });
    assert.deepEqual(await traces(people, ask(eve.email)), { record, mails: [] }, 'told a moment ago');
  });

  test('a password that is set, by the person and by the operator', async () => {
    const ada = await service.member();
    const browser = await signedIn(ada);
    const people = { ada: ada.id };
    const changed = { password: ada.password, new_password: newPassword };
    const mails = ['password_changed to ada for 1440'];
    assert.deepEqual(await traces(people, () => browser.put('/profile/password', changed)), {
      record: ['authn_password_change success changed ada'],
      mails,
    });
    const { auth } = service.service.rooms;
    const set = () => auth.setPassword(ada.email, `${newPassword} again`);
    assert.deepEqual(await traces(people, set), {
      record: ['authn_password_change success set ada'],
      mails,
    });
  });

  test('an account that is closed, opened and removed, and nothing of one that is not there', async () => {
    const { auth } = service.service.rooms;
    const { id: ada, sessionId } = await service.member();
    const record = async (deed: () => Promise<boolean>): Promise<string[]> =>
      (await traces({ ada }, async () => assert.equal(await deed(), true))).record;
    assert.deepEqual(await record(() => auth.setDisabled(ada, true)), ['user_updated success disabled ada']);
    assert.equal(await service.profile(sessionId), 403);
    assert.deepEqual(await record(() => auth.setDisabled(ada, false)), ['user_updated success enabled ada']);
    assert.deepEqual(await record(() => auth.removeUser(ada)), ['user_deleted success null ada']);
    const nothing = await traces({ ada }, async () => {
      assert.equal(await auth.setDisabled(ada, true), false);
      assert.equal(await auth.removeUser(ada), false);
      await assert.rejects(auth.setPassword(freshEmail(), newPassword));
    });
    assert.deepEqual(nothing, { record: [], mails: [] });
  });

  test('a sign-in on a new device: told where another was known, and for a day', async () => {
    const { id: ada, email, password, deviceToken } = await service.member();
    const record = ['authn_login_success success password ada', 'session_created success null ada'];
    const logIn = (device?: string) => () => service.logIn(email, password, device);
    assert.deepEqual(await traces({ ada }, logIn(deviceToken)), { record, mails: [] });
    assert.deepEqual(await traces({ ada }, logIn()), { record, mails: ['new_device to ada for 1440'] });
    const cookie = `${sessionCookie}=nonsense`;
    const first = await service.newcomer();
    await service.put('/email_verification', {
      email: first.email,
      token: await service.tokenFor(first.email),
    });
    const fields = { email: first.email, password: first.password };
    const silent = await traces({ ada: first.id }, () => service.post('/sessions', fields, { cookie }));
    assert.deepEqual(silent, { record, mails: [] }, 'the first of all');
  });
});

onEachEngine('where no address is confirmed', (engine) => {
  test('the owner of a taken address is told, and nobody of a free one', async () => {
    const service = await testService(engine, { REVEAL_ACCOUNTS: 'false' });
    try {
      const email = freshEmail();
      const register = (): Promise<Reply> =>
        send(service.app, { method: 'POST', path: '/users', fields: { email, password: newPassword } });
      const kinds = async (): Promise<string[]> => {
        const { database } = service.rooms;
        return (await database.query((sql) => sql.selectFrom('mails').select('kind'))).map(
          ({ kind }) => kind,
        );
      };
      assert.equal((await register()).status, 200);
      assert.deepEqual(await kinds(), []);
      assert.equal((await register()).status, 200);
      assert.deepEqual(await kinds(), ['already_registered']);
    } finally {
      await service.close();
    }
  });
});

test('the code of a program without keys fits its own digest and no other', () => {
  const mac = unkeyedCodes.sign('reset:token:ABCD2345');
  assert.match(mac, /^[\w-]{43}$/);
  assert.equal(unkeyedCodes.check('reset:token:ABCD2345', mac), true);
  for (const [text, other] of [
    ['reset:token:ABCD2346', mac],
    ['reset:token:ABCD2345', unkeyedCodes.sign('another')],
    ['reset:token:ABCD2345', ''],
  ] as const)
    assert.equal(unkeyedCodes.check(text, other), false);
});
