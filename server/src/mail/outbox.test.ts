import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayMs, hourMs, minuteMs, secondMs } from '../kit/clock.ts';
import { silentLog } from '../kit/log.ts';
import { mailSender } from '../config/sender.ts';
import type { Database } from '../db/database.ts';
import { requireEmailAddress } from '../user/email-address.ts';
import { addUser } from '../user/new-user-store.ts';
import { testClock, type TestClock } from '../../test/support/clock.ts';
import { onEachEngine, withDatabase, type EngineName } from '../../test/support/engines.ts';
import { startMailCatcher } from '../../test/support/mail-catcher.ts';
import { Outbox, type OutboxOptions } from './outbox.ts';
import { SmtpFault, smtpTransport, type MailServer, type MailTransport, type OutgoingMail } from './smtp.ts';
import { listMails, retryMail } from './store.ts';

/** The mail server of a catcher. */
const serverAt = (url: string): Omit<MailServer, 'requiresTls'> => ({
  url: new URL(url),
  from: { name: 'Accounts', address: 'accounts@example.org' },
});

interface Bench {
  readonly db: Database;
  readonly clock: TestClock;
  readonly options: OutboxOptions;
  readonly outbox: Outbox;
  readonly sent: OutgoingMail[];
  /** Thrown by the transport while set. */
  fault: SmtpFault | undefined;
}

const cipher = {
  encrypt: (text: string): string => Buffer.from(text).toString('base64'),
  decrypt: (text: string): string => Buffer.from(text, 'base64').toString(),
};

function withOutbox(engine: EngineName, work: (bench: Bench) => Promise<void>): Promise<void> {
  return withDatabase(engine, async (db) => {
    const clock = testClock();
    const sent: OutgoingMail[] = [];
    const transport: MailTransport = {
      send: async (mail) => {
        if (bench.fault !== undefined) throw bench.fault;
        sent.push(mail);
      },
      close: () => {},
    };
    const options: OutboxOptions = {
      database: db,
      cipher,
      transport,
      clock: clock.now,
      log: silentLog,
      domain: 'accounts.test',
      sender: { productName: 'Bienvenue', publicUrl: 'https://accounts.test', color: '#1a56c4' },
    };
    const bench: Bench = { db, clock, sent, fault: undefined, options, outbox: new Outbox(options) };
    await addUser(db, requireEmailAddress('bob@example.org'), null, clock.now());
    await work(bench);
  });
}

async function post({ db, outbox, clock }: Bench, expiresInMs = hourMs): Promise<void> {
  const outline = {
    values: { minutes: 60, hours: 1, codeMinutes: 10 },
    link: 'https://accounts.test/reset?token=abc',
  };
  await outbox.post(db, {
    kind: 'reset_password',
    outline,
    recipient: 'bob@example.org',
    userId: 1,
    language: undefined,
    occasion: { at: clock.now() },
    expiresAt: clock.now() + expiresInMs,
  });
}

