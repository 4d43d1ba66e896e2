// Every way to sign in, in every state of an account, as one table. If a second factor is set, each way that is not
// itself a second factor requests it; if an account is closed, every way is closed.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { minuteMs } from '../../src/kit/clock.ts';
import { codeAt, decodeBase32 } from '../support/authenticator-app.ts';
import { Browser } from '../support/browser.ts';
import {
  addApp,
  addPasskey,
  addRecoveryCodes,
  passkeyOptionsIn,
  signInWithPasskey,
  type App,
} from '../support/factor.ts';
import { codeIn, tokenIn } from '../support/mail-box.ts';
import { asPage } from '../support/page-form.ts';
import { PasskeyDevice } from '../support/passkey-device.ts';
import { freshEmail } from '../support/person.ts';
import { deviceCookie, PublicService, sessionCookie } from '../support/public-service.ts';
import { memberOf, type Reply } from '../support/request.ts';
import { hasFeature, without } from '../support/feature.ts';

/**
 * Outcomes: session: the user is signed in, or may take the sensitive action; asked: a second factor is requested
 * first; enroll: a second factor must be enrolled first; refused: the way is closed. A number refers to the reason
 * below why the case does not exist.
 *
 * A flow that began before the address became unconfirmed continues: that happens only if an operator turns
 * confirmation on. A session from before a second factor was required also continues.
 */
const table = `
                                              | no factor | factor set | factors off | required, none set | disabled | removed | unconfirmed
password                                      | session   | asked      | asked       | enroll             | refused  | refused | refused
link of a sign-in mail                        | session   | asked      | asked       | enroll             | refused  | refused | refused
link of a sign-in mail, by its page           | session   | asked      | asked       | enroll             | refused  | refused | refused
code of a sign-in mail                        | session   | asked      | asked       | enroll             | refused  | refused | refused
link of an earlier sign-in mail               | session   | asked      | asked       | enroll             | refused  | refused | refused
passkey                                       | 1         | session    | session     | 1                  | refused  | refused | refused
reset, then the password                      | session   | asked      | asked       | enroll             | refused  | refused | asked
earlier reset token, then the password        | session   | asked      | asked       | enroll             | refused  | refused | asked
new account, confirmed, then its password     | session   | 2          | 2           | enroll             | 2        | 2       | refused
new account with a passkey, confirmed         | session   | 2          | 2           | session            | 2        | 2       | refused
registered again, confirmed, the new password | refused   | refused    | refused     | refused            | refused  | 3       | session
registered again with a passkey, confirmed    | refused   | refused    | refused     | refused            | refused  | 3       | session
earlier session                               | session   | session    | session     | session            | refused  | refused | session
earlier session, step-up by password          | session   | asked      | asked       | session            | refused  | refused | asked
earlier session, step-up by app               | refused   | session    | refused     | refused            | refused  | refused | session
earlier session, step-up by recovery code     | refused   | session    | refused     | refused            | refused  | refused | session
earlier session, step-up by passkey           | 1         | session    | refused     | 1                  | refused  | refused | session
earlier pending authentication, then app               | 4         | session    | refused     | refused            | refused  | refused | session
earlier pending authentication, then recovery code     | 4         | session    | refused     | refused            | refused  | refused | session
earlier pending authentication, then passkey           | 4         | session    | refused     | 1                  | refused  | refused | session
earlier pending authentication, enrolling an app       | 4         | refused    | refused     | session            | refused  | refused | refused
earlier pending authentication, adding a passkey       | 4         | refused    | refused     | session            | refused  | refused | refused
`;
const reasons: Record<string, string> = {
  1: 'a passkey is a factor',
  2: 'a new account has no factor yet, and no user who could be disabled or removed',
  3: 'the address is free: registering it creates another account',
  4: 'a first factor is enough for a session: there is no pending authentication',
};

type Outcome = 'session' | 'asked' | 'enroll' | 'refused';
const outcomes: readonly string[] = ['session', 'asked', 'enroll', 'refused'] satisfies Outcome[];

const [states = [], ...lines] = table
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()));
const columns = states.slice(1);
const rows = new Map(lines.map(([way = '', ...cells]) => [way, cells]));

/** A user whose account is about to get into one of the states. */
interface Subject {
  readonly state: string;
  readonly id: number;
  readonly email: string;
  readonly password: string;
  /** With a session from before the state. */
  readonly browser: Browser;
  readonly app?: App;
  readonly recoveryCodes?: readonly string[];
  readonly device: PasskeyDevice;
}

/** What is done before the account changes state; returns what is done afterwards. */
type Way = (service: PublicService, subject: Subject) => Promise<() => Promise<Outcome>>;

