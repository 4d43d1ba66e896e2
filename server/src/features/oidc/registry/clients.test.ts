// Adds, changes and removes clients and resources, rotates secrets, and reads what is recorded.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { hourMs } from '../../../kit/clock.ts';
import { Problem } from '../../../kit/problem.ts';
import type { Database, Sql } from '../../../db/database.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { testService, type TestService } from '../../../../test/support/service.ts';
import type { Input } from '../client/field.ts';
import { fieldsOf, requireClient } from '../client/registration.ts';
import { requireResource } from '../client/resource.ts';
import { digestOfSecret, hasSecretForm, isSecret } from '../client/secret.ts';
import { findClient, findResource, listLiveSecrets } from '../client/store.ts';
import type { ClientTables } from '../client/schema.ts';
import { Clients } from './clients.ts';
import { Resources } from './resources.ts';

const wiki = { id: 'wiki', name: 'Wiki', redirect_uris: ['https://wiki.example.org/callback'] };
const api = 'https://api.example.org/';
const change = { source: { actor: 'operator' } } as const;

function refusal(code: string, says: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof Problem, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, says);
    return true;
  };
}

onEachEngine('the rules of clients', (engine) => {
  let service: TestService;
  let db: Database;
  let clients: Clients;
  let resources: Resources;
  before(async () => {
    service = await testService(engine);
    const { context } = service.core;
    ({ db } = context);
    [clients, resources] = [new Clients(context), new Resources(context)];
  });
  beforeEach(async () => {
    for (const table of ['oidc_clients', 'oidc_resources', 'audit_events'])
      await db.execute(`delete from ${table}`);
  });
  after(() => service.close());

  const now = (): number => service.clock.now();
  const add = async (input: Input): Promise<string> =>
    (await clients.add(requireClient(input), change)).secret ?? '';
  const accepts = async (secret: string): Promise<boolean> =>
    isSecret(await listLiveSecrets(db, 'wiki', now()), secret);
  /** What was recorded, oldest first. */
  const record = async (): Promise<string[]> =>
    (await service.core.audit.list({ limit: 100 }))
      .map(({ reason, actor, target, facts }) =>
        [
          reason,
          actor,
          target?.kind,
          target?.id,
          ...Object.entries(facts ?? {}).map((each) => each.join('=')),
        ].join(' '),
      )
      .toReversed();

  test('a new client has one secret, which is returned once and stored as a digest', async () => {
    const secret = await add(wiki);
    assert.equal(hasSecretForm(secret), true);
    assert.equal(await accepts(secret), true);
    assert.equal((await findClient(db, 'wiki'))?.managedBy, null);
    assert.deepEqual(await record(), ['client_added operator client wiki kind=web']);
    await assert.rejects(add(wiki), refusal('invalid_request', /^id is taken: there is a client wiki$/));
    assert.deepEqual((await record()).length, 1);
  });

  test('a public client has no secret', async () => {
    const { secret } = await clients.add(requireClient({ ...wiki, kind: 'browser' }), change);
    assert.equal(secret, undefined);
    assert.deepEqual(await listLiveSecrets(db, 'wiki', now()), []);
    await assert.rejects(
      clients.rotateSecret('wiki', change),
      refusal('invalid_request', /^The client wiki has no secret: it authenticates by none$/),
    );
  });

  test('of two operators who add the same client, one is refused', async () => {
    const [one, other] = await Promise.allSettled([add(wiki), add(wiki)]);
    assert.deepEqual([one.status, other.status].toSorted(), ['fulfilled', 'rejected']);
    assert.equal((await listLiveSecrets(db, 'wiki', now())).length, 1);
  });

  test('after a rotation both secrets are accepted, until the older one expires', async () => {
    const first = await add(wiki);
    const { secret: second, earlierExpiresAt } = await clients.rotateSecret('wiki', change);
    assert.equal(earlierExpiresAt, now() + 24 * hourMs);
    assert.deepEqual([await accepts(first), await accepts(second)], [true, true]);
    service.clock.advance(24 * hourMs - 1);
    assert.equal(await accepts(first), true);
    service.clock.advance(1);
    assert.deepEqual([await accepts(first), await accepts(second)], [false, true]);
    assert.deepEqual((await record()).slice(1), [
      'client_secret_rotated operator client wiki live_secrets=2',
    ]);
  });

  test('there are two secrets at most, and none but the new one without an overlap', async () => {
    const first = await add(wiki);
    const { secret: second } = await clients.rotateSecret('wiki', change);
    const { secret: third } = await clients.rotateSecret('wiki', { ...change, overlapMs: 2 * hourMs });
    assert.deepEqual(
      [await accepts(first), await accepts(second), await accepts(third)],
      [false, true, true],
    );
    const { secret: fourth, earlierExpiresAt } = await clients.rotateSecret('wiki', {
      ...change,
      overlapMs: 0,
    });
    assert.equal(earlierExpiresAt, undefined);
    assert.deepEqual(
      [await accepts(second), await accepts(third), await accepts(fourth)],
      [false, false, true],
    );
  });

  test('rotations at the same time leave two secrets', async () => {
    await add(wiki);
    await Promise.all(Array.from({ length: 5 }, async () => clients.rotateSecret('wiki', change)));
    assert.equal((await listLiveSecrets(db, 'wiki', now())).length, 2);
  });

  test('a rotation extends the life of no secret', async () => {
    const first = await add(wiki);
    await clients.rotateSecret('wiki', { ...change, overlapMs: hourMs });
    await db.query((sql: Sql<ClientTables>) =>
      sql
        .updateTable('oidc_client_secrets')
        .set({ expires_at: now() + hourMs })
        .where('expires_at', 'is', null),
    );
    await clients.rotateSecret('wiki', { ...change, overlapMs: 24 * hourMs });
    service.clock.advance(hourMs);
    assert.equal(await accepts(first), false);
    assert.equal((await listLiveSecrets(db, 'wiki', now())).length, 1);
  });

  test('each field that a client may lack is removed alone', async () => {
    const removable = {
      post_logout_redirect_uris: ['https://wiki.example.org/'],
      backchannel_logout_uri: 'https://wiki.example.org/logout',
      initiate_login_uri: 'https://wiki.example.org/login',
      allowed_email_domains: ['example.org'],
      allowed_users: ['ann'],
      allowed_groups: ['staff'],
    };
    await add({ ...wiki, ...removable });
    const names = Object.keys(removable);
    for (const name of names) await clients.update('wiki', { [name]: null }, change);
    const left = await findClient(db, 'wiki');
    assert.ok(left !== undefined);
    assert.deepEqual(
      names.filter((name) => name in fieldsOf(left)),
      [],
    );
  });

  test('a change keeps all other fields, and null resets one', async () => {
    const secret = await add({ ...wiki, first_party: true, allowed_users: ['ann@example.org'] });
    const earlier = await findClient(db, 'wiki');
    service.clock.advance(1000);
    await clients.update('wiki', { name: 'Wikipedia', allowed_users: null }, change);
    assert.deepEqual(await findClient(db, 'wiki'), {
      ...earlier,
      name: 'Wikipedia',
      access: { emailDomains: [], users: [] },
      updatedAt: now(),
    });
    assert.equal(await accepts(secret), true);
    await clients.update('wiki', { name: 'Wikipedia' }, change);
    assert.deepEqual((await record()).slice(1), [
      'client_changed operator client wiki fields=name,allowed_users',
    ]);
    await assert.rejects(
      clients.update('wiki', { redirect_uris: [] }, change),
      refusal('invalid_request', /redirect_uris is missing/),
    );
    await assert.rejects(
      clients.update('other', {}, change),
      refusal('not_found', /^No client has the id other$/),
    );
  });

  test('a client that gets another way to authenticate loses its secrets, and one that needs a secret gets one', async () => {
    await add(wiki);
    const publicly = { kind: 'browser', scopes: null, token_endpoint_auth_method: null };
    const { secret: none } = await clients.update('wiki', publicly, change);
    assert.equal(none, undefined);
    assert.deepEqual(await listLiveSecrets(db, 'wiki', now()), []);
    const { secret = '' } = await clients.update(
      'wiki',
      { kind: 'web', token_endpoint_auth_method: null },
      change,
    );
    assert.equal(await accepts(secret), true);
  });

  test('a client gets only scopes that a resource has, and keeps those that a resource has lost', async () => {
    const scopes = ['openid', 'orders:read'];
    const refused = refusal(
      'invalid_request',
      /^scopes of the client wiki has orders:read, which no resource has/,
    );
    await assert.rejects(add({ ...wiki, scopes }), refused);
    await add(wiki);
    await assert.rejects(clients.update('wiki', { scopes }, change), refused);
    await resources.add(
      requireResource({ identifier: api, name: 'Orders', scopes: ['orders:read'] }),
      change,
    );
    await clients.update('wiki', { scopes }, change);
    await resources.update(api, { scopes: ['orders:write'] }, change);
    await clients.update('wiki', { name: 'Wiki 2' }, change);
    assert.deepEqual((await findClient(db, 'wiki'))?.scopes, scopes);
  });

  test('a client serves registered resources only, and a resource that is served stays', async () => {
    await assert.rejects(
      add({ ...wiki, resource_of: [api] }),
      refusal('invalid_request', /^resource_of has .* not a registered/),
    );
    assert.equal(await findClient(db, 'wiki'), undefined);
    await resources.add(requireResource({ identifier: api, name: 'Orders' }), change);
    await add({ ...wiki, resource_of: [api] });
    await assert.rejects(resources.remove(api, change), refusal('invalid_request', /resource_of of wiki/));
    await clients.remove('wiki', change);
    await resources.update(
      api,
      { token_format: 'jwt', token_seconds: null, scopes: ['orders:read'] },
      change,
    );
    assert.deepEqual((await findResource(db, api))?.tokenSeconds, 300);
    await resources.remove(api, change);
    assert.equal(await findResource(db, api), undefined);
    assert.deepEqual(await record(), [
      `resource_added operator resource ${api} token_format=opaque`,
      'client_added operator client wiki kind=web',
      'client_removed operator client wiki',
      `resource_changed operator resource ${api} fields=token_format,token_seconds,scopes,alg`,
      `resource_removed operator resource ${api}`,
    ]);
  });

  test('a default of a resource follows from its format, also when the format changes', async () => {
    const formats = ['opaque', 'jwt'] as const;
    for (const from of formats)
      for (const to of formats.filter((format) => format !== from)) {
        const fresh = (format: string): ReturnType<typeof requireResource> =>
          requireResource({ identifier: api, name: 'Orders', token_format: format });
        await resources.add(fresh(from), change);
        assert.deepEqual(
          await resources.update(api, { token_format: to }, change),
          fresh(to),
          `${from} ${to}`,
        );
        await resources.remove(api, change);
      }
    const chosen = { identifier: api, name: 'Orders', token_format: 'jwt', alg: 'RS256', token_seconds: 60 };
    await resources.add(requireResource(chosen), change);
    await assert.rejects(
      resources.update(api, { token_format: 'opaque' }, change),
      refusal('invalid_request', /alg has no effect/),
    );
    const opaque = await resources.update(api, { token_format: 'opaque', alg: null }, change);
    assert.equal(opaque.tokenSeconds, 60, 'what the operator chose stays');
    await resources.remove(api, change);
  });

  test('what the clients file manages is changed there only', async () => {
    const owned = new Clients({ ...service.core.context, fileOwner: 'file:clients' });
    const managed = { ...change, managedBy: 'file:clients' };
    await owned.add(requireClient(wiki), managed, [digestOfSecret('x')]);
    const refused = refusal('invalid_request', /^The clients file manages the client wiki: change it there/);
    await assert.rejects(owned.update('wiki', { name: 'W' }, change), refused);
    await assert.rejects(owned.rotateSecret('wiki', change), refused);
    await assert.rejects(owned.remove('wiki', change), refused);
    // A file that is no longer in use manages nothing.
    await clients.update('wiki', { name: 'W' }, change);
    assert.equal((await findClient(db, 'wiki'))?.managedBy, 'file:clients');
    await clients.remove('wiki', change);
  });
});
