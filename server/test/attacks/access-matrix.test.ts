// Every way to a session against every state of an account, as one table: where a second factor is set each way that
// is no second factor by itself ends at the same question, and where a door is shut they all are.
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

/**
 * session: the person is signed in, or may do what is dangerous; asked: a second factor is asked for, and nothing opens
 * before; enroll: one must be set up, and nothing else opens; refused: nothing opens.
 * A number is a reason below why the cell is none.
 *
 * What was begun before an address counted as unconfirmed goes on: that happens only where an operator turns confirmation
 * on. A session from before a second factor was required goes on as well.
 */
const table = `
                                              | no factor | factor set | factors off | required, none set | disabled | removed | unconfirmed
password                                      | session   | asked      | asked       | enroll              | refused  | refused | refused
link of a sign-in mail                        | session   | asked      | asked       | enroll              | refused  | refused | refused
link of a sign-in mail, by its page           | session   | asked      | asked       | enroll              | refused  | refused | refused
code of a sign-in mail                        | session   | asked      | asked       | enroll              | refused  | refused | refused
link of a sign-in mail of before              | session   | asked      | asked       | enroll              | refused  | refused | refused
passkey                                       | 1         | session    | session     | 1                  | refused  | refused | refused
reset, then the password                      | session   | asked      | asked       | enroll              | refused  | refused | asked
reset token of before, then the password      | session   | asked      | asked       | enroll              | refused  | refused | asked
new account, confirmed, then its password     | session   | 2          | 2           | enroll              | 2        | 2       | refused
new account by a passkey, confirmed           | session   | 2          | 2           | session            | 2        | 2       | refused
registered again, confirmed, the new password | refused   | refused    | refused     | refused            | refused  | 3       | session
registered again by a passkey, confirmed      | refused   | refused    | refused     | refused            | refused  | 3       | session
session of before                             | session   | session    | session     | session            | refused  | refused | session
session of before, step-up by password        | session   | asked      | asked       | session            | refused  | refused | asked
session of before, step-up by app             | refused   | session    | refused     | refused            | refused  | refused | session
session of before, step-up by recovery code   | refused   | session    | refused     | refused            | refused  | refused | session
session of before, step-up by passkey         | 1         | session    | refused     | 1                  | refused  | refused | session
half-way login of before, then app            | 4         | session    | refused     | refused            | refused  | refused | session
half-way login of before, then recovery code  | 4         | session    | refused     | refused            | refused  | refused | session
half-way login of before, then passkey        | 4         | session    | refused     | 1                  | refused  | refused | session
half-way login of before, setting an app up   | 4         | refused    | refused     | session            | refused  | refused | refused
half-way login of before, adding a passkey    | 4         | refused    | refused     | session            | refused  | refused | refused
`;
const reasons: Record<string, string> = {
  1: 'a passkey is a factor',
  2: 'a new account has no factor yet, and nobody who could be disabled or removed',
  3: 'the address is free: whoever registers it has an account of their own',
  4: 'a first factor gives a session at once: there is no half-way login',
};

type Outcome = 'session' | 'asked' | 'enrol' | 'refused';
const outcomes: readonly string[] = ['session', 'asked', 'enrol', 'refused'] satisfies Outcome[];

const [states = [], ...lines] = table
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()));
const columns = states.slice(1);
const rows = new Map(lines.map(([door = '', ...cells]) => [door, cells]));

/** Somebody whose account is about to get into one of the states. */
interface Subject {
  readonly state: string;
  readonly id: number;
  readonly email: string;
  readonly password: string;
  /** With a session of before. */
  readonly browser: Browser;
  readonly app?: App;
  readonly recoveryCodes?: readonly string[];
  readonly device: PasskeyDevice;
}

/** What is done before the state sets in; it gives what is done after. */
type Door = (service: PublicService, subject: Subject) => Promise<() => Promise<Outcome>>;

const newPassword = 'nine newts under a green umbrella';
const origin = 'https://accounts.test';
/** A code of no app and nobody's recovery code. */
const noCode = '123456';

