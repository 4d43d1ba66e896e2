// Each way to sign in against each control: a new way is a new row, a new control a new column. Most advisories on
// services like this one describe an entry point that lacks a control which the others have.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { dayMs } from '../../src/kit/clock.ts';
import { subjectOfAddress } from '../../src/identity/attempt/attempts.ts';
import { cookieOf, PublicService, sessionCookie, type Member } from '../support/public-service.ts';
import { entriesOf, hasFeature } from '../support/feature.ts';

const newPassword = 'nine newts under a green umbrella';
const wrong = 'eight herons on a yellow bicycle';

/** What a user holds when the control takes effect. */
interface Subject extends Member {
  readonly resetToken: string;
  readonly signInToken: string;
}

type Way = (service: PublicService, subject: Subject) => Promise<boolean>;

const hasSession = async (service: PublicService, sessionId: string | undefined): Promise<boolean> =>
  sessionId !== undefined && (await service.profile(sessionId)) === 200;

/** Ways to sign in; true if the user ends up with a session. */
const ways = {
  password: async (service, { email, password }) =>
    hasSession(service, cookieOf(await service.logIn(email, password), sessionCookie)),
  'password on a known device': async (service, { email, password, deviceToken }) =>
    hasSession(service, cookieOf(await service.logIn(email, password, deviceToken), sessionCookie)),
  'earlier session': (service, { sessionId }) => hasSession(service, sessionId),
  'session by the library': async (service, { email }) =>
    hasSession(service, await service.service.core.auth.createSession(email)),
  'earlier reset token': async (service, { email, resetToken }) => {
    await service.reset(email, resetToken, newPassword);
    return hasSession(service, cookieOf(await service.logIn(email, newPassword), sessionCookie));
  },
  'new reset': async (service, { email }) => {
    service.service.clock.advance(2 * 60_000); // longer than the pause between two mails
    const mails = service.mails.length;
    await service.post('/reset_password', { email });
    await service.deliver();
    if (service.mails.length === mails) return false;
    await service.reset(email, await service.tokenFor(email), newPassword);
    return hasSession(service, cookieOf(await service.logIn(email, newPassword), sessionCookie));
  },
  'earlier sign-in mail': async (service, { email, signInToken }) =>
    hasSession(
      service,
      cookieOf(await service.put('/sessions/email', { email, token: signInToken }), sessionCookie),
    ),
  'new sign-in mail': async (service, { email }) => {
    service.service.clock.advance(2 * 60_000);
    const mails = service.mails.length;
    await service.post('/sessions/email', { email });
    await service.deliver();
    if (service.mails.length === mails) return false;
    const token = await service.tokenFor(email);
    return hasSession(
      service,
      cookieOf(await service.put('/sessions/email', { email, token }), sessionCookie),
    );
  },
  'new password in an earlier session': async (service, { email, password, sessionId }) => {
    const fields = { password, new_password: newPassword };
    const headers = { cookie: `${sessionCookie}=${sessionId}` };
    await service.send({ method: 'PUT', path: '/profile/password', fields, headers });
    return hasSession(service, cookieOf(await service.logIn(email, newPassword), sessionCookie));
  },
  confirmation: async (service, { email, password }) => {
    service.service.clock.advance(2 * 60_000);
    const mails = service.mails.length;
    await service.post('/email_verification', { email });
    await service.deliver();
    if (service.mails.length === mails) return false;
    await service.confirm({ email, password });
    return hasSession(service, cookieOf(await service.logIn(email, password), sessionCookie));
  },
  'another registration': async (service, { email }) => {
    await service.post('/users', { email, password: newPassword });
    return hasSession(service, cookieOf(await service.logIn(email, newPassword), sessionCookie));
  },
} satisfies Record<string, Way>;
type WayName = keyof typeof ways;
const waysByMail: readonly string[] = ['earlier sign-in mail', 'new sign-in mail'] satisfies WayName[];
/** Ways of this project. */
const ownWays = Object.entries(ways).filter(
  ([name]) => hasFeature('email-sign-in') || !waysByMail.includes(name),
);

interface Control {
  readonly set: (service: PublicService, subject: Subject) => Promise<unknown>;
  /** Ways that remain open; every other one must be closed. */
  readonly open: readonly WayName[];
}

const fail = async (service: PublicService, { email }: Subject, times: number): Promise<void> => {
  for (let i = 0; i < times; i += 1) await service.logIn(email, wrong);
};
const database = (service: PublicService): PublicService['service']['core']['database'] =>
  service.service.core.database;

/** As after a hundred failures. */
async function blockPassword(service: PublicService, subject: Subject): Promise<void> {
  await fail(service, subject, 1);
  await database(service).query((sql) =>
    sql.updateTable('attempts').set({ failures: 100 }).where('subject', '=', subjectOfAddress(subject.email)),
  );
}

