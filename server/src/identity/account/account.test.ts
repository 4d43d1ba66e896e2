// Events and mails of actions on an account, also if the account is disabled or removed while an action runs.
import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { type Browser, signIn } from '../../../test/support/browser.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { addApp } from '../../../test/support/factor.ts';
import { freshEmail } from '../../../test/support/person.ts';
import { PublicService, type Member } from '../../../test/support/public-service.ts';
import { memberOf, type Reply } from '../../../test/support/request.ts';
import { tracesIn, type Traces } from '../../../test/support/traces.ts';
import { lacks } from '../../../test/support/feature.ts';

const newPassword = 'nine newts under a green umbrella';

onEachEngine('events and mails of accounts', (engine) => {
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

  test('records that an account is disabled, enabled and removed, and nothing for an unknown account', async () => {
    const { auth } = service.service.core;
    const { id: ada, sessionId } = await service.member();
    const record = async (action: () => Promise<boolean>): Promise<string[]> =>
      (await traces({ ada }, async () => assert.equal(await action(), true))).record;
    assert.deepEqual(await record(() => auth.setDisabled(ada, true)), [
      'user_updated success account_disabled ada',
    ]);
    assert.equal(await service.profile(sessionId), 403);
    assert.deepEqual(await record(() => auth.setDisabled(ada, false)), [
      'user_updated success account_enabled ada',
    ]);
    assert.deepEqual(await record(() => auth.removeUser(ada)), ['user_deleted success account_removed ada']);
    const nothing = await traces({ ada }, async () => {
      assert.equal(await auth.setDisabled(ada, true), false);
      assert.equal(await auth.removeUser(ada), false);
      await assert.rejects(auth.setPassword(freshEmail(), newPassword));
    });
    assert.deepEqual(nothing, { record: [], mails: [] });
  });

  test('records and mails a new password, set by the user or by the operator', async () => {
    const ada = await service.member();
    const browser = await signedIn(ada);
    const people = { ada: ada.id };
    const changed = { password: ada.password, new_password: newPassword };
    const mails = ['password_changed to ada for 1440'];
    assert.deepEqual(await traces(people, () => browser.put('/profile/password', changed)), {
      record: ['authn_password_change success password_changed ada'],
      mails,
    });
    const { auth } = service.service.core;
    const set = () => auth.setPassword(ada.email, `${newPassword} again`);
    assert.deepEqual(await traces(people, set), {
      record: ['authn_password_change success password_set ada'],
      mails,
    });
  });

  describe('rejects and records nothing if the account ends while the action runs:', () => {
    const token = async (email: string, path: string): Promise<string> => {
      await service.post(path, { email });
      return service.tokenFor(email);
    };
    const change = async (browser: Browser, password: string): Promise<string> => {
      const email = freshEmail();
      await browser.post('/profile/email', { email, password });
      return service.tokenFor(email);
    };
    /** Prepares an action and returns the function that requests it. */
    type Action = (member: Member, browser: Browser) => Promise<() => Promise<Reply>>;
    /** Actions, with the problem codes for a disabled and for a removed user. */
    const actions: Record<string, { action: Action; disabled: string; removed: string; feature?: string }> = {
      'a reset': {
        action: async ({ email }) => {
          const proof = await token(email, '/reset_password');
          return () => service.reset(email, proof, newPassword);
        },
        disabled: 'token_invalid',
        removed: 'token_invalid',
      },
      'a sign-in by mail': {
        feature: 'email-sign-in',
        action: async ({ email }) => {
          const proof = await token(email, '/sessions/email');
          return () => service.put('/sessions/email', { email, token: proof });
        },
        disabled: 'token_invalid',
        removed: 'token_invalid',
      },
      'undoing the first factor': {
        feature: 'totp',
        action: async ({ email }, browser) => {
          await addApp(browser, service.service.clock);
          const proof = await service.tokenFor(email);
          return () => service.put('/profile/factors/undo', { token: proof });
        },
        disabled: 'token_invalid',
        removed: 'token_invalid',
      },
      'requesting another address': {
        feature: 'email-change',
        action: async ({ password }, browser) => {
          const fields = { email: freshEmail(), password };
          return () => browser.post('/profile/email', fields);
        },
        disabled: '',
        removed: 'session_required',
      },
      'confirming another address': {
        feature: 'email-change',
        action: async ({ password }, browser) => {
          const proof = await change(browser, password);
          return () => browser.put('/profile/email', { token: proof });
        },
        disabled: 'session_required',
        removed: 'session_required',
      },
      'restoring the old address': {
        feature: 'email-change',
        action: async ({ email, password }, browser) => {
          await browser.put('/profile/email', { token: await change(browser, password) });
          const proof = await service.tokenFor(email);
          return () => service.put('/profile/email/undo', { token: proof });
        },
        disabled: 'token_invalid',
        removed: 'token_invalid',
      },
      'changing the password': {
        action: async ({ password }, browser) => {
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
    for (const [name, row] of Object.entries(actions))
      for (const [end, statement] of Object.entries(ends)) {
        const code = end === 'disabled' ? row.disabled : row.removed;
        if (code === '') continue; // a mail to a disabled user gives no access
        test(`${name}, user ${end}`, async (context: TestContext) => {
          if (row.feature !== undefined && lacks(context, row.feature)) return;
          const member = await service.member();
          const act = await row.action(member, await signedIn(member));
          const { database } = service.service.core;
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
  });
});
