// The activity page in a real browser: its days and times are those of the reader.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dayMs, hourMs } from '../../../kit/clock.ts';
import { freshEmail } from '../../../../test/support/person.ts';
import { Site, Venue, Visitor } from '../../../../test/support/visitor.ts';

const venue = new Venue();
before(() => venue.open());
after(() => venue.close());

/** Two events of one day in UTC, which are of two days in Tokyo and of the day before in Los Angeles. */
const [early, late] = [hourMs, 20 * hourMs];
const expected = {
  'Asia/Tokyo': [
    ['Friday, January 2, 2026', '5:00 AM'],
    ['Thursday, January 1, 2026', '10:00 AM'],
  ],
  'America/Los_Angeles': [
    ['Thursday, January 1, 2026', '12:00 PM'],
    ['Wednesday, December 31, 2025', '5:00 PM'],
  ],
} as const;

for (const [timezoneId, days] of Object.entries(expected))
  test(
    `groups events by the days of a reader in ${timezoneId}`,
    venue.story(async (chromium) => {
      const site = await Site.open();
      try {
        const { clock } = site.service;
        const start = clock.now();
        assert.equal(start % dayMs, 0);
        clock.advance(early);
        const at = await Visitor.sitDown(chromium, site, { locale: 'en-US', timezoneId });
        const email = freshEmail();
        await at.join(email);
        await at.context.clearCookies();
        clock.advance(late - early);
        await at.signIn(email);
        await at.goTo('/account/activity');
        const headings = await at.page.locator('[data-days] h2').allInnerTexts();
        const clocks = await at.page.locator('[data-days] li:first-child time').allInnerTexts();
        const shown = headings.map((heading, i) => [heading, clocks[i]?.replaceAll('\u202f', ' ')]);
        assert.deepEqual(shown, days);
        await at.leave();
      } finally {
        await site.close();
      }
    }),
  );
