// Requirements on every second factor, tested for each kit found in the features: when it is requested, that an output
// is accepted once, that wrong ones count, that its secrets are never stored or exported in plain text, and that it is
// removed with the account.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { minuteMs } from '../../src/kit/clock.ts';
import { Browser, signIn } from '../support/browser.ts';
import { everyRowOf, everythingIn } from '../support/contents.ts';
import { onEachEngine } from '../support/engines.ts';
import { lacks } from '../support/feature.ts';
import { factorKits, type EnrolledFactor, type FactorKit } from '../support/kit.ts';
import { PublicService, type Member } from '../support/public-service.ts';
import { memberOf, type Reply } from '../support/request.ts';

const origin = 'https://accounts.test';

interface FactorUser extends Member {
  /** Browser that is signed in, with a recent authentication. */
  readonly browser: Browser;
  readonly enrolled: EnrolledFactor;
}

onEachEngine('each second factor', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  /** Creates a user who has the factor; if it is a backup, also one that it replaces. */
  async function createUser(kit: FactorKit): Promise<FactorUser> {
    const member = await service.member();
    const browser = await signIn(service, member);
    const { clock } = service.service;
    const [first = assert.fail()] = factorKits;
    if (kit.isBackup) await first.enroll(browser, { clock, origin });
    return { ...member, browser, enrolled: await kit.enroll(browser, { clock, origin }) };
  }

  /** Returns a browser with a pending authentication of the user. */
  async function pendingFor({ email, password }: Member): Promise<Browser> {
    const browser = new Browser(service);
    const reply = await browser.post('/sessions', { email, password });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(browser.sessionId, undefined, 'the password alone begins no session');
    return browser;
  }

  const submit = (browser: Browser, factor: string, proof: string): Promise<Reply> =>
    browser.post('/sessions/factor', { factor, proof });

  const statusOfProfile = async (browser: Browser): Promise<number> => (await browser.get('/profile')).status;

  for (const kit of factorKits) {
    const { name } = kit;

    test(`A45 pending: ${name} is requested after the password, and a valid output creates a session`, async () => {
      const user = await createUser(kit);
      const browser = await pendingFor(user);
      assert.equal(await statusOfProfile(browser), 403);
      const reply = await submit(browser, name, await user.enrolled.output(browser, '/sessions/factor'));
      assert.equal(reply.status, 200, reply.text);
      assert.equal(await statusOfProfile(browser), 200);
    });

    test(`A49 replay: an output of ${name} is accepted once, also for a step-up`, async () => {
      const user = await createUser(kit);
      const browser = await pendingFor(user);
      const output = await user.enrolled.output(browser, '/sessions/factor');
      assert.equal((await submit(browser, name, output)).status, 200);
      const another = await pendingFor(user);
      assert.equal((await submit(another, name, output)).status, 401);
      assert.equal(await statusOfProfile(another), 403);
      const stepUp = await browser.post('/sessions/step_up', { factor: name, proof: output });
      assert.equal(stepUp.status, 401, stepUp.text);
    });

    /** The methods of the browser's session, as it tells them. */
    async function methodsIn(browser: Browser): Promise<readonly string[]> {
      const listed = memberOf((await browser.get('/sessions')).body, 'sessions') as readonly {
        readonly current: boolean;
        readonly amr: readonly string[];
      }[]; // the schema of the route
      return listed.find(({ current }) => current)?.amr ?? assert.fail('no session');
    }

    test(`A46 authentication methods: ${name} is multi-factor with a password, and with an email only if it verifies the user`, async (t) => {
      if (lacks(t, 'email-sign-in')) return;
      const user = await createUser(kit);
      const { email } = user;
      const password = await pendingFor(user);
      const mail = new Browser(service);
      service.service.clock.advance(2 * minuteMs); // longer than the pause between two mails of a kind
      assert.equal((await mail.post('/sessions/email', { email })).status, 200);
      const token = await service.tokenFor(email);
      assert.equal((await mail.put('/sessions/email', { email, token })).status, 200);
      const ways = { pwd: password, email: mail };
      for (const [first, browser] of Object.entries(ways)) {
        const reply = await submit(browser, name, await user.enrolled.output(browser, '/sessions/factor'));
        assert.equal(reply.status, 200, reply.text);
        const isMultiFactor = first === 'pwd' || kit.verifiesUser === true;
        const expected = (amr: readonly string[]): void => {
          assert.equal(amr[0], first);
          assert.equal(amr.includes('mfa'), isMultiFactor, amr.join(' '));
        };
        expected(await methodsIn(browser));
        const proof = await user.enrolled.output(browser, '/sessions/step_up');
        assert.equal((await browser.post('/sessions/step_up', { factor: name, proof })).status, 200);
        expected(await methodsIn(browser));
      }
    });

    test(`A18 other entry points: wrong outputs of ${name} are limited in pending authentications and in step-ups`, async () => {
      const user = await createUser(kit);
      const { wrong } = kit;
      // A known device, on which step-ups run, has a limit of its own.
      const pending: number[] = [];
      const stepUps: number[] = [];
      for (let i = 0; i < 6; i += 1) {
        pending.push((await submit(await pendingFor(user), name, wrong)).status);
        const stepUp = await user.browser.post('/sessions/step_up', { factor: name, proof: wrong });
        stepUps.push(stepUp.status);
      }
      const limited = [401, 401, 401, 401, 401, 429];
      assert.deepEqual({ pending, stepUps }, { pending: limited, stepUps: limited });
    });

    test(`A48 enrollment: ${name} is enrolled and removed only with a recent authentication`, async () => {
      const user = await createUser(kit);
      service.service.clock.advance(11 * minuteMs);
      await assert.rejects(
        kit.enroll(user.browser, { clock: service.service.clock, origin }),
        'enrolled without a recent authentication',
      );
      if (user.enrolled.remove === undefined) return;
      assert.equal((await user.enrolled.remove(user.browser)).status, 401);
      const proof = await user.enrolled.output(user.browser, '/sessions/step_up');
      const elevated = await user.browser.post('/sessions/step_up', { factor: name, proof });
      assert.equal(elevated.status, 200, elevated.text);
      assert.equal((await user.enrolled.remove(user.browser)).status, 200);
      const browser = new Browser(service);
      await browser.post('/sessions', { email: user.email, password: user.password });
      assert.equal(await statusOfProfile(browser), 200, 'the password suffices again');
    });

    test(`A55 logs: no secret of ${name} is in the database or in an export`, async (t) => {
      if (lacks(t, 'data-export')) return;
      const { browser, enrolled, id } = await createUser(kit);
      const stored = await everythingIn(service.service.url);
      const exported = await browser.get('/profile/export');
      assert.equal(exported.status, 200, exported.text);
      assert.match(exported.text, new RegExp(`"${name}"`));
      for (const secret of enrolled.secrets) {
        assert.ok(!stored.includes(secret), 'in the database');
        assert.ok(!exported.text.includes(secret), 'in the export');
      }
      const found = new RegExp(`"user_id":${id}[,}]`);
      const rowsOf = async (): Promise<string[]> =>
        Object.entries(await everyRowOf(service.service.core.database))
          .filter(([table]) => table !== 'audit_events')
          .flatMap(([table, rows]) => rows.filter((row) => found.test(row)).map(() => table));
      assert.notDeepEqual(await rowsOf(), []);
      assert.equal(await service.service.core.auth.removeUser(id), true);
      assert.deepEqual(await rowsOf(), [], 'nothing outlives the account');
    });
  }
});
