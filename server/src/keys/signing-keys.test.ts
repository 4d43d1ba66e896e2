// The life of the keys that sign tokens: created once, published before they sign and after, rotated and removed, by
// several instances on one database.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { importJWK, jwtVerify, createLocalJWKSet, SignJWT, type JWK } from 'jose';
import { everythingIn } from '../../test/support/contents.ts';
import { onEachEngine, withDatabase, type EngineName } from '../../test/support/engines.ts';
import { Recorder, type Recorded } from '../../test/support/recorder.ts';
import { testService } from '../../test/support/service.ts';
import { cheapSigningKey } from '../../test/support/signing-keys.ts';
import { testClock, type TestClock } from '../../test/support/clock.ts';
import type { AuditSource } from '../audit/event.ts';
import type { Database, Sql } from '../db/database.ts';
import { dayMs, hourMs, minuteMs, secondMs } from '../kit/clock.ts';
import { Keyring, KeysRefused } from '../kit/keyring.ts';
import { signingKeyPrivate, type KeyTables } from './schema.ts';
import { reseal } from './sealed.ts';
import {
  createSigningKey,
  signingAlgorithms,
  SigningKeyRefused,
  type KeyFactory,
  type SigningKeyPair,
} from './signing-key.ts';
import type { SigningKeyChange, SigningKeyEntry } from './signing-key-life.ts';
import { SigningKeys } from './signing-keys.ts';

const operator: AuditSource = { actor: 'operator' };
const keyring = new Keyring([{ id: 'test', secret: new Uint8Array(32).fill(1) }]);
const waitMs = 2 * hourMs;

/** RSA keys for all tests: creating them is most of the work. */
const pool: Promise<SigningKeyPair>[] = [];

/** Returns a factory for one database, which takes RSA keys from the pool. */
function fromPool(): KeyFactory {
  let taken = 0;
  return (alg) => {
    if (alg !== 'RS256') return cheapSigningKey(alg);
    const pair = (pool[taken] ??= cheapSigningKey(alg));
    taken += 1;
    return pair;
  };
}

interface Stage {
  readonly database: Database;
  readonly url: string;
  readonly clock: TestClock;
  /** What every instance recorded. */
  readonly changes: readonly (SigningKeyChange & { readonly actor: string })[];
  /** Another instance of the service on the database. */
  readonly instance: (ring?: Keyring) => SigningKeys;
  /** Keys that were created, stored or not. */
  readonly created: () => number;
  /** Creates no key until `count` keys are requested: each instance has read the table before it requests one. */
  readonly waitFor: (count: number) => void;
}

function onStage(engine: EngineName, work: (stage: Stage) => Promise<void>): Promise<void> {
  return withDatabase(engine, async (database, url) => {
    const clock = testClock();
    const changes: (SigningKeyChange & { actor: string })[] = [];
    let created = 0;
    let meeting: { readonly at: number; readonly met: PromiseWithResolvers<void> } | undefined;
    const create = fromPool();
    const instance = (ring: Keyring = keyring): SigningKeys =>
      new SigningKeys({
        database,
        keyring: ring,
        clock: clock.now,
        record: async (_tx, change, { actor }) => void changes.push({ ...change, actor }),
        createSigningKey: async (alg) => {
          created += 1;
          if (created === meeting?.at) meeting.met.resolve();
          await meeting?.met.promise;
          return create(alg);
        },
      });
    const waitFor = (count: number): void => {
      meeting = { at: created + count, met: Promise.withResolvers() };
    };
    await work({ database, url, clock, changes, instance, created: () => created, waitFor });
  });
}

const places = (keys: readonly SigningKeyEntry[]): string[] =>
  keys.map(({ alg, state }) => `${state} ${alg}`);
const complete = ['current RS256', 'current ES256', 'next RS256', 'next ES256'];

function kidOf(keys: readonly SigningKeyEntry[], place: string): string {
  const key = keys.find(({ alg, state }) => `${state} ${alg}` === place);
  assert.ok(key !== undefined, place);
  return key.kid;
}

