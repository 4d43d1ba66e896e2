// Enrolls and uses second factors over HTTP, as users do: an authenticator app, recovery codes, a passkey.
import assert from 'node:assert/strict';
import { secondMs } from '../../src/kit/clock.ts';
import { codeAt, decodeBase32 } from './authenticator-app.ts';
import type { Browser } from './browser.ts';
import type { TestClock } from './clock.ts';
import type { PasskeyDevice, Quirks } from './passkey-device.ts';
import { memberOf, type Reply } from './request.ts';

/** An enrolled authenticator app. */
export interface App {
  readonly id: string;
  /** A code that was not used yet: each time step is used once, so the clock is moved to the next. */
  readonly nextCode: () => string;
}

/** Enrolls an app in a session, or in a pending authentication that may do so. */
export async function addApp(browser: Browser, clock: TestClock): Promise<App> {
  const begun = await browser.post('/profile/totp', {});
  assert.equal(begun.status, 200, begun.text);
  const { id, secret } = begun.body as { id: string; secret: string }; // asserted by the next request
  const nextCode = codesOf(secret, clock);
  const confirmed = await browser.put('/profile/totp', { id, code: nextCode() });
  assert.equal(confirmed.status, 200, confirmed.text);
  return { id, nextCode };
}

/** The codes of an app with this seed, one time step after the other. */
export function codesOf(secret: string, clock: TestClock): App['nextCode'] {
  const seed = decodeBase32(secret);
  return () => {
    clock.advance(30 * secondMs);
    return codeAt(seed, clock.now());
  };
}

/** Creates recovery codes, which replace the older ones. */
export async function addRecoveryCodes(browser: Browser): Promise<string[]> {
  const made = await browser.post('/profile/recovery_codes', {});
  assert.equal(made.status, 200, made.text);
  return memberOf(made.body, 'recovery_codes') as string[]; // the schema of the route
}

/** Options that the service sends to a browser for its authenticator. */
export function passkeyOptionsIn(reply: Reply): Record<string, unknown> {
  assert.equal(reply.status, 200, reply.text);
  return memberOf(reply.body, 'public_key') as Record<string, unknown>; // the schema of the route
}

/** Adds a passkey of the device; returns its id. */
export async function addPasskey(browser: Browser, device: PasskeyDevice): Promise<string> {
  const options = passkeyOptionsIn(await browser.post('/profile/passkeys', {}));
  const added = await browser.put('/profile/passkeys', { credential: device.create(options) });
  assert.equal(added.status, 200, added.text);
  return String(memberOf(added.body, 'id'));
}

/** Signs in with a passkey of the device. */
export async function signInWithPasskey(
  browser: Browser,
  device: PasskeyDevice,
  quirks: Quirks = {},
): Promise<Reply> {
  const options = passkeyOptionsIn(await browser.post('/sessions/passkey', {}));
  return browser.put('/sessions/passkey', { credential: device.get(options, quirks) });
}

/** The device's response to a request for it as second factor, or for a step-up. */
export async function passkeyProof(
  browser: Browser,
  device: PasskeyDevice,
  path: '/sessions/factor' | '/sessions/step_up',
): Promise<string> {
  return device.get(passkeyOptionsIn(await browser.post(`${path}/passkey`, {})));
}
