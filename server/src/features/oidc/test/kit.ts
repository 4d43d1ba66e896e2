// The OpenID provider, for the tests that run for every feature.
import { cipherOf } from '../../../keys/sealed.ts';
import { dayMs } from '../../../kit/clock.ts';
import { addClient } from '../client/store.ts';
import { saveConsent } from '../grant/consent-store.ts';
import { saveGrant } from '../grant/grant-store.ts';
import { saveInteraction } from '../grant/interaction-store.ts';
import { sealedInteraction, sealedToken } from '../grant/schema.ts';
import { saveToken } from '../grant/token-store.ts';
import { clientDefaults } from './client-defaults.ts';
import type { FeatureKit } from '../../../../test/support/kit.ts';

export const kit: FeatureKit = {
  feature: 'oidc',
  draw: async (stage) => (await import('./screens.ts')).drawScreens(stage),
  attacks: [
    { row: 'A32', title: 'a redirect URI that nearly matches' },
    { row: 'A33', title: 'an authorization code that is replayed, foreign or expired' },
    { row: 'A34', title: 'an authorization without its proof key' },
    { row: 'A35', title: 'a refresh token used twice' },
    { row: 'A36', title: 'an ID token or JWT that names its own algorithm or key' },
  ],
  addSecrets: async (db, keyring) => {
    const id = 'secret';
    await saveInteraction(db, {
      id,
      sealed: cipherOf(keyring, sealedInteraction).encrypt('{}', id),
      now: 0,
      expiresAt: 1,
    });
    await saveToken(db, {
      id,
      kind: 'DeviceCode',
      grantId: null,
      userId: null,
      clientId: null,
      sessionUid: null,
      userCode: null,
      payload: '{}',
      sealed: cipherOf(keyring, sealedToken).encrypt('bvd_', id),
      now: 0,
      expiresAt: 1,
    });
  },
  columns: {
    oidc_grants: {
      secret: '',
      other: 'id user_id client_id outlives_session payload created_at expires_at',
    },
    oidc_tokens: {
      secret: 'id user_code sealed',
      other: 'kind grant_id user_id client_id session_uid payload consumed_at replays created_at expires_at',
    },
    oidc_consents: { secret: '', other: 'user_id client_id scopes created_at last_used_at' },
  },
  addRowsOf: async (db, userId) => {
    const now = Date.now();
    const id = `of ${userId}`;
    const row = { id, userId, clientId: id, now, expiresAt: now + dayMs };
    await db.transaction(async (tx) => {
      await addClient(tx, { ...clientDefaults, id }, { managedBy: null, now });
      await saveGrant(tx, { ...row, outlivesSession: 1, payload: '{"openid":{"scope":"openid"}}' });
      await saveConsent(tx, { userId, clientId: id, scopes: ['openid', 'email'], now });
      await saveToken(tx, {
        ...row,
        id: `the digest of the token ${userId}`,
        kind: 'DeviceCode',
        grantId: id,
        sessionUid: null,
        userCode: `the digest of the code ${userId}`,
        payload: '{}',
        sealed: `the encrypted token ${userId}`,
      });
    });
  },
  otherTables: [
    'oidc_clients',
    'oidc_client_secrets',
    'oidc_resources',
    'oidc_clients_files',
    'oidc_replaced_files',
    'oidc_logouts',
    'oidc_sessions',
    'oidc_session_clients',
    'oidc_interactions',
    'oidc_used',
  ],
  wrongOptions: {
    CLIENTS_FILE: ['/nowhere/clients.toml', '/dev/null', '/', import.meta.filename],
    OIDC_CLAIMS: ['sub', 'department, email', 'a b!'],
    OIDC_ASSUME_EMAIL_VERIFIED: ['yes', '1', 'TRUE'],
  },
  forms: {
    '/oauth/end-session/confirm': {},
    '/device': { user_code: 'BBBB-BBBB' },
    '/device/confirm': { answer: 'deny' },
    '/account/applications/remove': { client_id: 'none' },
  },
  keepsSession: [
    'POST /oauth/authorize',
    'POST /oauth/interaction/:uid',
    'POST /oauth/end-session',
    'POST /oauth/end-session/confirm',
    'POST /device',
    'POST /device/confirm',
    'POST /account/applications/remove',
    'DELETE /profile/applications/:client_id',
  ],
  publicRoutes: { 'POST /oauth/interaction/:uid': 400, 'POST /oauth/end-session/confirm': 303 },
};
