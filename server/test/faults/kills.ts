// The service is killed under load at random moments, again and again, and held against what its clients were told.
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { serviceOn } from '../support/running-service.ts';
import { cheapMain } from '../support/service.ts';
import { History } from './history.ts';
import { assertAudited, assertSound } from './soundness.ts';

const clients = 6;
/** A kill falls after at most so many acknowledged deeds, and within so many milliseconds of the last of them. */
const maxDeeds = 40;
const maxMs = 15;
/** Nor does a life last longer than this. */
const longestLifeMs = 5000;
/** Nobody takes the mails: what they leave is rows in the outbox, which are checked with the others. */
const withOutbox = { SMTP_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'accounts@example.org', LOG_LEVEL: 'info' };

export function declareKills(kills: number): void {
  test(`of ${kills} kills under load none loses what was acknowledged, or leaves half of it`, async (t) => {
    const { start, environment } = await serviceOn(t, 'sqlite', cheapMain);
    const history = new History();
    for (let checked = 0, n = 0; n < kills; n += 1) {
      const service = await start(withOutbox);
      // What the last life acknowledged, before anything new is written.
      assertSound(environment['DATABASE_URL'] ?? '');
      await history.check(service.baseUrl, checked);
      checked = history.accounts.length;
      history.start(service.baseUrl, clients);
      await history.progress(randomInt(maxDeeds), longestLifeMs);
      await pause(randomInt(maxMs));
      await service.stop('SIGKILL');
      await history.stop();
    }
    const service = await start(withOutbox);
    await history.check(service.baseUrl);
    assertSound(environment['DATABASE_URL'] ?? '');
    await service.stop();
    await assertAudited(environment);
    t.diagnostic(`${history.acknowledged} deeds were acknowledged`);
  });
}
