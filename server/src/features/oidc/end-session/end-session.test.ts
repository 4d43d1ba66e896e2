// Signing out at the request of an application (OpenID Connect RP-Initiated Logout 1.0).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { decodeJwt } from 'jose';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { rowsIn } from '../../../../test/support/contents.ts';
import { signLogoutToken } from '../logout/logout-token.ts';
import { ProviderSite, textOf, type Application, type Person } from '../test/site.ts';

const home = 'https://wiki.example.org/';

onEachEngine('an application signs a user out', (engine) => {
  let site: ProviderSite;
  before(async () => {
    site = await ProviderSite.open(engine);
  });
  after(() => site.close());

  function logoutUrl(query: Readonly<Record<string, string>>): string {
    return `/oauth/end-session?${new URLSearchParams(query).toString()}`;
  }

  async function idToken(person: Person, app: Application): Promise<string> {
    const { id_token: token = '' } = await site.tokens(person, app);
    return token;
  }

  /** The logout token of a session, which the application receives when the session ends elsewhere. */
  async function logoutToken({ id: clientId }: Application, jwt: string): Promise<string> {
    const { sub: subject = '', sid } = decodeJwt<{ sid: string }>(jwt);
    const { keys } = await site.service.core.signingKeys.published();
    return signLogoutToken({ issuer: site.origin, clientId, subject, sid, alg: 'RS256' }, keys, Date.now());
  }

  async function isSignedIn(person: Person): Promise<boolean> {
    return (await person.send('GET', '/profile')).status === 200;
  }

  test('without a question, if it presents an ID token of the session', async () => {
    const app = await site.application({ backchannelLogoutUri: 'https://wiki.example.org/logout' });
    const person = await site.person();
    const hint = await idToken(person, app);
    const query = { id_token_hint: hint, post_logout_redirect_uri: home, state: 'a b' };
    const arrival = await person.visit(logoutUrl({ ...query, logout_hint: person.email }));
    assert.equal(arrival.url, `${home}?state=a+b`);
    assert.equal(await isSignedIn(person), false);
    assert.ok(!person.cookies.includes('session_id'), 'the cookie is removed');
    const queued = await rowsIn(site.db, 'oidc_logouts');
    assert.equal(queued.filter((row) => row['client_id'] === app.id).length, 1, 'the client hears of it');
    const again = await person.visit(logoutUrl(query));
    assert.equal(again.url, `${home}?state=a+b`, 'without a session there is nothing to ask');
  });

  test('by an expired ID token and by a form too', async () => {
    const lifetimes = { accessTokenSeconds: 600, idTokenSeconds: 1, refreshIdleDays: 30 };
    const app = await site.application({
      lifetimes: { ...lifetimes, refreshMaxDays: 180, refreshGraceSeconds: 30 },
    });
    const person = await site.person();
    const hint = await idToken(person, app);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const fields = { id_token_hint: hint, post_logout_redirect_uri: home };
    const headers = { origin: 'https://wiki.example.org', 'sec-fetch-site': 'cross-site' };
    const sent = await person.send('POST', '/oauth/end-session', fields, headers);
    assert.equal(sent.status, 303);
    assert.equal(await isSignedIn(person), true, 'the form alone ends nothing');
    assert.equal((await person.visit(sent.location ?? '')).url, home);
    assert.equal(await isSignedIn(person), false);
  });

  test('after a question without an ID token; nothing ends before', async () => {
    const app = await site.application({ name: 'Plans' });
    const person = await site.person();
    const page = await person.visit(
      logoutUrl({ client_id: app.id, post_logout_redirect_uri: home, state: 's' }),
    );
    assert.match(textOf(page.text), /Plans asks to sign you out/);
    assert.match(textOf(page.text), new RegExp(person.email));
    assert.equal(await isSignedIn(person), true);
    const forged = await person.visit(page.url, 'POST', { to: '' });
    assert.equal(forged.status, 403, 'the form has a token');
    assert.equal(await isSignedIn(person), true);
    const left = await person.submit(page);
    assert.equal(left.url, `${home}?state=s`);
    assert.equal(await isSignedIn(person), false);
    assert.equal((await person.visit(page.url)).url, `${home}?state=s`, 'a reload goes on');
  });

  test('to the sign-in page, if it names no address', async () => {
    const app = await site.application();
    const person = await site.person();
    const hint = await idToken(person, app);
    const arrival = await person.visit(logoutUrl({ id_token_hint: hint }));
    assert.match(textOf(arrival.text), /You are signed out/);
    const bare = await site.person();
    const page = await bare.visit('/oauth/end-session');
    assert.match(textOf(page.text), /An application asks to sign you out/);
    assert.match(textOf((await bare.submit(page)).text), /You are signed out/);
    const french = await bare.visit('/oauth/end-session?ui_locales=xx%20fr-CA');
    assert.match(textOf(french.text), /You are signed out/, 'that is another flow');
  });

  test('after a question, if the ID token is of another user, of an earlier session, or not ours', async () => {
    const app = await site.application({ backchannelLogoutUri: 'https://wiki.example.org/logout' });
    const person = await site.person();
    const other = await site.person();
    const early = await idToken(person, app);
    await person.send('DELETE', '/sessions');
    await person.signIn();
    const [head, , signature] = early.split('.');
    const { sub } = JSON.parse(Buffer.from(early.split('.')[1] ?? '', 'base64url').toString()) as {
      sub: string;
    };
    const forged = Buffer.from(JSON.stringify({ iss: site.origin, aud: app.id, sub, exp: 1, iat: 1 }));
    for (const hint of [
      await idToken(other, app),
      early,
      `${head}.${forged.toString('base64url')}.${signature}`,
      await logoutToken(app, await idToken(person, app)),
      'x',
    ]) {
      const page = await person.visit(logoutUrl({ id_token_hint: hint, post_logout_redirect_uri: home }));
      assert.match(textOf(page.text), /Sign out\?/, hint);
      assert.equal(await isSignedIn(person), true);
    }
  });

  test('to its own sign-in page, if only an ID token that is not ours names the application', async () => {
    const app = await site.application({ name: 'Plans' });
    const person = await site.person();
    const [head, payload, signature] = (await idToken(person, app)).split('.');
    const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
    for (const hint of [`${none}.${payload}.`, `${head}.${payload}.${signature?.slice(0, -8)}AAAAAAAA`]) {
      const query = { id_token_hint: hint, post_logout_redirect_uri: home, state: 's' };
      const page = await person.visit(logoutUrl(query));
      assert.match(textOf(page.text), /An application asks to sign you out/);
      const unregistered = { ...query, post_logout_redirect_uri: 'https://evil.example/' };
      assert.match(textOf((await person.visit(logoutUrl(unregistered))).text), /Sign out\?/);
      const named = await person.visit(logoutUrl({ ...query, client_id: app.id }));
      assert.match(textOf(named.text), /Plans asks to sign you out/, 'the client named itself too');
      assert.match(textOf((await person.submit(page)).text), /You are signed out/);
      await person.signIn();
      assert.equal((await person.submit(await person.visit(named.url))).url, `${home}?state=s`);
      await person.signIn();
    }
  });

  test('never by a request that names a parameter twice, or whose form is too long, and says so', async () => {
    const app = await site.application();
    const person = await site.person();
    const hint = await idToken(person, app);
    for (const name of ['id_token_hint', 'client_id', 'post_logout_redirect_uri', 'state', 'ui_locales']) {
      const page = await person.visit(`${logoutUrl({ id_token_hint: hint })}&${name}=a&${name}=b`);
      assert.match(
        textOf(page.text),
        new RegExp(`Sign-out failed.*invalid_request &#39;${name}&#39; parameter must not be provided twice`),
      );
    }
    const sent = await person.visit('/oauth/end-session', 'POST', { state: 'x'.repeat(9000) });
    assert.match(textOf(sent.text), /Sign-out failed.*invalid_request the form is longer than 8192 bytes/);
    const head = await site.service.app.inject({
      method: 'HEAD',
      url: logoutUrl({ id_token_hint: hint }),
      headers: { cookie: `session_id=${person.sessionToken}` },
    });
    assert.equal(head.statusCode, 405);
    assert.equal(await isSignedIn(person), true);
  });

  test('to no address that it has not registered', async () => {
    const app = await site.application({ name: 'Plans' });
    const elsewhere = await site.application();
    const person = await site.person();
    const hint = await idToken(person, app);
    for (const uri of ['https://evil.example/', `${home}x`, `${home}?a=b`, 'javascript:alert(1)']) {
      for (const by of [{ id_token_hint: hint }, { client_id: app.id }]) {
        const page = await person.visit(logoutUrl({ ...by, post_logout_redirect_uri: uri }));
        assert.equal(page.status, 400);
        assert.match(textOf(page.text), /Sign-out failed.*Plans sent.*not registered/, uri);
      }
      const bare = await person.visit(logoutUrl({ post_logout_redirect_uri: uri }));
      assert.doesNotMatch(decodeURIComponent(bare.text), /evil/);
    }
    const mixed = await person.visit(logoutUrl({ id_token_hint: hint, client_id: elsewhere.id }));
    assert.match(textOf(mixed.text), /client_id does not match/);
    const unknown = await person.visit(logoutUrl({ client_id: 'nobody' }));
    assert.match(textOf(unknown.text), /An application sent a sign-out request.*client_id is not registered/);
    assert.equal(await isSignedIn(person), true);
  });

  test('with a state of up to 3,500 characters, and says so of a longer one', async () => {
    const app = await site.application({ name: 'Plans' });
    const person = await site.person();
    const request = { client_id: app.id, post_logout_redirect_uri: home };
    const long = await person.visit(logoutUrl({ ...request, state: 'x'.repeat(3501) }));
    assert.match(textOf(long.text), /Sign-out failed.*state is longer than 3500 characters/);
    const state = 'x'.repeat(3500);
    const page = await person.visit(logoutUrl({ ...request, state }));
    assert.equal((await person.submit(page)).url, `${home}?state=${state}`);
  });

  test('in the language that it asks for', async () => {
    const person = await site.person();
    const page = await person.visit('/oauth/end-session?ui_locales=xx%20fr-CA%20en');
    assert.match(page.text, /<html lang="fr"/);
    const chosen = await person.visit('/language', 'POST', {
      language: 'en',
      return_to: page.url.slice(site.origin.length),
    });
    assert.match(chosen.text, /<html lang="en"/, 'a choice of the person wins');
    assert.match(textOf(chosen.text), /asks to sign you out/);
  });

  test('of which a damaged question knows nothing', async () => {
    const person = await site.person();
    const page = await person.visit('/oauth/end-session/confirm?to=v1.x.abc');
    assert.match(textOf(page.text), /An application asks to sign you out/);
    const left = await person.submit(page, { to: 'https://evil.example/' });
    assert.equal(left.status, 400);
    assert.match(textOf((await person.submit(page)).text), /You are signed out/);
  });
});
