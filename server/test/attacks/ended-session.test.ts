// A thief of a session acts while its owner resets the password: a request that has read the session changes nothing after
// the session has ended. The reset happens at each step of the request.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { StepDatabase, type Countdown } from '../faults/step-database.ts';
import { signIn, type Browser } from '../support/browser.ts';
import { rowsIn } from '../support/contents.ts';
import { onEachEngine } from '../support/engines.ts';
import { addApp, codesOf } from '../support/factor.ts';
import { without } from '../support/feature.ts';
import { PublicService, type Member } from '../support/public-service.ts';
import type { Reply } from '../support/request.ts';

const other = 'seven herons on a bicycle';

onEachEngine('a request whose session ends before its transaction', (engine) => {
  let service: PublicService;
  let act: () => Promise<unknown>;
  const countdown: Countdown = { steps: 0, passesTransactions: true, act: async () => void (await act()) };
  before(async () => {
    service = await PublicService.start(
      engine,
      {},
      { watchDatabase: (database) => new StepDatabase(database, countdown) },
    );
  });
  after(() => service.close());

  type Request = (at: Browser, member: Member) => Promise<() => Promise<Reply>>;

  /** Prepares a request in the session of `at`, and returns what sends it. */
  const requests: Readonly<
    Record<string, { readonly features: readonly string[]; readonly prepare: Request }>
  > = {
    'a step-up': {
      features: [],
      prepare:
        async (at, { password }) =>
        () =>
          at.post('/sessions/step_up', { factor: 'password', proof: password }),
    },
    'a change of the password': {
      features: [],
      prepare:
        async (at, { password }) =>
        () =>
          at.put('/profile/password', { password, new_password: 'nine herons on a bicycle' }),
    },
    'an authenticator app': {
      features: ['totp'],
      prepare: async (at) => {
        const { id, secret } = (await at.post('/profile/totp', {})).body as { id: string; secret: string };
        const next = codesOf(secret, service.service.clock);
        return () => at.put('/profile/totp', { id, code: next() });
      },
    },
    'new recovery codes': {
      features: ['totp', 'recovery-code'],
      prepare: async (at) => {
        await addApp(at, service.service.clock);
        return () => at.post('/profile/recovery_codes', {});
      },
    },
    'the request for another address': {
      features: ['email-change'],
      prepare:
        async (at, { email, password }) =>
        () =>
          at.post('/profile/email', { email: `new-${email}`, password }),
    },
    'another address': {
      features: ['email-change'],
      prepare: async (at, { email, password }) => {
        await at.post('/profile/email', { email: `new-${email}`, password });
        const token = await service.tokenFor(`new-${email}`);
        return () => at.put('/profile/email', { token });
      },
    },
    'closing the account': {
      features: ['account-deletion'],
      prepare: async (at) => () => at.send({ method: 'DELETE', path: '/profile' }),
    },
  };

  for (const [name, { features, prepare }] of Object.entries(requests))
    test(`${name} is refused`, { skip: without(...features) }, async () => {
      const { auth, database } = service.service.core;
      for (let n = 1, isOver = false; !isOver; n += 1) {
        const member = await service.member();
        const send = await prepare(await signIn(service, member), member);
        act = async () => auth.updatePassword(await auth.getResetPasswordToken(member.email), other);
        countdown.steps = n;
        const { status, text } = await send();
        isOver = countdown.steps > 0;
        countdown.steps = 0;
        assert.equal(status < 400, isOver, `step ${n}: ${status} ${text}`);
        if (isOver) assert.ok(n > 2, 'it runs some statements');
        else {
          const [user] = (await rowsIn(database, 'users')).filter(({ id }) => id === member.id);
          assert.deepEqual([user?.['email'], user?.['disabled_at']], [member.email, null]);
          assert.equal((await service.logIn(member.email, other)).status, 200, `step ${n}`);
        }
      }
    });
});
