// The service is killed under load at random moments, many times, and compared with what its clients were answered.
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { serviceOn } from '../support/running-service.ts';
import { History } from './history.ts';
import { assertAudited, assertSound } from './soundness.ts';

const clients = 6;
/** A kill falls after at most this many acknowledged actions, and within this many milliseconds of the last one. */
const maxDeeds = 40;
const maxMs = 15;
/** No mail is delivered: mails stay in the outbox as rows, which are checked with the others. */
const withOutbox = { SMTP_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'accounts@example.org', LOG_LEVEL: 'info' };

export function declareKills(kills: number): void {
  test(`${kills} kills under load lose no acknowledged action and leave no half of one`, async (t) => {
    const { start, environment } = await serviceOn(t, 'sqlite');
    const history = new History();
    for (let checked = 0, n = 0; n < kills; n += 1) {
      const service = await start(withOutbox);
      // What was acknowledged before the kill, before anything new is written.
      assertSound(environment['DATABASE_URL'] ?? '');
      await history.check(service.baseUrl, checked);
      checked = history.accounts.length;
      history.start(service.baseUrl, clients);
      await history.progress(randomInt(maxDeeds));
      await pause(randomInt(maxMs));
      await service.stop('SIGKILL');
      await history.stop();
    }
    const service = await start(withOutbox);
    await history.check(service.baseUrl);
    assertSound(environment['DATABASE_URL'] ?? '');
    await service.stop();
    await assertAudited(environment);
    t.diagnostic(`${history.acknowledged} actions were acknowledged`);
  });
}
