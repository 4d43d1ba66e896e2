// The service is killed after it claimed a mail and before it recorded that the mail was sent. The claim ends with its
// lease, so the mail is not lost; it is sent twice only if the server already had it, and then its Message-ID
// identifies it.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { minuteMs } from '../../src/kit/clock.ts';
import { listMails, type MailRow } from '../../src/mail/store.ts';
import type { Database } from '../../src/db/database.ts';
import { openPatiently, onEachEngine, type EngineName } from '../support/engines.ts';
import { eventually } from '../support/eventually.ts';
import { tokenIn } from '../support/mail-box.ts';
import { startMailCatcher, type CaughtMail, type SilentStep } from '../support/mail-catcher.ts';
import { freshEmail } from '../support/person.ts';
import { publicMode } from '../support/public-service.ts';
import { sendTo } from '../support/request.ts';
import { serviceOn } from '../support/running-service.ts';

const password = 'seven otters in a quiet river';
/** How long a claim lasts: see leaseMs of the outbox. */
const leaseMs = 5 * minuteMs;
/** In this time, in milliseconds, due mails are looked for at least one more time. */
const anotherLookMs = 1500;

/** Moves unsent mails as if the time of a lease had passed; returns their number. */
async function letLeasePass(database: Database): Promise<number> {
  const rows = await database.query((sql) =>
    sql
      .updateTable('mails')
      .set((row) => ({ next_at: row('next_at', '-', leaseMs) }))
      .where('sent_at', 'is', null)
      .returning('id'),
  );
  return rows.length;
}

/** What happened to the claimed mail. */
interface Outcome {
  /** In the order in which they arrived. */
  readonly copies: readonly CaughtMail[];
  /** Redeems the newest token; resolves to the status. */
  readonly redeem: () => Promise<number>;
}

/** Kills the service while the server is silent at the step, and starts it again. */
async function killAt(t: TestContext, engine: EngineName, step: SilentStep): Promise<Outcome> {
  const { start, environment } = await serviceOn(t, engine);
  const catcher = await startMailCatcher();
  t.after(catcher.close);
  const withMail = { ...publicMode, SMTP_URL: catcher.url };
  const mailsTo = (email: string): CaughtMail[] =>
    catcher.mails.filter(({ recipients }) => recipients.includes(email));
  const [claimed, waiting] = [freshEmail(), freshEmail()];

  catcher.silentAt = step;
  const first = await start(withMail);
  const register = async (email: string): Promise<void> => {
    const fields = { email, password };
    const { status, text } = await sendTo(first.baseUrl, { method: 'POST', path: '/users', fields });
    assert.equal(status, 200, text);
  };
  await register(claimed);
  await eventually('the server is silent', () => catcher.unanswered === 1);
  await register(waiting);
  assert.equal(catcher.unanswered, 1, 'the registration does not wait for the server');
  await first.stop('SIGKILL');
  assert.equal(catcher.unanswered, 1, 'it was killed during the only conversation');

  catcher.silentAt = undefined;
  const second = await start(withMail);
  const database = await openPatiently(environment['DATABASE_URL'] ?? '');
  try {
    const rowOf = async (email: string): Promise<MailRow | undefined> =>
      (await listMails(database, 10)).find(({ recipient }) => recipient === email);
    const isSent = async (email: string): Promise<boolean> =>
      ((await rowOf(email))?.sent_at ?? null) !== null;
    const attemptsOf = async (email: string): Promise<number | undefined> => (await rowOf(email))?.tries;
    assert.equal((await rowOf(claimed))?.last_error, null, 'the conversation lasted until the kill');
    await eventually('the unclaimed mail is sent', () => isSent(waiting));
    assert.equal(await attemptsOf(claimed), 1, 'a claimed mail is not claimed again during its lease');
    assert.equal(await letLeasePass(database), 1);
    await eventually('the claimed mail is sent', () => isSent(claimed));
    await pause(anotherLookMs);
    assert.deepEqual([await attemptsOf(claimed), await attemptsOf(waiting)], [2, 1]);
  } finally {
    await database.close();
  }
  assert.equal(mailsTo(waiting).length, 1);
  const copies = mailsTo(claimed);
  const redeem = async (): Promise<number> => {
    const token = tokenIn(copies.at(-1)?.parsed.text ?? '') ?? '';
    const fields = { email: claimed, token, password };
    const request = { method: 'PUT', path: '/email_verification', fields } as const;
    return (await sendTo(second.baseUrl, request)).status;
  };
  return { copies, redeem };
}

onEachEngine('a service that is killed after it claimed a mail', (engine) => {
  // In parallel, because they wait more than they work.
  describe('starts again, and', { concurrency: true }, () => {
    test('sends it once if the server had not accepted it', async (t) => {
      const { copies, redeem } = await killAt(t, engine, 'MAIL');
      assert.equal(copies.length, 1);
      assert.equal(await redeem(), 200);
    });

    test('sends it again with the same Message-ID if the server had accepted it without a reply', async (t) => {
      const { copies, redeem } = await killAt(t, engine, 'end of data');
      const letters = copies.map(({ parsed: { messageId, subject, text } }) => ({
        messageId,
        subject,
        text,
      }));
      const [first] = letters;
      assert.match(first?.messageId ?? '', /^<\S+@accounts\.test>$/);
      assert.deepEqual(letters, [first, first]);
      assert.equal(await redeem(), 200);
    });
  });
});