const newPassword = 'nine newts under a green umbrella';
const origin = 'https://accounts.test';
/** A code of no app and of no recovery code. */
const noCode = '123456';

/** What a reply opened. */
async function outcomeOf(browser: Browser, reply: Reply, email: string): Promise<Outcome> {
  const profile = await browser.get('/profile');
  if (profile.status === 200) {
    assert.deepEqual(profile.body, { email });
    return 'session';
  }
  assert.equal(profile.status, 403);
  // A page redirects to where the second factor is used or enrolled.
  const isOnward = /^\/sign-in\/(?:factor|set-up)/.test(String(reply.headers['location']));
  if (reply.status !== 200 && !isOnward) {
    const opening = reply.cookies.filter((cookie) => !cookie.startsWith('__Host-note='));
    assert.deepEqual(opening, [], 'only the note says why');
    return 'refused';
  }
  const factors = isOnward ? undefined : (memberOf(reply.body, 'factors') as string[] | undefined); // the schema of the routes
  assert.ok(factors === undefined || factors.length > 0, reply.text);
  const mayEnroll = (await browser.get('/profile/totp')).status === 200;
  const mayGive = (await browser.post('/sessions/factor', { factor: 'totp', proof: 'x' })).status !== 403;
  assert.notEqual(mayEnroll, mayGive, reply.text);
  return mayEnroll ? 'enroll' : 'asked';
}

async function logIn(
  service: PublicService,
  { email, password }: Pick<Subject, 'email' | 'password'>,
): Promise<Outcome> {
  const browser = new Browser(service);
  return outcomeOf(browser, await browser.post('/sessions', { email, password }), email);
}

/** Text of the newest mail that contains a link with a token. */
async function proofMail(service: PublicService, email: string, earlier: number): Promise<string> {
  await service.deliver();
  const mails = service.mails.slice(earlier).filter(({ to }) => to === email);
  return mails.map(({ text }) => text).findLast((text) => tokenIn(text) !== undefined) ?? '';
}

/** Requests a mail and returns its text; undefined if none came. */
async function mailFor(
  service: PublicService,
  browser: Browser,
  path: string,
  email: string,
): Promise<string> {
  service.service.clock.advance(2 * minuteMs); // longer than the pause between two mails
  const earlier = service.mails.length;
  assert.equal((await browser.post(path, { email })).status, 200);
  return proofMail(service, email, earlier);
}

const tokenOf = (text: string): string => tokenIn(text) ?? 'none';
const codeOf = (text: string): string => codeIn(text) ?? 'none';

/** Signs in with a mail that is requested after the account changed state. */
const byMail =
  (proofIn: (text: string) => string, isPage = false): Way =>
  async (service, { email }) =>
  async () => {
    const browser = new Browser(service);
    const token = proofIn(await mailFor(service, browser, '/sessions/email', email));
    const reply = isPage
      ? await browser.send({
          method: 'POST',
          path: '/sign-in/link',
          fields: { email, token },
          headers: asPage,
        })
      : await browser.put('/sessions/email', { email, token });
    return outcomeOf(browser, reply, email);
  };

/** Registers with a password or a passkey, confirms the address if a token comes, and signs in. */
const byRegistration =
  (emailOf: (subject: Subject) => string, hasPasskey: boolean): Way =>
  async (service, subject) =>
  async () => {
    const email = emailOf(subject);
    const browser = new Browser(service);
    const device = new PasskeyDevice(origin);
    service.service.clock.advance(2 * minuteMs);
    const earlier = service.mails.length;
    if (hasPasskey) {
      const options = passkeyOptionsIn(await browser.post('/users/passkey', { email }));
      await browser.put('/users/passkey', { email, credential: device.create(options) });
    } else await browser.post('/users', { email, password: newPassword });
    const token = tokenOf(await proofMail(service, email, earlier));
    if (subject.state !== 'unconfirmed' || email === subject.email)
      await browser.put('/email_verification', { email, token });
    return hasPasskey
      ? outcomeOf(browser, await signInWithPasskey(browser, device), email)
      : logIn(service, { email, password: newPassword });
  };

type Proof = (
  subject: Subject,
  browser: Browser,
  path: '/sessions/factor' | '/sessions/step_up',
) => Promise<string>;
const proofs = {
  password: async ({ password }) => password,
  totp: async ({ app }) => app?.nextCode() ?? noCode,
  recovery_code: async ({ recoveryCodes = [] }) => recoveryCodes[0] ?? noCode,
  passkey: async ({ device }, browser, path) => {
    const asked = await browser.post(`${path}/passkey`, {});
    return asked.status === 200 ? device.get(passkeyOptionsIn(asked)) : '{}';
  },
} satisfies Record<string, Proof>;

