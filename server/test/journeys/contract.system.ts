// The client of the contract on PostgreSQL, against two processes, and many times over. Once on SQLite: contract.test.ts; the
// same in one process: http/limit/limits.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serviceOn } from '../support/running-service.ts';
import { testContract } from './contract-client.ts';
import * as journey from './contract-journey.ts';

testContract('postgres');

test('ten journeys in a row from one address stay within the limits', async (t) => {
  const { start } = await serviceOn(t, 'sqlite');
  const { baseUrl } = await start({ ADDRESS_LIMIT_PER_MINUTE: '', GLOBAL_LIMIT_PER_MINUTE: '' });
  for (let i = 0; i < 10; i += 1) await journey.runJourney(baseUrl, { email: `guillaume${i}@holberton.io` });
});

test('two processes on one PostgreSQL are one service', async (t) => {
  const { start } = await serviceOn(t, 'postgres');
  const urls = (await Promise.all([start(), start()])).map(({ baseUrl }) => baseUrl); // This also tests that both migrate at the same time.
  for (const first of [0, 1]) {
    let step = first;
    const next = (): string => urls[(step += 1) % 2] ?? '';
    const [email, password, newPassword] = [`guillaume${first}@holberton.io`, 'b4l0u', 't4rt1fl3tt3'];
    await journey.registerUser(next(), email, password);
    await assert.rejects(journey.registerUser(next(), email, password), /already knows/);
    await journey.logInWrongPassword(next(), email, newPassword);
    await journey.profileUnlogged(next());
    const sessionId = await journey.logIn(next(), email, password);
    await journey.profileLogged(next(), sessionId, email);
    await journey.profileLogged(next(), sessionId, email);
    await journey.logOut(next(), sessionId);
    await assert.rejects(journey.profileLogged(next(), sessionId, email), /status 403/);
    const token = await journey.resetPasswordToken(next(), email);
    await journey.updatePassword(next(), email, token, newPassword);
    await assert.rejects(journey.updatePassword(next(), email, token, newPassword), /status 403/);
    await journey.logIn(next(), email, newPassword);
  }
});
