// Tests which mails are stored, their lifetime, and what they say about the requesting client.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Browser, signIn } from '../../test/support/browser.ts';
import { onEachEngine } from '../../test/support/engines.ts';
import { freshEmail } from '../../test/support/person.ts';
import { PublicService, sessionCookie, type Member } from '../../test/support/public-service.ts';
import { type Reply } from '../../test/support/request.ts';
import { tracesIn, type Traces } from '../../test/support/traces.ts';
import { minuteMs } from '../kit/clock.ts';
import { without } from '../../test/support/feature.ts';

const newPassword = 'nine newts under a green umbrella';

onEachEngine('mails to the owner of an account', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  const traces = (
    people: Readonly<Record<string, number>>,
    action: () => Promise<unknown>,
  ): Promise<Traces> => tracesIn(service, people, action);
  const later = (): void => service.service.clock.advance(2 * minuteMs); // beyond the pause between two mails
  const signedIn = (member: Member): Promise<Browser> => signIn(service, member);

  test('requested mails: for a user, again during the pause, for an unknown address and for a disabled user', async () => {
    const asks = [
      ['/reset_password', 'reset', 'reset_password', 60],
      ['/sessions/email', 'sign_in', 'sign_in', 10],
    ] as const;
    for (const [path, reason, mail, minutes] of asks) {
      if (reason === 'sign_in' && without('email-sign-in') !== false) continue;
      const member = await service.member();
      const ask = (email: string) => () => service.post(path, { email });
      const people = { ada: member.id };
      assert.deepEqual(await traces(people, ask(member.email)), {
        record: [`authn_token_created success ${reason}_requested ada`],
        mails: [`${mail} to ada for ${minutes}`],
      });
      await service.deliver();
      for (let i = 0; i < 2; i += 1)
        assert.deepEqual(await traces(people, ask(member.email)), {
          record: [`authn_token_created success ${reason}_requested ada`],
          mails: [`${mail} to ada for ${minutes}`],
        });
      await service.deliver();
      assert.equal(
        service.mails.filter(({ to }) => to === member.email).length,
        2,
        'confirmation and first mail',
      );
      assert.deepEqual(await traces(people, ask(freshEmail())), {
        record: [`authn_token_created failure ${reason}_request_refused nobody`],
        mails: [],
      });
      later();
      await service.service.core.auth.setDisabled(member.id, true);
      assert.deepEqual(await traces(people, ask(member.email)), {
        record: [`authn_token_created failure ${reason}_request_refused ada`],
        mails: [],
      });
    }
  });

  test('a mail that was not sent yet is withdrawn when another one replaces it', async () => {
    const { database } = service.service.core;
    const waiting = async (id: number): Promise<string[]> => {
      const rows = await database.query((sql) =>
        sql.selectFrom('mails').select('kind').where('user_id', '=', id).where('content', 'is not', null),
      );
      return rows.map(({ kind }) => kind);
    };
    const ada = await service.member();
    const browser = await signedIn(ada);
    await service.deliver();
    const other = freshEmail();
    const request = () => browser.post('/profile/email', { email: other, password: ada.password });
    const asks: Record<string, () => Promise<Reply>> = {
      reset_password: () => service.post('/reset_password', { email: ada.email }),
      ...(without('email-sign-in') === false && {
        sign_in: () => service.post('/sessions/email', { email: ada.email }),
      }),
      ...(without('email-change') === false && { email_change: request }),
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
    const { auth } = service.service.core;
    for (let i = 0; i < 2; i += 1) await auth.setPassword(ada.email, `${newPassword} ${i}`);
    assert.deepEqual(
      await waiting(ada.id),
      ['password_changed', 'password_changed'],
      'one mail for each change',
    );
  });

  test('a sign-in on a new device is mailed for a day, if another device was known', async () => {
    const { id: ada, email, password, deviceToken } = await service.member();
    const record = [
      'authn_login_success success signed_in factors=password ada',
      'session_created success session_created ada',
    ];
    const logIn = (device?: string) => () => service.logIn(email, password, device);
    assert.deepEqual(await traces({ ada }, logIn(deviceToken)), { record, mails: [] });
    assert.deepEqual(await traces({ ada }, logIn()), { record, mails: ['new_device to ada for 1440'] });
    const cookie = `${sessionCookie}=nonsense`;
    const first = await service.newcomer();
    await service.confirm(first);
    const fields = { email: first.email, password: first.password };
    const silent = await traces({ ada: first.id }, () => service.post('/sessions', fields, { cookie }));
    assert.deepEqual(silent, { record, mails: [] }, 'the first of all');
  });
});