onEachEngine('signing keys', (engine) => {
  test('do not exist before they are needed, and are then a current and a next one per algorithm', () =>
    onStage(engine, async ({ instance, changes, created }) => {
      const keys = instance();
      assert.deepEqual([await keys.list(), created()], [[], 0]);
      const { keys: published } = await keys.published();
      const listed = await keys.list();
      assert.deepEqual(places(listed), complete);
      assert.deepEqual(
        published.map(({ kid, alg, use }) => [kid, alg, use]),
        listed.map(({ kid, alg }) => [kid, alg, 'sig']),
      );
      for (const { d, kty } of published) assert.ok(d !== undefined, `a private ${kty} key`);
      assert.deepEqual(
        changes.map(({ kind, kid, actor }) => `${kind} ${kid} ${actor}`).toSorted(),
        listed.map(({ kid }) => `created ${kid} service`).toSorted(),
      );
    }));

  test('are one set if six instances need them at the same time', () =>
    onStage(engine, async ({ instance, changes }) => {
      const instances = Array.from({ length: 6 }, () => instance());
      const published = await Promise.all(instances.map((each) => each.published()));
      assert.equal(new Set(published.map(({ version }) => version)).size, 1);
      for (const { keys } of published) assert.deepEqual(keys, published[0]?.keys);
      assert.deepEqual(places((await instances[0]?.list()) ?? []), complete);
      assert.equal(changes.length, complete.length);
    }));

  test('are read at most every ten seconds, and are the same object until they change', () =>
    onStage(engine, async ({ instance, clock, created, database }) => {
      const [one, other] = [instance(), instance()];
      const first = await one.published();
      assert.equal((await Promise.all([other.published(), other.published()]))[0]?.version, first.version);
      assert.equal(created(), complete.length);
      clock.advance(waitMs);
      assert.equal(await one.published(), first, 'read again, and unchanged');
      await other.rotate({}, operator);
      clock.advance(10 * secondMs - 1);
      assert.equal(await one.published(), first);
      clock.advance(1);
      const second = await one.published();
      assert.notEqual(second.version, first.version);
      assert.equal(second.version, (await other.published()).version);
      await database.query((sql: Sql<KeyTables>) =>
        sql.updateTable('signing_keys').set({ state: 'retired', expires_at: 0 }),
      );
      clock.advance(-hourMs);
      assert.notEqual((await one.published()).version, second.version, 'also if the clock was set back');
    }));

  test('are published current first, then retired, then next; a retired one for a day, then the purge removes it', () =>
    onStage(engine, async ({ instance, clock }) => {
      const keys = instance();
      const versions = new Set([(await keys.published()).version]);
      const before = await keys.list();
      clock.advance(waitMs);
      const after = await keys.rotate({}, operator);
      assert.deepEqual(places(after), [
        'current RS256',
        'current ES256',
        'retired RS256',
        'retired ES256',
        'next RS256',
        'next ES256',
      ]);
      assert.equal(kidOf(after, 'current RS256'), kidOf(before, 'next RS256'));
      assert.equal(kidOf(after, 'retired ES256'), kidOf(before, 'current ES256'));
      const published = await keys.published();
      versions.add(published.version);
      assert.deepEqual(
        published.keys.map(({ kid }) => kid),
        after.map(({ kid }) => kid),
      );
      clock.advance(dayMs - 1);
      assert.equal((await keys.published()).version, published.version);
      assert.equal(await keys.purge(500), 0);
      clock.advance(1);
      assert.deepEqual(places(await keys.list()), complete);
      clock.advance(10 * secondMs);
      versions.add((await keys.published()).version);
      assert.equal(versions.size, 3);
      assert.deepEqual([await keys.purge(1), await keys.purge(500), await keys.purge(500)], [1, 1, 0]);
      assert.deepEqual(places(await keys.list()), complete);
    }));

  test('do not sign before verifiers had time to fetch them, unless the operator says now', () =>
    onStage(engine, async ({ instance, clock, changes }) => {
      const keys = instance();
      await assert.rejects(
        keys.rotate({ now: true }, operator),
        /^SigningKeyRefused: There are no signing keys yet/,
      );
      await keys.published();
      clock.advance(waitMs - 1);
      const refused = new RegExp(`must not sign before ${new Date(clock.now() + 1).toISOString()}: .*--now`);
      await assert.rejects(keys.rotate({}, operator), refused);
      assert.deepEqual(places(await keys.list()), complete);
      await keys.rotate({ now: true }, operator);
      clock.advance(waitMs);
      await keys.rotate({}, operator);
      assert.deepEqual(
        changes.flatMap((change) => (change.kind === 'rotated' ? [`${change.alg} ${change.timing}`] : [])),
        ['RS256 early', 'ES256 early', 'RS256 planned', 'ES256 planned'],
      );
    }));

  for (const now of [false, true]) {
    test(`are rotated once by two instances at the same time (${now ? 'now' : 'planned'})`, () =>
      onStage(engine, async ({ instance, clock, waitFor }) => {
        const instances = [instance(), instance()];
        await Promise.all(instances.map((each) => each.published()));
        clock.advance(waitMs);
        waitFor(instances.length * signingAlgorithms.length);
        const results = await Promise.allSettled(instances.map((each) => each.rotate({ now }, operator)));
        assert.deepEqual(results.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
        for (const result of results)
          if (result.status === 'rejected') assert.ok(result.reason instanceof SigningKeyRefused);
        const [one, other] = await Promise.all(instances.map((each) => each.list()));
        assert.equal(one?.length, 6);
        assert.deepEqual(one, other);
      }));
  }

  test('that are compromised are removed: the next one signs', () =>
    onStage(engine, async ({ instance, changes }) => {
      const keys = instance();
      const { version } = await keys.published();
      const before = await keys.list();
      const stolen = kidOf(before, 'current RS256');
      const after = await keys.retire({ kid: stolen }, operator);
      assert.deepEqual(places(after), complete);
      assert.equal(kidOf(after, 'current RS256'), kidOf(before, 'next RS256'));
      assert.equal(kidOf(after, 'current ES256'), kidOf(before, 'current ES256'));
      const published = await keys.published();
      assert.notEqual(published.version, version);
      assert.ok(!published.keys.some(({ kid }) => kid === stolen));
      assert.deepEqual(
        changes.slice(complete.length).map(({ kind, kid, actor }) => [kind, kid, actor]),
        [
          ['retired', stolen, 'operator'],
          ['created', kidOf(after, 'next RS256'), 'operator'],
        ],
      );
      await assert.rejects(keys.retire({ kid: stolen }, operator), /No signing key has the id/);
    }));

  test('are removed in every state, and all of them by one call', () =>
    onStage(engine, async ({ instance, clock }) => {
      const keys = instance();
      await assert.rejects(keys.retire('all', operator), SigningKeyRefused);
      await keys.published();
      clock.advance(waitMs);
      const rotated = await keys.rotate({}, operator);
      const retired = kidOf(rotated, 'retired ES256');
      const left = await keys.retire({ kid: retired }, operator);
      assert.deepEqual(
        left,
        rotated.filter(({ kid }) => kid !== retired),
      );
      const next = kidOf(left, 'next RS256');
      const replaced = await keys.retire({ kid: next }, operator);
      assert.deepEqual(places(replaced), places(left));
      assert.notEqual(kidOf(replaced, 'next RS256'), next);
      const renewed = await keys.retire('all', operator);
      assert.deepEqual(places(renewed), complete);
      assert.ok(renewed.every(({ kid }) => !replaced.some((key) => key.kid === kid)));
    }));

  test('that cannot be decrypted are named with what to do, and can be replaced', () =>
    onStage(engine, async ({ instance }) => {
      const keys = instance();
      const { keys: published } = await keys.published();
      const other = instance(new Keyring([{ id: 'other', secret: new Uint8Array(32) }]));
      const kid = kidOf(await keys.list(), 'current RS256');
      await assert.rejects(other.published(), (error) => {
        assert.ok(error instanceof KeysRefused);
        assert.match(
          error.message,
          new RegExp(`^The signing key ${kid} \\(RS256, current\\) cannot be decrypted\\.`),
        );
        assert.match(error.message, new RegExp(`signing-key retire ${kid} --now`));
        assertSecret(published, inspect(error)); // what the log shows
        return true;
      });
      await other.retire('all', operator);
      assert.equal((await other.published()).keys.length, complete.length);
    }));

  test('are read again by the next call if a read failed', () =>
    onStage(engine, async ({ instance, database }) => {
      const keys = instance();
      await keys.published();
      const rows = await database.query((sql: Sql<KeyTables>) =>
        sql.selectFrom('signing_keys').select(['id', 'private_jwk']),
      );
      await database.query((sql: Sql<KeyTables>) =>
        sql.updateTable('signing_keys').set({ private_jwk: 'damaged' }),
      );
      const other = instance();
      await assert.rejects(other.published(), KeysRefused);
      for (const { id, private_jwk } of rows)
        await database.query((sql: Sql<KeyTables>) =>
          sql.updateTable('signing_keys').set({ private_jwk }).where('id', '=', id),
        );
      assert.deepEqual(await other.published(), await keys.published());
    }));

  test('stay the same when they are encrypted again, and need the older key no more', () =>
    onStage(engine, async ({ instance, database }) => {
      const { version, keys } = await instance().published();
      const fresh = { id: 'fresh', secret: new Uint8Array(32).fill(2) };
      const both = new Keyring([fresh, { id: 'test', secret: new Uint8Array(32).fill(1) }]);
      const [resealed] = await reseal(database, both, [signingKeyPrivate]);
      assert.deepEqual([resealed?.rows, resealed?.left], [complete.length, 0]);
      assert.deepEqual(await instance(new Keyring([fresh])).published(), { version, keys });
    }));

  test('of a service are read and created by nothing but their use, and their changes are in the audit log', async () => {
    const recorded: Recorded[] = [];
    const service = await testService(
      engine,
      {},
      {
        watchDatabase: (database) => new Recorder(database, recorded),
      },
    );
    try {
      const { core, app, clock, url } = service;
      await app.inject('/');
      await core.purge();
      const isOfKeys = ({ compiled: { text } }: Recorded): boolean => /^(?!delete).*signing_keys/.test(text);
      assert.deepEqual(recorded.filter(isOfKeys), []);
      const { keys } = await core.signingKeys.published();
      clock.advance(waitMs);
      await core.signingKeys.rotate({}, operator);
      clock.advance(dayMs);
      assert.equal(await core.purge(), 2);
      const [next] = (await core.signingKeys.list()).filter(({ state }) => state === 'next');
      await core.signingKeys.retire({ kid: next?.kid ?? '' }, operator);
      const events = await core.audit.list({ limit: 100 });
      const counts = Map.groupBy(events, ({ reason, actor, target }) => `${reason} ${actor} ${target?.kind}`);
      assert.deepEqual([...counts].map(([name, { length }]) => `${length} ${name}`).toSorted(), [
        '1 signing_key_retired operator signing_key',
        '2 signing_key_rotated operator signing_key',
        '3 signing_key_created operator signing_key',
        '4 signing_key_created service signing_key',
      ]);
      assertSecret(keys, [await everythingIn(url), JSON.stringify(recorded), JSON.stringify(events)].join());
    } finally {
      await service.close();
    }
  });

  test('are nowhere in the database in the clear', () =>
    onStage(engine, async ({ instance, url }) => {
      const { keys } = await instance().published();
      const stored = await everythingIn(url);
      for (const { kid = '' } of keys) assert.ok(stored.includes(kid));
      assertSecret(keys, stored);
    }));
});

/** The private members of a JWK (RFC 7518 §6.2.2, §6.3.2). */
const privateParts = ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const;

/** No private part of the keys is in the text, in any encoding that we write. */
function assertSecret(keys: readonly JWK[], text: string): void {
  const parts = keys.flatMap((key) => privateParts.flatMap((name) => key[name] ?? []));
  assert.equal(
    parts.length,
    keys.reduce((sum, { kty }) => sum + (kty === 'RSA' ? privateParts.length : 1), 0),
  );
  for (const part of parts) {
    const bytes = Buffer.from(part, 'base64url');
    for (const encoding of ['base64url', 'base64', 'hex', 'latin1'] as const)
      assert.ok(!text.includes(bytes.toString(encoding)), encoding);
  }
}

/** A verifier that keeps the published keys for an hour, as Cache-Control allows. */
class CachingVerifier {
  readonly #clock: TestClock;
  readonly #keys: SigningKeys;
  #cached: { readonly at: number; readonly keys: ReturnType<typeof createLocalJWKSet> } | undefined;

  constructor(clock: TestClock, keys: SigningKeys) {
    this.#clock = clock;
    this.#keys = keys;
  }

  async verify(token: string): Promise<void> {
    const now = this.#clock.now();
    if (this.#cached === undefined || now - this.#cached.at >= hourMs) {
      const { keys } = await this.#keys.published();
      this.#cached = { at: now, keys: createLocalJWKSet({ keys: keys.map(publicOf) }) };
    }
    await jwtVerify(token, this.#cached.keys, { currentDate: new Date(now) });
  }
}

/** The public part of a private key. */
function publicOf({ kty, kid = '', alg = '', n, e, crv, x, y }: JWK): JWK {
  return { kty, kid, alg, ...(kty === 'RSA' ? { n, e } : { crv, x, y }) } as JWK; // a key has the parts of its type
}

async function sign({ keys }: { readonly keys: readonly JWK[] }, alg: string, now: number): Promise<string> {
  const key = keys.find((one) => one.alg === alg);
  assert.ok(key?.kid !== undefined);
  return new SignJWT({})
    .setProtectedHeader({ alg, kid: key.kid })
    .setExpirationTime(Math.floor((now + hourMs) / secondMs))
    .sign(await importJWK(key));
}

onEachEngine('tokens', (engine) => {
  test('are accepted during rotations by verifiers that cache the keys', () =>
    onStage(engine, async ({ instance, clock }) => {
      const [one, other] = [instance(), instance()];
      const verifiers = [one, other, one, other].map((each) => new CachingVerifier(clock, each));
      const tokens: { readonly token: string; readonly until: number }[] = [];
      const step = 7 * minuteMs;
      const kids = new Set<string | undefined>();
      for (let at = 0; at < 8 * hourMs; at += step) {
        const isDue = at > 0 && Math.floor(at / (2.5 * hourMs)) > Math.floor((at - step) / (2.5 * hourMs));
        const now = clock.now();
        const sets = isDue
          ? await Promise.all([one.published(), other.published(), one.rotate({}, operator)])
          : await Promise.all([one.published(), other.published()]);
        for (const set of sets.slice(0, 2) as Awaited<ReturnType<SigningKeys['published']>>[]) {
          kids.add(set.keys[0]?.kid);
          tokens.push({ token: await sign(set, at % 2 === 0 ? 'ES256' : 'RS256', now), until: now + hourMs });
        }
        tokens.push({ token: await sign(await one.published(), 'RS256', now), until: now + hourMs });
        const verifier = verifiers[(at / step) % verifiers.length];
        for (const { token, until } of tokens) if (until > now) await verifier?.verify(token);
        clock.advance(step);
      }
      assert.equal(kids.size, 4, 'the keys were rotated three times');
    }));

  test('fail at a verifier with cached keys after a rotation that did not wait', () =>
    onStage(engine, async ({ instance, clock }) => {
      const keys = instance();
      const verifier = new CachingVerifier(clock, keys);
      await verifier.verify(await sign(await keys.published(), 'ES256', clock.now()));
      const first = await keys.retire('all', operator);
      const token = await sign(await keys.published(), 'ES256', clock.now());
      assert.equal(first.length, complete.length);
      await assert.rejects(verifier.verify(token), /no applicable key/);
      clock.advance(hourMs - secondMs);
      await assert.rejects(verifier.verify(token), /no applicable key/);
    }));
});

test('RSA keys have 3072 bits, and the id of a key is its thumbprint', async () => {
  const { kid, privateJwk, publicJwk } = await createSigningKey('RS256');
  assert.equal(Buffer.from(publicJwk.n ?? '', 'base64url').length * 8, 3072);
  assert.deepEqual([privateJwk.kid, privateJwk.alg, privateJwk.use], [kid, 'RS256', 'sig']);
  assert.deepEqual(Object.keys(publicJwk).toSorted(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
  const { kid: other, publicJwk: ec } = await createSigningKey('ES256');
  assert.match(other, /^[\w-]{43}$/);
  assert.deepEqual(Object.keys(ec).toSorted(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
});

test('the ID of a signing key can be an argument of a command', async () => {
  // One in 64 random IDs begins with a hyphen.
  const pairs = await Promise.all(Array.from({ length: 500 }, () => cheapSigningKey('ES256')));
  assert.deepEqual(
    pairs.filter(({ kid }) => kid.startsWith('-')),
    [],
  );
});
