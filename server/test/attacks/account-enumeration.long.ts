// The response times of account-enumeration.system.ts with the full count and the true bound, on both engines. Needs an
// otherwise idle machine.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { onEachEngine } from '../support/engines.ts';
import { Hasher } from '../../src/hash/hasher.ts';
import { realHashing } from '../support/hashing.ts';
import { PublicService } from '../support/public-service.ts';
import {
  accountKinds,
  compareTimes,
  describeTimes,
  routes,
  isAlike,
  prepareAccounts,
  timeRoute,
  type Addresses,
} from './timing.ts';

const rounds = 1000;
const maxMs = 1;

onEachEngine('account enumeration by time', (engine) => {
  let service: PublicService;
  let emailOf: Addresses;
  before(async () => {
    service = await PublicService.start(engine, {}, { hasher: new Hasher(realHashing) });
    emailOf = await prepareAccounts(service);
  });
  after(() => service.close());

  for (const route of routes) {
    test(`A12 enumeration by time: over a thousand requests each, ${route.name} takes equally long for every address`, async (t) => {
      const kinds = accountKinds.filter((kind) => kind !== 'unknown');
      await timeRoute(service, route, emailOf, { kinds, rounds: 20 });
      const differences = compareTimes(await timeRoute(service, route, emailOf, { kinds, rounds }));
      t.diagnostic(describeTimes(route.name, differences));
      assert.deepEqual(
        differences.filter((difference) => !isAlike(difference, maxMs)),
        [],
      );
    });
  }
});
