// Account enumeration: for a stranger, every public request gets the same reply and costs the same, whether the address
// has an account or not, and of what kind: the same statements, and the same commits that wait for the disk. Times are
// measured in account-enumeration.long.ts and, with a slow disk, in the benchmarks.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dayMs, minuteMs } from '../../src/kit/clock.ts';
import { createToken } from '../../src/kit/secret.ts';
import { requireEmailAddress, type EmailAddress } from '../../src/user/email-address.ts';
import { closeUser } from '../../src/user/closed-user-store.ts';
import { updateVerified } from '../../src/user/store.ts';
import { verificationKind } from '../../src/identity/account/verification.ts';
import { resetKind } from '../../src/identity/password/reset.ts';
import { Browser } from '../support/browser.ts';
import { onEachEngine } from '../support/engines.ts';
import { fromKits } from '../support/kit.ts';
import { asPage } from '../support/page-form.ts';
import { PasskeyDevice } from '../support/passkey-device.ts';
import { PublicService } from '../support/public-service.ts';
import { memberOf, type ContractRequest, type Fields, type Reply } from '../support/request.ts';
import { WorkLog } from '../support/work-log.ts';
import { comparable } from './comparable.ts';

const origin = 'https://accounts.test';
const password = 'eight herons on a yellow bicycle';
/** A code of the right form that is wrong. */
const wrongCode = '2222-2222';

/** What an address may have. The first is the one with which all others are compared. */
type Kind = (typeof kinds)[number];
const kinds = [
  'no account',
  'confirmed',
  'unconfirmed',
  'disabled',
  'closed',
  'without a password',
  'unconfirmed and without a password',
] as const;

/** A stranger's browser, and the address that it asks about. */
interface Visit {
  readonly browser: Browser;
  readonly email: string;
  readonly device: PasskeyDevice;
}

type Step = (visit: Visit) => Promise<Reply>;
type Route = `${'POST' | 'PUT' | 'DELETE'} /${string}`;

/** Requests of one stranger in turn, and the status of each. */
type Row = readonly (readonly [status: number, step: Step])[];

const ask =
  (route: Route, more: Fields = {}): Step =>
  ({ browser, email }) => {
    const [method, path] = route.split(' ') as [ContractRequest['method'], string]; // as its type says
    const fields = { email, ...more };
    return pageRoutes.has(route) ? browser.submit(path, fields) : browser.send({ method, path, fields });
  };

/** Asks for a mail, twice: the second mail within a minute is not sent. Then tries what may be in it. */
function mailed(
  request: Route,
  redeem: Route,
  field: 'token' | 'reset_token',
  guess: string,
  more: Fields = {},
): Row {
  const given = (text: string): Step => ask(redeem, { [field]: text, by: 'code', ...more });
  return [
    [200, ask(request)],
    [200, ask(request)],
    [403, given(wrongCode)],
    [403, given(wrongCode)],
    [403, given(guess)],
    [403, given('nonsense')],
    [403, given(wrongCode)],
    [403, given(wrongCode)],
    [403, given(wrongCode)],
    [429, given(wrongCode)],
  ];
}

/** Asks for a mail, and for another one on the page for its code: before the pause is over, and after it. */
const again = (request: Route, repeat: Route): Row => [
  [200, ask(request)],
  [200, ask(repeat)],
];

/** Registers with a passkey, and signs in with it: it is stored only if the address is free or unconfirmed. */
function byPasskey(register: Route, signIn: Route): Row {
  const credential: Step = async (visit) => {
    const options = await ask('POST /users/passkey')(visit);
    return ask(register, { credential: visit.device.create(memberOf(options.body, 'public_key')) })(visit);
  };
  const login: Step = async (visit) => {
    const options = await visit.browser.post('/sessions/passkey', {});
    return ask(signIn, { credential: visit.device.get(memberOf(options.body, 'public_key')) })(visit);
  };
  return [
    [200, credential],
    [401, login],
    [200, credential],
    [401, login],
  ];
}

/** Logs in with wrong passwords until it must wait. */
const logIn = (route: Route): Row => [
  ...Array.from({ length: 5 }, () => [401, ask(route, { password })] as const),
  [429, ask(route, { password })],
];

/** Registers, tries the password of the registration, and registers again. */
const register = (route: Route, login: Route): Row => [
  [200, ask(route, { password })],
  [401, ask(login, { password })],
  [200, ask(route, { password: `another of ${password}` })],
  [401, ask(login, { password: `another of ${password}` })],
  [400, ask(route, { password: 'short' })],
];

const resetGuess = createToken(resetKind).token;
const confirmGuess = createToken(verificationKind).token;
const newPassword = { new_password: password };

