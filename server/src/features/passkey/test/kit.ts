// Enrolls and uses a passkey for the tests that run for every factor.
import assert from 'node:assert/strict';
import type { Sql } from '../../../db/database.ts';
import type { PasskeyTables } from '../schema.ts';
import { listPasskeys, type PasskeyRow } from '../store.ts';
import { addPasskey, passkeyProof } from '../../../../test/support/factor.ts';
import type { FeatureKit } from '../../../../test/support/kit.ts';
import { PasskeyDevice } from '../../../../test/support/passkey-device.ts';
import { freshAddress, sessionCookie, type Arena } from '../../../../test/races/arena.ts';
import {
  assertRefused,
  bodyOf,
  idOf,
  origin,
  parse,
  post,
  put,
  racers,
  racing,
  winnersOf,
  type Contestant,
} from '../../../../test/races/factor-races.ts';
import { ask, land, type Racer } from '../../../../test/races/landing.ts';

interface PasskeyUser extends Contestant {
  readonly device: PasskeyDevice;
  /** Cookies of two sessions: a removal renews its session, which ends other requests in it. */
  readonly sessions: string[];
  readonly passkeys: readonly PasskeyRow[];
}

/** A user without a password, who has two passkeys. */
async function withPasskeysAlone(arena: Arena): Promise<PasskeyUser> {
  const to = arena.to(0);
  const email = freshAddress();
  const device = new PasskeyDevice(origin);
  const make = async (racer: Racer): Promise<string> => device.create((await bodyOf(racer))['public_key']);
  const credential = await make(post(to, '/users/passkey', '', { email }));
  parse(await ask(put(to, '/users/passkey', '', { email, credential })));
  const signedIn = await ask(put(to, '/sessions/passkey', '', { credential: await signIn(arena, device) }));
  const another = new PasskeyDevice(origin);
  const options = await bodyOf(post(to, '/profile/passkeys', sessionCookie(signedIn)));
  const second = another.create(options['public_key']);
  const added = await ask(put(to, '/profile/passkeys', sessionCookie(signedIn), { credential: second }));
  const id = await idOf(arena, email);
  const passkeys = await listPasskeys(arena.database, id);
  assert.equal(passkeys.length, 2);
  // After the passkey was added: that ends other sessions.
  const elsewhere = await ask(put(to, '/sessions/passkey', '', { credential: await signIn(arena, device) }));
  const cookie = sessionCookie(added);
  return { id, device, passkeys, cookie, sessions: [cookie, sessionCookie(elsewhere)] };
}

/** Requests a sign-in and returns the device's answer. */
async function signIn(arena: Arena, device: PasskeyDevice): Promise<string> {
  return device.get((await bodyOf(post(arena.to(0), '/sessions/passkey', '')))['public_key']);
}

/** Removes the last two ways to sign in concurrently, in two sessions; one request must be rejected. */
const removeLastTogether = racing(withPasskeysAlone, async (arena, contestant) => {
  const left = async (): Promise<string[]> =>
    (await listPasskeys(arena.database, contestant.id)).map(({ id }) => id);
  const there = await left();
  for (const row of contestant.passkeys.filter(({ id }) => !there.includes(id)))
    await arena.database.query((sql: Sql<PasskeyTables>) => sql.insertInto('passkeys').values(row));
  const outcomes = await land(
    contestant.passkeys.map(({ id }, i) => ({
      to: arena.to(i),
      method: 'DELETE',
      path: `/profile/passkeys/${id}`,
      cookie: contestant.sessions[i] ?? '',
    })),
  );
  for (const [i, outcome] of outcomes.entries())
    if (outcome.status === 200) contestant.sessions[i] = sessionCookie(outcome);
  assert.deepEqual(
    outcomes.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 409],
  );
  assert.equal((await left()).length, 1, 'one way to sign in is left');
});

/** Sends many concurrent answers to one challenge; one must sign in. */
const answerTogether = racing(withPasskeysAlone, async (arena, contestant) => {
  const credential = await signIn(arena, contestant.device);
  const outcomes = await land(
    Array.from({ length: racers }, (_, i) => put(arena.to(i), '/sessions/passkey', '', { credential })),
  );
  for (const { status, text } of outcomes) if (status !== 200) assertRefused(status, text);
  assert.equal(winnersOf(outcomes), 1);
});

export const kit: FeatureKit = {
  feature: 'passkey',
  factor: {
    name: 'passkey',
    isBackup: false,
    verifiesUser: true,
    wrong: '{}',
    enroll: async (browser, { origin: own }) => {
      const device = new PasskeyDevice(own);
      const id = await addPasskey(browser, device);
      return {
        output: (at, path) => passkeyProof(at, device, path),
        remove: () => browser.send({ method: 'DELETE', path: `/profile/passkeys/${id}` }),
        secrets: [],
      };
    },
  },
  races: [
    {
      title: 'F11: one of two concurrent removals of the last two passkeys of an account is rejected',
      isRare: true,
      create: removeLastTogether,
    },
    {
      title: 'only one of many concurrent answers to a challenge signs in',
      isRare: true,
      create: answerTogether,
    },
  ],
  columns: {
    passkeys: {
      secret: 'public_key user_handle',
      other: 'id user_id credential_id counter kind storage transports aaguid name created_at last_used_at',
    },
  },
  wrongOptions: { PASSKEYS: ['yes', '1', 'TRUE'], PASSKEY_ORIGINS: ['*', 'app.example.org'] },
  forms: {
    '/sign-in/passkey': { credential: '{}' },
    '/sign-up/passkey': { email: 'x@example.org', credential: '{}' },
    '/account/passkeys': { credential: '{}' },
    '/account/passkeys/offer': {},
    '/account/passkeys/rename': { id: 'none', name: 'mine' },
    '/account/passkeys/remove': { id: 'none' },
  },
  keepsSession: [
    'POST /profile/passkeys',
    'PUT /profile/passkeys/:id',
    'POST /account/passkeys/offer',
    'POST /account/passkeys/rename',
    'POST /sessions/step_up/passkey',
  ],
  publicRoutes: {
    'POST /sessions/passkey': 200,
    'PUT /sessions/passkey': 401,
    'POST /sign-in/passkey': 401,
    'POST /sessions/factor/passkey': 403,
  },
};