onEachEngine('the outbox', (engine) => {
  test('sends a mail once and then removes its content', () =>
    withOutbox(engine, async (bench) => {
      await post(bench);
      const [waiting] = await listMails(bench.db, 1);
      assert.equal(waiting?.content?.includes('abc'), false, 'no token in plain text');
      assert.equal(await bench.outbox.deliver(), 1);
      assert.equal(await bench.outbox.deliver(), 0);
      assert.equal(bench.sent.length, 1);
      const [{ to, text, html = '', messageId } = assert.fail()] = bench.sent;
      assert.deepEqual([to, messageId], ['bob@example.org', `<${waiting?.id}@accounts.test>`]);
      for (const part of [text, html]) assert.match(part, /abc/);
      const [done] = await listMails(bench.db, 1);
      assert.deepEqual([done?.content, done?.sent_at], [null, bench.clock.now()]);
    }));

  test('finds a stored mail by its id, without decrypting other mails', () =>
    withOutbox(engine, async (bench) => {
      let decrypted = 0;
      const decrypt = (text: string): string => {
        decrypted += 1;
        return cipher.decrypt(text);
      };
      const outbox = new Outbox({ ...bench.options, cipher: { ...cipher, decrypt } });
      for (let i = 0; i < 3; i += 1) await post(bench);
      const [, { id } = assert.fail()] = await listMails(bench.db, 3);
      assert.equal((await outbox.findKept(id))?.id, id);
      assert.equal(decrypted, 1);
      assert.equal(await outbox.findKept('none'), undefined);
      await bench.outbox.deliver();
      assert.equal(await outbox.findKept(id), undefined, 'its content was removed');
    }));

  test('adds the current logo when it sends a mail that was composed with a logo', () =>
    withOutbox(engine, async (bench) => {
      const withLogo = (content: string): Outbox => {
        const logo = { type: 'image/png', content: Buffer.from(content) } as const;
        return new Outbox({ ...bench.options, sender: { ...bench.options.sender, logo } });
      };
      await post(bench);
      await post({ ...bench, outbox: withLogo('old') });
      assert.equal(await withLogo('new').deliver(), 2);
      const [named, plain] = [true, false].map((does) =>
        bench.sent.filter(({ html }) => html?.includes('cid:') === does),
      );
      assert.deepEqual(
        [named, plain].map((mails) => mails?.map(({ logo }) => logo?.content.toString())),
        [['new'], [undefined]],
      );
    }));

  test('does not store a mail if the transaction of its cause is rolled back', () =>
    withOutbox(engine, async (bench) => {
      const failing = bench.db.transaction(async (tx) => {
        await post({ ...bench, db: tx });
        throw new Error('no');
      });
      await assert.rejects(failing);
      assert.deepEqual(await listMails(bench.db, 10), []);
    }));

  test('retries a rejected mail after a delay, and counts the attempts', () =>
    withOutbox(engine, async (bench) => {
      await post(bench);
      bench.fault = new SmtpFault('421 later', false);
      await bench.outbox.deliver();
      bench.clock.advance(9 * secondMs);
      bench.fault = undefined;
      assert.equal(await bench.outbox.deliver(), 0, 'not before the delay is over');
      bench.clock.advance(secondMs);
      assert.equal(await bench.outbox.deliver(), 1);
      assert.equal((await listMails(bench.db, 1))[0]?.tries, 2);
    }));

  test('never sends an expired mail, and records that it was given up', () =>
    withOutbox(engine, async (bench) => {
      await post(bench, 5 * minuteMs);
      bench.fault = new SmtpFault('connect ECONNREFUSED', false);
      await bench.outbox.deliver();
      bench.clock.advance(6 * minuteMs);
      bench.fault = undefined;
      assert.equal(await bench.outbox.deliver(), 0);
      const [mail] = await listMails(bench.db, 1);
      assert.deepEqual(
        [mail?.content, mail?.given_up_at, mail?.last_error],
        [null, bench.clock.now(), 'connect ECONNREFUSED'],
      );
    }));

  test('gives up a mail immediately after a permanent error', () =>
    withOutbox(engine, async (bench) => {
      await post(bench);
      bench.fault = new SmtpFault('550 no such user', true);
      await bench.outbox.deliver();
      assert.notEqual((await listMails(bench.db, 1))[0]?.given_up_at, null);
    }));

  test('sends each mail once if several instances deliver concurrently', () =>
    withOutbox(engine, async (bench) => {
      for (let i = 0; i < 20; i += 1) await post(bench);
      const counts = await Promise.all(Array.from({ length: 4 }, () => bench.outbox.deliver()));
      assert.equal(
        counts.reduce((sum, count) => sum + count),
        20,
      );
      assert.equal(new Set(bench.sent.map(({ messageId }) => messageId)).size, 20);
    }));

  test('sends a mail after the lease if the instance that claimed it died', () =>
    withOutbox(engine, async (bench) => {
      await post(bench);
      const { claimMails } = await import('./store.ts');
      await claimMails(bench.db, bench.clock.now(), bench.clock.now() + 5 * minuteMs, 10); // as by a process that then dies
      assert.equal(await bench.outbox.deliver(), 0);
      bench.clock.advance(5 * minuteMs);
      assert.equal(await bench.outbox.deliver(), 1);
    }));

  test('retryMail makes a pending mail due immediately', () =>
    withOutbox(engine, async (bench) => {
      await post(bench);
      bench.fault = new SmtpFault('421 later', false);
      await bench.outbox.deliver();
      bench.fault = undefined;
      const [mail] = await listMails(bench.db, 1);
      assert.equal(await retryMail(bench.db, mail?.id ?? '', bench.clock.now()), true);
      assert.equal(await bench.outbox.deliver(), 1);
      assert.equal(await retryMail(bench.db, mail?.id ?? '', bench.clock.now()), false);
    }));

  test('removes the records of mails after a month', () =>
    withOutbox(engine, async (bench) => {
      await post(bench);
      await bench.outbox.deliver();
      bench.clock.advance(31 * dayMs);
      await bench.outbox.purge();
      assert.deepEqual(await listMails(bench.db, 1), []);
    }));
});

