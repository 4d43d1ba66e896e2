// The clock of the machine is set back or forward by an hour: what has expired stays expired, what is valid stays
// valid, and no user is locked out because of the change.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hourMs, minuteMs, secondMs } from '../../src/kit/clock.ts';
import type { OutgoingMail } from '../../src/mail/smtp.ts';
import { onEachEngine } from '../support/engines.ts';
import { tokenIn } from '../support/mail-box.ts';
import { createPerson, freshEmail } from '../support/person.ts';
import {
  memberOf,
  send as sendTo,
  sessionIdOf,
  type ContractRequest,
  type Reply,
} from '../support/request.ts';
import { testService, type TestService } from '../support/service.ts';

onEachEngine('a clock that is changed', (engine) => {
  let service: TestService;
  const sent: OutgoingMail[] = [];
  before(async () => {
    const mailTransport = { send: async (mail: OutgoingMail) => void sent.push(mail), close: () => {} };
    service = await testService(engine, { MAIL_FROM: 'accounts@example.org' }, { mailTransport });
  });
  after(() => service.close());

  /** Also lets a second pass: the buckets of the limits are empty after the clock was set back, and fill again. */
  const setClock = (byMs: number): void => service.clock.advance(byMs + secondMs);
  const send = (request: ContractRequest): Promise<Reply> => sendTo(service.app, request);
  const logIn = (email: string, password: string): Promise<Reply> =>
    send({ method: 'POST', path: '/sessions', fields: { email, password } });
  const profile = async (sessionId: string): Promise<number> =>
    (await send({ method: 'GET', path: '/profile', sessionId })).status;
  const redeem = async (email: string, token: string): Promise<number> =>
    (
      await send({
        method: 'PUT',
        path: '/reset_password',
        fields: { email, reset_token: token, new_password: 'new' },
      })
    ).status;

  test('set back: an expired reset token that was rejected stays rejected', async () => {
    const { email, resetToken, password } = await createPerson(service.app);
    setClock(61 * minuteMs);
    assert.equal(await redeem(email, resetToken), 403);
    setClock(-hourMs);
    assert.equal(await redeem(email, resetToken), 403);
    assert.equal((await logIn(email, password)).status, 200);
  });

  test('set back: what the purge found expired stays invalid', async () => {
    const { email, resetToken, sessionId } = await createPerson(service.app);
    const idleMs = service.core.sessions.life.sessionMs;
    setClock(idleMs + minuteMs);
    await service.core.auth.purge();
    setClock(-idleMs);
    assert.deepEqual([await profile(sessionId), await redeem(email, resetToken)], [403, 403]);
    setClock(idleMs);
  });

  test('set back: an expired session that was rejected stays rejected', async () => {
    const { sessionId } = await createPerson(service.app);
    const idleMs = 7 * 24 * hourMs;
    setClock(idleMs);
    assert.equal(await profile(sessionId), 403);
    await service.core.auth.flushSeen();
    setClock(-hourMs);
    assert.equal(await profile(sessionId), 403);
  });

  for (const [way, ms] of [
    ['back', -hourMs],
    ['forward', hourMs - minuteMs],
  ] as const) {
    test(`${way}: a consumed reset token and an ended session stay invalid, the others stay valid`, async () => {
      const { email, resetToken, sessionId } = await createPerson(service.app);
      assert.equal(await redeem(email, resetToken), 200);
      const live = sessionIdOf(await logIn(email, 'new')) ?? '';
      setClock(ms);
      assert.deepEqual(
        [await redeem(email, resetToken), await profile(sessionId), await profile(live)],
        [403, 403, 200],
      );
      await service.core.auth.purge();
      const another = sessionIdOf(await logIn(email, 'new')) ?? '';
      assert.deepEqual([await profile(live), await profile(another)], [200, 200]);
      setClock(-ms);
      assert.deepEqual(
        [await redeem(email, resetToken), await profile(live), await profile(another)],
        [403, 200, 200],
      );
    });

    test(`${way}: a reset that is requested then works`, async () => {
      const { email } = await createPerson(service.app);
      setClock(ms);
      const asked = await send({ method: 'POST', path: '/reset_password', fields: { email } });
      assert.equal(await redeem(email, String(memberOf(asked.body, 'reset_token'))), 200);
      assert.equal((await logIn(email, 'new')).status, 200);
      setClock(-ms);
    });
  }

  test('set forward for a short time: one wrong password in that time does not lock the account', async () => {
    const { email, password } = await createPerson(service.app);
    setClock(hourMs);
    assert.equal((await logIn(email, 'wrong')).status, 401);
    setClock(-hourMs);
    assert.equal((await logIn(email, password)).status, 200);
  });

  test('set back: the wait after wrong guesses does not end sooner', async () => {
    const email = freshEmail();
    for (let i = 0; i < 5; i += 1) assert.equal((await logIn(email, `guess ${i}`)).status, 401);
    setClock(-hourMs);
    assert.equal((await logIn(email, 'guess')).status, 429);
    setClock(hourMs + secondMs);
    assert.equal((await logIn(email, 'guess')).status, 401);
  });

  test('set back: a mail about the new password is sent again', async () => {
    const { email } = await createPerson(service.app);
    const { auth, outbox } = service.core;
    await auth.requestReset(email);
    setClock(-hourMs);
    await auth.requestReset(email);
    await outbox.deliver();
    const mail = sent.findLast(({ to }) => to === email);
    const token = tokenIn(mail?.text ?? '') ?? '';
    assert.equal(await redeem(email, token), 200);
    setClock(hourMs);
  });
});
