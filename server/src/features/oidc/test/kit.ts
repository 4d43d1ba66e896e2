// The OpenID provider, for the tests that run for every feature.
import { cipherOf } from '../../../keys/sealed.ts';
import { saveInteraction } from '../grant/interaction-store.ts';
import { sealedInteraction, sealedToken } from '../grant/schema.ts';
import { saveToken } from '../grant/token-store.ts';
import type { FeatureKit } from '../../../../test/support/kit.ts';

export const kit: FeatureKit = {
  feature: 'oidc',
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
    'oidc_grants',
    'oidc_tokens',
    'oidc_consents',
  ],
};
