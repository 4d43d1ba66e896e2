// A user with a second factor whose session has only the first, as on a device that skips the second.
import assert from 'node:assert/strict';
import { codeAt, decodeBase32 } from '../../../../test/support/authenticator-app.ts';
import { without } from '../../../../test/support/feature.ts';
import type { Person } from './site.ts';

/** The reason to skip a test that needs it; `false` if the project has its features. */
export const withoutSkippedApp: string | false = without('totp', 'remembered-device');

/**
 * Adds an authenticator app, and signs in without it, on a device that skips the second factor. Returns a function that
 * returns the next code. A code is accepted once, and a step late or early.
 */
export async function addSkippedApp(person: Person): Promise<() => string> {
  const stepMs = 30_000;
  const begun = await person.send('POST', '/profile/totp');
  const { id, secret } = JSON.parse(begun.text) as Record<'id' | 'secret', string>; // our own reply
  const seed = decodeBase32(secret);
  const confirm = (): Promise<{ readonly status: number }> =>
    person.send('PUT', '/profile/totp', { id, code: codeAt(seed, Date.now() - stepMs) });
  // Between two steps the first code may be too late.
  const isConfirmed = (await confirm()).status === 200 || (await confirm()).status === 200;
  assert.ok(isConfirmed, 'the app is confirmed');
  await person.send('DELETE', '/sessions');
  await person.signIn();
  const fields = { factor: 'totp', proof: codeAt(seed, Date.now()), remember_device: 'true' };
  const remembered = await person.send('POST', '/sessions/factor', fields);
  assert.equal(remembered.status, 200, remembered.text);
  await person.send('DELETE', '/sessions');
  await person.signIn();
  return () => codeAt(seed, Date.now() + stepMs);
}
