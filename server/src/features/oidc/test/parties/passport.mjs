// A relying party with passport-openidconnect and express-session. It knows no PKCE.
import express from 'express';
import session from 'express-session';
import { Strategy } from 'passport-openidconnect';

const { ISSUER: issuer, CLIENT_ID: clientID, CLIENT_SECRET: clientSecret, OWN: own } = process.env;
const multiFactor = 'https://refeds.org/profile/mfa';
const server = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();

function strategyFor(more = {}) {
  return new Strategy(
    {
      issuer,
      authorizationURL: server.authorization_endpoint,
      tokenURL: server.token_endpoint,
      userInfoURL: server.userinfo_endpoint,
      clientID,
      clientSecret,
      callbackURL: `${own}/callback`,
      scope: ['email', 'profile'],
      nonce: true,
      skipUserProfile: false,
      ...more,
    },
    (_issuer, profile, context, idToken, accessToken, refreshToken, done) =>
      done(null, { email: profile.emails[0].value, acr: context.class, idToken, refreshToken }),
  );
}

/** Runs the strategy as the middleware of passport does. */
function authenticate(strategy, request, response, next) {
  const run = Object.assign(Object.create(strategy), {
    redirect: (url) => response.redirect(url),
    fail: (challenge) => response.status(403).json(challenge),
    error: next,
    success: (user) => {
      request.session.user = user;
      response.redirect(request.session.back);
    },
  });
  run.authenticate(request);
}

const plain = strategyFor();
const strict = strategyFor({ acrValues: multiFactor });
const app = express();
app.use(session({ secret: 'only a test', resave: false, saveUninitialized: true, name: 'passport' }));

function signIn(strategy, request, response, next) {
  request.session.back = request.originalUrl;
  authenticate(strategy, request, response, next);
}

app.get('/callback', (request, response, next) => authenticate(plain, request, response, next));
app.get('/logout', (request, response) => {
  const query = new URLSearchParams({
    post_logout_redirect_uri: `${own}/`,
    id_token_hint: request.session.user.idToken,
  });
  request.session.user = undefined;
  response.redirect(`${server.end_session_endpoint}?${query}`);
});
app.use((request, response, next) =>
  request.session.user ? next() : signIn(plain, request, response, next),
);
app.get('/', (request, response) => {
  response.send(`You are ${request.session.user.email}.`);
});
app.get('/settings', (request, response, next) => {
  if (request.session.user.acr === multiFactor) response.send('You signed in with two factors.');
  else signIn(strict, request, response, next);
});
app.listen(new URL(own).port);
