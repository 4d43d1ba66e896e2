// The end-to-end client of the contract against a service that is run as users run it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import type { EngineName } from '../support/engines.ts';
import { serviceOn } from '../support/running-service.ts';
import * as journey from './contract-journey.ts';

const client = fileURLToPath(new URL('contract-journey.ts', import.meta.url));

/** Declares the test on the engine. */
export function testContract(engine: EngineName): void {
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
