// Signing in at an application with openid-client, over HTTP.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as openid from 'openid-client';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { authorizationRequest, exchange, ProviderSite, textOf } from '../test/site.ts';

onEachEngine('signing in at an application', (engine) => {
  let site: ProviderSite;
  before(async () => {
    site = await ProviderSite.open(engine);
  });
  after(() => site.close());

  test('of a signed-in user takes no page, and the tokens say who it is', async () => {
    const app = await site.application();
    const person = await site.person();
    const tokens = await site.tokens(person, app);
    const claims = tokens.claims();
    assert.equal(claims?.['email'], person.email);
    assert.equal(claims?.iss, site.origin);
    assert.deepEqual(claims?.['amr'], ['pwd']);
    const info = await openid.fetchUserInfo(app.config, tokens.access_token, claims?.sub ?? '');
    assert.equal(info.email, person.email);
    const refreshed = await openid.refreshTokenGrant(app.config, tokens.refresh_token ?? '');
    assert.notEqual(refreshed.refresh_token, tokens.refresh_token);
    const state = await openid.tokenIntrospection(app.config, refreshed.access_token);
    assert.equal(state.active, true);
    assert.equal(state.sub, claims?.sub);
  });

  test('of a user who is not signed in goes through the sign-in page', async () => {
    const app = await site.application();
    const person = await site.person({ isSignedIn: false });
    const request = await authorizationRequest(app);
    const page = await person.visit(request.url);
    assert.equal(new URL(page.url).pathname, '/sign-in', textOf(page.text));
    const callback = await person.signInAt(page);
    assert.ok(callback.url.startsWith(app.redirectUri), `${callback.url} ${textOf(callback.text)}`);
    const tokens = await exchange(app, callback.url, request);
    assert.equal(tokens.claims()?.['email'], person.email);
  });

  test('of a third party asks for consent once', async () => {
    const app = await site.application({ isFirstParty: false, name: 'Plans' });
    const person = await site.person();
    const request = await authorizationRequest(app);
    const page = await person.visit(request.url);
    assert.equal(page.status, 200, textOf(page.text));
    assert.match(textOf(page.text), /Sign in to Plans/);
    const callback = await person.answer(page, 'allow');
    assert.ok(callback.url.startsWith(app.redirectUri), `${callback.url} ${textOf(callback.text)}`);
    await exchange(app, callback.url, request);
    await site.tokens(person, app);
    const denied = await person.answer(
      await person.visit((await authorizationRequest(app, { prompt: 'consent' })).url),
      'deny',
    );
    assert.equal(new URL(denied.url).searchParams.get('error'), 'access_denied');
  });
});