/** What a reply at a door opened, and no more than that. */
async function outcomeOf(browser: Browser, reply: Reply, email: string): Promise<Outcome> {
  const profile = await browser.get('/profile');
  if (profile.status === 200) {
    assert.deepEqual(profile.body, { email });
    return 'session';
  }
  assert.equal(profile.status, 403);
  // A page goes on to where the second factor is given, or set up.
  const isOnward = /^\/sign-in\/(?:factor|set-up)/.test(String(reply.headers['location']));
  if (reply.status !== 200 && !isOnward) {
    assert.deepEqual(reply.cookies, []);
    return 'refused';
  }
  const factors = isOnward ? undefined : (memberOf(reply.body, 'factors') as string[] | undefined); // of the routes' schema
  assert.ok(factors === undefined || factors.length > 0, reply.text);
  const mayEnroll = (await browser.get('/profile/totp')).status === 200;
  const mayGive = (await browser.post('/sessions/factor', { factor: 'totp', proof: 'x' })).status !== 403;
  assert.notEqual(mayEnroll, mayGive, reply.text);
  return mayEnroll ? 'enrol' : 'asked';
}

async function logIn(
  service: PublicService,
  { email, password }: Pick<Subject, 'email' | 'password'>,
): Promise<Outcome> {
  const browser = new Browser(service);
  return outcomeOf(browser, await browser.post('/sessions', { email, password }), email);
}

/** Text of the newest mail with a link that proves something. */
async function proofMail(service: PublicService, email: string, earlier: number): Promise<string> {
  await service.deliver();
  const mails = service.mails.slice(earlier).filter(({ to }) => to === email);
  return mails.map(({ text }) => text).findLast((text) => tokenIn(text) !== undefined) ?? '';
}

/** Asks for a mail and says what came in it; nothing, if none did. */
async function mailFor(
  service: PublicService,
  browser: Browser,
  path: string,
  email: string,
): Promise<string> {
  service.service.clock.advance(2 * minuteMs); // beyond the pause between two mails
  const earlier = service.mails.length;
  assert.equal((await browser.post(path, { email })).status, 200);
  return proofMail(service, email, earlier);
}

const tokenOf = (text: string): string => tokenIn(text) ?? 'none';
const codeOf = (text: string): string => codeIn(text) ?? 'none';

/** Signs in by what a mail holds, which is asked for after the state has set in. */
const byMail =
  (proofIn: (text: string) => string, isPage = false): Door =>
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

/** Registers with a password or a passkey, confirms the address where a token comes, and signs in. */
const byRegistration =
  (emailOf: (subject: Subject) => string, hasPasskey: boolean): Door =>
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

/** Gives a factor once more in the session of before, and does what asks for a recent one. */
const byStepUp =
  (factor: keyof typeof proofs): Door =>
  async (service, subject) =>
  async () => {
    const { browser } = subject;
    service.service.clock.advance(11 * minuteMs);
    const early = await browser.post('/profile/totp', {});
    assert.ok(early.status === 401 || early.status === 403, early.text);
    const proof = await proofs[factor](subject, browser, '/sessions/step_up');
    const given = await browser.post('/sessions/step_up', { factor, proof });
    if (given.status !== 200) return 'refused';
    const reply = await browser.post('/profile/totp', {});
    if (reply.status === 200) return 'session';
    assert.equal(memberOf(reply.body, 'code'), 'step_up_required');
    return 'asked';
  };

/** Goes on with a login that was half-way before the state set in. */
const fromHalfWay =
  (seeOther: (subject: Subject, browser: Browser, service: PublicService) => Promise<Reply>): Door =>
  async (service, subject) => {
    const { email, password } = subject;
    const browser = new Browser(service);
    await browser.post('/sessions', { email, password });
    assert.equal(browser.sessionId, undefined);
    return async () => outcomeOf(browser, await seeOther(subject, browser, service), email);
  };

const byFactor = (factor: keyof typeof proofs): Door =>
  fromHalfWay(async (subject, browser) => {
    const proof = await proofs[factor](subject, browser, '/sessions/factor');
    return browser.post('/sessions/factor', { factor, proof });
  });

