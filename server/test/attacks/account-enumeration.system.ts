// Account enumeration by time: the time of a reply does not reveal whether an address has an account.
// account-enumeration.test.ts compares the contents of replies.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Hasher } from '../../src/hash/hasher.ts';
import { realHashing } from '../support/hashing.ts';
import { PublicService } from '../support/public-service.ts';
import { mannWhitney, median } from '../support/statistics.ts';
import {
  accountKinds,
  compareTimes,
  describeTimes,
  isAlike,
  prepareAccounts,
  routes,
  timeRoute,
  type Addresses,
} from './timing.ts';

type Differences = ReturnType<typeof compareTimes>;

/** Median times are near this many milliseconds. */
const some = (ms: number): number[] => Array.from({ length: 60 }, (_, i) => ms + (i % 7));

describe('account enumeration by time', () => {
  /**
   * A generous bound, in milliseconds, for a machine that runs other programs at the same time, on which a hash may take
   * seconds: one that is left out makes a reply ten times as fast. The full count with the true bound is in
   * account-enumeration.long.ts.
   */
  const boundOf = ({ unknown }: { readonly unknown: number }): number => Math.max(3, unknown / 3);
  let service: PublicService;
  let emailOf: Addresses;
  before(async () => {
    service = await PublicService.start('sqlite', {}, { hasher: new Hasher(realHashing) });
    emailOf = await prepareAccounts(service);
  });
  after(() => service.close());

  for (const route of routes) {
    test(`A12 enumeration by time: ${route.name} takes equally long for every address`, async (t) => {
      const kinds = route.hashes
        ? (['confirmed', route.name === 'login' ? 'disabled' : 'unconfirmed'] as const)
        : accountKinds;
      await timeRoute(service, route, emailOf, { kinds, rounds: 5 });
      // Other load affects one measurement, a hash that is left out affects all. account-enumeration.long.ts has the true
      // bound, and measures once.
      let unlike: Differences = [];
      for (let measured = 0; measured === 0 || (unlike.length > 0 && measured < 4); measured += 1) {
        const differences = compareTimes(
          await timeRoute(service, route, emailOf, { kinds, rounds: route.hashes ? 25 : 80 }),
        );
        t.diagnostic(describeTimes(route.name, differences));
        unlike = differences.filter((difference) => !isAlike(difference, boundOf(difference)));
      }
      assert.deepEqual(unlike, []);
    });
  }

  test('it reports a hash that is left out', () => {
    assert.ok(mannWhitney(some(20), some(20)) > 0.9);
    assert.ok(mannWhitney(some(20), some(25)) < 0.001);
    assert.equal(median([3, 1, 2, 9]), 2.5);
    const times = new Map([
      ['unknown', some(1)],
      ['confirmed', some(20)],
    ] as const);
    assert.deepEqual(
      compareTimes(times).map((difference) => isAlike(difference, boundOf(difference))),
      [false],
    );
  });
});
