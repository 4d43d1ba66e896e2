// The times of account-enumeration.system.ts at their full count and with their true bound, on both engines. Needs a
// machine that has nothing else to do.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { onEachEngine } from '../support/engines.ts';
import { realHashing } from '../support/hashing.ts';
import { PublicService } from '../support/public-service.ts';
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

const rounds = 1000;
const maxMs = 1;

onEachEngine('account enumeration by time', (engine) => {
  let service: PublicService;
  let emailOf: Addresses;
  before(async () => {
    service = await PublicService.start(engine, {}, { hashing: realHashing });
    emailOf = await prepareAccounts(service);
  });
  after(() => service.close());

  for (const door of doors) {
    test(`A12 enumeration by time: of a thousand requests each, ${door.name} takes as long for every address`, async (t) => {
      const kinds = accountKinds.filter((kind) => kind !== 'unknown');
      await timeDoor(service, door, emailOf, { kinds, rounds: 20 });
      const differences = compareTimes(await timeDoor(service, door, emailOf, { kinds, rounds }));
      t.diagnostic(describeTimes(door.name, differences));
      assert.deepEqual(
        differences.filter((difference) => !isAlike(difference, maxMs)),
        [],
      );
    });
  }
});
