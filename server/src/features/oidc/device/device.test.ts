// Signing in a device without a browser (RFC 8628).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as openid from 'openid-client';
import { minuteMs, secondMs } from '../../../kit/clock.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { rowsIn } from '../../../../test/support/contents.ts';
import {
  deviceGrant,
  ProviderSite,
  textOf,
  type Application,
  type Arrival,
  type Person,
} from '../test/site.ts';
import { wrongPerNetwork } from './user-code.ts';

type Request = Awaited<ReturnType<typeof openid.initiateDeviceAuthorization>>;
type Answer = Awaited<ReturnType<typeof openid.genericGrantRequest>>;

onEachEngine('the sign-in of a device', (engine) => {
  let site: ProviderSite;
  before(async () => {
    site = await ProviderSite.open(engine);
  });
  after(() => site.close());

  async function television(given: Parameters<ProviderSite['application']>[0] = {}): Promise<Application> {
    return site.application({
      name: 'TV',
      kind: 'native',
      authMethod: 'none',
      grantTypes: [deviceGrant, 'refresh_token'],
      redirectUris: [],
      isFirstParty: false,
      ...given,
    });
  }

  const begin = (app: Application, more: Readonly<Record<string, string>> = {}): Promise<Request> =>
    openid.initiateDeviceAuthorization(app.config, { scope: 'openid email', ...more });

  /** What the device is answered: tokens, or an error code. */
  async function poll(app: Application, { device_code: code }: Request): Promise<Answer | string> {
    try {
      return await openid.genericGrantRequest(app.config, deviceGrant, { device_code: code });
    } catch (error) {
      if (error instanceof openid.ResponseBodyError) return error.error;
      throw error;
    }
  }

  async function tokensOf(app: Application, request: Request): Promise<Answer> {
    const answer = await poll(app, request);
    if (typeof answer === 'string') return assert.fail(answer);
    return answer;
  }

  /** Types the code, and arrives at the question. */
  async function enter(person: Person, code: string): Promise<Arrival> {
    return person.submit(await person.visit('/device'), { user_code: code });
  }

  test('asks who it is, after the code; it receives tokens of this user', async () => {
    const app = await television();
    const person = await site.person();
    const request = await begin(app);
    assert.match(request.user_code, /^[A-Z]{4}-[A-Z]{4}$/);
    assert.equal(request.verification_uri, `${site.origin}/device`);
    await site.inOneInstant(async () => {
      assert.equal(await poll(app, request), 'authorization_pending');
      assert.equal(await poll(app, request), 'slow_down');
    });
    const wide = request.user_code.replaceAll(/[!-~]/g, (one) =>
      String.fromCodePoint((one.codePointAt(0) ?? 0) + 0xfee0),
    );
    assert.match(textOf((await enter(person, wide)).text), /Sign in to TV/, 'full-width letters');
    const page = await enter(person, ` ${request.user_code.replace('-', '').toLowerCase()} `);
    const text = textOf(page.text);
    assert.match(text, /Sign in to TV on a device/);
    assert.match(text, /See your email address/);
    assert.match(text, new RegExp(`your device shows the code ${request.user_code}`));
    assert.match(text, /came from 127\.0\.0\.1/);
    assert.match(text, new RegExp(person.email));
    assert.match(textOf((await person.visit(page.url)).text), /Sign in to TV/, 'a reload asks again');
    const done = await person.answer(page, 'allow');
    assert.match(textOf(done.text), /The device is connected/);
    const tokens = await tokensOf(app, request);
    const claims = tokens.claims();
    assert.equal(claims?.['email'], person.email);
    assert.deepEqual(claims?.['amr'], ['pwd']);
    assert.equal(claims?.['acr'], 'https://refeds.org/profile/sfa');
    assert.ok(typeof claims?.['auth_time'] === 'number');
    const late = await person.answer(page, 'deny');
    assert.match(textOf(late.text), /This code was already used/);
    assert.match(textOf((await person.visit(page.url)).text), /This code was already used/, 'back');
    assert.equal(await poll(app, request), 'invalid_grant', 'the code works once');
  });

  test('goes on after a sign-in if the session ended while a page was open', async () => {
    const app = await television();
    const person = await site.person();
    const request = await begin(app);
    const typed = await person.visit('/device');
    await person.send('DELETE', '/sessions');
    const signIn = await person.submit(typed, { user_code: request.user_code });
    assert.equal(new URL(signIn.url).pathname, '/sign-in');
    const filled = await person.signInAt(signIn);
    assert.match(filled.text, new RegExp(`value="${request.user_code}"`), textOf(filled.text));
    const question = await person.submit(filled);
    await person.send('DELETE', '/sessions');
    const again = await person.signInAt(await person.answer(question, 'allow'));
    assert.match(textOf(again.text), /Sign in to TV on a device/);
    assert.match(textOf((await person.answer(again, 'allow')).text), /The device is connected/);
    assert.equal((await tokensOf(app, request)).claims()?.['email'], person.email);
  });

  test('has a code that is too long to be guessed while it is valid, also with several instances', async () => {
    const app = await television();
    const request = await begin(app);
    const letters = 20 ** request.user_code.replaceAll('-', '').length;
    assert.match(request.user_code, /^[BCDFGHJKLMNPQRSTVWXZ-]+$/);
    const minutes = request.expires_in / 60;
    const [instances, waiting] = [10, 100];
    const attempts = (minutes + 1) * wrongPerNetwork * instances; // a full bucket, which refills
    assert.ok((attempts * waiting) / letters < 1 / 50_000, `${attempts} attempts at ${letters} codes`);
  });

  test('is in the record, and in a mail of a third party', async () => {
    const app = await television();
    const person = await site.person();
    const request = await begin(app);
    await person.answer(await enter(person, request.user_code), 'allow');
    const events = await rowsIn(site.db, 'audit_events');
    const reasons = events.filter((row) => row['target_id'] === app.id).map((row) => row['reason']);
    assert.deepEqual(reasons, ['application_allowed', 'application_signed_in']);
    const mails = await rowsIn(site.db, 'mails');
    assert.equal(
      mails.filter((row) => row['recipient'] === person.email && row['kind'] === 'application_allowed')
        .length,
      1,
    );
    const consents = await rowsIn(site.db, 'oidc_consents');
    assert.equal(consents.find((row) => row['client_id'] === app.id)?.['scopes'], '["openid","email"]');
  });

  test('that is denied receives access_denied', async () => {
    const app = await television();
    const person = await site.person();
    const request = await begin(app);
    const page = await enter(person, request.user_code);
    const done = await person.answer(page, 'deny');
    assert.match(textOf(done.text), /The device was not connected/);
    assert.equal(await poll(app, request), 'access_denied');
    assert.match(textOf((await person.answer(page, 'allow')).text), /already used/);
  });

  test('ends with the session, unless it may stay', async () => {
    const app = await television();
    const person = await site.person();
    const [bound, staying] = [await begin(app), await begin(app, { scope: 'openid offline_access' })];
    for (const { user_code: code } of [bound, staying])
      await person.answer(await enter(person, code), 'allow');
    const [ending, lasting] = [await tokensOf(app, bound), await tokensOf(app, staying)];
    await person.send('DELETE', '/sessions');
    await assert.rejects(openid.refreshTokenGrant(app.config, ending.refresh_token ?? ''), {
      error: 'invalid_grant',
    });
    const next = await openid.refreshTokenGrant(app.config, lasting.refresh_token ?? '');
    assert.ok(next.access_token);
    const grants = await rowsIn(site.db, 'oidc_grants');
    assert.equal(grants.filter((row) => row['client_id'] === app.id).length, 1, 'the other grant ended');
  });

  test('keeps the code of a link through the sign-in, and never sends it by itself', async () => {
    const app = await television();
    const person = await site.person({ isSignedIn: false });
    const request = await begin(app);
    const signIn = await person.visit(request.verification_uri_complete ?? '');
    assert.equal(new URL(signIn.url).pathname, '/sign-in');
    const page = await person.signInAt(signIn);
    assert.match(page.text, new RegExp(`value="${request.user_code}"`));
    assert.equal(await poll(app, request), 'authorization_pending');
    const question = await person.submit(page);
    assert.match(textOf(question.text), /Sign in to TV/);
    const hostile = await person.visit('/device?user_code=%22%3E%3Cb%3EEVIL');
    assert.doesNotMatch(hostile.text, /EVIL/);
  });

  test('is confirmed by one of two persons', async () => {
    const app = await television();
    const people = [await site.person(), await site.person()];
    for (let round = 0; round < 3; round += 1) {
      const request = await begin(app);
      const pages = await Promise.all(people.map((person) => enter(person, request.user_code)));
      const done = await Promise.all(
        people.map((person, i) => person.answer(pages[i] ?? assert.fail(), 'allow')),
      );
      const winners = done.flatMap(({ text }, i) => (/The device is connected/.test(text) ? [i] : []));
      assert.equal(winners.length, 1, done.map(({ text }) => textOf(text)).join('\n'));
      const claims = (await tokensOf(app, request)).claims();
      assert.equal(claims?.['email'], people[winners[0] ?? 0]?.email);
    }
  });

  test('needs a form of this session; the page of one person is not of another one', async () => {
    const app = await television();
    const [person, other] = [await site.person(), await site.person()];
    const request = await begin(app);
    const page = await enter(person, request.user_code);
    assert.equal(new URL((await other.visit(page.url)).url).search, '', 'it asks for the code');
    const forged = await person.visit(page.url, 'POST', { answer: 'allow' });
    assert.equal(forged.status, 403);
    assert.equal(await poll(app, request), 'authorization_pending');
  });

  test('says what is wrong with a code', async () => {
    const app = await television();
    const person = await site.person();
    const request = await begin(app);
    for (const code of ['', 'BBBB-BBBB', 'AEIO', '12345678', request.device_code]) {
      const page = await enter(person, code);
      assert.equal(page.status, 400);
      assert.match(textOf(page.text), /This code is wrong/);
    }
    const page = await enter(person, request.user_code);
    site.service.clock.advance(11 * minuteMs);
    try {
      assert.match(textOf((await enter(person, request.user_code)).text), /This code has expired/);
      assert.match(textOf((await person.answer(page, 'allow')).text), /This code has expired/);
      assert.equal(await poll(app, request), 'expired_token');
    } finally {
      site.service.clock.advance(-11 * minuteMs);
    }
  });

  test('is guessed ten times a minute at most, and a right code costs nothing', async () => {
    const app = await television();
    const person = await site.person();
    for (let i = 0; i < 12; i += 1) {
      const page = await enter(person, (await begin(app)).user_code);
      assert.match(textOf(page.text), /Sign in to TV/);
    }
    await site.inOneInstant(async () => {
      for (let i = 0; i < 10; i += 1) assert.equal((await enter(person, 'BBBB-BBBB')).status, 400);
      const refused = await enter(person, (await begin(app)).user_code);
      assert.equal(refused.status, 429);
    });
    site.service.clock.advance(minuteMs);
    assert.match(textOf((await enter(person, (await begin(app)).user_code)).text), /Sign in to TV/);
    site.service.clock.advance(-minuteMs);
  });

  test('is guessed no more often by requests at the same time', async () => {
    const app = await television();
    const person = await site.person();
    const codes = [...Array.from({ length: 30 }, () => 'BBBB-BBBB'), (await begin(app)).user_code];
    const statuses = await site.inOneInstant(() =>
      Promise.all(codes.map(async (code) => (await enter(person, code)).status)),
    );
    assert.equal(statuses.filter((status) => status === 400).length, 10, statuses.join());
    assert.equal(statuses.at(-1), 429);
  });

  test('is refused to a user who may not use the application', async () => {
    const app = await television({ access: { emailDomains: ['elsewhere.example'], users: [] } });
    const person = await site.person();
    const request = await begin(app);
    const page = await enter(person, request.user_code);
    assert.match(textOf(page.text), /You have no access to TV/);
    await person.answer(page, 'allow');
    assert.equal(await poll(app, request), 'authorization_pending');
    await person.answer(page, 'deny');
    assert.equal(await poll(app, request), 'access_denied');
  });

  test('asks for a newer proof and for another factor', async () => {
    const app = await television();
    const person = await site.person();
    site.service.clock.advance(2 * secondMs);
    const aged = await begin(app, { max_age: '0' });
    const page = await enter(person, aged.user_code);
    assert.equal(new URL(page.url).pathname, '/step-up');
    const fresh = await begin(app, { max_age: '600' });
    assert.match(textOf((await enter(person, fresh.user_code)).text), /Sign in to TV/);
    const voluntary = await begin(app, { acr_values: 'phr' });
    assert.match(textOf((await enter(person, voluntary.user_code)).text), /Sign in to TV/);
    const essential = await begin(app, {
      claims: JSON.stringify({ id_token: { acr: { essential: true, value: 'phr' } } }),
    });
    const refused = textOf((await enter(person, essential.user_code)).text);
    assert.match(refused, /was not connected.*a sign-in method that your account does not have/);
    assert.equal(await poll(app, essential), 'unmet_authentication_requirements');
    const unknown = await begin(app, {
      claims: JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:example:unknown' } } }),
    });
    await enter(person, unknown.user_code);
    assert.equal(await poll(app, unknown), 'unmet_authentication_requirements');
    site.service.clock.advance(-2 * secondMs);
  });

  test('gives tokens for a resource', async () => {
    const resource = await site.resource({ identifier: `https://${engine}.example.org/api` });
    const app = await television({ scopes: ['openid', 'email', 'read'] });
    const person = await site.person();
    const request = await begin(app, { scope: 'openid read write', resource: resource.identifier });
    const page = await enter(person, request.user_code);
    assert.match(textOf(page.text), /read at https:/);
    assert.doesNotMatch(textOf(page.text), /write/);
    await person.answer(page, 'allow');
    const tokens = await tokensOf(app, request);
    assert.equal(tokens.scope, 'read');
  });
});
