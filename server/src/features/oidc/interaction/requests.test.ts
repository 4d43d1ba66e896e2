// What an authorization request needs of its user, by its parameters (OpenID Connect Core 1.0 §3.1.2.1).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import { hourMs, secondMs } from '../../../kit/clock.ts';
import { PasskeyDevice } from '../../../../test/support/passkey-device.ts';
import { without } from '../../../../test/support/feature.ts';
import { withoutSkippedApp } from '../test/skipped-app.ts';
import { codesOf } from '../../../../test/support/factor.ts';
import { rowsIn } from '../../../../test/support/contents.ts';
import { send } from '../../../../test/support/request.ts';
import { unescapeMarkup } from '../../../../test/support/markup.ts';
import {
  authorizationRequest,
  deviceGrant,
  exchange,
  password,
  ProviderSite,
  textOf,
  type Application,
  type Arrival,
  type AuthorizationRequest,
  type Person,
  type Tokens,
} from '../test/site.ts';

type Parameters = Readonly<Record<string, string>>;

const mfa = 'https://refeds.org/profile/mfa';
const sfa = 'https://refeds.org/profile/sfa';

describe('an authorization request', () => {
  let site: ProviderSite;
  let app: Application;
  before(async () => {
    site = await ProviderSite.open('sqlite', { REMEMBERED_DEVICE_DAYS: '30' });
    app = await site.application({ name: 'Wiki' });
  });
  after(() => site.close());

  interface Asked extends Arrival {
    readonly request: AuthorizationRequest;
  }

  async function ask(person: Person, more: Parameters = {}, at: Application = app): Promise<Asked> {
    const request = await authorizationRequest(at, more);
    return { ...(await person.visit(request.url)), request };
  }

  /** The address of the page that continues at an application after a form. */
  const exitTo = (target: string): string =>
    site.service.core.pages.exits.addressFor({ method: 'POST', headers: {} }, target);

  const pathOf = ({ url }: Arrival): string => new URL(url).pathname;

  /** The error with which the browser arrives at the application. */
  function errorIn({ url, text }: Arrival, at: Application = app): string | null {
    assert.ok(url.startsWith(at.redirectUri), `${url} ${textOf(text)}`);
    return new URL(url).searchParams.get('error');
  }

  async function tokensIn(
    { url, text }: Arrival,
    { request }: Asked,
    at: Application = app,
  ): Promise<Tokens> {
    assert.ok(url.startsWith(`${at.redirectUri}?code=`), `${url} ${textOf(text)}`);
    return exchange(at, url, request);
  }

  const stepUp = (person: Person, page: Arrival, proof = password): Promise<Arrival> => {
    assert.equal(pathOf(page), '/step-up', textOf(page.text));
    return person.submit(page, { proof });
  };

  /** Adds an authenticator app, and returns its codes. */
  async function addApp(person: Person): Promise<() => string> {
    const begun = JSON.parse((await person.send('POST', '/profile/totp', {})).text) as Record<string, string>;
    const next = codesOf(begun['secret'] ?? '', site.service.clock);
    const { status } = await person.send('PUT', '/profile/totp', { id: begun['id'] ?? '', code: next() });
    assert.equal(status, 200);
    return next;
  }

  test('goes on by GET only: a HEAD of its pages changes nothing', async () => {
    const person = await site.person({ isSignedIn: false });
    const { url } = await ask(person);
    const waiting = new URL(url).searchParams.get('return_to') ?? '';
    await person.signIn();
    const stored = await rowsIn(site.db, 'oidc_interactions');
    const cookie = person.cookieValues.map(({ name, value }) => `${name}=${value}`).join('; ');
    for (const path of [waiting, '/device/confirm'])
      assert.equal(
        (await send(site.service.app, { method: 'HEAD', path, headers: { cookie } })).status,
        405,
        path,
      );
    assert.deepEqual(await rowsIn(site.db, 'oidc_interactions'), stored);
    assert.equal((await person.send('GET', waiting)).status, 303);
    assert.notDeepEqual(await rowsIn(site.db, 'oidc_interactions'), stored);
  });

  describe('with prompt=none', () => {
    test('brings a code to a signed-in user, and login_required to others', async () => {
      const person = await site.person();
      const asked = await ask(person, { prompt: 'none' });
      assert.equal((await tokensIn(asked, asked)).claims()?.['email'], person.email);
      const stranger = await site.person({ isSignedIn: false });
      assert.equal(errorIn(await ask(stranger, { prompt: 'none' })), 'login_required');
    });

    test('never shows a page', async () => {
      const third = await site.application({ isFirstParty: false });
      const closed = await site.application({ access: { emailDomains: ['elsewhere.example'], users: [] } });
      const person = await site.person();
      assert.equal(errorIn(await ask(person, { prompt: 'none' }, third), third), 'consent_required');
      assert.equal(errorIn(await ask(person, { prompt: 'none' }, closed), closed), 'access_denied');
      const stale = await ask(person, { prompt: 'none', max_age: '0' });
      assert.equal(errorIn(stale), 'login_required');
      const mixed = await ask(person, { prompt: 'none login' });
      assert.equal(errorIn(mixed), 'invalid_request');
    });
  });

  for (const more of [{ prompt: 'login' }, { max_age: '0' }] as const)
    test(`with ${JSON.stringify(more)} asks for a proof that is newer than the request`, async () => {
      const person = await site.person(); // signed in just now
      const asked = await ask(person, more);
      const askedAt = Math.floor(site.service.clock.now() / 1000);
      const done = await stepUp(person, asked);
      const claims = (await tokensIn(done, asked)).claims();
      assert.ok(Number(claims?.['auth_time']) >= askedAt);
    });

  test('with prompt=login asks a user who is not signed in once', async () => {
    const person = await site.person({ isSignedIn: false });
    const asked = await ask(person, { prompt: 'login' });
    await tokensIn(await person.signInAt(asked), asked);
  });

  test('with max_age asks only if the proof is older, and the ID token says when it was', async () => {
    const person = await site.person();
    const recent = await ask(person, { max_age: '600' });
    assert.ok((await tokensIn(recent, recent)).claims()?.['auth_time']);
    const pause = new Promise((resolve) => setTimeout(resolve, 2100));
    await pause;
    const late = await ask(person, { max_age: '1' });
    await tokensIn(await stepUp(person, late), late);
  });

  test('with prompt=consent asks for consent, also for an application of the operator', async () => {
    const person = await site.person();
    const asked = await ask(person, { prompt: 'consent' });
    assert.match(textOf(asked.text), /Sign in to Wiki/);
    assert.match(textOf(asked.text), /wiki\.example\.org/);
    await tokensIn(await person.answer(asked, 'allow'), asked);
    assert.equal(
      errorIn(await person.answer(await ask(person, { prompt: 'consent' }), 'deny')),
      'access_denied',
    );
  });

  test('with prompt=select_account shows the account, and another one can be used', async () => {
    const [person, other] = [await site.person(), await site.person({ isSignedIn: false })];
    const asked = await ask(person, { prompt: 'select_account' });
    assert.match(textOf(asked.text), new RegExp(`You are signed in as ${person.email}`));
    await tokensIn(await person.answer(asked, 'continue'), asked);
    const again = await ask(person, { prompt: 'select_account' });
    const signIn = await person.answer(again, 'switch');
    assert.equal(pathOf(signIn), '/sign-in');
    assert.equal((await person.send('GET', '/profile')).status, 403, 'the earlier session has ended');
    const done = await person.signInAt(signIn, other.email);
    assert.equal((await tokensIn(done, again)).claims()?.['email'], other.email);
  });

  test('that its application must push can go on with another account', async () => {
    const [person, other] = [await site.person(), await site.person({ isSignedIn: false })];
    const at = await site.application({ requiresPar: true });
    const request = await authorizationRequest(at, {
      prompt: 'select_account',
      claims: '{"id_token":{"email":{"essential":true}}}',
    });
    const pushed = await openid.buildAuthorizationUrlWithPAR(at.config, new URL(request.url).searchParams);
    const asked = await person.visit(pushed.href);
    const done = await person.signInAt(await person.answer(asked, 'switch'), other.email);
    const tokens = await tokensIn(done, { ...asked, request }, at);
    assert.equal(tokens.claims()?.['email'], other.email);
  });

  test('with prompt=login and another account asks once', async () => {
    const [person, other] = [await site.person(), await site.person({ isSignedIn: false })];
    const asked = await ask(person, { prompt: 'select_account login' });
    const shown = pathOf(asked) === '/step-up' ? await stepUp(person, asked) : asked;
    const signIn = await person.answer(shown, 'switch');
    const done = await person.signInAt(signIn, other.email);
    assert.equal((await tokensIn(done, asked)).claims()?.['email'], other.email);
  });

  test('with prompt=create leads to the registration', async () => {
    const person = await site.person({ isSignedIn: false });
    const page = await ask(person, { prompt: 'create' });
    assert.equal(pathOf(page), '/sign-up');
    const signedUp = await person.submit(page, { email: `n-${person.email}`, password });
    assert.equal((await tokensIn(signedUp, page)).claims()?.['email'], `n-${person.email}`);
    const member = await site.person();
    const asked = await ask(member, { prompt: 'create' });
    assert.match(textOf(asked.text), new RegExp(member.email), 'who is signed in is asked');
    await tokensIn(await member.answer(asked, 'continue'), asked);
  });

  describe('with acr_values', () => {
    test('goes on with what the user has reached, if no more can be reached', async () => {
      const person = await site.person();
      for (const values of [sfa, mfa, 'phr', 'urn:example:unknown', `phr ${mfa}`]) {
        const asked = await ask(person, { acr_values: values });
        assert.equal((await tokensIn(asked, asked)).claims()?.['acr'], sfa, values);
      }
    });

    test('asks for the missing factor, if the user has it', { skip: without('totp') }, async () => {
      const person = await site.person();
      const code = await addApp(person);
      await person.send('DELETE', '/sessions');
      await person.signIn(); // pending
      const elevated = await person.send('POST', '/sessions/factor', { factor: 'totp', proof: code() });
      assert.equal(elevated.status, 200);
      const reached = await ask(person, { acr_values: `${mfa} ${sfa}` });
      assert.equal((await tokensIn(reached, reached)).claims()?.['acr'], mfa);
      const lower = await ask(person, { acr_values: `${sfa} ${mfa}` });
      assert.equal((await tokensIn(lower, lower)).claims()?.['acr'], sfa, 'the first requested one');
    });

    test(
      'asks for the first of several contexts that the user can reach',
      { skip: withoutSkippedApp },
      async () => {
        const person = await site.person();
        const code = await addApp(person);
        await person.send('DELETE', '/sessions');
        await person.signIn();
        await person.send('POST', '/sessions/factor', {
          factor: 'totp',
          proof: code(),
          remember_device: 'true',
        });
        await person.send('DELETE', '/sessions');
        await person.signIn(); // with one factor, on a remembered device
        const essential = { id_token: { acr: { essential: true, values: ['phr', mfa] } } };
        for (const more of [
          { acr_values: `phr ${mfa}` },
          { acr_values: `${mfa} phr` },
          { acr_values: `urn:example:unknown phr ${mfa}` },
          { claims: JSON.stringify(essential) },
        ] satisfies Parameters[]) {
          const asked = await ask(person, more);
          assert.equal(pathOf(asked), '/step-up', JSON.stringify(more));
          assert.equal(new URL(asked.url).searchParams.get('factor'), 'second');
          assert.match(
            errorIn(await ask(person, { ...more, prompt: 'none' })) ?? '',
            /^(?:interaction|login)_required$/,
          );
        }
      },
    );

    test(
      'asks for a passkey, if the user has one and signed in otherwise',
      { skip: without('totp', 'passkey') },
      async () => {
        const person = await site.person();
        const device = new PasskeyDevice(site.origin);
        const memberOf = (text: string): unknown =>
          (JSON.parse(text) as Record<string, unknown>)['public_key'];
        const begun = await person.send('POST', '/profile/passkeys', {});
        const credential = device.create(memberOf(begun.text));
        assert.equal((await person.send('PUT', '/profile/passkeys', { credential })).status, 200);
        const code = await addApp(person);
        await person.send('DELETE', '/sessions');
        await person.send('POST', '/sessions', { email: person.email, password });
        await person.send('POST', '/sessions/factor', { factor: 'totp', proof: code() });
        const asked = await ask(person, { acr_values: `phr ${mfa}` });
        assert.equal((await tokensIn(asked, asked)).claims()?.['acr'], mfa, 'it has reached one of them');
        const strict = await ask(person, { acr_values: 'phr' });
        assert.equal(pathOf(strict), '/step-up');
        assert.equal(
          errorIn(await ask(person, { acr_values: 'phr', prompt: 'none' })),
          'interaction_required',
        );
        const options = await person.send('POST', '/sessions/step_up/passkey', {});
        const proof = device.get(memberOf(options.text));
        const given = await person.send('POST', '/sessions/step_up', { factor: 'passkey', proof });
        assert.equal(given.status, 200, given.text);
        const done = await person.visit(strict.url);
        assert.equal((await tokensIn(done, strict)).claims()?.['acr'], 'phr');
      },
    );
  });

  describe('for a session with two factors', { skip: without('totp', 'passkey') }, () => {
    const memberOf = (text: string): unknown => (JSON.parse(text) as Record<string, unknown>)['public_key'];

    /** Gives a factor, and then goes on at the request, whatever the page of step-up asks for. */
    const again = async (person: Person, asked: Arrival, given: Parameters): Promise<Arrival> => {
      assert.equal(pathOf(asked), '/step-up', asked.url);
      const { status, text } = await person.send('POST', '/sessions/step_up', given);
      assert.equal(status, 200, text);
      return person.visit(new URL(new URL(asked.url).searchParams.get('return_to') ?? '', site.origin).href);
    };

    test('a password renews no proof of the second one', async () => {
      const person = await site.person();
      const code = await addApp(person);
      for (const more of [
        { prompt: 'login' },
        { max_age: '0' },
        { max_age: '0', acr_values: mfa },
        { prompt: 'login', claims: JSON.stringify({ id_token: { acr: { essential: true, value: mfa } } }) },
      ] satisfies Parameters[]) {
        const asked = await ask(person, more);
        const refused = await again(person, asked, { factor: 'password', proof: password });
        assert.equal(pathOf(refused), '/step-up', JSON.stringify(more));
        const done = await again(person, refused, { factor: 'totp', proof: code() });
        assert.equal((await tokensIn(done, asked)).claims()?.['acr'], mfa);
      }
    });

    test('a password renews no proof of the second one for a device', async () => {
      const television = await site.application({
        kind: 'native',
        authMethod: 'none',
        grantTypes: [deviceGrant],
        redirectUris: [],
      });
      const person = await site.person();
      const code = await addApp(person);
      const begun = await openid.initiateDeviceAuthorization(television.config, {
        scope: 'openid',
        max_age: '0',
      });
      const page = await person.visit(`${site.origin}/device`);
      const asked = await person.submit(page, { user_code: begun.user_code });
      const refused = await again(person, asked, { factor: 'password', proof: password });
      assert.equal(pathOf(refused), '/step-up');
      assert.equal(
        pathOf(await again(person, refused, { factor: 'totp', proof: code() })),
        '/device/confirm',
      );
    });

    test('a code of an app renews no proof of a passkey', async () => {
      const person = await site.person();
      const device = new PasskeyDevice(site.origin);
      const begun = await person.send('POST', '/profile/passkeys', {});
      const credential = device.create(memberOf(begun.text));
      assert.equal((await person.send('PUT', '/profile/passkeys', { credential })).status, 200);
      const code = await addApp(person);
      const asked = await ask(person, { prompt: 'login', acr_values: 'phr' });
      const refused = await again(person, asked, { factor: 'totp', proof: code() });
      assert.equal(pathOf(refused), '/step-up');
      assert.equal(new URL(refused.url).searchParams.get('factor'), 'passkey');
      const { text } = await person.send('POST', '/sessions/step_up/passkey', {});
      const proof = device.get(memberOf(text));
      const done = await again(person, refused, { factor: 'passkey', proof });
      assert.equal((await tokensIn(done, asked)).claims()?.['acr'], 'phr');
    });

    test('a password is enough after the second one was removed', async () => {
      const person = await site.person();
      await addApp(person);
      const { authenticators } = JSON.parse((await person.send('GET', '/profile/totp')).text) as {
        readonly authenticators: readonly { readonly id: string }[];
      };
      for (const { id } of authenticators)
        assert.equal((await person.send('DELETE', `/profile/totp/${id}`)).status, 200);
      const asked = await ask(person, { prompt: 'login' });
      await tokensIn(await stepUp(person, asked), asked);
    });
  });

  describe('with the claims parameter', () => {
    const essential = (acr: object): Parameters => ({ claims: JSON.stringify({ id_token: { acr } }) });

    test('fails if an essential context cannot be reached', async () => {
      const person = await site.person();
      for (const acr of [
        { essential: true, value: 'phr' },
        { essential: true, values: [mfa, 'phr'] },
      ])
        assert.equal(errorIn(await ask(person, essential(acr))), 'unmet_authentication_requirements');
      const reached = await ask(person, essential({ essential: true, values: [sfa, 'phr'] }));
      assert.equal((await tokensIn(reached, reached)).claims()?.['acr'], sfa);
      const voluntary = await ask(person, essential({ value: 'phr' }));
      assert.equal((await tokensIn(voluntary, voluntary)).claims()?.['acr'], sfa);
    });

    test('brings single claims, for which a third party asks', async () => {
      const third = await site.application({ isFirstParty: false });
      const person = await site.person();
      const asked = await ask(
        person,
        { scope: 'openid', claims: JSON.stringify({ id_token: { email: null } }) },
        third,
      );
      assert.match(textOf(asked.text), /See: email/);
      const tokens = await tokensIn(await person.answer(asked, 'allow'), asked, third);
      assert.equal(tokens.claims()?.['email'], person.email);
    });

    test('names no claim on the page that the application cannot receive, or that a scope includes', async () => {
      const third = await site.application({ isFirstParty: false, scopes: ['openid', 'email'] });
      const many = Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`name${n}`, null]));
      const names: readonly object[] = [
        { 'nothing.\u00a0This\u00a0application\u00a0was\u00a0verified': null },
        { ['x'.repeat(3000)]: null },
        many,
        { name: null, picture: null, address: null, sub: null, auth_time: null, constructor: null },
        { email: null, email_verified: { essential: true } },
      ];
      for (const claims of names)
        for (const kind of ['id_token', 'userinfo']) {
          const person = await site.person();
          const request = { scope: 'openid email', claims: JSON.stringify({ [kind]: claims }) };
          const asked = await ask(person, request, third);
          const items = asked.text.match(/<li>[^<]*<\/li>/g) ?? [];
          assert.equal(items.length, 2, items.join(' ').slice(0, 200));
          await tokensIn(await person.answer(asked, 'allow'), asked, third);
          const { text } = await person.send('GET', '/profile/applications');
          const [listed] = (JSON.parse(text) as { applications: { access: string[] }[] }).applications;
          assert.deepEqual(listed?.access, ['openid', 'email']);
          const again = await ask(person, { ...request, prompt: 'none' }, third);
          await tokensIn(again, again, third);
          const byName = await ask(person, { ...request, scope: 'openid', prompt: 'none' }, third);
          await tokensIn(byName, byName, third);
        }
    });

    test('needs the user that `sub` names', async () => {
      const [person, other] = [await site.person(), await site.person()];
      const { sub = '' } = (await site.tokens(other, app)).claims() ?? {};
      const claims = JSON.stringify({ id_token: { sub: { value: sub } } });
      assert.match(textOf((await ask(person, { claims })).text), /asks for another account/);
      assert.equal(errorIn(await ask(person, { claims, prompt: 'none' })), 'login_required');
    });
  });

  test('with login_hint fills in the address, and looks nothing up', async () => {
    const person = await site.person({ isSignedIn: false });
    const page = await ask(person, { login_hint: person.email });
    assert.match(page.text, new RegExp(`value="${person.email}"`));
    for (const hint of ['"><script>alert(1)</script>@x', 'no address', `${'x'.repeat(300)}@example.org`]) {
      const other = await ask(await site.person({ isSignedIn: false }), { login_hint: hint });
      assert.equal(pathOf(other), '/sign-in');
      assert.doesNotMatch(other.text, /alert\(1\)|xxxxx/);
    }
  });

  describe('with ui_locales', () => {
    test('speaks the first supported language, on the pages of this request only', async () => {
      const person = await site.person({ isSignedIn: false });
      const page = await ask(person, { ui_locales: 'xx fr-CA en', prompt: 'consent' });
      assert.match(page.text, /<html lang="fr"/);
      const consent = await person.signInAt(page);
      assert.match(consent.text, /<html lang="fr"/);
      assert.match(textOf(consent.text), /Autoriser|Se connecter/);
      assert.match((await person.visit('/account')).text, /<html lang="en"/);
      const refused = await person.visit(page.url.replace('/sign-in', '/forgot'));
      assert.match(refused.text, /<html lang="fr"/, 'a page on the way');
      await tokensIn(await person.answer(consent, 'allow'), page);
    });

    test('gives way to a language that the person chose, and the choice returns to the page', async () => {
      const person = await site.person();
      const page = await ask(person, { ui_locales: 'fr', prompt: 'consent' });
      const [, back = ''] = /action="\/language"[^]*?name="return_to" value="([^"]*)"/.exec(page.text) ?? [];
      const chosen = await person.visit('/language', 'POST', {
        language: 'en',
        return_to: back.replaceAll('&#61;', '=').replaceAll('&amp;', '&').replaceAll('&#38;', '&'),
      });
      assert.match(chosen.text, /<html lang="en"/);
      assert.match(textOf(chosen.text), /Sign in to Wiki/);
    });
  });

  test('with id_token_hint of another user asks for that account', async () => {
    const [person, other] = [await site.person(), await site.person()];
    const hint = (await site.tokens(other, app)).id_token ?? '';
    const own = (await site.tokens(person, app)).id_token ?? '';
    const same = await ask(person, { id_token_hint: own, prompt: 'none' });
    await tokensIn(same, same);
    assert.equal(errorIn(await ask(person, { id_token_hint: hint, prompt: 'none' })), 'login_required');
    const asked = await ask(person, { id_token_hint: hint });
    assert.match(textOf(asked.text), /Wiki asks for another account.*Back to Wiki/);
    const back = await person.answer(await ask(person, { id_token_hint: hint }), 'deny');
    assert.equal(errorIn(back), 'access_denied', 'who has no other account goes back');
    const signIn = await person.answer(asked, 'switch');
    const done = await person.signInAt(signIn, other.email);
    assert.equal((await tokensIn(done, asked)).claims()?.['email'], other.email);
  });

  test('by a user who may not use the application says so', async () => {
    const closed = await site.application({
      name: 'Vault',
      access: { emailDomains: ['elsewhere.example'], users: [] },
    });
    const person = await site.person();
    const page = await ask(person, {}, closed);
    assert.match(textOf(page.text), /You have no access to Vault/);
    assert.equal(errorIn(await person.answer(page, 'deny'), closed), 'access_denied');
    const again = await ask(person, {}, closed);
    const forced = await person.answer(again, 'allow');
    assert.equal(forced.status, 400, 'there is nothing to allow');
  });

  describe('whose session changed', () => {
    test('begins again, for the user who is signed in now', async () => {
      const [person, other] = [await site.person(), await site.person({ isSignedIn: false })];
      const asked = await ask(person, { prompt: 'consent' });
      await person.send('DELETE', '/sessions');
      await person.send('POST', '/sessions', { email: other.email, password });
      const page = await person.visit(asked.url);
      assert.match(textOf(page.text), new RegExp(other.email));
      const done = await person.answer(page, 'allow');
      assert.equal((await tokensIn(done, asked)).claims()?.['email'], other.email);
    });

    test('begins again, for the same user in a new session', async () => {
      const person = await site.person();
      const asked = await ask(person, { prompt: 'consent' });
      await person.send('DELETE', '/sessions');
      const signIn = await person.visit(asked.url);
      const page = await person.signInAt(signIn);
      assert.match(textOf(page.text), /Sign in to Wiki/);
      await tokensIn(await person.answer(page, 'allow'), asked);
    });

    test('takes no answer for the former user', async () => {
      const [person, other] = [await site.person(), await site.person({ isSignedIn: false })];
      const asked = await ask(person, { prompt: 'consent' });
      await person.send('DELETE', '/sessions');
      await person.send('POST', '/sessions', { email: other.email, password });
      assert.equal((await person.answer(asked, 'allow')).status, 403, 'the form is of the former session');
    });
  });

  describe('whose session changed after the answer, before the browser went on', () => {
    /** Follows redirects up to the address at which the engine continues, and returns that. */
    async function resumeOf(person: Person, first: Awaited<ReturnType<Person['send']>>): Promise<string> {
      let reply = first;
      for (let steps = 0; steps < 5; steps += 1) {
        const exit = /http-equiv="refresh" content="0; url=([^"]+)"/.exec(reply.text)?.[1];
        const next = reply.location ?? new URL(unescapeMarkup(exit ?? ''), site.origin).href;
        if (/\/oauth\/authorize\/[\w-]+$/.test(next)) return next;
        reply = await person.send('GET', next);
      }
      return assert.fail('the request does not continue');
    }

    /** A stranger asks and signs in. */
    async function signedIn(person: Person, more: Parameters = {}): Promise<Asked & { resume: string }> {
      const asked = await ask(person, more);
      const back = new URL(asked.url).searchParams.get('return_to') ?? '';
      const fields = { email: person.email, password, return_to: back };
      return { ...asked, resume: await resumeOf(person, await person.send('POST', '/sign-in', fields)) };
    }

    async function switchTo(person: Person, email: string): Promise<void> {
      await person.send('DELETE', '/sessions');
      await person.send('POST', '/sessions', { email, password });
    }

    test('goes on with the user who is signed in now', async () => {
      const [person, other] = [
        await site.person({ isSignedIn: false }),
        await site.person({ isSignedIn: false }),
      ];
      const asked = await signedIn(person);
      await switchTo(person, other.email);
      const done = await person.visit(asked.resume);
      assert.equal((await tokensIn(done, asked)).claims()?.['email'], other.email);
    });

    test('is refused on a page if no one is', async () => {
      for (const scope of ['openid email', 'openid email offline_access']) {
        const person = await site.person({ isSignedIn: false });
        const asked = await signedIn(person, { scope });
        await person.send('DELETE', '/sessions');
        const page = await person.visit(asked.resume);
        assert.equal(pathOf(page), '/oauth/error');
        assert.match(textOf(page.text), /Sign-in failed.*The session or the application has ended/);
      }
    });

    test('asks the other user for consent', async () => {
      const [person, other] = [await site.person(), await site.person({ isSignedIn: false })];
      const asked = await ask(person, { prompt: 'consent' });
      const form = asked.text.slice(asked.text.indexOf('<main'));
      const token = /name="form_token" value="([^"]+)"/.exec(form)?.[1] ?? '';
      const answer = { answer: 'allow', form_token: unescapeMarkup(token) };
      const resume = await resumeOf(person, await person.send('POST', asked.url, answer));
      await switchTo(person, other.email);
      const page = await person.visit(resume);
      assert.match(textOf(page.text), new RegExp(other.email), page.url);
      const done = await person.answer(page, 'allow');
      assert.equal((await tokensIn(done, asked)).claims()?.['email'], other.email);
    });
  });

  test('in two tabs comes to an end in both', async () => {
    const third = await site.application({ isFirstParty: false, name: 'Plans' });
    const person = await site.person({ isSignedIn: false });
    const [one, two] = [await ask(person, { prompt: 'consent' }), await ask(person, {}, third)];
    const first = await person.signInAt(one);
    assert.match(textOf(first.text), /Sign in to Wiki/);
    const second = await person.visit(
      new URL(new URL(two.url).searchParams.get('return_to') ?? '', site.origin).href,
    );
    assert.match(textOf(second.text), /Sign in to Plans/);
    await tokensIn(await person.answer(second, 'allow'), two, third);
    await tokensIn(await person.answer(first, 'allow'), one);
  });

  test('has a state of up to 3,500 characters, also with the longest redirect URI', async () => {
    const redirectUri = `https://wiki.example.org/${'c'.repeat(1975)}`;
    const at = await site.application({ redirectUris: [redirectUri] });
    const person = await site.person({ isSignedIn: false });
    const state = 'x'.repeat(3500);
    for (const prompt of ['login', 'consent']) {
      const asked = await ask(person, { state, prompt }, at);
      const shown = prompt === 'login' ? await person.signInAt(asked) : await person.answer(asked, 'deny');
      assert.equal(new URL(shown.url).searchParams.get('state'), state, textOf(shown.text));
      const exit = exitTo(shown.url);
      assert.ok(exit.length < 8000, `${exit.length}`);
      assert.equal((await person.visit(exit)).url, shown.url);
    }
    for (const long of [`${state}x`, '/'.repeat(1167)]) {
      const { url } = await ask(person, { state: long }, at);
      assert.equal(new URL(url).searchParams.get('error'), 'invalid_request');
      assert.match(new URL(url).searchParams.get('error_description') ?? '', /state is longer than 3500/);
    }
  });

  test('whose session ended while the page was open goes on after a sign-in', async () => {
    const third = await site.application({ isFirstParty: false, name: 'Plans' });
    const person = await site.person();
    for (const answer of ['allow', 'deny', 'switch']) {
      const asked = await ask(person, {}, third);
      await person.send('DELETE', '/sessions');
      const signIn = await person.answer(asked, answer);
      assert.equal(pathOf(signIn), '/sign-in');
      const again = await person.signInAt(signIn);
      assert.match(textOf(again.text), /Sign in to Plans/, answer);
      assert.equal(errorIn(await person.answer(again, 'deny'), third), 'access_denied');
    }
  });

  test('that was answered, or is too old, says where to start again', async () => {
    const named = await site.application({
      name: 'Plans',
      initiateLoginUri: 'https://wiki.example.org/login',
    });
    const person = await site.person();
    const asked = await ask(person, { prompt: 'consent' }, named);
    const done = await person.answer(asked, 'allow');
    const link = new RegExp(
      `href="https://wiki\\.example\\.org/login\\?iss(?:=|&#61;)${encodeURIComponent(site.origin)}"`,
    );
    const back = await person.visit(asked.url);
    assert.equal(back.status, 400);
    assert.match(textOf(back.text), /has expired or was already finished.*Start again at Plans/);
    assert.match(back.text, link);
    const pressed = await person.answer(asked, 'deny');
    assert.match(textOf(pressed.text), /Start again at Plans/, 'the form of the page before');
    assert.ok((await tokensIn(done, asked, named)).access_token);
    const late = await ask(person, { prompt: 'consent' }, named);
    site.service.clock.advance(hourMs + secondMs);
    assert.match(textOf((await person.visit(late.url)).text), /Start again at Plans/);
    site.service.clock.advance(-hourMs - secondMs);
    const elsewhere = await site.person();
    const foreign = await ask(person, { prompt: 'consent' }, named);
    assert.equal((await elsewhere.visit(foreign.url)).status, 400, 'another browser cannot answer');
    const bare = await person.visit('/oauth/interaction/abcdefghijklmnopqrstuvwxyz');
    assert.match(textOf(bare.text), /This sign-in has expired/);
  });

  test('asks for resources and scopes in words, and tells where a native application is', async () => {
    const resource = await site.resource({ identifier: 'https://api.wiki.example.org' });
    const native = await site.application({
      kind: 'native',
      name: 'Pad',
      authMethod: 'none',
      redirectUris: ['com.example.pad:/callback'],
      scopes: ['openid', 'profile', 'email', 'offline_access', 'read'],
    });
    const person = await site.person();
    const asked = await ask(
      person,
      { scope: 'openid email offline_access read', prompt: 'consent', resource: resource.identifier },
      native,
    );
    const text = textOf(asked.text);
    assert.match(text, /Pad/);
    assert.match(text, /com\.example\.pad/);
    assert.match(text, /Keep this access/);
    assert.match(text, /read at https:\/\/api\.wiki\.example\.org/);
    const done = await person.answer(asked, 'allow');
    const taken = await person.visit(exitTo(done.url));
    assert.match(textOf(taken.text), /taken to com\.example\.pad:/);
    const tokens = await tokensIn(done, asked, native);
    assert.equal(tokens.scope, 'openid email offline_access read'.split(' ').at(-1));
    const silent = await ask(person, { scope: 'openid email' }, native);
    assert.match(textOf(silent.text), /Pad/, 'any program may claim its address (RFC 8252 §8.6)');
  });
});
