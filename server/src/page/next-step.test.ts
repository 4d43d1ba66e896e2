// Tests that pages lead on: a person who cannot do what a page asks for, or has done it already, finds the next step.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { message } from '../kit/language.ts';
import { hourMs } from '../kit/clock.ts';
import { Browser } from '../../test/support/browser.ts';
import { addApp } from '../../test/support/factor.ts';
import { hasFeature, without } from '../../test/support/feature.ts';
import { textOf, unescapeMarkup } from '../../test/support/markup.ts';
import { asPage, pressButton } from '../../test/support/page-form.ts';
import { freshEmail } from '../../test/support/person.ts';
import { PublicService, type Member } from '../../test/support/public-service.ts';
import type { Fields, Reply } from '../../test/support/request.ts';

const inEnglish = (key: string): string => message('en', key, {});

/** The links of a page: their address by their text. */
function linksIn(text: string): Map<string, string> {
  const links = text.matchAll(/<a (?:class="[^"]*" )?href="([^"]*)"\s*>([^<]*)</g);
  return new Map([...links].map(([, href = '', label = '']) => [label.trim(), unescapeMarkup(href)]));
}

describe('a page that asks for proof', { skip: without('totp', 'email-change') }, () => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start('sqlite');
  });
  after(() => service.close());

  /** Opens every page without parameters, and that for step-up as applications demand it. */
  async function* pagesOf(at: Browser): AsyncGenerator<{ readonly path: string; readonly text: string }> {
    const since = service.service.clock.now() + 1;
    for (const { url, method, isPage } of service.service.routes) {
      if (!isPage || method !== 'GET' || /[:*]/.test(url)) continue;
      const path = url === '/step-up' ? `${url}?since=${since}` : url;
      const { status, text } = await at.get(path, asPage);
      if (status === 200) yield { path: url, text };
    }
  }

  async function browsers(): Promise<readonly { readonly at: Browser; readonly email: string }[]> {
    const open = await service.member();
    const { email, password } = await service.member();
    const inside = new Browser(service);
    const at = new Browser(service);
    const halfway = new Browser(service);
    await inside.post('/sessions', { email: open.email, password: open.password });
    await at.post('/sessions', { email, password });
    await addApp(at, service.service.clock);
    await halfway.submit('/sign-in', { email, password });
    return [
      { at: new Browser(service), email: '' },
      { at: inside, email: open.email },
      { at, email },
      { at: halfway, email },
    ];
  }

  test('offers a reset wherever it asks for the current password', async () => {
    const asking = new Set<string>();
    for (const { at } of await browsers())
      for await (const { path, text } of pagesOf(at)) {
        if (!text.includes('autocomplete="current-password"')) continue;
        asking.add(path);
        const reset = linksIn(text).get(inEnglish('page.sign_in.forgot'));
        assert.match(String(reset), /^\/forgot/, path);
      }
    for (const path of ['/sign-in', '/step-up', '/account/password', '/account/address'])
      assert.ok(asking.has(path), path);
  });

  test('names the account whose factor it asks for, and leads to another account', async () => {
    const asking = new Set<string>();
    for (const { at, email } of await browsers())
      for await (const { path, text } of pagesOf(at)) {
        if (!text.includes('name="proof"')) continue;
        asking.add(path);
        assert.ok(text.includes(`<p class="who">${email}</p>`), path);
        assert.ok(linksIn(text).has(inEnglish('page.factor.other')), path);
      }
    assert.deepEqual([...asking].toSorted(), ['/sign-in/factor', '/step-up']);
  });
});

describe('a browser that blocks cookies', () => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start('sqlite');
  });
  after(() => service.close());

  test('learns it from each form that needs them', async () => {
    const { email, password } = await service.member();
    const headers = { ...asPage, 'sec-fetch-site': 'same-origin', origin: 'https://accounts.test' };
    const fields = { email, password, new_password: password, token: 'x', credential: 'x' };
    /** Sends a form and follows its redirects, without a cookie. */
    async function answerTo(path: string, more: Fields): Promise<Reply> {
      let reply = await service.send({ method: 'POST', path, fields: { ...fields, ...more }, headers });
      for (let steps = 0; reply.status === 303 && steps < 5; steps += 1)
        reply = await service.send({ method: 'GET', path: String(reply.headers['location']), headers });
      return reply;
    }
    const forms = service.service.routes.flatMap(({ url, method, isPage, access }) =>
      isPage && method === 'POST' && ['open', 'optional'].includes(access) && !/[:*]/.test(url) ? [url] : [],
    );
    // These need none: signing out, the choice of a language, and the link of a mail, which asks to sign in first.
    const needless = new Set(['/sign-out', '/oauth/end-session/confirm', '/language', '/account/email']);
    let count = 0;
    for (const path of forms.filter((one) => !needless.has(one)))
      for (const more of [{}, { password: 'wrong', email: freshEmail() }]) {
        const { headers: given, text } = await answerTo(path, more);
        if (!String(given['content-type']).startsWith('text/html')) continue;
        assert.ok(textOf(text).includes(inEnglish('page.frame.no_cookies')), `${path}: ${textOf(text)}`);
        count += 1;
      }
    assert.ok(count > 10, String(count));
  });
});

