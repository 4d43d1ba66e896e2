// Tests events and mails of each kind of token when it is redeemed, rejected and reused.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Browser, signIn } from '../../../test/support/browser.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { addApp } from '../../../test/support/factor.ts';
import { freshEmail } from '../../../test/support/person.ts';
import { PublicService, type Member } from '../../../test/support/public-service.ts';
import { assertProblem, memberOf, type Reply } from '../../../test/support/request.ts';
import { tracesIn, type Traces } from '../../../test/support/traces.ts';
import { dayMs, hourMs, minuteMs } from '../../kit/clock.ts';
import { subjectOfAddress } from '../attempt/attempts.ts';
import { unkeyedCodes } from './one-time-token.ts';
import { lacks, without } from '../../../test/support/feature.ts';

const newPassword = 'nine newts under a green umbrella';

onEachEngine('events and mails of a mailed token', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  const traces = (
    people: Readonly<Record<string, number>>,
    action: () => Promise<unknown>,
  ): Promise<Traces> => tracesIn(service, people, action);
  const signedIn = (member: Member): Promise<Browser> => signIn(service, member);

  describe('a token:', () => {
    interface Case {
      /** Requests the mail and returns its token. */
      readonly ask: (member: Member, browser: Browser) => Promise<string>;
      readonly redeem: (member: Member, browser: Browser, token: string) => Promise<Reply>;
      readonly kind: string;
      /** What it needs. */
      readonly feature?: string;
      /** Message of the response. */
      readonly said: string;
      readonly redeemed: Traces;
      /** Event of a rejected token. */
      readonly refusal: string;
    }
    const mail = (kind: string, minutes: number): string => `${kind} to ada for ${minutes}`;
    const requested = new Map<string, string>();
    const cases: readonly Case[] = [
      {
        kind: 'reset',
        said: 'Password updated',
        ask: async ({ email }) => service.resetToken(email),
        redeem: ({ email }, _browser, token) => service.reset(email, token, newPassword),
        redeemed: {
          record: ['authn_password_change success password_reset ada'],
          mails: [mail('password_changed', 1440)],
        },
        refusal: 'authn_password_change_fail failure reset_token_refused kind=reset ada',
      },
      {
        kind: 'sign_in',
        feature: 'email-sign-in',
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
        redeemed: {
          record: [
            'authn_login_success success signed_in factors=email ada',
            'session_created success session_created ada',
          ],
          mails: [],
        },
        refusal: 'authn_login_fail failure sign_in_token_refused kind=sign_in ada',
      },
      {
        kind: 'email_change',
        feature: 'email-change',
        said: 'email changed',
        ask: async ({ email, password }, browser) => {
          const other = freshEmail();
          requested.set(email, other);
          const asked = await browser.post('/profile/email', { email: other, password });
          assert.deepEqual(asked.body, { email: other, message: 'confirmation token sent' });
          return service.tokenFor(other);
        },
        redeem: (_member, browser, token) => browser.put('/profile/email', { token }),
        redeemed: {
          record: ['user_updated success email_changed ada'],
          mails: [mail('email_changed', 72 * 60)],
        },
        refusal: 'user_updated failure token_refused kind=email_change ada',
      },
      {
        kind: 'email_undo',
        feature: 'email-change',
        said: 'email restored',
        ask: async ({ email, password }, browser) => {
          const other = freshEmail();
          await browser.post('/profile/email', { email: other, password });
          await browser.put('/profile/email', { token: await service.tokenFor(other) });
          return service.tokenFor(email);
        },
        redeem: (_member, _browser, token) => service.put('/profile/email/undo', { token }),
        redeemed: {
          record: ['user_updated success email_change_undone ada'],
          mails: [mail('email_change_undone', 1440), mail('reset_password', 60)],
        },
        refusal: 'user_updated failure token_refused kind=email_undo ada',
      },
      {
        kind: 'factor_undo',
        feature: 'totp',
        said: 'factors removed',
        ask: async ({ email }, browser) => {
          await addApp(browser, service.service.clock);
          return service.tokenFor(email);
        },
        redeem: (_member, _browser, token) => service.put('/profile/factors/undo', { token }),
        redeemed: {
          record: ['user_updated success factor_undone ada'],
          mails: [mail('factor_undone', 1440), mail('reset_password', 60)],
        },
        refusal: 'user_updated failure token_refused kind=factor_undo ada',
      },
    ];
    const lives: Record<string, number> = {
      reset: hourMs,
      sign_in: 10 * minuteMs,
      email_change: hourMs,
      email_undo: 3 * dayMs,
      factor_undo: 3 * dayMs,
    };
    for (const { kind, feature, ask, redeem, said, redeemed, refusal } of cases) {
      if (feature !== undefined && without(feature) !== false) continue;
      test(`${kind}, redeemed and reused`, async () => {
        const member = await service.member();
        const browser = await signedIn(member);
        const people = { ada: member.id };
        const token = await ask(member, browser);
        const left = await traces(people, async () => {
          const { body } = await redeem(member, browser, token);
          assert.equal(memberOf(body, 'message'), said);
        });
        assert.deepEqual(left, redeemed);
        assert.deepEqual(await traces(people, () => redeem(member, browser, token)), {
          record: [`authn_token_reuse failure token_reused kind=${kind} ada`],
          mails: [],
        });
      });

      test(`${kind}, can be redeemed until the last millisecond of its lifetime`, async () => {
        const member = await service.member();
        const browser = await signedIn(member);
        const token = await ask(member, browser);
        service.service.clock.advance(lives[kind] ?? 0);
        const late = () => redeem(member, browser, token);
        assert.deepEqual(await traces({ ada: member.id }, late), { record: [refusal], mails: [] });
        service.service.clock.advance(-hourMs);
        assert.equal((await late()).status, 403, 'also after the clock was set back');
        const other = await service.member();
        const there = await signedIn(other);
        const intime = await ask(other, there);
        service.service.clock.advance((lives[kind] ?? 0) - 1);
        assert.equal((await redeem(other, there, intime)).status, 200);
        service.service.clock.advance(hourMs);
      });
    }

    test('sign_in, rejected with the address of another user', async (t) => {
      if (lacks(t, 'email-sign-in')) return;
      const [ada, eve] = [await service.member(), await service.member()];
      await service.post('/sessions/email', { email: ada.email });
      const token = await service.tokenFor(ada.email);
      const give = (email: string) => () => service.put('/sessions/email', { email, token });
      assert.deepEqual(await traces({ ada: ada.id, eve: eve.id }, give(eve.email)), {
        record: ['authn_login_fail failure sign_in_token_refused kind=sign_in ada'],
        mails: [],
      });
      assert.equal((await give(ada.email)()).status, 200);
    });

    test('resets the counter of wrong codes when its link is redeemed', async () => {
      const { email } = await service.member();
      const asking = new Browser(service);
      await asking.post('/reset_password', { email });
      const give = (code: string): Promise<Reply> =>
        asking.put('/reset_password', { email, reset_token: code, new_password: newPassword });
      const attempts = async (): Promise<number[]> => {
        const rows = await service.service.core.database.query((sql) =>
          sql
            .selectFrom('attempts')
            .select('failures')
            .where('subject', '=', subjectOfAddress(email))
            .where('factor', '=', 'email_code'),
        );
        return rows.map(({ failures }) => failures);
      };
      for (let i = 0; i < 5; i += 1) assert.equal((await give('2222-2222')).status, 403);
      assert.equal((await give('2222-2222')).status, 429);
      assert.deepEqual(await attempts(), [5]);
      assert.equal((await give(await service.tokenFor(email))).status, 200);
      assert.deepEqual(await attempts(), []);
    });

    test('counts no attempt for a malformed token, nor for a code in another browser, and records nothing', async () => {
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

    test('limits wrong codes for an unknown address by that address', async () => {
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

    test('records a wrong code, with and without an account', async () => {
      const member = await service.member();
      const asking = new Browser(service);
      await asking.post('/reset_password', { email: member.email });
      const give = (email: string) => () =>
        asking.put('/reset_password', { email, reset_token: '2222-2222', new_password: newPassword });
      assert.deepEqual((await traces({ ada: member.id }, give(member.email))).record, [
        'authn_password_change_fail failure reset_token_refused kind=reset ada',
      ]);
      assert.deepEqual((await traces({}, give(freshEmail()))).record, [
        'authn_password_change_fail failure reset_token_refused kind=reset nobody',
      ]);
    });
  });

  test('a mailed reset confirms the address, a reset token from a reply does not', async () => {
    const { auth } = service.service.core;
    for (const { email, id } of [await service.member(), await service.newcomer()]) {
      const user = await auth.updatePassword(await service.resetToken(email), newPassword, email);
      assert.equal(user.id, id);
      assert.notEqual(user.emailVerifiedAt, null);
    }
    const { email } = await service.newcomer();
    const given = await auth.getResetPasswordToken(email); // by a program: it proves no address
    assert.equal((await auth.updatePassword(given, newPassword, email)).emailVerifiedAt, null);
  });
});

test('without keys a code matches its own digest and no other', () => {
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
