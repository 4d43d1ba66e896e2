// A change of a credential gives the session a new token (OWASP ASVS 5.0 §7.2.4): a copy of the earlier one must not
// outlive it. Tried at every route that a signed-in user may call and that changes something.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { minuteMs } from '../../src/kit/clock.ts';
import { signIn, type Browser } from '../support/browser.ts';
import { onEachEngine } from '../support/engines.ts';
import { addApp, addPasskey, codesOf, passkeyOptionsIn, type App } from '../support/factor.ts';
import { entriesOf, hasFeature, lacks, needs } from '../support/feature.ts';
import { fromKits, kits, type PreparedChange } from '../support/kit.ts';
import { unescapeMarkup } from '../support/markup.ts';
import { asPage, formIn } from '../support/page-form.ts';
import { PasskeyDevice } from '../support/passkey-device.ts';
import { freshEmail } from '../support/person.ts';
import { cookieOf, PublicService, sessionCookie, type Member } from '../support/public-service.ts';
import { memberOf, type ContractRequest, type Fields, type Reply } from '../support/request.ts';

const origin = 'https://accounts.test';
const newPassword = 'nine newts under a green umbrella';

interface Subject extends Member {
  readonly browser: Browser;
  readonly app: App;
  readonly passkeyId: string;
}

/** Prepares a change and returns the fields of its request; `path` replaces the parameters of the route. */
type Prepare = (service: PublicService, subject: Subject) => Promise<{ path?: string; fields?: Fields }>;

const newPasskey: Prepare = async (_, { browser }) => {
  const options = passkeyOptionsIn(await browser.post('/profile/passkeys', {}));
  return { fields: { credential: new PasskeyDevice(origin).create(options) } };
};
const newApp: Prepare = async ({ service: { clock } }, { browser }) => {
  const { id, secret } = (await browser.post('/profile/totp', {})).body as { id: string; secret: string }; // the schema of the route
  return { fields: { id, code: codesOf(secret, clock)() } };
};
const newAddress: Prepare = async (service, { browser, password }) => {
  const email = freshEmail();
  assert.equal((await browser.post('/profile/email', { email, password })).status, 200);
  return { fields: { token: await service.tokenFor(email) } };
};
const passwords: Prepare = async (_, { password }) => ({ fields: { password, new_password: newPassword } });
const stepUp: Prepare = async (_, { app }) => ({ fields: { factor: 'totp', proof: app.nextCode() } });

/** Routes that change a credential, or what the session has proved. */
const changes: Readonly<Record<string, Prepare>> = {
  'PUT /profile/password': passwords,
  'POST /account/password': passwords,
  'POST /sessions/step_up': stepUp,
  'POST /step-up': stepUp,
  ...entriesOf<Prepare>('email-change', {
    'PUT /profile/email': newAddress,
    'POST /account/email': newAddress,
  }),
  ...entriesOf<Prepare>('totp', {
    'PUT /profile/totp': newApp,
    'POST /account/authenticators/new': newApp,
    'DELETE /profile/totp/:id': async (_, { app }) => ({ path: `/profile/totp/${app.id}` }),
    'POST /account/authenticators/remove': async (_, { app }) => ({ fields: { id: app.id } }),
  }),
  ...entriesOf<Prepare>('passkey', {
    'PUT /profile/passkeys': newPasskey,
    'POST /account/passkeys': newPasskey,
    'DELETE /profile/passkeys/:id': async (_, { passkeyId }) => ({ path: `/profile/passkeys/${passkeyId}` }),
    'POST /account/passkeys/remove': async (_, { passkeyId }) => ({ fields: { id: passkeyId } }),
  }),
  ...entriesOf<Prepare>('recovery-code', {
    'POST /profile/recovery_codes': async () => ({ fields: {} }),
    'POST /account/recovery-codes': async () => ({ fields: {} }),
  }),
  ...fromKits<PreparedChange>(({ renewals }) => renewals),
};

/** Routes that change neither: they begin something, end sessions, or set a name or the language. Those of features are in their kits. */
const others: readonly string[] = [
  'PUT /profile/details',
  'POST /account/profile',
  'POST /confirm',
  'POST /confirm/code',
  'POST /confirm/code/again',
  'POST /reset',
  'POST /reset/code',
  'POST /reset/code/again',
  'POST /account/factors/undo',
  'DELETE /sessions',
  'DELETE /sessions/:id',
  'POST /account/sessions',
  'POST /account/sessions/others',
  'POST /sign-out',
  'POST /language',
  ...kits.flatMap(({ keepsSession = [] }) => keepsSession),
];

