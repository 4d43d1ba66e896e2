// Tests what pages share: form tokens, the address to return to, and how problems are shown.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { addressOf } from '../http/markup.ts';
import { hourMs } from '../kit/clock.ts';
import { Browser } from '../../test/support/browser.ts';
import { addApp, addRecoveryCodes, codesOf } from '../../test/support/factor.ts';
import { unescapeMarkup } from '../../test/support/markup.ts';
import { asPage, formIn, secretIn } from '../../test/support/page-form.ts';
import { freshEmail } from '../../test/support/person.ts';
import { pendingCookie, PublicService, sessionCookie } from '../../test/support/public-service.ts';
import type { Fields, Reply } from '../../test/support/request.ts';
import { hasFeature, without } from '../../test/support/feature.ts';

const application = 'https://app.example.org/start?x=1';
const encoded = encodeURIComponent(application);

/** Where the first factor of an account leads, on the way to a target. */
const codesPage = (target: string | undefined): string =>
  addressOf('/account/recovery-codes', { done: 'first', return_to: target });

describe('a page', { skip: without('passkey', 'totp', 'recovery-code') }, () => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start('sqlite', { ALLOWED_ORIGINS: new URL(application).origin });
  });
  after(() => service.close());

  const post = (at: Browser, path: string, fields: Fields): Promise<Reply> => at.submit(path, fields);
  const show = (at: Browser, path: string): Promise<Reply> => at.get(path, asPage);
  const goesTo = (reply: Reply): string => {
    assert.equal(reply.status, 303, reply.text);
    return String(reply.headers['location']);
  };
  const goal = (at: Browser, reply: Reply): Promise<string> => at.goalOf(reply);

  async function signedIn(): Promise<{ at: Browser; email: string; password: string }> {
    const { email, password } = await service.member();
    const at = new Browser(service);
    assert.equal((await at.post('/sessions', { email, password })).status, 200);
    return { at, email, password };
  }

  test('accepts only a form that was made for this session', async () => {
    const { at } = await signedIn();
    const other = await signedIn();
    const path = '/account/sessions/others';
    const { fields } = formIn(await show(at, '/account'));
    assert.ok(fields['form_token'] !== undefined);
    for (const form_token of [undefined, '', formIn(await show(other.at, '/account')).fields['form_token']]) {
      const reply = await post(at, path, { ...(form_token !== undefined && { form_token }) });
      assert.equal(reply.status, 403);
      assert.match(reply.text, /This form has expired/);
    }
    assert.equal(goesTo(await post(at, path, fields)).split('?')[0], '/account/sessions');
  });

  test('redirects to the target of the form or of the query, and to no other', async () => {
    const { email, password } = await service.member();
    const ways: readonly [string, Fields, string][] = [
      ['/sign-in', {}, '/account'],
      ['/sign-in', { return_to: '/account/data' }, '/account/data'],
      [`/sign-in?return_to=${encoded}`, {}, application],
      [`/sign-in?return_to=${encoded}`, { return_to: '/account/data' }, '/account/data'],
      [`/sign-in?return_to=${encoded}`, { return_to: 'https://evil.test/' }, '/account'],
      ['/sign-in?return_to=https://evil.test/', {}, '/account'],
    ];
    for (const [path, fields, target] of ways) {
      const at = new Browser(service);
      assert.equal(await goal(at, await post(at, path, { email, password, ...fields })), target, path);
    }
    const repeated = await show(new Browser(service), `/sign-in?return_to=${encoded}&return_to=/account`);
    assert.equal(repeated.status, 400);
  });

  test('asks for the second factor first, and continues after it', async () => {
    const { at: inside, email, password } = await signedIn();
    const app = await addApp(inside, service.service.clock);
    const at = new Browser(service);
    const asked = goesTo(await post(at, '/sign-in', { email, password, return_to: application }));
    assert.equal(asked, `/sign-in/factor?return_to=${encoded}`);
    assert.ok(at.cookie(pendingCookie) !== undefined);
    const { action, fields } = formIn(await show(at, asked));
    const wrong = await post(at, action, { ...fields, proof: '000000' });
    assert.equal(wrong.status, 401);
    assert.match(wrong.text, /name="proof"/, 'the form again');
    assert.equal(await goal(at, await post(at, action, { ...fields, proof: app.nextCode() })), application);
    assert.equal((await show(at, '/account')).status, 200);
  });

  test('shows its form again with the reason and the waiting time', async () => {
    const { email } = await service.member();
    const at = new Browser(service);
    const fields = { email, password: 'not the password of it' };
    let reply = await post(at, '/sign-in', fields);
    assert.equal(reply.status, 401);
    assert.match(reply.text, /name="password"/);
    assert.equal(reply.headers['retry-after'], undefined);
    for (let i = 0; i < 10 && reply.status === 401; i += 1) reply = await post(at, '/sign-in', fields);
    assert.equal(reply.status, 429);
    assert.match(reply.text, /name="password"/);
    assert.match(String(reply.headers['retry-after']), /^\d+$/);
    const faulty = await post(at, '/sign-up', { email: 'none', password: 'x' });
    assert.equal(faulty.status, 400);
    assert.match(faulty.text, /name="password"/);
  });

  test('redirects to the page that solves a problem, and back', async () => {
    const visitor = new Browser(service);
    const elsewhere = (path: string): string => encodeURIComponent(path);
    assert.equal(
      goesTo(await show(visitor, '/account?done=x')),
      `/sign-in?return_to=${elsewhere('/account?done=x')}`,
    );
    assert.equal(
      goesTo(await post(visitor, '/account/password?a=b', {})),
      `/sign-in?return_to=${elsewhere('/account/password')}&done=over`,
    );
    assert.equal(goesTo(await show(visitor, '/sign-in/factor')), '/sign-in?done=late');
    assert.equal(goesTo(await post(visitor, '/sign-in/factor', {})), '/sign-in?done=late');
    assert.equal(
      goesTo(await show(visitor, `/sign-in/factor?return_to=${encoded}`)),
      `/sign-in?return_to=${encoded}&done=late`,
    );
    const { at, email } = await signedIn();
    assert.equal((await show(at, '/account/passkeys')).status, 200);
    service.service.clock.advance(hourMs);
    assert.equal(
      goesTo(await show(at, '/account/passkeys')),
      `/step-up?return_to=${elsewhere('/account/passkeys')}`,
    );
    const { fields } = formIn(await show(at, '/account'));
    const rejected = await post(at, '/account/passkeys/remove?x=y', { ...fields, id: 'x' });
    assert.equal(goesTo(rejected), `/step-up?return_to=${elsewhere('/account/passkeys/remove')}`, email);
    for (const [name, value] of [
      ['accept', 'application/json'],
      ['accept', '*/*'],
    ] as const) {
      const program = await at.get('/account/passkeys', { [name]: value });
      assert.deepEqual([program.status, program.headers['location']], [401, undefined]);
    }
  });

  test('is shown by each address that a browser opens', async () => {
    const { routes } = service.service;
    const pages = new Set(
      routes.flatMap(({ url, method, isPage }) => (isPage && method === 'GET' ? [url] : [])),
    );
    const { at } = await signedIn();
    let count = 0;
    for (const { url, method, isRefusal } of routes) {
      if (method !== 'GET' || !isRefusal || url.includes(':')) continue;
      const reply = await show(at, url);
      const isForm = routes.some((one) => one.url === url && one.method === 'POST' && one.isPage);
      if (isForm && url !== '/sign-up/password') {
        const { pathname } = new URL(goesTo(reply), 'https://accounts.test');
        assert.ok(pages.has(pathname) || pathname === '/', `${url} leads to ${pathname}`);
        count += 1;
      } else assert.deepEqual([reply.status, /<h1>/.test(reply.text)], [405, true], url);
      assert.equal((await at.get(url)).status, 405, url);
    }
    assert.ok(count > 5, String(count));
  });

  test('is the one to which its form returns after a sign-in, with what its address had', async () => {
    const { routes } = service.service;
    const known: Readonly<Record<string, string>> = {
      id: '0188f0e0-0000-7000-8000-000000000000',
      user_code: 'BBBB-BBBB',
      since: '1',
      max_age: '1',
    };
    const pages = new Map(
      routes.flatMap(({ url, method, isPage, parameters }) =>
        isPage && method === 'GET' ? [[url, parameters] as const] : [],
      ),
    );
    let count = 0;
    for (const { url, method, isPage, access, schema } of routes) {
      if (!isPage || method !== 'POST' || !['session', 'enrollment'].includes(access)) continue;
      const reply = await post(new Browser(service), url, known);
      const { pathname, searchParams } = new URL(goesTo(reply), 'https://accounts.test');
      assert.equal(pathname, '/sign-in', url);
      const back = new URL(searchParams.get('return_to') ?? '', 'https://accounts.test');
      const parameters = pages.get(back.pathname);
      assert.ok(parameters !== undefined, `${url} returns to ${back.pathname}, which is no page`);
      const { properties = {} } = ((schema as { body?: object } | undefined)?.body ?? {}) as {
        properties?: object;
      };
      for (const [name, value] of Object.entries(known))
        if (parameters.includes(name) && name in properties)
          assert.equal(back.searchParams.get(name), value, `${url} ${name}`);
      count += 1;
    }
    assert.ok(count > 10, `${count}`);
  });

  test('leads to the recovery codes after the first factor was added in a session, and keeps the target', async () => {
    const { at } = await signedIn();
    const path = '/account/authenticators';
    const { action, fields } = formIn(await show(at, path));
    const seedPage = await post(at, action, fields);
    const seed = formIn(seedPage);
    const nextCode = codesOf(secretIn(seedPage), service.service.clock);
    const target = { return_to: application };
    const done = await post(at, seed.action, { ...seed.fields, ...target, code: nextCode() });
    assert.equal(goesTo(done), codesPage(application));
    assert.ok(
      !done.cookies.some((cookie) => cookie.startsWith(pendingCookie)),
      'there was no pending authentication',
    );
    assert.equal((await show(at, '/account')).status, 200, 'the session continues');
  });

  test('rejects a field that its form does not have', async () => {
    const { email } = await service.member();
    for (const password of ['a\0b', 'x'.repeat(2201)]) {
      const reply = await post(new Browser(service), '/sign-in', { email, password });
      assert.equal(reply.status, 400);
      assert.doesNotMatch(reply.text, /name="password"/);
    }
    assert.equal((await show(new Browser(service), `/sign-in?email=${'x'.repeat(2201)}`)).status, 400);
    const longest = { email, password: 'x'.repeat(2200) };
    assert.equal((await post(new Browser(service), '/sign-in', longest)).status, 401);
  });

  test('redirects to sign-in if the pending authentication ended before the form was sent', async () => {
    const { at: inside, email, password } = await signedIn();
    await addApp(inside, service.service.clock);
    const codes = await addRecoveryCodes(inside);
    const at = new Browser(service);
    await post(at, '/sign-in', { email, password });
    const { action, fields } = formIn(await show(at, '/sign-in/factor'));
    const replies = await Promise.all(
      codes.slice(0, 2).map((proof) => post(at, action, { ...fields, factor: 'recovery_code', proof })),
    );
    assert.deepEqual(replies.map(goesTo).toSorted(), ['/account', '/sign-in?done=late']);
  });

  test('passes the address to return to through a requested mail', async () => {
    const email = freshEmail();
    const at = new Browser(service);
    const shown = await post(at, '/sign-up', {
      email,
      password: 'nine newts under a green umbrella',
      return_to: application,
    });
    assert.equal(shown.status, 200);
    await service.deliver();
    const { text = '' } = service.mails.findLast(({ to }) => to === email) ?? {};
    assert.match(text, new RegExp(`return_to=${encodeURIComponent(encoded).replaceAll('%25', '%')}`));
  });
});

