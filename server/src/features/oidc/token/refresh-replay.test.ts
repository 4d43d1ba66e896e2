// A refresh token that is presented again (A35): the same successor within the grace, the end of the family after it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { memberOf, type Reply } from '../../../../test/support/request.ts';
import { listMails } from '../../../mail/store.ts';
import { oidcPaths } from '../engine/paths.ts';
import { assertRefused, Program, TestKey, tokensIn, type IssuedTokens } from '../test/program.ts';
import { ProviderSite, type Person } from '../test/site.ts';

const lifetimes = {
  accessTokenSeconds: 600,
  idTokenSeconds: 600,
  refreshIdleDays: 30,
  refreshMaxDays: 180,
  refreshGraceSeconds: 30,
};

onEachEngine('a refresh token that is presented again', (engine) => {
  let site: ProviderSite;
  let person: Person;
  before(async () => {
    site = await ProviderSite.open(engine, { SMTP_URL: 'smtp://127.0.0.1:9', MAIL_FROM: 'a@example.org' });
    person = await site.person();
  });
  after(() => site.close());

  /** A family whose first refresh token was used. */
  async function family(given: Partial<typeof lifetimes> = {}): Promise<{
    readonly program: Program;
    readonly first: IssuedTokens;
    readonly second: IssuedTokens;
  }> {
    const program = new Program(
      site,
      await site.application({ name: 'Plans', lifetimes: { ...lifetimes, ...given } }),
    );
    const first = await program.tokensOf(person);
    return { program, first, second: tokensIn(await program.refresh(first.refresh)) };
  }

  async function assertAlive(program: Program, ...tokens: readonly IssuedTokens[]): Promise<void> {
    for (const { access } of tokens) assert.equal((await program.userinfo(access)).status, 200);
  }

  async function assertEnded(program: Program, ...tokens: readonly IssuedTokens[]): Promise<void> {
    for (const { access, refresh } of tokens) {
      assert.equal((await program.userinfo(access)).status, 401);
      assert.equal(await program.isActive(access), false);
      assertRefused(await program.refresh(refresh), 'invalid_grant');
    }
  }

  async function reusesOf({ application }: Program): Promise<number> {
    const rows = await site.db.query((sql) =>
      sql
        .selectFrom('audit_events')
        .select('facts')
        .where('target_id', '=', application.id)
        .where('reason', '=', 'application_token_reused'),
    );
    for (const { facts } of rows) assert.match(String(facts), /refresh_token/);
    return rows.length;
  }

  const secondsOf = (reply: Reply): number => Number(memberOf(reply.body, 'refresh_token_expires_in'));

  test('brings the same successor within the grace, with another access token', async () => {
    const { program, first, second } = await family();
    for (const scope of [undefined, 'openid']) {
      const reply = await program.refresh(first.refresh, scope === undefined ? {} : { fields: { scope } });
      const again = tokensIn(reply);
      assert.equal(again.refresh, second.refresh);
      assert.notEqual(again.access, second.access);
      const idle = 7 * 86_400; // of the session
      assert.ok(secondsOf(reply) > idle - 60 && secondsOf(reply) <= idle, reply.text);
      await assertAlive(program, first, second, again);
    }
    const third = tokensIn(await program.refresh(second.refresh));
    assert.notEqual(third.refresh, second.refresh);
    await assertAlive(program, third);
    assert.equal(await reusesOf(program), 0);
  });

  test('is not active at introspection, also within the grace', async () => {
    const { program, first, second } = await family();
    assert.equal(await program.isActive(first.refresh), false);
    assert.equal(await program.isActive(second.refresh), true);
  });

  test('is refused to another client, and ends nothing', async () => {
    const { program, first, second } = await family();
    const other = new Program(site, await site.application());
    for (const { refresh } of [first, second]) assertRefused(await other.refresh(refresh), 'invalid_grant');
    site.service.clock.advance(31_000);
    assertRefused(await other.refresh(first.refresh), 'invalid_grant');
    await assertAlive(program, first, second);
    assert.equal(await reusesOf(program), 0);
  });

  test('is refused without the key to which it is bound, and ends nothing', async () => {
    const app = await site.application({ kind: 'browser', authMethod: 'none', lifetimes });
    const program = new Program(site, app);
    const [key, foreign] = [await TestKey.create(), await TestKey.create()];
    const url = `${site.origin}${oidcPaths.token}`;
    const bound = async (signer: TestKey): Promise<{ headers: { dpop: string } }> => ({
      headers: { dpop: await signer.proof(url) },
    });
    const first = tokensIn(await program.redeem(await program.codeOf(person), await bound(key)));
    const second = tokensIn(await program.refresh(first.refresh, await bound(key)));
    assertRefused(await program.refresh(first.refresh), 'invalid_grant');
    assertRefused(await program.refresh(first.refresh, await bound(foreign)), 'invalid_grant');
    const again = tokensIn(await program.refresh(first.refresh, await bound(key)));
    assert.equal(again.refresh, second.refresh);
    site.service.clock.advance(31_000);
    assertRefused(await program.refresh(first.refresh, await bound(foreign)), 'invalid_grant');
    tokensIn(await program.refresh(second.refresh, await bound(key)));
    assert.equal(await reusesOf(program), 0);
    assertRefused(await program.refresh(first.refresh, await bound(key)), 'invalid_grant');
    assertRefused(await program.refresh(second.refresh, await bound(key)), 'invalid_grant');
    assert.equal(await reusesOf(program), 1);
  });

  test('A35 reuse: ends the family after the grace, which is recorded and mailed', async () => {
    const { program, first, second } = await family();
    const earlier = await listMails(site.db, 100);
    site.service.clock.advance(20_000);
    assert.equal(tokensIn(await program.refresh(first.refresh)).refresh, second.refresh);
    site.service.clock.advance(10_100);
    assertRefused(await program.refresh(first.refresh), 'invalid_grant');
    await assertEnded(program, first, second);
    assert.equal(await reusesOf(program), 1);
    const mails = (await listMails(site.db, 100)).filter(({ id }) => !earlier.some((one) => one.id === id));
    assert.deepEqual(
      mails.map(({ kind, recipient }) => [kind, recipient]),
      [['application_token_reused', person.email]],
    );
    await assertAlive(program, await program.tokensOf(person));
  });

  test('ends the family within the grace too, once its successor was used', async () => {
    const { program, first, second } = await family();
    const third = tokensIn(await program.refresh(second.refresh));
    assertRefused(await program.refresh(first.refresh), 'invalid_grant');
    await assertEnded(program, first, second, third);
    assert.equal(await reusesOf(program), 1);
  });

  test('ends the family if the client has no grace', async () => {
    const { program, first, second } = await family({ refreshGraceSeconds: 0 });
    assertRefused(await program.refresh(first.refresh), 'invalid_grant');
    await assertEnded(program, first, second);
    assert.equal(await reusesOf(program), 1);
  });

  test('is answered 20 times, and then refused while its successor lives', async () => {
    const { program, first, second } = await family();
    for (let n = 0; n < 20; n += 1)
      assert.equal(tokensIn(await program.refresh(first.refresh)).refresh, second.refresh);
    assertRefused(await program.refresh(first.refresh), 'invalid_grant');
    await assertAlive(program, second, tokensIn(await program.refresh(second.refresh)));
  });

  test('brings no scope that it did not have', async () => {
    const { program, first, second } = await family();
    for (const scope of ['openid email profile offline_access', 'openid read'])
      assertRefused(await program.refresh(first.refresh, { fields: { scope } }), 'invalid_scope');
    assert.equal(tokensIn(await program.refresh(first.refresh)).refresh, second.refresh);
  });

  test('is not accepted for longer because the clock was set back', async () => {
    const { program, first, second } = await family();
    site.service.clock.advance(-10_000);
    assert.equal(tokensIn(await program.refresh(first.refresh)).refresh, second.refresh);
    site.service.clock.advance(-3_600_000);
    assertRefused(await program.refresh(first.refresh), 'invalid_grant');
    site.service.clock.advance(3_610_000);
    await assertEnded(program, first, second);
  });

  test('and its successors end at the maximum age of the family', async () => {
    const program = new Program(
      site,
      await site.application({ lifetimes: { ...lifetimes, refreshMaxDays: 1 } }),
    );
    const issued = await program.redeem(await program.codeOf(person));
    const refreshed = await program.refresh(tokensIn(issued).refresh);
    for (const reply of [issued, refreshed])
      assert.ok(secondsOf(reply) <= 86_400 && secondsOf(reply) > 86_300, reply.text);
  });

  test('after its grant was revoked is refused, and nothing is recorded', async () => {
    const { program, first, second } = await family();
    assert.equal((await program.post(oidcPaths.revocation, { token: first.refresh })).status, 200);
    await assertEnded(program, first, second);
    assert.equal(await reusesOf(program), 0);
  });
});
