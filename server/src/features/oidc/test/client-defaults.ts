// A client for tests: an application of the operator with a back end.
import { standardScopes, type NewClient } from '../client/client.ts';

export const clientDefaults: Omit<NewClient, 'id'> = {
  name: 'Wiki',
  kind: 'web',
  grantTypes: ['authorization_code', 'refresh_token'],
  redirectUris: ['https://wiki.example.org/callback'],
  postLogoutRedirectUris: ['https://wiki.example.org/'],
  backchannelLogoutSessionRequired: true,
  scopes: [...standardScopes],
  authMethod: 'client_secret_basic',
  idTokenAlg: 'RS256',
  isFirstParty: true,
  access: { emailDomains: [], users: [] },
  skipsPkce: false,
  requiresPar: false,
  acceptsTokenEndpointAudience: false,
  resourceOf: [],
  lifetimes: {
    accessTokenSeconds: 600,
    idTokenSeconds: 600,
    refreshIdleDays: 30,
    refreshMaxDays: 180,
    refreshGraceSeconds: 30,
  },
};
