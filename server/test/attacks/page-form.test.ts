// Forms of pages: for which user each form acts, and where it redirects afterwards.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { minuteMs, secondMs } from '../../src/kit/clock.ts';
import type { RouteEntry } from '../../src/app/access.ts';
import { Browser } from '../support/browser.ts';
import { everyRowOf } from '../support/contents.ts';
import { addApp, addPasskey, passkeyOptionsIn, type App } from '../support/factor.ts';
import { offSiteTargets } from '../support/off-site-target.ts';
import { unescapeMarkup } from '../support/markup.ts';
import { asPage, formIn } from '../support/page-form.ts';
import { PasskeyDevice } from '../support/passkey-device.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService } from '../support/public-service.ts';
import type { Fields, Reply } from '../support/request.ts';
import { entriesOf, hasFeature, without } from '../support/feature.ts';
import { fromKits } from '../support/kit.ts';

const origin = 'https://accounts.test';
const application = 'https://app.example.org';
/** A form that needs no session. */
const isPublic = (access: string): boolean => access === 'open' || access === 'optional';
const newPassword = 'nine newts under a green umbrella';
/** Pages of links that name the account. */
const linkPages = ['/reset', '/confirm', ...(hasFeature('email-sign-in') ? ['/sign-in/link'] : [])];

/**
 * Returns every sixth target, another sixth for each route. One parser judges the targets of all routes, so each target
 * meets many routes and each route many targets.
 */
const share = (targets: readonly string[], route: number): string[] =>
  targets.filter((_, i) => (i + route) % 6 === 0);

/** Valid input for the form of each page, so that only its origin is wrong. That of a feature is in its kit. */
const fieldsOf: Readonly<Record<string, Fields>> = {
  '/confirm': { email: 'x@example.org', token: 'x' },
  '/reset': { email: 'x@example.org', token: 'x', new_password: newPassword },
  '/account/factors/undo': { token: 'x' },
  '/sign-in': { email: 'x@example.org', password: newPassword },
  '/sign-up': { email: 'x@example.org', password: newPassword },
  '/sign-up/password': { email: 'x@example.org', password: newPassword },
  '/forgot': { email: 'x@example.org' },
  '/confirm/again': { email: 'x@example.org' },
  '/language': { language: 'fr' },
  '/step-up': { factor: 'password', proof: 'wrong' },
  '/account/password': { password: 'wrong', new_password: newPassword },
  '/account/profile': { name: 'Ada', picture: '' },
  '/account/sessions': { id: 'none' },
  '/account/sessions/others': {},
  '/sign-in/factor': { factor: 'totp', proof: '000000' },
  '/confirm/code': { token: 'x' },
  '/confirm/code/again': {},
  '/reset/code': { token: 'x', new_password: newPassword },
  '/reset/code/again': {},
  '/sign-out': {},
  ...fromKits(({ forms }) => forms),
};

/** Headers that browsers send with a form on a foreign page. */
const foreign: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a foreign origin': { origin: 'https://evil.test' },
  'an opaque origin': { origin: 'null' },
  'another site': { 'sec-fetch-site': 'cross-site' },
  'a sibling domain': { 'sec-fetch-site': 'same-site' },
  'another site with our origin': { 'sec-fetch-site': 'cross-site', origin },
};

/** A user at a browser that is simulated without a screen. */
interface Sitter {
  readonly email: string;
  readonly password: string;
  readonly at: Browser;
}

function tokenOf(page: Reply): string {
  const [, token] = /name="form_token" value="([^"]+)"/.exec(page.text) ?? assert.fail(page.text);
  return unescapeMarkup(token ?? '');
}

// An authenticator app is the second factor of the logins that wait for one.
const skip = without('totp');

