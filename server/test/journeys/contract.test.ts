// The end-to-end client of the contract finds no difference, in every way in which Bienvenue is run.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { engineNames } from '../support/engines.ts';
import { serviceOn } from '../support/running-service.ts';
import * as journey from './contract-journey.ts';

const client = fileURLToPath(new URL('contract-journey.ts', import.meta.url));

for (const engine of engineNames) {
  test(`the client finds no difference against a service on ${engine}, and its user exists after a restart`, async (t) => {
    const { start } = await serviceOn(t, engine);
    const first = await start();
    const { status, stdout, stderr } = spawnSync(process.execPath, [client, first.baseUrl], {
      encoding: 'utf8',
    });
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' });
    assert.equal(await first.stop(), 0);

    const second = await start();
    await journey.logIn(second.baseUrl, 'guillaume@holberton.io', 't4rt1fl3tt3');
    const repeated = spawnSync(process.execPath, [client, second.baseUrl], { encoding: 'utf8' });
    assert.equal(repeated.status, 1, 'the client reports that the address is taken');
    assert.equal(await second.stop(), 0);
  });
}

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