onEachEngine(needs('a session whose credentials change', 'totp'), (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { REMEMBERED_DEVICE_DAYS: '30' });
  });
  after(() => service.close());

  /** A user with a factor of each kind, signed in with a recent authentication. */
  async function createSubject(): Promise<Subject> {
    const member = await service.member();
    const browser = await signIn(service, member);
    const app = await addApp(browser, service.service.clock);
    const passkeyId = hasFeature('passkey') ? await addPasskey(browser, new PasskeyDevice(origin)) : '';
    return { ...member, browser, app, passkeyId };
  }

  const access = new Set(['session', 'enrollment', 'optional']);
  const isChange = (method: string): boolean => ['POST', 'PUT', 'PATCH', 'DELETE'].includes(method);

  test('A41 fixation: every route of a signed-in user that changes something is known here', () => {
    const routes = service.service.routes
      .filter((route) => access.has(route.access) && isChange(route.method) && !route.isRefusal)
      .map(({ method, url }) => `${method} ${url}`);
    assert.deepEqual(
      routes.toSorted(),
      [...Object.keys(changes), ...others].toSorted(),
      'add each new route to "renewals" or "keepsSession" in test/kit.ts of its feature, or to this test',
    );
  });

  /** Sends the request of a route in the browser; a page gets its form token. */
  async function requestOf(route: string, subject: Subject): Promise<ContractRequest> {
    const [method = '', url = ''] = route.split(' ');
    const { path = url, fields } = await (changes[route] ?? assert.fail(route))(service, subject);
    const isPage = service.service.routes.some((one) => one.url === url && one.isPage);
    const page = isPage ? await subject.browser.get('/account', asPage) : undefined;
    const [, token = ''] = /name="form_token" value="([^"]+)"/.exec(page?.text ?? '') ?? [];
    return {
      method: method as ContractRequest['method'], // of our own table
      path,
      ...(fields !== undefined && {
        fields: { ...fields, ...(isPage && { form_token: unescapeMarkup(token) }) },
      }),
      headers: isPage ? asPage : {},
    };
  }

  const send = (request: ContractRequest, token: string): Promise<Reply> =>
    service.send({ ...request, headers: { ...request.headers, cookie: `${sessionCookie}=${token}` } });

  for (const route of Object.keys(changes)) {
    test(`A41 fixation: ${route} changes the token of the session; the earlier one is rejected`, async () => {
      const subject = await createSubject();
      const request = await requestOf(route, subject);
      const earlier = subject.browser.sessionId ?? '';
      // Two at the same time with the earlier token: one of them is too late.
      const replies = await Promise.all([send(request, earlier), send(request, earlier)]);
      const renewed = replies.flatMap((reply) => cookieOf(reply, sessionCookie) ?? []);
      assert.equal(renewed.length, 1, replies.map(({ status, text }) => `${status} ${text}`).join('\n'));
      const [token = ''] = renewed;
      const late = replies.find((reply) => cookieOf(reply, sessionCookie) === undefined);
      const isSentAway =
        late?.status === 303 && /^\/(?:sign-in|step-up)\?|[?&]note=/.test(String(late.headers['location']));
      assert.ok(isSentAway || [401, 403].includes(late?.status ?? 0), `${late?.status} ${late?.text}`);
      assert.notEqual(token.slice(0, 36), earlier.slice(0, 36), 'another handle');
      assert.deepEqual([await service.profile(earlier), await service.profile(token)], [403, 200]);
      assert.ok([401, 403, 303].includes((await send(request, earlier)).status));

      const headers = { cookie: `${sessionCookie}=${token}` };
      const listed = await service.send({ method: 'GET', path: '/sessions', headers });
      const sessions = memberOf(listed.body, 'sessions') as { id: string; current: boolean }[]; // the schema of the route
      assert.deepEqual(
        sessions.filter(({ current }) => current).map(({ id }) => id),
        [token.slice(0, 36)],
      );
    });

    test(`A41 fixation: ${route} keeps the token if it is rejected`, async () => {
      const subject = await createSubject();
      const request = await requestOf(route, subject);
      service.service.clock.advance(11 * minuteMs); // the authentication is not recent any more
      const earlier = subject.browser.sessionId ?? '';
      const fields = {
        ...request.fields,
        ...(request.fields?.['proof'] !== undefined && { proof: 'wrong' }),
      };
      const isAddress = request.fields?.['token'] !== undefined;
      const reply = await send(
        { ...request, fields: isAddress ? { ...fields, token: 'wrong' } : fields },
        earlier,
      );
      assert.deepEqual(
        [cookieOf(reply, sessionCookie), await service.profile(earlier)],
        [undefined, 200],
        reply.text,
      );
    });
  }

  test('A41 fixation: the page with new recovery codes has forms of the renewed session', async (t) => {
    if (lacks(t, 'recovery-code')) return;
    const { browser, ...subject } = await createSubject();
    const { path, fields: given = {} } = await requestOf('POST /account/recovery-codes', {
      browser,
      ...subject,
    });
    const page = await browser.submit(path, given);
    assert.match(page.text, /class="codes"/);
    const { action, fields } = formIn(page);
    const saved = await browser.submit(action, fields);
    assert.equal(saved.headers['location'], '/account/recovery-codes?done=saved', saved.text);
  });
});