const doors: Record<string, Door> = {
  password: async (service, subject) => () => logIn(service, subject),
  'link of a sign-in mail': byMail(tokenOf),
  'link of a sign-in mail, by its page': byMail(tokenOf, true),
  'code of a sign-in mail': byMail(codeOf),
  'link of a sign-in mail of before': async (service, { email }) => {
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
  'reset token of before, then the password': async (service, { email }) => {
    const token = tokenOf(await mailFor(service, new Browser(service), '/reset_password', email));
    return async () => {
      await service.reset(email, token, newPassword);
      return logIn(service, { email, password: newPassword });
    };
  },
  'new account, confirmed, then its password': byRegistration(freshEmail, false),
  'new account by a passkey, confirmed': byRegistration(freshEmail, true),
  'registered again, confirmed, the new password': byRegistration(({ email }) => email, false),
  'registered again by a passkey, confirmed': byRegistration(({ email }) => email, true),
  'session of before':
    async (_, { browser, email }) =>
    async () =>
      outcomeOf(browser, await browser.get('/profile'), email),
  'session of before, step-up by password': byStepUp('password'),
  'session of before, step-up by app': byStepUp('totp'),
  'session of before, step-up by recovery code': byStepUp('recovery_code'),
  'session of before, step-up by passkey': byStepUp('passkey'),
  'half-way login of before, then app': byFactor('totp'),
  'half-way login of before, then recovery code': byFactor('recovery_code'),
  'half-way login of before, then passkey': byFactor('passkey'),
  'half-way login of before, setting an app up': fromHalfWay(async (_, browser, { service }) => {
    const begun = await browser.post('/profile/totp', {});
    if (begun.status !== 200) return begun;
    const { id, secret } = begun.body as { id: string; secret: string }; // of the route's schema
    const code = codeAt(decodeBase32(secret), service.clock.now());
    return browser.put('/profile/totp', { id, code });
  }),
  'half-way login of before, adding a passkey': fromHalfWay(async ({ device }, browser) => {
    const begun = await browser.post('/profile/passkeys', {});
    if (begun.status !== 200) return begun;
    return browser.put('/profile/passkeys', { credential: device.create(passkeyOptionsIn(begun)) });
  }),
};

/** Accounts of the column begin without a factor; all others have an app, recovery codes and a passkey. */
const withoutFactors: readonly string[] = ['no factor', 'required, none set'];

type State = (service: PublicService, subject: Subject) => Promise<unknown>;
const setIn: Record<string, State> = {
  'no factor': async () => {},
  'factor set': async () => {},
  // As after a hundred failures of strangers and as many on the device of the session.
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
  await service.put('/email_verification', { email, token: await service.tokenFor(email) });
  const browser = new Browser(service);
  const subject = { state, id, email, password, browser, device: new PasskeyDevice(origin) };
  if (state === 'required, none set') {
    // A session from before it was required: a login gives none.
    browser.plant(sessionCookie, (await service.service.core.auth.createSession(email)) ?? '');
    return subject;
  }
  assert.equal((await browser.post('/sessions', { email, password })).status, 200);
  if (withoutFactors.includes(state)) return subject;
  const app = await addApp(browser, service.service.clock);
  await addPasskey(browser, subject.device);
  return { ...subject, app, recoveryCodes: await addRecoveryCodes(browser) };
}

/** The columns, by the attack that each withstands. */
const open = ['no factor', 'factor set', 'required, none set', 'unconfirmed'];
const off = ['factors off'];
const shut = ['disabled', 'removed'];

test('the table has a line for each door, and a cell for each state of an account', () => {
  assert.deepEqual([...rows.keys()], Object.keys(doors));
  assert.deepEqual(columns, Object.keys(setIn));
  assert.deepEqual([...open, ...off, ...shut].toSorted(), columns.toSorted());
  for (const [door, cells] of rows) {
    assert.equal(cells.length, columns.length, door);
    for (const cell of cells)
      assert.ok(outcomes.includes(cell) || reasons[cell] !== undefined, `${door}: ${cell}`);
  }
});

describe('every door to every state of an account', () => {
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

  /** Goes through every door with an account of its own, and compares with the column. */
  async function holdsFor(state: string): Promise<void> {
    const service = state === 'required, none set' ? required : optional;
    const found: string[] = [];
    const expected: string[] = [];
    for (const [name, door] of Object.entries(doors)) {
      const cell = rows.get(name)?.[columns.indexOf(state)] ?? '';
      if (!outcomes.includes(cell)) continue;
      const subject = await createSubject(service, state);
      const goThrough = await door(service, subject);
      await setIn[state]?.(service, subject);
      found.push(`${name}: ${await goThrough()}`);
      expected.push(`${name}: ${cell}`);
    }
    assert.ok(found.length > 10);
    assert.deepEqual(found, expected);
  }

  for (const state of open)
    test(`A47 every door: what the table says of an account: ${state}`, () => holdsFor(state));
  for (const state of off)
    test(`A18 every door: what the table says of an account: ${state}`, () => holdsFor(state));
  for (const state of shut)
    test(`A63 every door: what the table says of an account: ${state}`, () => holdsFor(state));
});
