// Passkeys that a real Chromium creates and uses, with its virtual authenticators.
import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import type { Browser as Chromium, BrowserContext, CDPSession, Page } from 'playwright-core';
import { openBrowser } from '../../../../test/support/chromium.ts';
import { freePort } from '../../../../test/support/free-port.ts';
import { freshEmail } from '../../../../test/support/person.ts';
import { testService, type TestService } from '../../../../test/support/service.ts';

/** Kinds of authenticator (W3C WebDriver extension of WebAuthn Level 3 §11.2). */
const authenticators = {
  internal: {
    transport: 'internal',
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
  },
  'cross-platform': {
    transport: 'usb',
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
  },
  'without user verification': {
    transport: 'usb',
    hasResidentKey: false,
    hasUserVerification: false,
    isUserVerified: false,
  },
} as const;
type Authenticator = keyof typeof authenticators;

describe('passkeys in Chromium', () => {
  let service: TestService;
  let origin: string;
  let chromium: Chromium | undefined;
  let whyNone = '';

  before(async () => {
    const port = await freePort();
    service = await testService('sqlite', { PORT: String(port) });
    await service.app.listen({ host: '127.0.0.1', port });
    origin = `http://localhost:${port}`;
    chromium = await openBrowser().catch((error: unknown) => {
      whyNone = `no browser runs here: ${String(error)}`;
      return undefined;
    });
  });
  after(async () => {
    await chromium?.close();
    await service.close();
  });

  /** A user at a browser with an authenticator. */
  class Desk {
    readonly context: BrowserContext;
    readonly page: Page;
    readonly cdp: CDPSession;
    readonly authenticatorId: string;

    constructor(context: BrowserContext, page: Page, cdp: CDPSession, authenticatorId: string) {
      this.context = context;
      this.page = page;
      this.cdp = cdp;
      this.authenticatorId = authenticatorId;
    }

    async call(
      method: string,
      path: string,
      fields: Record<string, string> = {},
    ): Promise<{ status: number; body: Record<string, unknown> }> {
      const reply = await this.context.request.fetch(`${origin}${path}`, { method, form: fields });
      return { status: reply.status(), body: (await reply.json()) as Record<string, unknown> };
    }

    async options(path: string, fields: Record<string, string> = {}): Promise<unknown> {
      const { status, body } = await this.call('POST', path, fields);
      assert.equal(status, 200, JSON.stringify(body));
      return body['public_key'];
    }

    create(options: unknown): Promise<string> {
      return this.page.evaluate(`(async (json) => {
        const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(json);
        return JSON.stringify(await navigator.credentials.create({ publicKey }));
      })(${JSON.stringify(options)})`);
    }

    get(options: unknown, mediation = 'optional'): Promise<string> {
      return this.page.evaluate(`(async (json, mediation) => {
        const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(json);
        return JSON.stringify(await navigator.credentials.get({ publicKey, mediation }));
      })(${JSON.stringify(options)}, '${mediation}')`);
    }

    async signIn(mediation?: 'conditional'): Promise<number> {
      const options = await this.options('/sessions/passkey');
      return (await this.call('PUT', '/sessions/passkey', { credential: await this.get(options, mediation) }))
        .status;
    }
  }

  async function sitDown(kind: Authenticator, at = origin): Promise<Desk> {
    assert.ok(chromium !== undefined);
    const context = await chromium.newContext();
    const page = await context.newPage();
    await page.goto(at);
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable', {});
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', automaticPresenceSimulation: true, ...authenticators[kind] },
    });
    return new Desk(context, page, cdp, authenticatorId);
  }

  /** Registers with a password, and adds a passkey. */
  async function enroll(desk: Desk, use = 'sign_in'): Promise<{ email: string; password: string }> {
    const person = { email: freshEmail(), password: 'b4l0u' };
    await desk.call('POST', '/users', person);
    assert.equal((await desk.call('POST', '/sessions', person)).status, 200);
    const credential = await desk.create(await desk.options('/profile/passkeys', { use }));
    const added = await desk.call('PUT', '/profile/passkeys', { credential });
    assert.equal(added.status, 200, JSON.stringify(added.body));
    return person;
  }

  const inBrowser =
    (work: () => Promise<void>) =>
    async (t: TestContext): Promise<void> => {
      if (chromium === undefined) t.skip(whyNone);
      else await work();
    };

  for (const kind of ['internal', 'cross-platform'] as const) {
    test(
      `an authenticator that is ${kind} is enough to sign in`,
      inBrowser(async () => {
        const desk = await sitDown(kind);
        const { email } = await enroll(desk);
        await desk.context.clearCookies();
        assert.equal(await desk.signIn(), 200);
        assert.deepEqual((await desk.call('GET', '/profile')).body, { email });
      }),
    );
  }

  test(
    'one without user verification is a second factor',
    inBrowser(async () => {
      const desk = await sitDown('without user verification');
      const person = await enroll(desk, 'second_factor');
      await desk.context.clearCookies();
      const half = await desk.call('POST', '/sessions', person);
      assert.deepEqual(half.body['factors'], ['passkey']);
      const proof = await desk.get(await desk.options('/sessions/factor/passkey'));
      const full = await desk.call('POST', '/sessions/factor', { factor: 'passkey', proof });
      assert.equal(full.status, 200);
      await assert.rejects(
        async () => desk.create(await desk.options('/profile/passkeys')),
        /NotAllowedError/,
      );
    }),
  );

  test(
    'a user registers without a password',
    inBrowser(async () => {
      const desk = await sitDown('internal');
      const email = freshEmail();
      const credential = await desk.create(await desk.options('/users/passkey', { email }));
      assert.equal((await desk.call('PUT', '/users/passkey', { email, credential })).status, 200);
      assert.equal(await desk.signIn(), 200);
    }),
  );

  test(
    'autofill signs in',
    inBrowser(async () => {
      const desk = await sitDown('internal');
      await enroll(desk);
      await desk.context.clearCookies();
      assert.equal(await desk.signIn('conditional'), 200);
    }),
  );

  test(
    'a device that has a passkey does not create a second one',
    inBrowser(async () => {
      const desk = await sitDown('internal');
      await enroll(desk);
      const options = await desk.options('/profile/passkeys');
      await assert.rejects(() => desk.create(options), /InvalidStateError/);
    }),
  );

  test(
    'the response that a page of another origin gets is rejected',
    inBrowser(async () => {
      const other = await testService('sqlite');
      try {
        const at = new URL(await other.app.listen({ host: '127.0.0.1', port: 0 }));
        at.hostname = 'localhost';
        const desk = await sitDown('internal');
        await enroll(desk);
        await desk.context.clearCookies();
        await desk.page.goto(at.href);
        const credential = await desk.get(await desk.options('/sessions/passkey'));
        assert.equal((await desk.call('PUT', '/sessions/passkey', { credential })).status, 401);
      } finally {
        await other.close();
      }
    }),
  );

  test(
    'a replayed response is rejected',
    inBrowser(async () => {
      const desk = await sitDown('internal');
      await enroll(desk);
      const credential = await desk.get(await desk.options('/sessions/passkey'));
      assert.equal((await desk.call('PUT', '/sessions/passkey', { credential })).status, 200);
      assert.equal((await desk.call('PUT', '/sessions/passkey', { credential })).status, 401);
    }),
  );

  test(
    'a copy with a lower counter is rejected',
    inBrowser(async () => {
      const desk = await sitDown('cross-platform');
      await enroll(desk);
      assert.equal(await desk.signIn(), 200);
      const { authenticatorId } = desk;
      const { credentials } = await desk.cdp.send('WebAuthn.getCredentials', { authenticatorId });
      const [original] = credentials;
      assert.ok(original !== undefined && original.signCount > 0);
      assert.equal(await desk.signIn(), 200);
      await desk.cdp.send('WebAuthn.clearCredentials', { authenticatorId });
      await desk.cdp.send('WebAuthn.addCredential', { authenticatorId, credential: original });
      assert.equal(await desk.signIn(), 401);
    }),
  );
});
