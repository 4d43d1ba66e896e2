// An attacker registers a victim's address before its owner does (Sudhodanan and Paverd, USENIX Security 2022).
// Everything that the attacker has or left is revoked once the owner has confirmed the address.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { minuteMs } from '../../src/kit/clock.ts';
import { programSource } from '../../src/audit/event.ts';
import { Auth } from '../../src/library/auth.ts';
import { DB } from '../../src/library/db.ts';
import { onEachEngine } from '../support/engines.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService } from '../support/public-service.ts';

const attackers = 'eight herons on a yellow bicycle';
const owners = 'nine newts under a green umbrella';

onEachEngine('an account that an attacker registered first', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine);
  });
  after(() => service.close());

  const register = async (email: string, password: string): Promise<void> => {
    service.service.clock.advance(2 * minuteMs);
    assert.equal((await service.post('/users', { email, password })).status, 200);
  };
  const confirm = async (email: string, token: string, password?: string): Promise<number> =>
    (await service.put('/email_verification', { email, token, ...(password !== undefined && { password }) }))
      .status;
  const login = async (email: string, password: string): Promise<number> =>
    (await service.logIn(email, password)).status;

  /** Registers, if it is the first time, and logs in from before confirmation was required, as in local mode. */
  const earlierLogin = async (
    email: string,
    known?: string,
  ): Promise<{ token: string; deviceToken: string }> => {
    const { core, clock } = service.service;
    const earlier = new Auth({
      db: new DB(core.database, clock.now),
      hasher: core.hasher,
      clock: clock.now,
      knownDeviceDays: 180,
    });
    if (known === undefined) await earlier.registerUser(email, attackers);
    const source = { ...programSource, ...(known !== undefined && { deviceToken: known }) };
    const { token, deviceToken = known } = (await earlier.logIn(email, attackers, source)) ?? {};
    assert.ok(token !== undefined && deviceToken !== undefined);
    return { token, deviceToken };
  };

  test('A57 pre-hijack: no session exists before the address is confirmed', async () => {
    const email = freshEmail();
    await register(email, attackers);
    const reply = await service.logIn(email, attackers);
    assert.deepEqual([reply.status, reply.cookies], [401, []]);
    assert.equal(await service.service.core.auth.createSession(email), undefined);
  });

  test("A57 pre-hijack: the owner's confirmation revokes the attacker's password and tokens", async () => {
    const email = freshEmail();
    await register(email, attackers);
    const early = await service.tokenFor(email);
    const earlyReset = await service.resetToken(email);
    await register(email, owners);
    assert.equal(await confirm(email, await service.tokenFor(email)), 403, 'without the password');
    assert.equal(await confirm(email, await service.tokenFor(email), owners), 200);
    assert.equal(await confirm(email, early, attackers), 403, "the token of the attacker's registration");
    assert.equal((await service.reset(email, earlyReset, attackers)).status, 403);
    assert.deepEqual([await login(email, attackers), await login(email, owners)], [401, 200]);
  });

  test("A57 pre-hijack: a reset replaces the attacker's password and confirms the address", async () => {
    const email = freshEmail();
    await register(email, attackers);
    const verification = await service.tokenFor(email);
    assert.equal((await service.reset(email, await service.resetToken(email), owners)).status, 200);
    assert.deepEqual([await login(email, attackers), await login(email, owners)], [401, 200]);
    assert.equal(await confirm(email, verification), 403, 'no earlier token confirms it');
  });

  test('A57 pre-hijack: a session from before confirmation was required ends once the owner confirms', async () => {
    const email = freshEmail();
    const old = await earlierLogin(email);
    assert.equal(await service.profile(old.token), 200);
    service.service.clock.advance(2 * minuteMs);
    await service.post('/email_verification', { email });
    const fields = { email, token: await service.tokenFor(email), new_password: owners };
    assert.equal((await service.put('/email_verification', fields)).status, 200);
    assert.equal(await service.profile(old.token), 403);
    assert.deepEqual([await login(email, attackers), await login(email, owners)], [401, 200]);
    for (let i = 0; i < 5; i += 1) await service.logIn(email, 'x');
    assert.equal(
      (await service.logIn(email, 'x', old.deviceToken)).status,
      429,
      "the attacker's device is not known to the account",
    );
  });

  test('A57 pre-hijack: registering a confirmed address again does not change the account', async () => {
    const { email, password, sessionId } = await service.member();
    await register(email, attackers);
    await service.deliver();
    assert.equal(service.mails.at(-1)?.to, email);
    assert.match(service.mails.at(-1)?.text ?? '', /already have one/);
    assert.doesNotMatch(service.mails.at(-1)?.text ?? '', /token/);
    assert.deepEqual([await login(email, attackers), await login(email, password)], [401, 200]);
    assert.equal(await service.profile(sessionId), 200);
  });

  test("A58 trojan identifier: the owner's reset revokes the attacker's sessions, devices and tokens", async () => {
    const email = freshEmail();
    const { token: old, deviceToken } = await earlierLogin(email);
    const { token: more } = await earlierLogin(email, deviceToken);
    assert.deepEqual([await service.profile(old), await service.profile(more)], [200, 200]);
    const first = await service.resetToken(email);
    service.service.clock.advance(2 * minuteMs);
    const second = await service.resetToken(email);
    assert.equal((await service.reset(email, second, owners)).status, 200);
    assert.equal((await service.reset(email, first, attackers)).status, 403);

    assert.deepEqual([await service.profile(old), await service.profile(more)], [403, 403]);
    assert.equal((await service.logIn(email, attackers, deviceToken)).status, 401);
    for (let i = 0; i < 5; i += 1) await service.logIn(email, 'x');
    assert.equal(
      (await service.logIn(email, 'x', deviceToken)).status,
      429,
      "the attacker's device is not known to the account",
    );
    const { database } = service.service.core;
    const id = await service.idOf(email);
    const devices = await database.query((sql) =>
      sql.selectFrom('known_devices').select('id').where('user_id', '=', id),
    );
    const pending = await database.query((sql) =>
      sql
        .selectFrom('one_time_tokens')
        .select('kind')
        .where('user_id', '=', id)
        .where('spent_at', 'is', null),
    );
    assert.deepEqual([devices, pending], [[], []]);
  });
});
