// The OpenID provider, for the tests that run for every feature.
import type { FeatureKit } from '../../../../test/support/kit.ts';

export const kit: FeatureKit = {
  feature: 'oidc',
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