/** Uses a factor again in the earlier session, and does what requires a recent one. */
const byStepUp =
  (factor: keyof typeof proofs): Way =>
  async (service, subject) =>
  async () => {
    const { browser } = subject;
    service.service.clock.advance(11 * minuteMs);
    const early = await browser.post('/profile/totp', {});
    assert.ok(early.status === 401 || early.status === 403, early.text);
    const proof = await proofs[factor](subject, browser, '/sessions/step_up');
    const stepUp = await browser.post('/sessions/step_up', { factor, proof });
    if (stepUp.status !== 200) return 'refused';
    const reply = await browser.post('/profile/totp', {});
    if (reply.status === 200) return 'session';
    assert.equal(memberOf(reply.body, 'code'), 'step_up_required');
    return 'asked';
  };

/** Continues a pending authentication that began before the account changed state. */
const fromHalfWay =
  (seeOther: (subject: Subject, browser: Browser, service: PublicService) => Promise<Reply>): Way =>
  async (service, subject) => {
    const { email, password } = subject;
    const browser = new Browser(service);
    await browser.post('/sessions', { email, password });
    assert.equal(browser.sessionId, undefined);
    return async () => outcomeOf(browser, await seeOther(subject, browser, service), email);
  };

const byFactor = (factor: keyof typeof proofs): Way =>
  fromHalfWay(async (subject, browser) => {
    const proof = await proofs[factor](subject, browser, '/sessions/factor');
    return browser.post('/sessions/factor', { factor, proof });
  });

const ways: Record<string, Way> = {
  password: async (service, subject) => () => logIn(service, subject),
  'link of a sign-in mail': byMail(tokenOf),
  'link of a sign-in mail, by its page': byMail(tokenOf, true),
  'code of a sign-in mail': byMail(codeOf),
  'link of an earlier sign-in mail': async (service, { email }) => {
    const token = tokenOf(await mailFor(service, new Browser(service), '/sessions/email', email));
    return async () => {
      const browser = new Browser(service);
      return outcomeOf(browser, await browser.put('/sessions/email', { email, token }), email);
    };
  },
  passkey:
    async (service, { device, email }) =>
    async () => {
      const browser = new Browser(service);
      return outcomeOf(browser, await signInWithPasskey(browser, device), email);
    },
  'reset, then the password':
    async (service, { email }) =>
    async () => {
      const token = tokenOf(await mailFor(service, new Browser(service), '/reset_password', email));
      await service.reset(email, token, newPassword);
      return logIn(service, { email, password: newPassword });
    },
  'earlier reset token, then the password': async (service, { email }) => {
    const token = tokenOf(await mailFor(service, new Browser(service), '/reset_password', email));
    return async () => {
      await service.reset(email, token, newPassword);
      return logIn(service, { email, password: newPassword });
    };
  },
  'new account, confirmed, then its password': byRegistration(freshEmail, false),
  'new account with a passkey, confirmed': byRegistration(freshEmail, true),
  'registered again, confirmed, the new password': byRegistration(({ email }) => email, false),
  'registered again with a passkey, confirmed': byRegistration(({ email }) => email, true),
  'earlier session':
    async (_, { browser, email }) =>
    async () =>
      outcomeOf(browser, await browser.get('/profile'), email),
  'earlier session, step-up by password': byStepUp('password'),
  'earlier session, step-up by app': byStepUp('totp'),
  'earlier session, step-up by recovery code': byStepUp('recovery_code'),
  'earlier session, step-up by passkey': byStepUp('passkey'),
  'earlier pending authentication, then app': byFactor('totp'),
  'earlier pending authentication, then recovery code': byFactor('recovery_code'),
  'earlier pending authentication, then passkey': byFactor('passkey'),
  'earlier pending authentication, enrolling an app': fromHalfWay(async (_, browser, { service }) => {
    const begun = await browser.post('/profile/totp', {});
    if (begun.status !== 200) return begun;
    const { id, secret } = begun.body as { id: string; secret: string }; // the schema of the route
    const code = codeAt(decodeBase32(secret), service.clock.now());
    return browser.put('/profile/totp', { id, code });
  }),
  'earlier pending authentication, adding a passkey': fromHalfWay(async ({ device }, browser) => {
    const begun = await browser.post('/profile/passkeys', {});
    if (begun.status !== 200) return begun;
    return browser.put('/profile/passkeys', { credential: device.create(passkeyOptionsIn(begun)) });
  }),
};

/** Accounts of this column begin without a factor; all others have an app, recovery codes and a passkey. */
const withoutFactors: readonly string[] = ['no factor', 'required, none set'];

