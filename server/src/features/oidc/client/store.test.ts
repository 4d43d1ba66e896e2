// Stores clients, secrets and resources, and gives them to the library.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Provider from 'oidc-provider';
import { onEachEngine, withDatabase } from '../../../../test/support/engines.ts';
import { UniqueViolation } from '../../../db/database.ts';
import { clientDefaults } from '../test/client-defaults.ts';
import { deviceGrant, mayUse, type NewClient, type NewResource } from './client.ts';
import { extraClientProperties, metadataOf } from '../session/client-metadata.ts';
import { createClientSecret, digestOfSecret, hasSecretForm, isSecret } from './secret.ts';
import {
  addClient,
  addSecret,
  findClient,
  findResource,
  listClients,
  listLiveSecrets,
  listResources,
  putResource,
  removeClient,
  removeResource,
  updateClient,
} from './store.ts';

const wiki: NewClient = {
  ...clientDefaults,
  id: 'wiki',
  backchannelLogoutUri: 'https://wiki.example.org/logout',
  initiateLoginUri: 'https://wiki.example.org/login',
  scopes: ['openid', 'email', 'orders:read'],
};
const api: NewResource = {
  identifier: 'https://api.example.org/',
  name: 'Orders',
  scopes: ['orders:read'],
  tokenFormat: 'jwt',
  alg: 'ES256',
  tokenSeconds: 300,
};
const facts = { managedBy: null, now: 1000 };

onEachEngine('the store of clients', (engine) => {
  test('adds, replaces and removes clients', () =>
    withDatabase(engine, async (db) => {
      await addClient(db, wiki, facts);
      assert.deepEqual(await findClient(db, 'wiki'), {
        ...wiki,
        managedBy: null,
        createdAt: 1000,
        updatedAt: 1000,
      });
      await assert.rejects(addClient(db, wiki, facts), UniqueViolation);
      const { initiateLoginUri: _, ...changed } = { ...wiki, name: 'Wikipedia' };
      assert.equal(await updateClient(db, changed, { managedBy: 'file:clients', now: 2000 }), true);
      const [stored, ...others] = await listClients(db);
      assert.deepEqual(stored, {
        ...changed,
        managedBy: 'file:clients',
        createdAt: 1000,
        updatedAt: 2000,
      });
      assert.deepEqual(others, []);
      assert.equal(await updateClient(db, { ...wiki, id: 'other' }, facts), false);
      assert.equal(await removeClient(db, 'wiki'), true);
      assert.equal(await removeClient(db, 'wiki'), false);
      assert.equal(await findClient(db, 'wiki'), undefined);
    }));

  test('lists secrets until they expire, and removes them with their client', () =>
    withDatabase(engine, async (db) => {
      await addClient(db, wiki, facts);
      const [older, newer] = [createClientSecret(), createClientSecret()];
      await addSecret(db, 'wiki', { hash: older.hash, now: 1000, expiresAt: 5000 });
      await addSecret(db, 'wiki', { hash: newer.hash, now: 2000 });
      const both = await listLiveSecrets(db, 'wiki', 4999);
      for (const { secret } of [older, newer]) assert.equal(isSecret(both, secret), true);
      const left = await listLiveSecrets(db, 'wiki', 5000);
      assert.deepEqual(
        [isSecret(left, older.secret), isSecret(left, newer.secret), left.length],
        [false, true, 1],
      );
      await removeClient(db, 'wiki');
      assert.deepEqual(await listLiveSecrets(db, 'wiki', 0), []);
    }));

  test('adds, replaces and removes resources', () =>
    withDatabase(engine, async (db) => {
      await putResource(db, api, facts);
      await putResource(db, { ...api, name: 'Orders 2' }, { managedBy: 'file:clients', now: 2000 });
      const stored = {
        ...api,
        name: 'Orders 2',
        managedBy: 'file:clients',
        createdAt: 1000,
        updatedAt: 2000,
      };
      assert.deepEqual(await findResource(db, api.identifier), stored);
      assert.deepEqual(await listResources(db), [stored]);
      assert.equal(await removeResource(db, api.identifier), true);
      assert.equal(await removeResource(db, api.identifier), false);
    }));
});