/** Pages of identity whose forms are sent without an account; those of features are in the forms of their kits. */
const pageRoutes: ReadonlySet<string> = new Set([
  'POST /sign-in',
  'POST /sign-up',
  'POST /forgot',
  'POST /reset',
  'POST /confirm',
  'POST /confirm/again',
  'POST /reset/code',
  'POST /reset/code/again',
  'POST /confirm/code',
  'POST /confirm/code/again',
  'POST /account/factors/undo',
  ...Object.keys(fromKits(({ forms }) => forms)).map((path) => `POST ${path}`),
]);

/** Every public request that takes an address. A new route needs a row here or below. */
const rows: ReadonlyMap<Route, Row> = new Map<Route, Row>([
  ['POST /sessions', logIn('POST /sessions')],
  ['POST /sign-in', logIn('POST /sign-in')],
  ['POST /users', register('POST /users', 'POST /sessions')],
  ['POST /sign-up', register('POST /sign-up', 'POST /sign-in')],
  ['POST /sign-up/password', [[200, ask('POST /sign-up/password', { password })]]],
  ['POST /users/passkey', [[200, ask('POST /users/passkey')]]],
  ['PUT /users/passkey', byPasskey('PUT /users/passkey', 'PUT /sessions/passkey')],
  ['POST /sign-up/passkey', byPasskey('POST /sign-up/passkey', 'POST /sign-in/passkey')],
  ['POST /reset_password', [[200, ask('POST /reset_password')]]],
  [
    'PUT /reset_password',
    mailed('POST /reset_password', 'PUT /reset_password', 'reset_token', resetGuess, newPassword),
  ],
  ['POST /forgot', [[200, ask('POST /forgot')]]],
  ['POST /reset', mailed('POST /forgot', 'POST /reset', 'token', resetGuess, newPassword)],
  ['POST /email_verification', [[200, ask('POST /email_verification')]]],
  [
    'PUT /email_verification',
    mailed('POST /email_verification', 'PUT /email_verification', 'token', confirmGuess),
  ],
  ['POST /confirm/again', [[200, ask('POST /confirm/again')]]],
  ['POST /confirm', mailed('POST /confirm/again', 'POST /confirm', 'token', confirmGuess)],
  ['POST /reset/code', mailed('POST /forgot', 'POST /reset/code', 'token', resetGuess, newPassword)],
  ['POST /reset/code/again', again('POST /forgot', 'POST /reset/code/again')],
  ['POST /confirm/code', mailed('POST /confirm/again', 'POST /confirm/code', 'token', confirmGuess)],
  ['POST /confirm/code/again', again('POST /confirm/again', 'POST /confirm/code/again')],
  [
    'POST /sign-in/code',
    mailed('POST /sign-in/email', 'POST /sign-in/code', 'token', `sgn_${resetGuess.slice(4)}`),
  ],
  ['POST /sign-in/code/again', again('POST /sign-in/email', 'POST /sign-in/code/again')],
  ['POST /sessions/email', [[200, ask('POST /sessions/email')]]],
  [
    'PUT /sessions/email',
    mailed('POST /sessions/email', 'PUT /sessions/email', 'token', `sgn_${resetGuess.slice(4)}`),
  ],
  ['POST /sign-in/email', [[200, ask('POST /sign-in/email')]]],
  [
    'POST /sign-in/link',
    mailed('POST /sign-in/email', 'POST /sign-in/link', 'token', `sgn_${resetGuess.slice(4)}`),
  ],
]);

/**
 * Public requests that take no address, and the status without a credential. They are sent one nevertheless. Those of
 * features are in their kits.
 */
const withoutAddress: ReadonlyMap<Route, number> = new Map<Route, number>([
  ['DELETE /', 200],
  ['POST /language', 303],
  ['POST /sessions/factor', 403],
  ['POST /sign-in/factor', 403],
  ['PUT /profile/factors/undo', 403],
  ['POST /sign-out', 303],
  ['POST /account/factors/undo', 403],
  ...Object.entries(fromKits(({ publicRoutes }) => publicRoutes)).map(
    ([route, status]) => [route as Route, status] as const, // the test below finds a route that does not exist
  ),
]);

let addresses = 0;
/** A new address. All are equally long. */
function newAddress(): EmailAddress {
  addresses += 1;
  return requireEmailAddress(`person.${String(addresses).padStart(5, '0')}@example.org`);
}

/** The client of repeated requests. */
const host = '203.0.113.77';
/** Whose repeated refusals are compared. */
const repeatedKinds: readonly Kind[] = ['confirmed', 'unconfirmed'];

