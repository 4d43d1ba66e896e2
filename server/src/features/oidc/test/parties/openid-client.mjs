// A relying party with openid-client. It keeps its sessions in memory.
import { randomUUID } from 'node:crypto';
import express from 'express';
import * as openid from 'openid-client';

const { ISSUER: issuer, CLIENT_ID: id, CLIENT_SECRET: secret, OWN: own } = process.env;
const multiFactor = 'https://refeds.org/profile/mfa';
const config = await openid.discovery(new URL(issuer), id, secret, undefined, {
  execute: [openid.allowInsecureRequests],
});
const sessions = new Map();
const app = express();

app.use((request, response, next) => {
  const sid = /(?:^|; )rp=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? randomUUID();
  if (!sessions.has(sid)) sessions.set(sid, {});
  request.session = sessions.get(sid);
  response.setHeader('set-cookie', `rp=${sid}; Path=/; HttpOnly`);
  next();
});

async function signIn(request, response, more = {}) {
  const verifier = openid.randomPKCECodeVerifier();
  const [state, nonce] = [openid.randomState(), openid.randomNonce()];
  request.session.pending = { verifier, state, nonce, back: request.originalUrl };
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: `${own}/callback`,
    scope: 'openid email profile',
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...more,
  });
  response.redirect(url.href);
}

app.get('/callback', async (request, response) => {
  const { verifier, state, nonce, back } = request.session.pending;
  request.session.tokens = await openid.authorizationCodeGrant(config, new URL(request.originalUrl, own), {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
  });
  request.session.claims = request.session.tokens.claims();
  response.redirect(back);
});

app.get('/logout', (request, response) => {
  const { tokens } = request.session;
  request.session.tokens = undefined;
  const url = openid.buildEndSessionUrl(config, {
    post_logout_redirect_uri: `${own}/`,
    id_token_hint: tokens.id_token,
  });
  response.redirect(url.href);
});

app.use((request, response, next) => (request.session.tokens ? next() : signIn(request, response)));

app.get('/', (request, response) => {
  response.send(`You are ${request.session.claims.email}.`);
});

app.get('/profile', async (request, response) => {
  try {
    const { refresh_token: token } = request.session.tokens;
    const tokens = await openid.refreshTokenGrant(config, token);
    request.session.tokens = tokens;
    response.json(await openid.fetchUserInfo(config, tokens.access_token, request.session.claims.sub));
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
