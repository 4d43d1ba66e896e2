// The client of the contract, many times over. Once: contract.test.ts; the same in one process: http/limit/limits.test.ts.
import { test } from 'node:test';
import { serviceOn } from '../support/running-service.ts';
import * as journey from './contract-journey.ts';

test('ten journeys in a row from one address stay within the limits', async (t) => {
  const { start } = await serviceOn(t, 'sqlite');
  const { baseUrl } = await start({ ADDRESS_LIMIT_PER_MINUTE: '', GLOBAL_LIMIT_PER_MINUTE: '' });
  for (let i = 0; i < 10; i += 1) await journey.runJourney(baseUrl, { email: `guillaume${i}@holberton.io` });
});
