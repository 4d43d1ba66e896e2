// Tests events and mails of registration and confirmation, and the lifetime of a confirmation token.
import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { Browser } from '../../../test/support/browser.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { codeIn } from '../../../test/support/mail-box.ts';
import { freshEmail } from '../../../test/support/person.ts';
import { PublicService } from '../../../test/support/public-service.ts';
import { assertProblem, send, type Fields, type Reply } from '../../../test/support/request.ts';
import { testService } from '../../../test/support/service.ts';
import { tracesIn, type Traces } from '../../../test/support/traces.ts';
import { dayMs, minuteMs } from '../../kit/clock.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { createToken } from '../../kit/secret.ts';
import { requestKind } from '../cookie-kinds.ts';
import type { ClientSource } from '../context.ts';

const newPassword = 'nine newts under a green umbrella';
/** A client without address and device. */
const client: ClientSource = { actor: 'user' };

onEachEngine('events and mails of the confirmation of addresses', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine);
  });
  after(() => service.close());

  const traces = (
    people: Readonly<Record<string, number>>,
    action: () => Promise<unknown>,
  ): Promise<Traces> => tracesIn(service, people, action);
  const later = (): void => service.service.clock.advance(2 * minuteMs); // beyond the pause between two mails

  test('records a registration of a new address and of a taken one', async () => {
    const email = freshEmail();
    const register = (): Promise<Reply> => service.post('/users', { email, password: newPassword });
    const { record, mails } = await traces({}, register);
    const bob = await service.idOf(email);
    assert.deepEqual(record, [`user_created success account_created user ${bob}`]);
    assert.deepEqual(mails, [`email_verification to user ${bob} for 1440`]);
    await service.confirm({ email, password: newPassword });
    assert.deepEqual(await traces({ bob }, register), {
      record: ['user_created failure email_taken bob'],
      mails: ['already_registered to bob for 1440'],
    });
    const again = await traces({ bob }, register);
    assert.deepEqual(again.mails, ['already_registered to bob for 1440'], 'waits for the end of the pause');
    assert.deepEqual(
      (await traces({ bob }, register)).mails,
      ['already_registered to bob for 1440'],
      'replaced',
    );
  });

  test('records another registration of an unconfirmed address, which replaces none', async () => {
    const { email, password, id: ada } = await service.newcomer();
    const again = () => service.post('/users', { email, password: newPassword });
    assert.deepEqual(await traces({ ada }, again), {
      record: ['user_created failure email_taken ada'],
      mails: ['email_verification to ada for 1440'],
    });
    const token = await service.tokenFor(email);
    const confirm = (fields: Fields) => () => service.put('/email_verification', { email, token, ...fields });
    assert.deepEqual(await traces({ ada }, confirm({ password: 'a password of neither' })), {
      record: ['authn_login_fail failure registration_password_wrong ada'],
      mails: [],
    });
    assert.deepEqual(await traces({ ada }, confirm({ password })), {
      record: ['user_updated success email_verified ada'],
      mails: [],
    });
    assert.equal((await service.logIn(email, newPassword)).status, 401);
    assert.equal((await service.logIn(email, password)).status, 200);
  });

  test('records a new password that is set with the confirmation', async () => {
    const { email, id: ada } = await service.newcomer();
    const fields = { email, token: await service.tokenFor(email), new_password: newPassword };
    assert.deepEqual(await traces({ ada }, () => service.put('/email_verification', fields)), {
      record: [
        'authn_password_change success registrations_replaced ada',
        'user_updated success email_verified ada',
      ],
      mails: [],
    });
  });

  test('only notifies the owner about a registration with the address of a disabled account', async () => {
    const { email, id: ada } = await service.newcomer();
    const { auth, database } = service.service.core;
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

  test('records a request for another confirmation mail, needed or not', async () => {
    const { email, password, id: ada } = await service.newcomer();
    const ask = async (): Promise<void> => {
      const { body } = await service.post('/email_verification', { email });
      assert.deepEqual(body, { email, message: 'confirmation token sent' });
    };
    const requested = (outcome: string, whose = 'ada'): string =>
      `authn_token_created ${outcome} email_verification_${outcome === 'success' ? 'requested' : 'request_refused'} ${whose}`;
    await service.deliver();
    for (const when of ['during the pause', 'again, in its place', 'after the pause']) {
      assert.deepEqual(
        await traces({ ada }, ask),
        { record: [requested('success')], mails: ['email_verification to ada for 1440'] },
        when,
      );
      if (when.startsWith('again')) later();
    }
    await service.confirm({ email, password });
    later();
    assert.deepEqual(await traces({ ada }, ask), { record: [requested('failure')], mails: [] });
    const stranger = await traces({}, () => service.post('/email_verification', { email: freshEmail() }));
    assert.deepEqual(stranger, { record: [requested('failure', 'nobody')], mails: [] });
    const other = await service.newcomer();
    later();
    await service.service.core.auth.setDisabled(other.id, true);
    const disabled = await traces({ ada: other.id }, () =>
      service.post('/email_verification', { email: other.email }),
    );
    assert.deepEqual(disabled, { record: [requested('failure')], mails: [] });
  });

  test('records a confirmation token that is redeemed, reused and rejected', async () => {
    const { email, password, id: ada } = await service.newcomer();
    const token = await service.tokenFor(email);
    const redeem = (address: string) => () =>
      service.put('/email_verification', { email: address, token, password });
    const stranger = await traces({ ada }, redeem(freshEmail()));
    assert.deepEqual(stranger.record, ['user_updated failure token_refused kind=verification ada']);
    assert.deepEqual(await traces({ ada }, redeem(email)), {
      record: ['user_updated success email_verified ada'],
      mails: [],
    });
    const again = await traces({ ada }, redeem(email));
    assert.deepEqual(again.record, ['authn_token_reuse failure token_reused kind=verification ada']);
    const next = await service.newcomer();
    const late = await service.tokenFor(next.email);
    service.service.clock.advance(dayMs - 1);
    const { email: patient, password: theirs } = await service.newcomer();
    const intime = await service.tokenFor(patient);
    service.service.clock.advance(1);
    const over = () =>
      service.put('/email_verification', { email: next.email, token: late, password: next.password });
    assert.deepEqual((await traces({ ada: next.id }, over)).record, [
      'user_updated failure token_refused kind=verification ada',
    ]);
    service.service.clock.advance(dayMs - 2);
    const last = await service.put('/email_verification', {
      email: patient,
      token: intime,
      password: theirs,
    });
    assert.deepEqual([last.status, last.body], [200, { email: patient, message: 'email confirmed' }]);
  });

  test('sends another mail to any browser, also for an account without a password', async () => {
    const { auth } = service.service.core;
    const email = freshEmail();
    const initiator = { ...client, requestToken: createToken(requestKind).token };
    const authenticator = { factor: 'passkey', credential: '{}' };
    const address = requireEmailAddress(email);
    const { id: ada } = await auth.identity.accounts.signUp(address, authenticator, initiator);
    for (const source of [client, { ...client, requestToken: createToken(requestKind).token }, initiator]) {
      later();
      const ask = () => auth.identity.emailVerification.request(address, source);
      assert.deepEqual(await traces({ ada }, ask), {
        record: ['authn_token_created success email_verification_requested ada'],
        mails: ['email_verification to ada for 1440'],
      });
    }
    const unknown = requireEmailAddress(freshEmail());
    const nobodys = await traces({}, () => auth.identity.emailVerification.request(unknown, initiator));
    assert.deepEqual(nobodys, {
      record: ['authn_token_created failure email_verification_request_refused nobody'],
      mails: [],
    });
  });

  test('redeems another confirmation by its code in the initiating browser', async () => {
    const { email, password } = await service.newcomer();
    later();
    const asking = new Browser(service);
    await asking.post('/email_verification', { email });
    await service.deliver();
    const token = codeIn(service.mails.findLast(({ to }) => to === email)?.text ?? '') ?? '';
    const fields = { email, token, password };
    assertProblem(await new Browser(service).put('/email_verification', fields), 403, 'token_invalid');
    // It asked for the mail, but did not register.
    assertProblem(await asking.put('/email_verification', { email, token }), 403, 'password_required');
    assert.equal((await asking.put('/email_verification', fields)).status, 200);
  });

  test('ends access from before the confirmation', async () => {
    const { id, email, password, sessionId } = await service.member();
    const { database } = service.service.core;
    await database.query((sql) =>
      sql.updateTable('users').set({ email_verified_at: null }).where('id', '=', id),
    );
    later();
    await service.post('/email_verification', { email });
    assert.equal((await service.confirm({ email, password })).status, 200);
    assert.equal(await service.profile(sessionId), 403);
    for (const table of ['known_devices', 'pending_logins'] as const) {
      const rows = await database.query((sql) =>
        sql.selectFrom(table).select('id').where('user_id', '=', id),
      );
      assert.deepEqual(rows, [], table);
    }
  });

  test('does not confirm an account that is disabled while the request runs', async (context: TestContext) => {
    const { email, password, id } = await service.newcomer();
    const proof = await service.tokenFor(email);
    const { database } = service.service.core;
    const transaction = database.transaction.bind(database);
    context.mock.method(
      database,
      'transaction',
      async (work: Parameters<typeof transaction>[0]) => {
        await database.execute(`update users set disabled_at = 1 where id = ${id}`);
        return transaction(work);
      },
      { times: 1 },
    );
    const fields = { email, token: proof, password };
    assertProblem(await service.put('/email_verification', fields), 403, 'token_invalid');
  });
});

onEachEngine('accounts without email confirmation', (engine) => {
  test('notify the owner of a taken address, and no one about a free one', async () => {
    const service = await testService(engine, { REVEAL_ACCOUNTS: 'false' });
    try {
      const email = freshEmail();
      const register = (): Promise<Reply> =>
        send(service.app, { method: 'POST', path: '/users', fields: { email, password: newPassword } });
      const kinds = async (): Promise<string[]> => {
        const { database } = service.core;
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