onEachEngine('account enumeration by statements and commits', (engine) => {
  const lines: string[] = [];
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(
      engine,
      { EMAIL_SIGN_IN: 'true', REMEMBERED_DEVICE_DAYS: '30' },
      { watchDatabase: (database) => new WorkLog(database, lines) },
    );
  });
  after(() => service.close());

  /** An address of this kind, whose account another person made. */
  async function addressOf(kind: Kind): Promise<string> {
    const { core, clock } = service.service;
    const { accounts, database } = core;
    const address = newAddress();
    const now = clock.now();
    const source = { actor: 'user' } as const;
    if (kind === 'no account') return address.text;
    const { id } = await accounts.signUp(
      address,
      kind.endsWith('without a password')
        ? { factor: 'passkey', credential: '{}' }
        : { password: `the password of ${address.text}` },
      source,
    );
    if (!kind.startsWith('unconfirmed')) await updateVerified(database, id, now);
    if (kind === 'disabled') await accounts.setDisabled(id, true, source);
    if (kind === 'closed') await closeUser(database, { id, now, deleteAt: now + 14 * dayMs });
    return address.text;
  }

  /**
   * What a stranger sees of each step, and what each costs.
   * @param isRepeated after the same steps with another address: further refusals of this minute are collected, and no
   *   longer recorded one by one.
   */
  async function visit(kind: Kind, steps: readonly Step[], isRepeated: boolean): Promise<object[]> {
    const email = await addressOf(kind);
    service.service.clock.advance(2 * minuteMs); // longer than the pause after the mail of the registration
    // Each other request has a network of its own.
    const client = isRepeated
      ? { send: (one: ContractRequest) => service.send({ ...one, from: host }) }
      : service;
    if (isRepeated) {
      const other = await addressOf('no account');
      const earlier = { browser: new Browser(client), email: other, device: new PasskeyDevice(origin) };
      for (const step of steps) await step(earlier);
    }
    const stranger = { browser: new Browser(client), email, device: new PasskeyDevice(origin) };
    const seen: object[] = [];
    for (const step of steps) {
      lines.length = 0;
      const reply = await step(stranger);
      seen.push({ ...comparable(reply, email), work: [...lines] });
    }
    return seen;
  }

  async function compare(steps: readonly Step[], isRepeated = false): Promise<readonly object[]> {
    const none = await visit('no account', steps, isRepeated);
    for (const kind of isRepeated ? repeatedKinds : kinds) {
      const seen = await visit(kind, steps, isRepeated);
      for (const [i, step] of seen.entries()) assert.deepEqual(step, none[i], `${kind}, request ${i + 1}`);
    }
    return none;
  }

  async function requireRow(row: Row): Promise<void> {
    const seen = await compare(row.map(([, step]) => step));
    assert.deepEqual(
      seen.map((step) => memberOf(step, 'status')),
      row.map(([status]) => status),
    );
    await compare(
      row.map(([, step]) => step),
      true,
    );
  }

  /** A feature may have been removed with its routes. */
  const isMounted = (route: Route): boolean =>
    service.service.routes.some(({ method, url }) => `${method} ${url}` === route);

  for (const [route, row] of rows) {
    test(`A11 enumeration by cost: ${route} replies and costs the same for every address`, async (t) => {
      if (isMounted(route)) await requireRow(row);
      else t.skip('the feature of this route was removed');
    });
  }

  test('A11 enumeration by cost: a request that takes no address ignores one', async () => {
    const fields = {
      token: resetGuess,
      password,
      credential: '{}',
      factor: 'totp',
      proof: '1',
      language: 'fr',
    };
    await requireRow(
      [...withoutAddress]
        .filter(([route]) => isMounted(route))
        .map(([route, status]) => [status, ask(route, fields)]),
    );
  });

  const publicRoutes = (isRead: boolean) =>
    service.service.routes.filter(
      ({ method, access, isRefusal, isOtherProtocol }) =>
        !isOtherProtocol &&
        ['open', 'optional', 'pending'].includes(access) &&
        !isRefusal &&
        !['OPTIONS', 'HEAD'].includes(method) &&
        (method === 'GET') === isRead,
    );

  test('A11 enumeration by cost: every public route that changes something is compared', () => {
    const names = publicRoutes(false).map(({ method, url }) => `${method} ${url}` as Route);
    assert.ok(names.length > 10);
    assert.deepEqual(
      names.filter((name) => !rows.has(name) && !withoutAddress.has(name)),
      [],
      'add a route that takes an address to "rows" in this test, and others to "publicRoutes" in test/kit.ts of their feature',
    );
  });

  test('A11 enumeration by cost: every public page replies and costs the same for every address', async () => {
    const routes = publicRoutes(true);
    assert.ok(routes.length > 10);
    const steps = routes.map(({ url }): Step => ({ browser, email }) => {
      const query = new URLSearchParams({ email, token: resetGuess });
      return browser.get(`${url.replace(':code', 'not_found')}?${query.toString()}`, asPage);
    });
    await compare(steps);
  });
});
