// Passkey challenges: each is accepted only for its purpose and its subject.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { minuteMs } from '../../src/kit/clock.ts';
import { createToken } from '../../src/kit/secret.ts';
import { Browser } from '../support/browser.ts';
import { everyRowOf } from '../support/contents.ts';
import { onEachEngine } from '../support/engines.ts';
import { addPasskey, passkeyOptionsIn } from '../support/factor.ts';
import { PasskeyDevice, type Quirks } from '../support/passkey-device.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService, sessionCookie } from '../support/public-service.ts';
import type { Reply } from '../support/request.ts';
import { secretKindsOf } from '../support/secret-kinds.ts';
import { hasFeature, needs } from '../support/feature.ts';

const origin = 'https://accounts.test';

/**
 * A person with a passkey, in a session, with a pending authentication in another browser, and about to register another
 * account.
 */
interface Party {
  readonly email: string;
  /** An address without an account. */
  readonly newEmail: string;
  readonly session: Browser;
  readonly pendingAuthentication: Browser;
  readonly device: PasskeyDevice;
}

type Options = Record<string, unknown>;

/** Routes that issue a challenge, and routes that accept its answer. */
interface Ceremony {
  readonly ask: (party: Party) => Promise<Reply>;
  readonly answer: (party: Party, options: Options, quirks: Quirks) => Promise<Reply>;
}

onEachEngine(needs('challenges of passkeys', 'passkey'), (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine);
  });
  after(() => service.close());

  const ceremonies: Record<string, Ceremony> = {
    enrollment: {
      ask: ({ session }) => session.post('/profile/passkeys', {}),
      answer: ({ session }, options, quirks) =>
        session.put('/profile/passkeys', { credential: new PasskeyDevice(origin).create(options, quirks) }),
    },
    registration: {
      ask: ({ newEmail: email }) => new Browser(service).post('/users/passkey', { email }),
      answer: ({ newEmail: email }, options, quirks) => {
        const credential = new PasskeyDevice(origin).create(options, quirks);
        return new Browser(service).put('/users/passkey', { email, credential });
      },
    },
    second_factor: {
      ask: ({ pendingAuthentication }) => pendingAuthentication.post('/sessions/factor/passkey', {}),
      answer: ({ pendingAuthentication, device }, options, quirks) =>
        pendingAuthentication.post('/sessions/factor', {
          factor: 'passkey',
          proof: device.get(options, quirks),
        }),
    },
    step_up: {
      ask: ({ session }) => session.post('/sessions/step_up/passkey', {}),
      answer: ({ session, device }, options, quirks) =>
        session.post('/sessions/step_up', { factor: 'passkey', proof: device.get(options, quirks) }),
    },
    // Last, because it belongs to no account until it is answered.
    sign_in: {
      ask: () => new Browser(service).post('/sessions/passkey', {}),
      answer: ({ device }, options, quirks) =>
        new Browser(service).put('/sessions/passkey', { credential: device.get(options, quirks) }),
    },
  };

  async function createParty(): Promise<Party> {
    const { email, password } = await service.member();
    const [session, pendingAuthentication] = [new Browser(service), new Browser(service)];
    await session.post('/sessions', { email, password });
    const device = new PasskeyDevice(origin);
    await addPasskey(session, device);
    await pendingAuthentication.post('/sessions', { email, password });
    return { email, newEmail: freshEmail(), session, pendingAuthentication, device };
  }

  const askAll = async (party: Party): Promise<Map<string, Options>> => {
    const asked = new Map<string, Options>();
    for (const [name, { ask }] of Object.entries(ceremonies))
      asked.set(name, passkeyOptionsIn(await ask(party)));
    return asked;
  };
  const challengeOf = (options: Options | undefined): string => String(options?.['challenge']);

  test('A37 namespaces: each route accepts only challenges that were issued for it', async () => {
    const [ada, eve] = [await createParty(), await createParty()];
    const [hers, eves] = [await askAll(ada), await askAll(eve)];
    const { core } = service.service;
    const secrets = secretKindsOf(core).map((kind) => createToken(kind).token);
    const encoded = (text: string): string => Buffer.from(text).toString('base64url');
    const earlier = await everyRowOf(core.database);
    let presented = 0;
    for (const [name, { answer }] of Object.entries(ceremonies)) {
      const options = hers.get(name) ?? assert.fail();
      const own = challengeOf(options);
      const text = Buffer.from(own, 'base64url').toString();
      const foreign = [
        ...[...hers].filter(([other]) => other !== name).map(([, one]) => challengeOf(one)),
        // A challenge to sign in names no user: the credential that answers it decides.
        ...[...eves]
          .filter(([other]) => other !== 'sign_in' || name !== 'sign_in')
          .map(([, one]) => challengeOf(one)),
        ...secrets.map(encoded),
        // Fails later, and with a key that need not verify its user.
        encoded(text.replace(/(?<=\.)\d+(?=\.)/, (expires) => String(Number(expires) + minuteMs))),
        encoded(text.replace(/\.(?:passkey)?(?=[:.])/, '.security_key')),
        encoded(`${text}.`),
        encoded(text.slice(1)),
        encoded('{}'),
        '',
      ];
      assert.ok(!foreign.includes(own));
      for (const challenge of foreign) {
        // After five wrong answers the sixth must wait.
        await core.database.query((sql) => sql.deleteFrom('attempts'));
        const reply = await answer(ada, options, { challenge });
        assert.deepEqual(
          [reply.status, Reflect.get(reply.body as object, 'code'), reply.cookies],
          [401, 'factor_invalid', []],
          `${Buffer.from(challenge, 'base64url').toString()} at ${name}`,
        );
        presented += 1;
      }
    }
    assert.ok(presented > 100);
    await core.database.query((sql) => sql.deleteFrom('attempts'));
    const now = await everyRowOf(core.database);
    for (const table of ['users', 'sessions', 'pending_logins', 'passkeys', 'spent_challenges'])
      assert.deepEqual(now[table], earlier[table], table);

    // Those that change the session come after those that belong to it.
    for (const name of ['second_factor', 'registration', 'sign_in', 'enrollment']) {
      const reply = await ceremonies[name]?.answer(ada, hers.get(name) ?? {}, {});
      assert.equal(reply?.status, 200, name);
    }
    const elevated = await ceremonies['step_up']?.answer(ada, hers.get('step_up') ?? {}, {});
    assert.equal(elevated?.status, 401, 'of the session before it was elevated');
    assert.equal((await ceremonies['step_up']?.answer(eve, eves.get('step_up') ?? {}, {}))?.status, 200);
  });

  test('A37 namespaces: a challenge, or a part of one, is not accepted as a token', async () => {
    const ada = await createParty();
    for (const options of (await askAll(ada)).values()) {
      const text = Buffer.from(challengeOf(options), 'base64url').toString();
      for (const secret of [text, challengeOf(options), text.split('.')[0] ?? '']) {
        const email = ada.email;
        assert.equal(await service.profile(secret), 403);
        assert.equal((await service.reset(email, secret, 'nine newts under a green umbrella')).status, 403);
        assert.equal((await service.put('/email_verification', { email, token: secret })).status, 403);
        if (!hasFeature('email-change')) continue;
        const headers = { cookie: `${sessionCookie}=${ada.session.sessionId}` };
        const change = { method: 'PUT', path: '/profile/email', fields: { token: secret }, headers } as const;
        assert.equal((await service.send(change)).status, 403);
      }
    }
  });
});
