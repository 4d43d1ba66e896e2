// The time of a reply does not reveal whether an address has an account. What a reply says: account-enumeration.test.ts.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { realHashing } from '../support/hashing.ts';
import { PublicService } from '../support/public-service.ts';
import { mannWhitney, median } from '../support/statistics.ts';
import {
  accountKinds,
  compareTimes,
  describeTimes,
  doors,
  isAlike,
  prepareAccounts,
  timeDoor,
  type Addresses,
} from './timing.ts';

/** Times around so many milliseconds. */
const some = (ms: number): number[] => Array.from({ length: 60 }, (_, i) => ms + (i % 7));

describe('account enumeration by time', () => {
  /**
   * Generous, for a machine that does other things at the same time: what is looked for, a hash that is left out, shows
   * with ten times as much. The full count, with the true bound, is in account-enumeration.long.ts.
   */
  const maxMs = 3;
  let service: PublicService;
  let emailOf: Addresses;
  before(async () => {
    service = await PublicService.start('sqlite', {}, { hashing: realHashing });
    emailOf = await prepareAccounts(service);
  });
  after(() => service.close());

  for (const door of doors) {
    test(`A12 enumeration by time: ${door.name} takes as long for every address`, async (t) => {
      const kinds = door.hashes
        ? (['confirmed', door.name === 'login' ? 'disabled' : 'unconfirmed'] as const)
        : accountKinds;
      await timeDoor(service, door, emailOf, { kinds, rounds: 5 });
      const differences = compareTimes(
        await timeDoor(service, door, emailOf, { kinds, rounds: door.hashes ? 25 : 80 }),
      );
      t.diagnostic(describeTimes(door.name, differences));
      assert.deepEqual(
        differences.filter((difference) => !isAlike(difference, maxMs)),
        [],
      );
    });
  }

  test('it would see a hash that is left out', () => {
    assert.ok(mannWhitney(some(20), some(20)) > 0.9);
    assert.ok(mannWhitney(some(20), some(25)) < 0.001);
    assert.equal(median([3, 1, 2, 9]), 2.5);
    const times = new Map([
      ['unknown', some(1)],
      ['confirmed', some(20)],
    ] as const);
    assert.deepEqual(
      compareTimes(times).map((difference) => isAlike(difference, maxMs)),
      [false],
    );
  });
});