async function closeAccount(service: PublicService, { sessionId }: Subject): Promise<void> {
  const headers = { cookie: `${sessionCookie}=${sessionId}` };
  assert.equal((await service.send({ method: 'DELETE', path: '/profile', headers })).status, 200);
}

/** Ways that need access to the mailbox and do not depend on the password's state. */
const byMail: readonly WayName[] = ['earlier reset token', 'new reset'];
/** Ways that do not involve the password. */
const withoutPassword: readonly WayName[] = [...byMail, 'earlier sign-in mail', 'new sign-in mail'];

const controls: Record<string, Control> = {
  'no control': {
    set: async () => {},
    open: [
      'password',
      'password on a known device',
      'earlier session',
      'session by the library',
      'new password in an earlier session',
      ...withoutPassword,
    ],
  },
  'a wait after failures': {
    set: (service, subject) => fail(service, subject, 5),
    open: ['password on a known device', 'earlier session', 'session by the library', ...withoutPassword],
  },
  'a password that is blocked after a hundred failures': {
    set: blockPassword,
    open: ['password on a known device', 'earlier session', 'session by the library', ...withoutPassword],
  },
  'a disabled account': {
    set: (service, { id }) => service.service.core.auth.setDisabled(id, true),
    open: [],
  },
  ...entriesOf<Control>('account-deletion', {
    'an account that its user closed': { set: closeAccount, open: [] },
    'a closed account that its user reopened': {
      set: async (service, subject) => {
        await closeAccount(service, subject);
        const token = await service.tokenFor(subject.email);
        assert.equal((await service.put('/profile/undo', { token })).status, 200);
        await service.deliver(); // the notification of it, which belongs to no entry point
      },
      open: [
        'password',
        'password on a known device',
        'session by the library',
        'new reset',
        'new sign-in mail',
      ],
    },
  }),
  'a removed account': { set: (service, { id }) => service.service.core.auth.removeUser(id), open: [] },
  'an unconfirmed address': {
    set: (service, { id }) =>
      database(service).query((sql) =>
        sql.updateTable('users').set({ email_verified_at: null }).where('id', '=', id),
      ),
    // A session from before is ended only by a confirmation or a reset: see pre-hijack.test.ts.
    open: ['earlier session', 'confirmation', ...byMail],
  },
  'a password that the operator replaced': {
    set: (service, { email }) => service.service.core.auth.setPassword(email, 'ten toads behind a blue door'),
    open: ['session by the library', 'new reset', 'new sign-in mail'],
  },
  'a reset in between': {
    set: (service, { email, resetToken }) => service.reset(email, resetToken, 'ten toads behind a blue door'),
    open: ['session by the library', 'new reset', 'new sign-in mail'],
  },
  'eight days without a request': {
    set: async (service) => service.service.clock.advance(8 * dayMs),
    open: [
      'password',
      'password on a known device',
      'session by the library',
      'new reset',
      'new sign-in mail',
    ],
  },
  'half a year without a login': {
    set: async (service, subject) => {
      service.service.clock.advance(181 * dayMs);
      await blockPassword(service, subject);
    },
    open: ['session by the library', 'new reset', 'new sign-in mail'],
  },
};

describe('each control at each entry point', () => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start('sqlite', { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  for (const [control, { set, open }] of Object.entries(controls)) {
    test(`A18 other entry points: with ${control}, ${open.length === 0 ? 'all are closed' : `only these are open: ${open.join(', ')}`}`, async () => {
      for (const [name, way] of ownWays) {
        const member = await service.member();
        const resetToken = await service.resetToken(member.email);
        await service.post('/sessions/email', { email: member.email });
        const signInToken = await service.tokenFor(member.email);
        const subject: Subject = { ...member, resetToken, signInToken };
        await set(service, subject);
        assert.equal(await way(service, subject), open.includes(name as WayName), name); // the keys of the table of ways
      }
    });
  }
});

describe('a guard that fails', () => {
  for (const table of ['sessions', 'attempts', 'users', 'audit_events']) {
    test(`without the table ${table} no way to sign in creates a session`, async () => {
      const service = await PublicService.start('sqlite');
      try {
        const { email, password, sessionId, deviceToken } = await service.member();
        const resetToken = await service.resetToken(email);
        await database(service).execute(`alter table ${table} rename to elsewhere`);
        if (table === 'sessions' || table === 'users') assert.equal(await service.profile(sessionId), 500);
        for (const reply of [
          await service.logIn(email, password),
          await service.logIn(email, password, deviceToken),
          await service.reset(email, resetToken, newPassword),
        ]) {
          assert.deepEqual([reply.status, reply.cookies], [500, []]);
        }
      } finally {
        await database(service).execute(`alter table elsewhere rename to ${table}`);
        await service.close();
      }
    });
  }
});