describe('a page while second factors are required', { skip: without('totp') }, () => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start('sqlite', {
      SECOND_FACTOR: 'required',
      ALLOWED_ORIGINS: new URL(application).origin,
    });
  });
  after(() => service.close());

  test('has links that a login without its factor can follow', async () => {
    const { email, password } = await service.newcomer();
    await service.confirm({ email, password });
    const at = new Browser(service);
    const login = await at.submit('/sign-in', { email, password, return_to: application });
    assert.equal(login.headers['location'], `/sign-in/set-up?return_to=${encoded}`);
    let count = 0;
    for (const { url, method, isPage, access } of service.service.routes) {
      if (!isPage || method !== 'GET' || access !== 'enrollment') continue;
      const { status, text } = await at.get(`${url}?return_to=${encoded}`, asPage);
      if (status !== 200) continue;
      count += 1;
      const links = [...text.matchAll(/<a (?:class="[^"]*" )?href="(\/[^"]*)"/g)].map(([, to = '']) => to);
      const onward = links.filter((to) => to.startsWith('/account') || to.startsWith('/sign-in/'));
      assert.ok(onward.includes(`/sign-in/set-up?return_to&#61;${encoded}`), `${url}: ${links.join()}`);
      for (const to of onward) assert.equal((await at.get(unescapeMarkup(to), asPage)).status, 200, to);
    }
    assert.ok(count > 0);
  });

  for (const [goal, target] of [
    ['/account', {}],
    [application, { return_to: application }],
  ] as const)
    test(`redirects to enrollment, and then to ${goal}`, async () => {
      const { email, password } = await service.newcomer();
      await service.confirm({ email, password });
      const at = new Browser(service);
      const post = (path: string, fields: Fields): Promise<Reply> => at.submit(path, fields);
      const login = await post('/sign-in', { email, password, ...target });
      const query = goal === application ? `?return_to=${encoded}` : '';
      assert.equal(login.headers['location'], `/sign-in/set-up${query}`);
      const list = await at.get(`/account/authenticators${query}`, asPage);
      const { action, fields } = formIn(list);
      const seedPage = await post(action, fields);
      const seed = formIn(seedPage);
      const nextCode = codesOf(secretIn(seedPage), service.service.clock);
      const done = await post(seed.action, { ...seed.fields, code: nextCode() });
      const reached = await at.goalOf(done);
      if (hasFeature('recovery-code')) {
        assert.equal(reached, codesPage('return_to' in target ? application : undefined));
        const { text } = await at.get(reached, asPage);
        const [, later = ''] = /href="([^"]+)"\s*>Not now</.exec(text) ?? [];
        assert.equal(unescapeMarkup(later), goal);
      } else assert.equal(reached, goal);
      assert.ok(at.cookie(sessionCookie) !== undefined);
      assert.equal(at.cookie(pendingCookie), undefined);
    });
});
