// The service is killed after it has claimed a mail and before it has noted that it was sent. The claim ends with its
// lease, so the mail is not lost; it comes twice only if the server had it already, and is then known by its Message-ID.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { minuteMs } from '../../src/kit/clock.ts';
import { openDatabase } from '../../src/db/open-database.ts';
import { listMails, type MailRow } from '../../src/mail/store.ts';
import type { Database } from '../../src/db/database.ts';
import { onEachEngine, type EngineName } from '../support/engines.ts';
import { tokenIn } from '../support/mail-box.ts';
import { startMailCatcher, type CaughtMail, type SilentStep } from '../support/mail-catcher.ts';
import { freshEmail } from '../support/person.ts';
import { publicMode } from '../support/public-service.ts';
import { sendTo } from '../support/request.ts';
import { serviceOn } from '../support/running-service.ts';
import { cheapMain } from '../support/service.ts';

const password = 'seven otters in a quiet river';
/** How long a claim holds: see leaseMs of the outbox. */
const leaseMs = 5 * minuteMs;
/** A registration takes some tenths of a second; whoever waits for the silent server needs 30 seconds. */
const registrationMs = 5000;
/** What the service does by itself it does each second; a busy machine gets this long. */
const patienceMs = 15_000;
/** In this time due mails are looked for at least once more. */
const anotherLookMs = 1500;

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const latest = performance.now() + patienceMs;
  while (!(await isSo())) {
    assert.ok(performance.now() < latest, `not within ${patienceMs} ms: ${what}`);
    await pause(20);
  }
}

/** As if the time of a lease had passed for what is not sent; says how many mails that is. */
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

/** What became of the mail that was claimed. */
interface Outcome {
  /** As they came. */
  readonly copies: readonly CaughtMail[];
  /** Redeems the newest; resolves to the status. */
  readonly redeem: () => Promise<number>;
}

/** Kills the service while the server is silent at the step, and starts it again. */
async function killAt(t: TestContext, engine: EngineName, step: SilentStep): Promise<Outcome> {
  const { start, environment } = await serviceOn(t, engine, cheapMain);
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
  await until('the server is silent', () => catcher.unanswered === 1);
  const begunAt = performance.now();
  await register(waiting);
  assert.ok(performance.now() - begunAt < registrationMs, 'nobody waits for the server');
  await first.stop('SIGKILL');
  assert.equal(catcher.unanswered, 1, 'it was killed within the one conversation');

  catcher.silentAt = undefined;
  const second = await start(withMail);
  const database = await openDatabase(environment['DATABASE_URL'] ?? '');
  try {
    const rowOf = async (email: string): Promise<MailRow | undefined> =>
      (await listMails(database, 10)).find(({ recipient }) => recipient === email);
    const isSent = async (email: string): Promise<boolean> =>
      ((await rowOf(email))?.sent_at ?? null) !== null;
    const attemptsOf = async (email: string): Promise<number | undefined> => (await rowOf(email))?.tries;
    await until('what nobody had claimed is sent', () => isSent(waiting));
    assert.equal(await attemptsOf(claimed), 1, 'while its lease lasts nobody else claims a mail');
    assert.equal(await letLeasePass(database), 1);
    await until('what was claimed is sent', () => isSent(claimed));
    await pause(anotherLookMs);
    assert.deepEqual([await attemptsOf(claimed), await attemptsOf(waiting)], [2, 1]);
  } finally {
    await database.close();
  }
  assert.equal(mailsTo(waiting).length, 1);
  const copies = mailsTo(claimed);
  const redeem = async (): Promise<number> => {
    const fields = { email: claimed, token: tokenIn(copies.at(-1)?.parsed.text ?? '') ?? '' };
    const request = { method: 'PUT', path: '/email_verification', fields } as const;
    return (await sendTo(second.baseUrl, request)).status;
  };
  return { copies, redeem };
}

onEachEngine('a service that is killed with a claimed mail in its hand', (engine) => {
  // At once: they wait more than they work.
  describe('begins anew, and', { concurrency: true }, () => {
    test('sends it once, if the server had not taken it', async (t) => {
      const { copies, redeem } = await killAt(t, engine, 'MAIL');
      assert.equal(copies.length, 1);
      assert.equal(await redeem(), 200);
    });

    test('sends it again under the same Message-ID, if the server had it and could not say so', async (t) => {
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