describe('a page whose purpose is fulfilled', () => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start('sqlite', { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  async function insider(): Promise<Pick<Member, 'email' | 'password'> & { readonly at: Browser }> {
    const { email, password } = await service.member();
    const at = new Browser(service);
    await at.post('/sessions', { email, password });
    return { at, email, password };
  }

  /** The link in the newest mail to an address: path and query. */
  async function linkTo(email: string): Promise<string> {
    await service.deliver();
    const { text = '' } = service.mails.findLast(({ to }) => to === email) ?? {};
    const { pathname, search } = new URL(/https:\S+/.exec(text)?.[0] ?? assert.fail(text));
    return `${pathname}${search}`;
  }

  test('a refused link leads to another mail and past it', async () => {
    const token = `0188f0e0-0000-7000-8000-000000000000.vrf_${'a'.repeat(43)}`;
    const links = service.service.routes.filter(
      ({ method, isPage, access, parameters }) =>
        isPage && method === 'GET' && access === 'optional' && parameters.includes('token'),
    );
    assert.ok(links.length > 3, String(links.length));
    const { at: inside, email } = await insider();
    for (const { url } of links)
      for (const [at, way] of [
        [new Browser(service), inEnglish('page.sign_in.title')],
        [inside, `Continue as ${email}`],
      ] as const) {
        const { status, text } = await at.submit(url, { email, token, new_password: 'x'.repeat(20) });
        if (status === 303) continue; // it asks to sign in first
        assert.ok(linksIn(text).has(way), `${url} ${textOf(text)}`);
      }
  });

  test('the page for a code ends with its mail', async () => {
    const { email } = await service.member();
    const password = 'nine newts under a green umbrella';
    for (const [path, fields] of [
      ['/sign-up', { email: freshEmail(), password }],
      ['/forgot', { email }],
      ['/sign-in/email', { email }],
    ] as const) {
      if (path === '/sign-in/email' && !hasFeature('email-sign-in')) continue;
      const at = new Browser(service);
      const { location: codePath = '' } = (await at.send({ method: 'POST', path, fields, headers: asPage }))
        .headers as { location?: string };
      assert.equal((await at.get(codePath, asPage)).status, 200, codePath);
      await pressButton(at, await linkTo(fields.email), { new_password: `${password} two` });
      assert.equal((await at.get(codePath, asPage)).status, 303, codePath);
    }
  });

  test('the page for a code says in minutes how long a long wait is', async () => {
    const { email } = await service.member();
    const at = new Browser(service);
    const waits: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      const { text } = await at.submit('/forgot', { email });
      waits.push(
        /You can send it again in [^.]*/.exec(textOf(text.replaceAll(/data-\w+="[^"]*"/g, '')))?.[0] ?? '',
      );
      service.service.clock.advance(hourMs);
    }
    assert.deepEqual(
      waits.map((text) => text.replace('You can send it again in ', '')),
      ['60 seconds', '2 minutes', '5 minutes', '15 minutes', '60 minutes'],
    );
  });

  test('a page says what was done in the browser that did it alone', async () => {
    const read = async (path: string, value?: string): Promise<{ title: string; notice: string }> => {
      const cookie = value === undefined ? {} : { cookie: `__Host-done=${value}` };
      const { text } = await service.send({ method: 'GET', path, headers: { ...asPage, ...cookie } });
      const [, title = ''] = /<h1>([^<]*)</.exec(text) ?? [];
      const [, notice = ''] = /<p class="notice(?: done)?" role="status">([^<]*)</.exec(text) ?? [];
      return { title, notice };
    };
    let count = 0;
    for (const { url, method, isPage, access, parameters } of service.service.routes) {
      if (!isPage || method !== 'GET' || access !== 'optional' || url.includes(':')) continue;
      const first = await read(url);
      for (const name of ['redeemed', 'confirmed', 'password', 'signed_out', 'over', 'late', 'constructor']) {
        assert.deepEqual(await read(`${url}?done=${name}`), first, `${url} ${name}`);
        const value = `${url.replaceAll('/', '.')}~${name}`;
        const then = await read(`${url}?done=${name}`, value);
        if (then.notice !== '') count += 1;
        if (parameters.includes('token')) assert.equal(then.title !== first.title, then.notice !== '', url);
        assert.deepEqual(await read(url, value), first, 'the address does not name it');
      }
    }
    assert.ok(count > 5, String(count));
  });

  test('an address to return to shows no result that the browser did not have', async () => {
    const { email, password } = await insider();
    const target = '/account/password?done=changed';
    const stranger = new Browser(service);
    for (const reply of [
      await stranger.submit('/language', { language: 'en', return_to: target }),
      await stranger.submit('/sign-in', { email, password, return_to: target }),
    ]) {
      assert.equal(reply.headers['location'], target);
      const shown = await stranger.get(target, asPage);
      assert.doesNotMatch(shown.text, /notice done/);
    }
  });

  test('who does not sign out goes back to where the question was asked', async () => {
    const { at } = await insider();
    for (const [path, back] of [
      ['/sign-out', '/account'],
      ['/sign-out?return_to=/account/password', '/account/password'],
    ] as const) {
      const { text } = await at.get(path, asPage);
      assert.equal(linksIn(text).get(inEnglish('page.sign_out.stay')), back);
    }
  });

  test('a page for visitors says who is signed in already', async () => {
    const { at, email } = await insider();
    const found: string[] = [];
    for (const { url, method, isPage } of service.service.routes) {
      if (!isPage || method !== 'GET' || /[:*]/.test(url)) continue;
      const { status, text } = await at.get(url, asPage);
      if (status !== 200 || !text.includes('id="email"')) continue;
      assert.ok(textOf(text).includes(email), url);
      found.push(url);
    }
    for (const path of ['/sign-up', '/forgot', '/confirm/again']) assert.ok(found.includes(path), path);
    const { text } = await at.get(`/forgot?email=${encodeURIComponent(email)}`, asPage);
    assert.doesNotMatch(text, /Continue as/, 'it was opened for this account');
  });
});