describe('the forms of pages', { skip }, () => {
  let service: PublicService;
  let posts: readonly RouteEntry[];
  before(async () => {
    service = await PublicService.start('sqlite', {
      EMAIL_SIGN_IN: 'true',
      REMEMBERED_DEVICE_DAYS: '30',
      ALLOWED_ORIGINS: application,
    });
    posts = service.service.routes.filter(
      // A page whose path names a request has tests with its feature.
      ({ method, url, isPage, isRefusal }) =>
        method === 'POST' && isPage && !isRefusal && !url.includes('/:'),
    );
    assert.deepEqual(
      posts.map(({ url }) => url).toSorted(),
      Object.keys(fieldsOf).toSorted(),
      'add each new form to "forms" in test/kit.ts of its feature, or to fieldsOf in this test',
    );
  });
  after(() => service.close());

  const rows = (): Promise<unknown> => everyRowOf(service.service.core.database);
  const post = (at: Browser, path: string, fields: Fields, headers = {}): Promise<Reply> =>
    at.send({ method: 'POST', path, fields, headers: { ...asPage, ...headers } });

  async function signIn({ email, password }: { email: string; password: string }): Promise<Browser> {
    const at = new Browser(service);
    assert.equal((await at.post('/sessions', { email, password })).status, 200);
    return at;
  }
  async function sitDown(): Promise<Sitter> {
    const { email, password } = await service.member();
    return { email, password, at: await signIn({ email, password }) };
  }
  /** A user with an authenticator app, once signed in and once with a pending authentication. */
  async function withApp(): Promise<{ inside: Sitter; pendingAt: Browser; app: App }> {
    const inside = await sitDown();
    const app = await addApp(inside.at, service.service.clock);
    return { inside, pendingAt: await signIn(inside), app };
  }

  for (const [name, headers] of Object.entries(foreign)) {
    test(`A43 cross-site: rejects each form from a page whose browser sends ${name}, in a page`, async () => {
      const { inside, pendingAt } = await withApp();
      const token = tokenOf(await inside.at.get('/account', asPage));
      const earlier = await rows();
      for (const { url, access } of posts) {
        const at = access === 'pending' ? pendingAt : inside.at;
        const reply = await post(at, url, { ...fieldsOf[url], form_token: token }, headers);
        assert.equal(reply.status, 403, url);
        assert.deepEqual(reply.cookies, [], url);
        assert.match(reply.text, /This form has expired/, url);
      }
      assert.deepEqual(await rows(), earlier);
    });
  }

  test('A43 cross-site: at each access level a form acts only for the user that it was made for', async () => {
    const { inside, pendingAt, app } = await withApp();
    const other = await withApp();
    const elsewhere = await signIn(inside);
    await elsewhere.post('/sessions/factor', { factor: 'totp', proof: app.nextCode() });
    const insideToken = tokenOf(await inside.at.get('/account', asPage));
    const pendingToken = tokenOf(await pendingAt.get('/sign-in/factor', asPage));
    const tokens = [
      ['none', undefined],
      ['an empty one', ''],
      ["another user's", tokenOf(await other.inside.at.get('/account', asPage))],
      ["another session's", tokenOf(await elsewhere.get('/account', asPage))],
      ["another login's", tokenOf(await other.pendingAt.get('/sign-in/factor', asPage))],
      ['half of it', insideToken.slice(0, -1)],
      ['more of it', `${insideToken}A`],
      ['a word', 'undefined'],
    ] as const;
    const guarded = posts.filter(({ access }) => !isPublic(access));
    assert.ok(guarded.length > 12);
    const earlier = await rows();
    for (const { url, access } of guarded) {
      const [at, own, foreignOwn] =
        access === 'pending'
          ? [pendingAt, pendingToken, insideToken]
          : [inside.at, insideToken, pendingToken];
      for (const [name, token] of [...tokens, ['the one of another access level', foreignOwn] as const]) {
        const fields = { ...fieldsOf[url], ...(token !== undefined && { form_token: token }) };
        const reply = await post(at, url, fields);
        assert.equal(reply.status, 403, `${url} took ${name}`);
        assert.match(reply.text, /This form has expired/, url);
        const inQuery = await post(at, `${url}?form_token=${encodeURIComponent(own)}`, fields);
        assert.equal(inQuery.status, 403, `${url} took it from the address`);
      }
      const twice = await post(at, url, { ...fieldsOf[url], form_token: [own, own] });
      assert.equal(twice.status, 400, `${url} took two`);
    }
    assert.deepEqual(await rows(), earlier);
  });

  test('A43 cross-site: accepts each form with its own token from our own page', async () => {
    for (const { url, access } of posts) {
      const { inside, pendingAt } = await withApp();
      const at = access === 'pending' ? pendingAt : inside.at;
      const page = await at.get(access === 'pending' ? '/sign-in/factor' : '/account', asPage);
      const headers = { origin, 'sec-fetch-site': 'same-origin' };
      const reply = await post(at, url, { ...fieldsOf[url], form_token: tokenOf(page) }, headers);
      assert.ok(reply.status < 500, url);
      assert.doesNotMatch(reply.text, /This form has expired|cross_site/, url);
    }
  });

  /** Which browser has each form open. They have requested a mail of each kind, and so find the pages for its codes. */
  async function opened(to: Pick<PublicService, 'send'> = service): Promise<(form: RouteEntry) => Browser> {
    const { email, password } = await service.member();
    const [stranger, inside, pendingAt] = [new Browser(to), new Browser(to), new Browser(to)];
    await inside.post('/sessions', { email, password });
    await addApp(inside, service.service.clock);
    for (const path of ['/forgot', '/confirm/again', '/sign-in/email'])
      await stranger.submit(path, { email });
    const begun: Readonly<Record<string, Fields>> = {
      ...(hasFeature('email-change') && { '/account/address': { email: freshEmail(), password } }),
      ...(hasFeature('recovery-code') && { '/account/recovery-codes': {} }),
      '/account/authenticators': { name: 'mine' },
    };
    for (const [path, fields] of Object.entries(begun)) {
      const form_token = tokenOf(await inside.get('/account', asPage));
      await inside.submit(path, { ...fields, form_token });
    }
    await pendingAt.post('/sessions', { email, password });
    return ({ access, url }) => {
      if (access === 'pending') return pendingAt;
      return isPublic(access) && !/^\/(?:account\/address|sign-out|oauth\/end-session)/.test(url)
        ? stranger
        : inside;
    };
  }
  /** The forms of pages: without the check of a password, which only the script calls. The step-up is the last. */
  const forms = (): RouteEntry[] =>
    posts
      .filter(({ url }) => url !== '/sign-up/password')
      .toSorted((a, b) => Number(a.url === '/step-up') - Number(b.url === '/step-up'));

  test('a form that a limit of the network refuses goes back to its page with what was typed, and says when to try again', async () => {
    const busy = '198.51.100.7';
    const limited = await service.reconfigured({
      EMAIL_SIGN_IN: 'true',
      REMEMBERED_DEVICE_DAYS: '30',
      ADDRESS_LIMIT_PER_MINUTE: '10',
    });
    const at = await opened({
      send: (request) => (request.from === busy ? limited : service).send(request),
    });
    const token = `${crypto.randomUUID()}.rst_${'x'.repeat(43)}`;
    // Last those for which the clock is moved: it ends the logins that wait for a second factor.
    const isStepUp = ({ url }: RouteEntry): boolean => url.startsWith('/step-up');
    for (const form of forms().toSorted((a, b) => Number(isStepUp(a)) - Number(isStepUp(b)))) {
      const { url } = form;
      const browser = at(form);
      if (isStepUp(form)) service.service.clock.advance(10 * minuteMs); // it is due again
      const known = fieldsOf[url] ?? {};
      const fields = {
        ...known,
        ...('token' in known && { token }),
        return_to: '/sign-up',
      };
      for (let i = 0; i < 12; i += 1)
        await limited.send({ method: 'POST', path: '/language', fields: { language: 'en' }, from: busy });
      const headers = { ...asPage, origin };
      const reply = await browser.send({ method: 'POST', path: url, fields, headers, from: busy });
      const target = String(reply.headers['location']);
      assert.equal(reply.status, 303, `${url}: ${reply.text}`);
      let page = await browser.get(target, asPage);
      // The page of an authenticator that does not exist leads to the list.
      if (page.status === 303) page = await browser.get(String(page.headers['location']), asPage);
      assert.equal(
        page.status,
        429,
        `${url} leads to ${target}, then to ${String(page.headers['location'])}, which shows no refusal: ` +
          'a page that leads elsewhere keeps the note, as addressOf(path, { note: query.note })',
      );
      assert.ok(Number(page.headers['retry-after']) > 0, url);
      assert.match(page.text, /Too many requests\. Wait, then try again\. Try again in/, url);
      const { email } = known;
      if (typeof email === 'string' && page.text.includes('name="email"'))
        assert.ok(page.text.includes(`value="${email}"`), `${url} keeps the address`);
      assert.ok(!page.text.includes(newPassword), url);
    }
  });

  test('a form that is refused before it is read gets a page that links back to the form', async () => {
    const at = await opened();
    const refusals = {
      403: { headers: { ...asPage, origin: 'https://evil.test' } },
      413: {
        headers: { ...asPage, origin, 'content-type': 'application/x-www-form-urlencoded' },
        payload: `x=${'x'.repeat(20_000)}`,
      },
      415: { headers: { ...asPage, origin, 'content-type': 'text/plain' }, payload: 'x' },
    };
    for (const form of forms()) {
      for (const [status, request] of Object.entries(refusals)) {
        const reply = await at(form).send({ method: 'POST', path: form.url, ...request });
        assert.equal(reply.status, Number(status), `${form.url}: ${reply.text}`);
        const [, back = ''] =
          /<a class="button" href="([^"]+)">Try again</.exec(reply.text) ?? assert.fail(form.url);
        const page = await at(form).get(unescapeMarkup(back), asPage);
        assert.ok(page.status < 400, `${form.url} links to ${back}: ${page.status}`);
      }
    }
  });

  /** No address in a reply leads to another site: neither a redirect nor a link in the page. */
  function assertStays({ status, headers, text, cookies }: Reply, what: string): void {
    assert.ok(status < 500, `${what}: ${status}`);
    const targets = [...text.matchAll(/ (?:href|action|formaction|src)="([^"]*)"/g)].map(([, to = '']) => to);
    const carried = [...text.matchAll(/name="return_to" value="([^"]*)"/g)].map(([, to = '']) => to);
    const { location } = headers;
    const located = typeof location === 'string' ? [location] : [];
    const onward = [...targets, ...located].map((to) =>
      new URL(unescapeMarkup(to), origin).searchParams.get('return_to'),
    );
    for (const to of [...targets, ...carried, ...located, ...onward])
      if (to !== null)
        assert.equal(new URL(unescapeMarkup(to), origin).origin, origin, `${what} leads to ${to}`);
    assert.equal(headers['refresh'], undefined);
    assert.equal(headers['x-evil'], undefined);
    assert.ok(!cookies.some((cookie) => cookie.startsWith('session_id=')), 'that only a split header sets');
  }

  test('A9 open redirect: a page with any return address leads only to our own pages', async () => {
    const { inside, pendingAt } = await withApp();
    const strangerAt = new Browser(service);
    const gets = service.service.routes.filter(({ method, isPage }) => method === 'GET' && isPage);
    assert.ok(gets.length > 20);
    for (const at of [inside.at, pendingAt, strangerAt]) {
      for (const [i, { url }] of gets.entries()) {
        for (const target of share(offSiteTargets, i)) {
          const query = String(
            new URLSearchParams({ return_to: target, email: 'x@example.org', token: 'x' }),
          );
          const what = `GET ${url} with ${JSON.stringify(target)}`;
          assertStays(await at.get(`${url}?${query}`, asPage), what);
        }
      }
    }
  });

  /** The word in each hostile text, which stands in no page. */
  const hostile = 'Zblockedcall';
  /** Texts that are neither an address of this kind, a token, a result nor an allowed target. */
  const hostileTexts: readonly string[] = [
    hostile,
    `Your account was blocked: ${hostile} +1 800 555 1234`,
    `"${hostile}" <a@example.org>`,
    `${hostile}@18005551234`,
    `${hostile} now@example.org`,
    `${hostile}\u2800now\u2800dial@example.org`,
    `${hostile}\u3164now@example.org`,
    `a@example.org,${hostile}@example.org`,
    `${hostile}@example.org\u00a0now`.repeat(40),
    `https://evil.example/${hostile}`,
    `01a1fb80-3101-7209-85ad-d12c88cf036f.rst_${hostile}`,
    `<b>${hostile}</b>`,
  ];

  test('a page shows nothing from its query or its path that is not what the name of the parameter says', async () => {
    const { inside, pendingAt } = await withApp();
    const gets = service.service.routes.filter(({ method, isPage }) => method === 'GET' && isPage);
    const names = new Set(gets.flatMap(({ parameters }) => parameters));
    assert.deepEqual([...names].toSorted(), [
      ...(hasFeature('activity') ? ['before'] : []),
      'done',
      'email',
      'factor',
      'id',
      'max_age',
      'note',
      'return_to',
      'since',
      'to',
      'token',
      ...(hasFeature('oidc') ? ['ui_locales', 'user_code'] : []),
    ]);
    const queries = [
      ...[...names].flatMap((name) => [{ [name]: hostile }, { [`amp;${name}`]: hostile }]),
      ...hostileTexts.map((text) =>
        Object.fromEntries([...names, 'message', 'x'].map((name) => [name, text])),
      ),
    ];
    const assertAbsent = async (at: Browser, path: string): Promise<void> => {
      const { status, text, headers } = await at.get(path, asPage);
      assert.ok(status < 500, path);
      const shown = unescapeMarkup(`${text} ${String(headers['location'])}`);
      assert.ok(!shown.toLowerCase().includes(hostile.toLowerCase()), path);
      assert.ok(!decodeURIComponent(shown.replaceAll(/%(?![\da-f]{2})/gi, '%25')).includes(hostile), path);
    };
    for (const { url } of gets)
      for (const at of [inside.at, pendingAt, new Browser(service)])
        for (const query of queries)
          await assertAbsent(at, `${url.replace(':id', hostile)}?${String(new URLSearchParams(query))}`);
    for (const text of hostileTexts)
      for (const path of ['', encodeURIComponent(text), `problems/${encodeURIComponent(text)}`])
        await assertAbsent(new Browser(service), `/${path}?email=${encodeURIComponent(text)}`);
  });

  test('a page shows an address from its query in normal form, and keeps a token and a target', async () => {
    const token = `${crypto.randomUUID()}.rst_${'x'.repeat(43)}`;
    const query = {
      email: ' OWNER@Example.ORG ',
      token,
      return_to: '/account/data',
      done: 'confirmed',
      x: 'y',
    };
    for (const path of [...linkPages, '/sign-in', '/sign-up', '/forgot']) {
      const { text } = await new Browser(service).get(
        `${path}?${String(new URLSearchParams(query))}`,
        asPage,
      );
      assert.match(text, /owner@example\.org/, path);
      assert.doesNotMatch(text, /OWNER|Example\.ORG/, path);
      const [, back = ''] = /action="\/language"[^]*?name="return_to" value="([^"]*)"/.exec(text) ?? [];
      const address = new URL(unescapeMarkup(back), origin);
      assert.deepEqual(
        [address.pathname, Object.fromEntries(address.searchParams)],
        [path, { email: 'owner@example.org', token, return_to: '/account/data', done: 'confirmed' }],
      );
    }
  });

  test('the page of a link without the address that it needs says that the link is damaged', async () => {
    for (const path of linkPages) {
      const { text } = await new Browser(service).get(`${path}?token=x&email=${hostile}`, asPage);
      assert.match(text, /This link is incomplete/, path);
      assert.doesNotMatch(text, /name="token"/, path);
    }
  });

  test('the page of each link reads one that was escaped twice, and says of one that was cut how to get another', async () => {
    const token = `${crypto.randomUUID()}.rst_${'x'.repeat(43)}`;
    const { kinds } = service.service.core.tokens;
    assert.ok(kinds.length > 2);
    for (const { page } of kinds) {
      const { path, requestPath = '/sign-in', codePath } = page;
      const open = (query: string): Promise<Reply> => new Browser(service).get(path + query, asPage);
      const email = '?email=x%40example.org';
      const { fields } = formIn(await open(`${email}&amp;token=${token}&amp;return_to=%2Fsign-up`));
      assert.deepEqual([fields['token'], fields['return_to']], [token, '/sign-up'], path);
      for (const cut of [
        '',
        email,
        `${email}&tok`,
        `${email}&token=`,
        `${email}&token=${token.slice(0, -9)}`,
      ]) {
        const { text } = await open(cut);
        assert.match(text, /This link is incomplete/, path + cut);
        assert.doesNotMatch(text, /name="token"/, path + cut);
        for (const way of [requestPath, ...(codePath === undefined ? [] : [codePath])])
          assert.match(text, new RegExp(`<a href="${way}[?"]`), path + cut);
      }
    }
  });

  test('A9 open redirect: a form with any return address leads only to our own pages, whether it is accepted or rejected', async () => {
    const { inside, app } = await withApp();
    const { email, password } = await sitDown();
    const device = new PasskeyDevice(origin);
    const keyed = await sitDown();
    if (hasFeature('passkey')) await addPasskey(keyed.at, device);
    type Way = (more: Fields, query: string) => Promise<Reply>;
    const ways: Record<string, Way> = {
      'signing in': (more, query) =>
        post(new Browser(service), `/sign-in${query}`, { email, password, ...more }),
      ...entriesOf<Way>('passkey', {
        'signing in with a passkey': async (more, query) => {
          const at = new Browser(service);
          const credential = device.get(passkeyOptionsIn(await at.post('/sessions/passkey', {})));
          return post(at, `/sign-in/passkey${query}`, { credential, ...more });
        },
      }),
      'the second factor': async (more, query) => {
        const at = await signIn(inside);
        const { fields } = formIn(await at.get('/sign-in/factor', asPage));
        const proof = app.nextCode();
        return post(at, `/sign-in/factor${query}`, { ...fields, factor: 'totp', proof, ...more });
      },
      'the first factor of two': (more, query) =>
        post(new Browser(service), `/sign-in${query}`, {
          email: inside.email,
          password: inside.password,
          ...more,
        }),
      'the step-up': async (more, query) => {
        const at = await signIn({ email, password });
        const form_token = tokenOf(await at.get('/account', asPage));
        return post(at, `/step-up${query}`, { factor: 'password', proof: password, form_token, ...more });
      },
      'the language': (more, query) =>
        post(new Browser(service), `/language${query}`, { language: 'fr', ...more }),
    };
    for (const [way, [name, go]] of Object.entries(ways).entries()) {
      for (const [i, target] of share(offSiteTargets, way).entries()) {
        service.service.clock.advance(30 * secondMs);
        const query = `?${String(new URLSearchParams({ return_to: target }))}`;
        const reply = await (i % 4 === 1 ? go({}, query) : go({ return_to: target }, ''));
        assert.ok(reply.status === 303 || target.includes('\0'), `${name}: ${reply.text}`);
        assertStays(reply, `${name} with ${JSON.stringify(target)}`);
      }
    }
    for (const [i, { url }] of posts.filter(({ access }) => isPublic(access)).entries()) {
      for (const target of share(offSiteTargets, i)) {
        const reply = await post(new Browser(service), url, { ...fieldsOf[url], return_to: target });
        assertStays(reply, `POST ${url} with ${JSON.stringify(target)}`);
      }
    }
  });

  test('A9 open redirect: a mail links only to our own pages, whatever the request contained', async () => {
    const { email } = await sitDown();
    for (const target of offSiteTargets) {
      await post(new Browser(service), '/forgot', { email, return_to: target });
      await post(new Browser(service), '/sign-in/email', { email, return_to: target });
      const fields = { email: freshEmail(), password: newPassword, return_to: target };
      await post(new Browser(service), '/sign-up', fields);
      service.service.clock.advance(130 * secondMs);
    }
    await service.deliver();
    assert.ok(service.mails.length > offSiteTargets.length);
    for (const { text, html } of service.mails) assert.doesNotMatch(`${text}${html}`, /evil/);
  });

  test('A9 open redirect: each way to sign in returns to an application that is configured', async () => {
    const { email, password } = await sitDown();
    const target = `${application}/there?a=1&b=2#c`;
    const at = new Browser(service);
    const reply = await post(at, '/sign-in', { email, password, return_to: target });
    assert.match(String(reply.headers['location']), /^\/continue\?to=/);
    assert.equal(await at.goalOf(reply), target);
    const page = await new Browser(service).get('/sign-in', asPage);
    const formAction = /form-action ([^;]+)/.exec(String(page.headers['content-security-policy']))?.[1];
    assert.equal(formAction, "'self'", 'no form redirects to another origin');
    const other = await post(new Browser(service), '/language', { language: 'fr', return_to: target });
    assert.equal(other.headers['location'], '/', 'a choice of language stays on this page');
  });
});