test('SMTP delivers a mail with the stored address as the only recipient', async () => {
  const catcher = await startMailCatcher();
  const transport = smtpTransport({ ...serverAt(catcher.url), requiresTls: false });
  try {
    await transport.send({
      to: 'bob@example.org',
      subject: 'Grüße',
      text: 'äöü\n.\nend\n',
      messageId: '<1@accounts.test>',
    });
    const [mail] = catcher.mails;
    assert.deepEqual(mail?.recipients, ['bob@example.org']);
    assert.equal(mail?.parsed.subject, 'Grüße');
    assert.equal(mail?.parsed.text?.trim(), 'äöü\n.\nend');
    assert.equal(mail?.parsed.messageId, '<1@accounts.test>');
    assert.equal(mail?.parsed.headers.find(({ key }) => key === 'auto-submitted')?.value, 'auto-generated');
  } finally {
    transport.close();
    await catcher.close();
  }
});

test('SMTP writes the sender of MAIL_FROM in ASCII into envelope and header, and introduces itself by MAIL_EHLO_NAME', async () => {
  const senders: string[] = [];
  const catcher = await startMailCatcher({
    onMailFrom: ({ address }, { hostNameAppearsAs }, done) => {
      senders.push(`${hostNameAppearsAs} ${address}`);
      done();
    },
  });
  const transport = smtpTransport({
    url: new URL(catcher.url),
    from: mailSender('Konten, R&D <konten@bücher.example>'),
    ehloName: 'mail.example.org',
    requiresTls: false,
  });
  try {
    await transport.send({ to: 'bob@example.org', subject: 's', text: 't', messageId: '<1@a>' });
    assert.deepEqual(senders, [
      // the server decodes punycode
      'mail.example.org konten@bücher.example',
    ]);
    const [mail] = catcher.mails;
    assert.match(mail?.raw ?? '', /^From: "Konten, R&D" <konten@xn--bcher-kva\.example>\r?$/m);
    assert.deepEqual(mail?.parsed.from, { name: 'Konten, R&D', address: 'konten@xn--bcher-kva.example' });
  } finally {
    transport.close();
    await catcher.close();
  }
});

test('SMTP sends no mail to a remote server without STARTTLS', async () => {
  const catcher = await startMailCatcher();
  const transport = smtpTransport({ ...serverAt(catcher.url), requiresTls: true });
  try {
    await assert.rejects(
      transport.send({ to: 'bob@example.org', subject: 's', text: 't', messageId: '<1@a>' }),
      SmtpFault,
    );
    assert.equal(catcher.mails.length, 0);
  } finally {
    transport.close();
    await catcher.close();
  }
});

test('SMTP uses STARTTLS of a relay on this machine without verifying its certificate, and verifies any other', async () => {
  // The certificate of the catcher is self-signed.
  const catcher = await startMailCatcher({ disabledCommands: ['AUTH'] });
  const implicit = await startMailCatcher({ secure: true });
  const implicitUrl = implicit.url.replace('smtp:', 'smtps:');
  const sendBy = async (url: string, requiresTls: boolean): Promise<void> => {
    const transport = smtpTransport({ ...serverAt(url), requiresTls });
    await transport
      .send({ to: 'bob@example.org', subject: 's', text: 't', messageId: '<1@a>' })
      .finally(() => transport.close());
  };
  try {
    await sendBy(catcher.url, false);
    assert.match(catcher.mails[0]?.raw ?? '', /./);
    await assert.rejects(sendBy(catcher.url, true), /certificate/);
    for (const requiresTls of [true, false])
      await assert.rejects(sendBy(implicitUrl, requiresTls), /certificate/);
    assert.deepEqual([catcher.mails.length, implicit.mails.length], [1, 0]);
  } finally {
    await Promise.all([catcher.close(), implicit.close()]);
  }
});

test('SMTP error 550 is permanent, 451 is not', async () => {
  for (const [code, isPermanent] of [
    [550, true],
    [451, false],
  ] as const) {
    const catcher = await startMailCatcher({
      onRcptTo: (_address, _session, done) =>
        done(Object.assign(new Error('refused'), { responseCode: code })),
    });
    const transport = smtpTransport({ ...serverAt(catcher.url), requiresTls: false });
    try {
      await assert.rejects(
        transport.send({ to: 'bob@example.org', subject: 's', text: 't', messageId: '<1@a>' }),
        (error: unknown) => error instanceof SmtpFault && error.isPermanent === isPermanent,
      );
    } finally {
      transport.close();
      await catcher.close();
    }
  }
});
