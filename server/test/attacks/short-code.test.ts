// Short codes could be guessed without their limits: a code works in the browser that requested it, for ten minutes,
// with ten attempts in all.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { minuteMs } from '../../src/kit/clock.ts';
import { Browser } from '../support/browser.ts';
import { onEachEngine } from '../support/engines.ts';
import { codeIn, tokenIn } from '../support/mail-box.ts';
import { PublicService } from '../support/public-service.ts';
import { assertProblem, type Reply } from '../support/request.ts';
import { lacks } from '../support/feature.ts';

const newPassword = 'nine newts under a green umbrella';

onEachEngine('short codes', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  const browser = (): Browser => new Browser(service);
  const wait = (ms: number): void => service.service.clock.advance(ms);

  /** The newest mail to the address that contains a token. */
  async function proofFor(email: string): Promise<{ token: string; code: string | undefined }> {
    await service.deliver();
    const texts = service.mails.filter(({ to }) => to === email).map(({ text }) => text);
    const text = texts.findLast((mail) => tokenIn(mail) !== undefined) ?? '';
    return { token: tokenIn(text) ?? '', code: codeIn(text) };
  }

  test('A20 codes: allows ten attempts in all however often a new code is requested, while the link still works', async () => {
    const { email } = await service.member();
    const own = browser();
    let verified = 0;
    for (let round = 0; round < 4; round += 1) {
      await own.post('/reset_password', { email });
      for (let i = 0; i < 4; i += 1) {
        const guess = await own.put('/reset_password', {
          email,
          reset_token: '2222-2222',
          new_password: newPassword,
        });
        assert.ok(guess.status === 403 || guess.status === 429, guess.text);
        if (guess.status === 403) verified += 1;
        wait(61_000);
      }
    }
    assert.ok(verified >= 10, `${verified} guesses were verified`);
    await own.post('/reset_password', { email });
    const { token, code = '' } = await proofFor(email);
    const redeem = (proof: string): Promise<Reply> =>
      own.put('/reset_password', { email, reset_token: proof, new_password: newPassword });
    wait(5 * minuteMs);
    const right = await redeem(code);
    assert.ok(right.status === 403 || right.status === 429, right.text);
    assert.equal((await redeem(token)).status, 200);
  });

  test('A20 codes: verifies at most ten of five hundred parallel guesses', async () => {
    const { email, id } = await service.member();
    const own = browser();
    await own.post('/reset_password', { email });
    const guesses = await Promise.all(
      Array.from({ length: 500 }, () =>
        own.put('/reset_password', { email, reset_token: '3333-3333', new_password: newPassword }),
      ),
    );
    assert.ok(guesses.every(({ status }) => [403, 429].includes(status)));
    assert.ok(guesses.some(({ status }) => status === 403));
    const { database } = service.service.core;
    const rows = await database.query((sql) =>
      sql
        .selectFrom('one_time_tokens')
        .select('code_tries')
        .where('user_id', '=', id)
        .where('kind', '=', 'reset'),
    );
    assert.ok((rows[0]?.code_tries ?? 99) <= 10);
  });

  test('A20 codes: rejects a code with the request cookie of another purpose', async (t) => {
    if (lacks(t, 'email-sign-in')) return;
    const { email } = await service.member();
    const own = browser();
    await own.post('/reset_password', { email });
    const { code = '' } = await proofFor(email);
    assertProblem(await own.put('/sessions/email', { email, token: code }), 403, 'token_invalid');
    await own.post('/sessions/email', { email });
    assertProblem(await own.put('/sessions/email', { email, token: code }), 403, 'token_invalid');
  });
});
