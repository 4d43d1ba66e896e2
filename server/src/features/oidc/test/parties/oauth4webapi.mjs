// A relying party with oauth4webapi, with pushed authorization requests. It keeps its sessions in memory.
import { randomUUID } from 'node:crypto';
import express from 'express';
import * as oauth from 'oauth4webapi';

const { ISSUER: issuer, CLIENT_ID: id, CLIENT_SECRET: secret, OWN: own } = process.env;
const multiFactor = 'https://refeds.org/profile/mfa';
const insecure = { [oauth.allowInsecureRequests]: true };
const client = { client_id: id };
const authenticate = oauth.ClientSecretBasic(secret);
const server = await oauth.processDiscoveryResponse(
  new URL(issuer),
  await oauth.discoveryRequest(new URL(issuer), insecure),
);
const sessions = new Map();
const app = express();

app.use((request, response, next) => {
  const sid = /(?:^|; )rp4=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? randomUUID();
  if (!sessions.has(sid)) sessions.set(sid, {});
  request.session = sessions.get(sid);
  response.setHeader('set-cookie', `rp4=${sid}; Path=/; HttpOnly`);
  next();
});

async function signIn(request, response, more = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  request.session.pending = { verifier, state, nonce, back: request.originalUrl };
  const pushed = await oauth.processPushedAuthorizationResponse(
    server,
    client,
    await oauth.pushedAuthorizationRequest(
      server,
      client,
      authenticate,
      {
        client_id: id,
        response_type: 'code',
        redirect_uri: `${own}/callback`,
        scope: 'openid email profile',
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        nonce,
        ...more,
      },
      insecure,
    ),
  );
  const query = new URLSearchParams({ client_id: id, request_uri: pushed.request_uri });
  response.redirect(`${server.authorization_endpoint}?${query}`);
}

app.get('/callback', async (request, response) => {
  const { verifier, state, nonce, back } = request.session.pending;
  const parameters = oauth.validateAuthResponse(
    server,
    client,
    new URL(request.originalUrl, own).searchParams,
    state,
  );
  const reply = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    authenticate,
    parameters,
    `${own}/callback`,
    verifier,
    insecure,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, reply, {
    expectedNonce: nonce,
  });
  await oauth.validateApplicationLevelSignature(server, reply, insecure);
  request.session.tokens = tokens;
  request.session.claims = oauth.getValidatedIdTokenClaims(tokens);
  response.redirect(back);
});

app.get('/logout', (request, response) => {
  const { tokens } = request.session;
  request.session.tokens = undefined;
  const query = new URLSearchParams({
    client_id: id,
    post_logout_redirect_uri: `${own}/`,
    id_token_hint: tokens.id_token,
  });
  response.redirect(`${server.end_session_endpoint}?${query}`);
});

app.use((request, response, next) => (request.session.tokens ? next() : signIn(request, response)));

app.get('/', (request, response) => {
  response.send(`You are ${request.session.claims.email}.`);
});

app.get('/profile', async (request, response) => {
  try {
    const reply = await oauth.refreshTokenGrantRequest(
      server,
      client,
      authenticate,
      request.session.tokens.refresh_token,
      insecure,
    );
    const tokens = await oauth.processRefreshTokenResponse(server, client, reply);
    request.session.tokens = tokens;
    const { sub } = request.session.claims;
    const info = await oauth.userInfoRequest(server, client, tokens.access_token, insecure);
    response.json(await oauth.processUserInfoResponse(server, client, sub, info));
  } catch (error) {
    if (error.error !== 'invalid_grant') throw error;
    request.session.tokens = undefined;
    await signIn(request, response);
  }
});

app.get('/settings', async (request, response) => {
  if (request.session.claims.acr === multiFactor) response.send('You signed in with two factors.');
  else await signIn(request, response, { acr_values: multiFactor });
});

app.listen(new URL(own).port);