type State = (service: PublicService, subject: Subject) => Promise<unknown>;
const setIn: Record<string, State> = {
  'no factor': async () => {},
  'factor set': async () => {},
  // As after a hundred failures of strangers and a hundred on the device of the session.
  'factors off': ({ service }, { id, browser }) => {
    const device = browser.cookie(deviceCookie)?.slice(0, 36);
    const values = [`user:${id}`, `device:${device}`].flatMap((subject) =>
      ['totp', 'recovery_code', 'passkey'].map((factor) => ({
        subject,
        factor,
        failures: 100,
        last_at: service.clock.now(),
        next_at: 0,
      })),
    );
    return service.core.database.query((sql) => sql.insertInto('attempts').values(values));
  },
  'required, none set': async () => {},
  disabled: ({ service }, { id }) => service.core.auth.setDisabled(id, true),
  removed: ({ service }, { id }) => service.core.auth.removeUser(id),
  unconfirmed: ({ service }, { id }) =>
    service.core.database.query((sql) =>
      sql.updateTable('users').set({ email_verified_at: null }).where('id', '=', id),
    ),
};

async function createSubject(service: PublicService, state: string): Promise<Subject> {
  const { id, email, password } = await service.newcomer();
  await service.confirm({ email, password });
  const browser = new Browser(service);
  const subject = { state, id, email, password, browser, device: new PasskeyDevice(origin) };
  if (state === 'required, none set') {
    // A session from before a factor was required: a login does not create one.
    browser.plant(sessionCookie, (await service.service.core.auth.createSession(email)) ?? '');
    return subject;
  }
  assert.equal((await browser.post('/sessions', { email, password })).status, 200);
  if (withoutFactors.includes(state)) return subject;
  const app = await addApp(browser, service.service.clock);
  if (hasFeature('passkey')) await addPasskey(browser, subject.device);
  return {
    ...subject,
    app,
    ...(hasFeature('recovery-code') && { recoveryCodes: await addRecoveryCodes(browser) }),
  };
}

/** The columns, by the attack that each resists. */
const open = ['no factor', 'factor set', 'required, none set', 'unconfirmed'];
const off = ['factors off'];
const shut = ['disabled', 'removed'];

test('the table has a row for each way, and a cell for each state of an account', () => {
  assert.deepEqual([...rows.keys()], Object.keys(ways));
  assert.deepEqual(columns, Object.keys(setIn));
  assert.deepEqual([...open, ...off, ...shut].toSorted(), columns.toSorted());
  for (const [way, cells] of rows) {
    assert.equal(cells.length, columns.length, way);
    for (const cell of cells)
      assert.ok(outcomes.includes(cell) || reasons[cell] !== undefined, `${way}: ${cell}`);
  }
});

/** Features of the ways, by words of their names. */
const featureOfWords: Readonly<Record<string, string>> = {
  'sign-in mail': 'email-sign-in',
  passkey: 'passkey',
  'recovery code': 'recovery-code',
};
/** Ways of this project. */
const ownWays = Object.entries(ways).filter(([name]) =>
  Object.entries(featureOfWords).every(([words, feature]) => !name.includes(words) || hasFeature(feature)),
);

// An authenticator app shows whether a login waits for a second factor, and is what a step-up is needed for.
const skip = without('totp');

describe('every way to sign in to every state of an account', { skip }, () => {
  let optional: PublicService;
  let required: PublicService;
  before(async () => {
    optional = await PublicService.start('sqlite', { EMAIL_SIGN_IN: 'true' });
    required = await PublicService.start('sqlite', { EMAIL_SIGN_IN: 'true', SECOND_FACTOR: 'required' });
  });
  after(async () => {
    await optional.close();
    await required.close();
  });

  /** Uses every way with an account of its own, and compares the outcomes with the column. */
  async function holdsFor(state: string): Promise<void> {
    const service = state === 'required, none set' ? required : optional;
    const found: string[] = [];
    const expected: string[] = [];
    for (const [name, way] of ownWays) {
      const cell = rows.get(name)?.[columns.indexOf(state)] ?? '';
      if (!outcomes.includes(cell)) continue;
      const subject = await createSubject(service, state);
      const goThrough = await way(service, subject);
      await setIn[state]?.(service, subject);
      found.push(`${name}: ${await goThrough()}`);
      expected.push(`${name}: ${cell}`);
    }
    assert.ok(found.length > 5);
    assert.deepEqual(found, expected);
  }

  for (const state of open)
    test(`A47 every entry point: has the outcome in the table for an account: ${state}`, () =>
      holdsFor(state));
  for (const state of off)
    test(`A18 every entry point: has the outcome in the table for an account: ${state}`, () =>
      holdsFor(state));
  for (const state of shut)
    test(`A63 every entry point: has the outcome in the table for an account: ${state}`, () =>
      holdsFor(state));
});