const kinds: Readonly<Record<string, Partial<NewClient>>> = {
  web: {},
  browser: { kind: 'browser', authMethod: 'none' },
  native: {
    kind: 'native',
    authMethod: 'none',
    grantTypes: ['authorization_code', 'refresh_token', deviceGrant],
    redirectUris: ['http://127.0.0.1/callback', 'com.example.app:/callback'],
    postLogoutRedirectUris: [],
  },
  device: { kind: 'native', authMethod: 'none', grantTypes: [deviceGrant], redirectUris: [] },
  service: {
    kind: 'service',
    grantTypes: ['client_credentials'],
    redirectUris: [],
    postLogoutRedirectUris: [],
    backchannelLogoutUri: undefined,
    initiateLoginUri: undefined,
    scopes: ['orders:read'],
    authMethod: 'private_key_jwt',
    jwks: {
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
          y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
        },
      ],
    },
  },
};

for (const [title, change] of Object.entries(kinds))
  test(`the library accepts the metadata of a client: ${title}`, async () => {
    const client = { ...wiki, ...change, managedBy: null, createdAt: 0, updatedAt: 0 };
    const provider = new Provider('https://accounts.example.org', {
      clients: [metadataOf(client)],
      clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'ES256'] },
      extraClientMetadata: { properties: [...extraClientProperties] },
      features: {
        devInteractions: { enabled: false },
        backchannelLogout: { enabled: true },
        clientCredentials: { enabled: true },
        deviceFlow: { enabled: true },
      },
    });
    const found = await provider.Client.find('wiki');
    assert.deepEqual(found?.['bienvenue_access'], client.access);
    assert.deepEqual(found?.['bienvenue_resource_scopes'], ['orders:read']);
    assert.deepEqual(found?.grantTypes, client.grantTypes);
  });

test('a secret has a checksum and is compared with all digests', () => {
  const { secret, hash } = createClientSecret();
  assert.match(secret, /^bvs_[0-9A-Za-z]{49}$/);
  assert.equal(hasSecretForm(secret), true);
  const wrong = `${secret.slice(0, -1)}${secret.endsWith('0') ? '1' : '0'}`;
  assert.equal(hasSecretForm(wrong), false);
  assert.deepEqual(digestOfSecret(secret), hash);
  assert.equal(isSecret([hash, digestOfSecret('other')], secret), true);
  assert.equal(isSecret([digestOfSecret('other')], secret), false);
  assert.equal(isSecret([], secret), false);
  assert.equal(isSecret([digestOfSecret('x'.repeat(2000))], 'x'.repeat(2000)), false);
});

test('a client is for all users, or for domains, addresses, subjects and groups', async () => {
  const groups = async (): Promise<string[]> => ['staff'];
  const user = { subject: 'ann', emailKey: 'ann@example.org', isEmailVerified: true, groups };
  const may = (emailDomains: string[], users: string[], one = user): Promise<boolean> =>
    mayUse({ access: { emailDomains, users } }, one);
  assert.equal(await may([], []), true);
  assert.equal(await may(['example.org'], []), true);
  assert.equal(await may(['org', 'sub.example.org', 'ple.org'], []), false);
  assert.equal(await may([], ['ann@example.org']), true);
  assert.equal(await may(['example.com'], ['ann']), true);
  assert.equal(await may([], ['bob']), false);
  const unverified = { ...user, isEmailVerified: false };
  assert.equal(
    await may(['example.org'], ['ann@example.org'], unverified),
    false,
    'the address is not confirmed',
  );
  assert.equal(await may([], ['ann'], unverified), true);
  const mayIn = (wanted: string[], one: Parameters<typeof mayUse>[1] = user): Promise<boolean> =>
    mayUse({ access: { emailDomains: [], users: ['bob'], groups: wanted } }, one);
  assert.equal(await mayIn(['admins', 'staff']), true);
  assert.equal(await mayIn(['Staff', 'staf', 'staffs']), false, 'compared as texts');
  assert.equal(await mayIn(['staff'], unverified), true, 'the operator gave it, whatever the address');
  assert.equal(await mayIn([], { ...user, groups: async () => assert.fail('not needed') }), false);
});
