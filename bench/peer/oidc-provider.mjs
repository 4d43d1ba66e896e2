// The engine of the OpenID provider alone, with its store in memory and a user who is always signed in: what the protocol
// costs without identity, database, record and limits.
import Provider from 'oidc-provider';

const port = Number(process.env.PORT);
const issuer = `http://127.0.0.1:${port}`;
const { subtle } = globalThis.crypto;
const { privateKey } = await subtle.generateKey(
  {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 3072,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: 'SHA-256',
  },
  true,
  ['sign', 'verify'],
);
const key = { ...(await subtle.exportKey('jwk', privateKey)), alg: 'RS256', use: 'sig', kid: 'bench' };
delete key.key_ops;
delete key.ext;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'bench',
      client_secret: process.env.CLIENT_SECRET,
      redirect_uris: ['http://127.0.0.1:9/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
  ],
  jwks: { keys: [key] },
  claims: { openid: ['sub'], email: ['email'] },
  conformIdTokenClaims: false,
  findAccount: (_ctx, accountId) => ({
    accountId,
    claims: () => ({ sub: accountId, email: 'ann@bench.example' }),
  }),
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
  },
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  loadExistingGrant: async (ctx) => {
    const known = ctx.oidc.session.grantIdFor(ctx.oidc.client.clientId);
    if (known) return provider.Grant.find(known);
    const grant = new provider.Grant({ accountId: ctx.oidc.session.accountId, clientId: 'bench' });
    grant.addOIDCScope('openid email');
    await grant.save();
    return grant;
  },
  interactions: { url: (_ctx, { uid }) => `/login/${uid}` },
  cookies: { keys: ['bench'] },
});

// Signs the user in without a page.
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/login/')) return next();
  return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: 'ann' } });
});
provider.listen(port, '127.0.0.1');
