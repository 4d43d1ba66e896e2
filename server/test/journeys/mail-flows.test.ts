// What mailed links and codes do: confirmation, reset, sign-in by mail, change of address. Each link works anywhere,
// each code in the browser that requested it, once, for a limited time.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dayMs, hourMs, minuteMs } from '../../src/kit/clock.ts';
import { Browser } from '../support/browser.ts';
import { onEachEngine } from '../support/engines.ts';
import { codeIn, tokenIn } from '../support/mail-box.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService, type Member } from '../support/public-service.ts';
import { assertProblem, memberOf, type Reply } from '../support/request.ts';
import { lacks } from '../support/feature.ts';

const newPassword = 'nine newts under a green umbrella';

onEachEngine('mailed links and codes', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  const browser = (headers: Readonly<Record<string, string>> = {}): Browser => new Browser(service, headers);
  const wait = (ms: number): void => service.service.clock.advance(ms);

  async function mailsTo(email: string): Promise<string[]> {
    await service.deliver();
    return service.mails.filter(({ to }) => to === email).map(({ text }) => text);
  }
  /** The newest mail to the address that contains a token. */
  async function proofFor(email: string): Promise<{ token: string; code: string | undefined }> {
    const text = (await mailsTo(email)).findLast((mail) => tokenIn(mail) !== undefined) ?? '';
    return { token: tokenIn(text) ?? '', code: codeIn(text) };
  }
  async function signedIn(): Promise<{ member: Member; at: Browser }> {
    const member = await service.member();
    const at = browser();
    assert.equal(
      (await at.post('/sessions', { email: member.email, password: member.password })).status,
      200,
    );
    return { member, at };
  }
  const emailOf = async (at: Browser): Promise<unknown> => memberOf((await at.get('/profile')).body, 'email');
  const logIn = ({ email, password }: { email: string; password: string }): Promise<Reply> =>
    service.logIn(email, password);

  test('a code confirms an address only in the browser that registered it', async () => {
    const email = freshEmail();
    const own = browser();
    await own.post('/users', { email, password: newPassword });
    const { code = '' } = await proofFor(email);
    const other = browser();
    assertProblem(await other.put('/email_verification', { email, token: code }), 403, 'token_invalid');
    await other.post('/reset_password', { email: freshEmail() }); // it has requested something else
    assertProblem(await other.put('/email_verification', { email, token: code }), 403, 'token_invalid');
    assert.equal((await logIn({ email, password: newPassword })).status, 401);

    const typed = ` ${code.toLowerCase().replace('-', ' ')} `;
    assert.equal((await own.put('/email_verification', { email, token: typed })).status, 200);
    assert.equal((await logIn({ email, password: newPassword })).status, 200);
    assertProblem(await own.put('/email_verification', { email, token: code }), 403, 'token_invalid');
  });

  test('a code expires after ten minutes, while its link still works', async () => {
    const { email } = await service.member();
    const own = browser();
    await own.post('/reset_password', { email });
    const { token, code = '' } = await proofFor(email);
    wait(10 * minuteMs);
    const redeem = (proof: string): Promise<Reply> =>
      own.put('/reset_password', { email, reset_token: proof, new_password: newPassword });
    assertProblem(await redeem(code), 403, 'token_invalid');
    assert.equal((await redeem(token)).status, 200);
  });

  test('a reset by code ends every session, notifies the owner, and creates no session', async () => {
    const { member, at } = await signedIn();
    const { email } = member;
    const asking = browser();
    await asking.post('/reset_password', { email });
    const { token, code = '' } = await proofFor(email);
    const reply = await asking.put('/reset_password', {
      email,
      reset_token: code,
      new_password: newPassword,
    });
    assert.deepEqual([reply.status, reply.cookies], [200, []]);
    assert.equal((await at.get('/profile')).status, 403);
    const again = { email, reset_token: token, new_password: newPassword };
    assertProblem(await asking.put('/reset_password', again), 403, 'token_invalid');
    assert.equal((await logIn({ email, password: newPassword })).status, 200);
    assert.ok((await mailsTo(email)).length > 1);
  });

  test('a signed-in user sets a new password with the current one; other sessions end, this one stays', async () => {
    const { member, at } = await signedIn();
    const { email, password } = member;
    const change = (current: string): Promise<Reply> =>
      at.put('/profile/password', { password: current, new_password: newPassword });
    assertProblem(await change('a wrong password of mine'), 403, 'password_wrong');
    assertProblem(
      await at.put('/profile/password', { password, new_password: 'short' }),
      400,
      'invalid_request',
      ['new_password'],
    );
    const done = await change(password);
    assert.deepEqual([done.status, done.body], [200, { email, message: 'Password updated' }]);
    assert.equal(await emailOf(at), email);
    assert.equal(await service.profile(member.sessionId), 403);
    assert.equal((await logIn({ email, password })).status, 401);
    assert.equal((await logIn({ email, password: newPassword })).status, 200);
    assert.equal(
      (await browser().put('/profile/password', { password, new_password: password })).status,
      403,
    );
  });

  test('one of two concurrent password changes with the current password succeeds', async () => {
    const { member, at } = await signedIn();
    const newPasswords = ['the first new password of two', 'the second new password of two'];
    const replies = await Promise.all(
      newPasswords.map((next) =>
        at.put('/profile/password', { password: member.password, new_password: next }),
      ),
    );
    const statuses = replies.map(({ status }) => status).toSorted((a, b) => a - b);
    assert.deepEqual(statuses, [200, 403]);
    const winner = newPasswords[replies.findIndex(({ status }) => status === 200)] ?? '';
    assert.equal((await logIn({ email: member.email, password: winner })).status, 200);
  });

  test('wrong current passwords count as failed logins (A18)', async () => {
    const { member, at } = await signedIn();
    for (let i = 0; i < 5; i += 1)
      await at.put('/profile/password', { password: 'a wrong guess at it', new_password: newPassword });
    const { email, password } = member;
    assert.equal((await at.post('/sessions', { email, password })).status, 429);
    wait(hourMs);
  });

  test('a change of address takes effect when it is confirmed in the session, and the old address is notified', async (t) => {
    if (lacks(t, 'email-change')) return;
    const { member, at } = await signedIn();
    const { email, password } = member;
    const wished = freshEmail();
    assertProblem(
      await at.post('/profile/email', { email: wished, password: 'a wrong one' }),
      403,
      'password_wrong',
    );
    assertProblem(await at.post('/profile/email', { email, password }), 400, 'invalid_request', ['email']);
    assert.deepEqual((await mailsTo(wished)).length, 0);
    assert.equal((await at.post('/profile/email', { email: wished, password })).status, 200);
    assert.equal(await emailOf(at), email);
    const { token } = await proofFor(wished);
    const said = (await mailsTo(wished)).join('\n');
    assert.ok(!said.includes(encodeURIComponent(email)) && !said.includes(email), 'whose account it is');

    // Another person who received the mail by mistake has no session of the account.
    const stranger = await signedIn();
    assertProblem(await stranger.at.put('/profile/email', { token }), 403, 'token_invalid');
    assert.equal((await browser().put('/profile/email', { token })).status, 403);
    assert.equal(await emailOf(at), email);

    const moved = await at.put('/profile/email', { token });
    assert.deepEqual([moved.status, moved.body], [200, { email: wished, message: 'email changed' }]);
    assert.equal(await emailOf(at), wished);
    assert.equal((await logIn({ email: wished, password })).status, 200);
    assert.equal((await logIn({ email, password })).status, 401);
    assert.ok(
      (await mailsTo(email)).at(-1)?.includes(wished),
      'the old address is notified about the new one',
    );
  });

  test('a change of address is confirmed by its code in the browser that requested it', async (t) => {
    if (lacks(t, 'email-change')) return;
    const { member, at } = await signedIn();
    const wished = freshEmail();
    await at.post('/profile/email', { email: wished, password: member.password });
    const { code = '' } = await proofFor(wished);
    assert.equal((await at.put('/profile/email', { token: code })).status, 200);
    assert.equal(await emailOf(at), wished);
  });

  test('the old address can undo a change for three days, which revokes the password, sessions and tokens of the other', async (t) => {
    if (lacks(t, 'email-change')) return;
    const { member, at: thief } = await signedIn();
    const { email, password } = member;
    const loot = freshEmail();
    await thief.post('/profile/email', { email: loot, password });
    await thief.put('/profile/email', { token: (await proofFor(loot)).token });
    const undo = (await proofFor(email)).token;
    assert.notEqual(undo, '');
    // The attacker continues: another password, another address, a reset.
    assert.equal((await thief.put('/profile/password', { password, new_password: newPassword })).status, 200);
    const further = { email: freshEmail(), password: newPassword };
    assertProblem(await thief.post('/profile/email', further), 409, 'change_pending');
    wait(2 * minuteMs);
    await service.post('/reset_password', { email: loot });
    const lootToken = (await proofFor(loot)).token;
    // The attacker registers the old address again, so that the change cannot be undone.
    await service.post('/users', { email, password: newPassword });
    wait(71 * hourMs);

    const undone = await service.put('/profile/email/undo', { token: undo });
    assert.deepEqual([undone.status, undone.body], [200, { email, message: 'email restored' }]);
    assert.equal((await thief.get('/profile')).status, 403);
    assert.equal((await logIn({ email, password: newPassword })).status, 401);
    assert.equal((await service.reset(loot, lootToken, newPassword)).status, 403);
    assertProblem(await service.put('/profile/email/undo', { token: undo }), 403, 'token_invalid');
    const { token } = await proofFor(email);
    assert.equal((await service.reset(email, token, password)).status, 200);
    assert.equal((await logIn({ email, password })).status, 200);
  });

  test('after three days a change of address is final, and another one is possible', async (t) => {
    if (lacks(t, 'email-change')) return;
    const { member, at } = await signedIn();
    const { email, password } = member;
    const second = freshEmail();
    await at.post('/profile/email', { email: second, password });
    await at.put('/profile/email', { token: (await proofFor(second)).token });
    const undo = (await proofFor(email)).token;
    wait(3 * dayMs);
    assertProblem(await service.put('/profile/email/undo', { token: undo }), 403, 'token_invalid');
    const third = freshEmail();
    assert.equal((await at.post('/profile/email', { email: third, password })).status, 200);
    assert.equal((await at.put('/profile/email', { token: (await proofFor(third)).token })).status, 200);
  });

  test('a change to a taken address gets the same reply, and its owner is notified instead', async (t) => {
    if (lacks(t, 'email-change')) return;
    const { member, at } = await signedIn();
    const owner = await service.member();
    const free = await at.post('/profile/email', { email: freshEmail(), password: member.password });
    wait(2 * minuteMs);
    const taken = await at.post('/profile/email', { email: owner.email, password: member.password });
    assert.deepEqual(
      [taken.status, memberOf(taken.body, 'message')],
      [free.status, memberOf(free.body, 'message')],
    );
    assert.equal(tokenIn((await mailsTo(owner.email)).at(-1) ?? ''), undefined);
  });

  test('F10 of two users who confirm one address the first gets it', async (t) => {
    if (lacks(t, 'email-change')) return;
    const wished = freshEmail();
    const [first, second] = [await signedIn(), await signedIn()];
    await first.at.post('/profile/email', { email: wished, password: first.member.password });
    const one = (await proofFor(wished)).token;
    wait(2 * minuteMs);
    await second.at.post('/profile/email', { email: wished, password: second.member.password });
    const two = (await proofFor(wished)).token;
    const replies = await Promise.all([
      first.at.put('/profile/email', { token: one }),
      second.at.put('/profile/email', { token: two }),
    ]);
    assert.deepEqual(
      replies.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 403],
    );
  });

  test('F10 of three requests to change the address any can be confirmed, which revokes the others', async (t) => {
    if (lacks(t, 'email-change')) return;
    for (const chosen of [0, 1, 2]) {
      const { member, at } = await signedIn();
      const wished = [freshEmail(), freshEmail(), freshEmail()];
      const proofs: string[] = [];
      for (const email of wished) {
        await at.post('/profile/email', { email, password: member.password });
        proofs.push((await proofFor(email)).token);
        wait(minuteMs);
      }
      assert.equal((await at.put('/profile/email', { token: proofs[chosen] ?? '' })).status, 200);
      assert.equal(await emailOf(at), wished[chosen]);
      for (const token of proofs)
        assertProblem(await at.put('/profile/email', { token }), 403, 'token_invalid');
    }
  });

  test('F10 a fourth request to change the address revokes the oldest one', async (t) => {
    if (lacks(t, 'email-change')) return;
    const { member, at } = await signedIn();
    const proofs: string[] = [];
    for (let i = 0; i < 4; i += 1) {
      const email = freshEmail();
      await at.post('/profile/email', { email, password: member.password });
      proofs.push((await proofFor(email)).token);
      wait(minuteMs);
    }
    const [oldest = '', second = ''] = proofs;
    assertProblem(await at.put('/profile/email', { token: oldest }), 403, 'token_invalid');
    assert.equal((await at.put('/profile/email', { token: second })).status, 200);
  });

  test('signing in by mail: the link works anywhere, the code in the browser that requested it, each once', async (t) => {
    if (lacks(t, 'email-sign-in')) return;
    const { email } = await service.member();
    const asking = browser();
    const asked = await asking.post('/sessions/email', { email });
    assert.deepEqual([asked.status, asked.body], [200, { email, message: 'sign-in link sent' }]);
    const { token, code = '' } = await proofFor(email);
    const phone = browser();
    assertProblem(await phone.put('/sessions/email', { email, token: code }), 403, 'token_invalid');
    assert.equal((await phone.put('/sessions/email', { email, token })).status, 200);
    assert.equal(await emailOf(phone), email);
    assertProblem(await asking.put('/sessions/email', { email, token: code }), 403, 'token_invalid');

    wait(2 * minuteMs);
    await asking.post('/sessions/email', { email });
    const second = await proofFor(email);
    assert.equal((await asking.put('/sessions/email', { email, token: second.code ?? '' })).status, 200);
    assert.equal(await emailOf(asking), email);
    wait(2 * minuteMs);
    await asking.post('/sessions/email', { email });
    wait(10 * minuteMs);
    const late = (await proofFor(email)).token;
    assertProblem(await asking.put('/sessions/email', { email, token: late }), 403, 'token_invalid');
  });

  test('signing in by mail: unknown, unconfirmed and disabled addresses get the same reply and no mail', async (t) => {
    if (lacks(t, 'email-sign-in')) return;
    const disabled = await service.member();
    await service.service.core.auth.setDisabled(disabled.id, true);
    const { email: unconfirmed } = await service.newcomer();
    await service.deliver();
    const known = await service.member();
    const earlier = service.mails.length;
    const shapes = new Set<string>();
    for (const email of [freshEmail(), unconfirmed, disabled.email, known.email]) {
      const { status, body, headers, cookies } = await service.post('/sessions/email', { email });
      const shape = [status, memberOf(body, 'message'), Object.keys(headers).toSorted(), cookies.length];
      shapes.add(JSON.stringify(shape));
    }
    assert.equal(shapes.size, 1, [...shapes].join('\n'));
    await service.deliver();
    assert.deepEqual(
      service.mails.slice(earlier).map(({ to }) => to),
      [known.email],
    );
  });

  test('a sign-in on an unknown device sends a notification, except the first one', async () => {
    const member = await service.member();
    const { email, password } = member;
    const earlier = (await mailsTo(email)).length;
    await service.logIn(email, password, member.deviceToken);
    assert.equal((await mailsTo(email)).length, earlier);
    await service.logIn(email, password);
    assert.equal((await mailsTo(email)).length, earlier + 1);
  });

  test('a changed password revokes the tokens that were mailed before (A52)', async (t) => {
    if (lacks(t, 'email-sign-in')) return;
    const { member, at } = await signedIn();
    const { email, password } = member;
    await service.post('/reset_password', { email });
    const reset = (await proofFor(email)).token;
    await service.post('/sessions/email', { email });
    const signIn = (await proofFor(email)).token;
    assert.equal((await at.put('/profile/password', { password, new_password: newPassword })).status, 200);
    assertProblem(await service.reset(email, reset, password), 403, 'token_invalid');
    assertProblem(await service.put('/sessions/email', { email, token: signIn }), 403, 'token_invalid');
  });
});
