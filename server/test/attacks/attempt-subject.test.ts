// Counters of attempts while an address gains or loses an account: no waiting time begins or ends with the account,
// which would reveal it, and no counter that exists already makes a registration fail.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { hourMs, minuteMs } from '../../src/kit/clock.ts';
import { DB } from '../../src/library/db.ts';
import { requireEmailAddress } from '../../src/user/email-address.ts';
import { closeUser } from '../../src/user/closed-user-store.ts';
import { subjectOfAddress } from '../../src/identity/attempt/attempts.ts';
import { signIn, Browser } from '../support/browser.ts';
import { onEachEngine } from '../support/engines.ts';
import { without } from '../support/feature.ts';
import { anyHash } from '../support/hashing.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService } from '../support/public-service.ts';
import type { Reply } from '../support/request.ts';

const password = 'nine newts under a green umbrella';
const source = { actor: 'user' } as const;

/** A way by which an address gains or loses an account. */
interface Way {
  /** The source file that changes the table. */
  readonly file: string;
  /** The feature without which the way does not exist. */
  readonly feature?: string;
  readonly prepare: (service: PublicService) => Promise<{
    /** Addresses that have an account before or afterwards. */
    readonly addresses: readonly string[];
    readonly happen: () => Promise<unknown>;
    /** The address whose owner redeems a mail on this way: its codes can be tried again. */
    readonly proved?: string;
  }>;
}

const succeeded = (reply: Reply): void => assert.equal(reply.status, 200, reply.text);

/** A user who has requested another address, and the token that was mailed there. */
async function changing(service: PublicService) {
  const member = await service.member();
  const browser = await signIn(service, member);
  const wished = freshEmail();
  succeeded(await browser.post('/profile/email', { email: wished, password: member.password }));
  return { email: member.email, wished, browser, token: await service.tokenFor(wished) };
}

/** The same after the change, with the token that undoes it. */
async function changed(service: PublicService) {
  const { email, wished, browser, token } = await changing(service);
  succeeded(await browser.put('/profile/email', { token }));
  return { addresses: [email, wished], old: email, token: await service.tokenFor(email) };
}

const account = 'identity/account/account.ts';
const library = 'library/db.ts';
const registration = 'identity/registration/pending-registrations.ts';
const change = 'features/email-change/email-change.ts';

const ways: Readonly<Record<string, Way>> = {
  'a registration': {
    file: account,
    prepare: async (service) => {
      const email = freshEmail();
      const happen = async () => succeeded(await service.post('/users', { email, password }));
      return { addresses: [email], happen };
    },
  },
  'another registration before the confirmation': {
    file: account,
    prepare: async (service) => {
      const { email } = await service.newcomer();
      const happen = async () => succeeded(await service.post('/users', { email, password }));
      return { addresses: [email], happen };
    },
  },
  'a registration without a password': {
    file: account,
    prepare: async ({ service }) => {
      const email = freshEmail();
      const address = requireEmailAddress(email);
      const authenticator = { factor: 'passkey', credential: '{}' };
      const happen = () => service.core.accounts.signUp(address, authenticator, source);
      return { addresses: [email], happen };
    },
  },
  'a removal by the operator': {
    file: account,
    prepare: async (service) => {
      const { id, email } = await service.member();
      return { addresses: [email], happen: () => service.service.core.accounts.remove(id, source) };
    },
  },
  'a user that the library adds': {
    file: library,
    prepare: async ({ service }) => {
      const email = freshEmail();
      return { addresses: [email], happen: () => new DB(service.core.database).addUser(email, anyHash) };
    },
  },
  'a user that the library adds after an unconfirmed account': {
    file: library,
    prepare: async (service) => {
      const { email } = await service.newcomer();
      const { database } = service.service.core;
      return { addresses: [email], happen: () => new DB(database).addUser(email, anyHash) };
    },
  },
  'the removal of an expired account': {
    file: registration,
    prepare: async (service) => {
      const { id, email } = await service.newcomer();
      const { database, registrations } = service.service.core;
      const happen = async () => {
        await database.execute(`update users set provisional_until = 1 where id = ${id}`);
        assert.equal(await registrations.purge(100), 1);
      };
      return { addresses: [email], happen };
    },
  },
  'an address that the library changes': {
    file: library,
    prepare: async (service) => {
      const { id, email } = await service.member();
      const other = freshEmail();
      const db = new DB(service.service.core.database);
      return { addresses: [email, other], happen: () => db.updateUser(id, { email: other }) };
    },
  },
  'a change of address': {
    file: change,
    feature: 'email-change',
    prepare: async (service) => {
      const { email, wished, browser, token } = await changing(service);
      const happen = async () => succeeded(await browser.put('/profile/email', { token }));
      return { addresses: [email, wished], happen, proved: wished };
    },
  },
  'a change of address to that of an unconfirmed account': {
    file: change,
    feature: 'email-change',
    prepare: async (service) => {
      const { email, wished, browser, token } = await changing(service);
      succeeded(await service.post('/users', { email: wished, password }));
      const happen = async () => succeeded(await browser.put('/profile/email', { token }));
      return { addresses: [email, wished], happen, proved: wished };
    },
  },
  'the undo of a change of address': {
    file: change,
    feature: 'email-change',
    prepare: async (service) => {
      const { addresses, old, token } = await changed(service);
      const happen = async () => succeeded(await service.put('/profile/email/undo', { token }));
      return { addresses, happen, proved: old };
    },
  },
  'the undo of a change whose old address was registered since': {
    file: change,
    feature: 'email-change',
    prepare: async (service) => {
      const { addresses, old, token } = await changed(service);
      succeeded(await service.post('/users', { email: old, password }));
      const happen = async () => succeeded(await service.put('/profile/email/undo', { token }));
      return { addresses, happen, proved: old };
    },
  },
  'the removal of a closed account': {
    file: 'features/account-deletion/deletion.ts',
    feature: 'account-deletion',
    prepare: async (service) => {
      const { id, email } = await service.member();
      const { core, clock } = service.service;
      await closeUser(core.database, { id, now: clock.now(), deleteAt: clock.now() });
      const closedAccounts = core.plugged.purges.find(({ name }) => name === 'closed accounts');
      const happen = async () => assert.ok((await closedAccounts?.purge(100)) ?? 0);
      return { addresses: [email], happen };
    },
  },
};

const sources = join(import.meta.dirname, '../../src');

test('A13 enumeration by limits: every source that adds, moves or removes an account has a way in this test', () => {
  /** Steps of the ways: who imports them is listed instead. */
  const steps = new Set(['identity/removal.ts', 'library/ending.ts']);
  const changesUsers =
    /import \{[^}]*\b(?:addUser|addOrLockUser|updateUser|remove\w*Users?)\b[^}]*\} from '[^']*user\/(?:[\w-]+-)?store\.ts'|import \{[^}]*\b(?:removeAccount|releaseAddress)\b[^}]*\} from/;
  const files = globSync('**/*.ts', { cwd: sources, exclude: ['**/*.test.ts', '**/test/**'] });
  const found = files.filter((file) => changesUsers.test(readFileSync(join(sources, file), 'utf8')));
  const tested = new Set(Object.values(ways).map(({ file }) => file));
  assert.ok(found.length > 1);
  assert.deepEqual(
    found.filter((file) => !tested.has(file) && !steps.has(file)),
    [],
  );
});

onEachEngine('attempts on an address that gains or loses an account', (engine) => {
  let service: PublicService;
  let stranger: Browser;
  before(async () => {
    service = await PublicService.start(engine);
    stranger = new Browser(service);
    await stranger.post('/reset_password', { email: freshEmail() }); // for the cookie with which codes are tried
  });
  after(() => service.close());

  const database = () => service.service.core.database;

  /** As after wrong passwords, codes and factors, under every name that a counter of these accounts may have. */
  async function countAttempts(addresses: readonly string[]): Promise<void> {
    const nextAt = service.service.clock.now() + hourMs;
    const users = await database().query((sql) => sql.selectFrom('users').select('id'));
    const newest = Math.max(0, ...users.map(({ id }) => id));
    const names = [
      ...addresses.map((email) => subjectOfAddress(email)),
      ...users.map(({ id }) => `user:${id}`),
      ...[1, 2, 3].map((more) => `user:${newest + more}`),
    ];
    const factors = ['password', 'email_code', 'totp', 'recovery_code', 'passkey'];
    const values = names.flatMap((subject) =>
      factors.map((factor) => ({ subject, factor, failures: 7, last_at: 0, next_at: nextAt })),
    );
    await database().execute('delete from attempts');
    await database().query((sql) => sql.insertInto('attempts').values(values));
  }

  /** What a stranger sees of the counters of an address: how long each factor waits. */
  async function waitsAt(email: string): Promise<{ password: unknown; code: unknown }> {
    const shown = ({ status, headers }: Reply): unknown => [status, headers['retry-after']];
    const code = { email, reset_token: '2222-2222', new_password: password };
    return {
      password: shown(await service.logIn(email, 'a wrong password of a stranger')),
      code: shown(await stranger.put('/reset_password', code)),
    };
  }

  const wait = [429, '3600'];

  for (const [title, { feature, prepare }] of Object.entries(ways)) {
    const skip = feature !== undefined && without(feature);
    test(
      `A13 enumeration by limits: ${title} succeeds with any counters, and ends no wait`,
      { skip },
      async () => {
        const { addresses, happen, proved } = await prepare(service);
        await countAttempts(addresses);
        for (const email of addresses)
          assert.deepEqual(await waitsAt(email), { password: wait, code: wait }, `${email} before`);
        await happen();
        for (const email of addresses)
          assert.deepEqual(
            await waitsAt(email),
            { password: wait, code: email === proved ? [403, undefined] : wait },
            `${email} afterwards`,
          );
        service.service.clock.advance(2 * minuteMs);
      },
    );

    test(
      `A13 enumeration by limits: ${title} begins no wait at an address without failures`,
      { skip },
      async () => {
        for (const i of (await prepare(service)).addresses.keys()) {
          const { addresses, happen } = await prepare(service);
          const [free = ''] = addresses.slice(i);
          await countAttempts(addresses.filter((other) => other !== free));
          await happen();
          assert.deepEqual(await waitsAt(free), { password: [401, undefined], code: [403, undefined] }, free);
          service.service.clock.advance(2 * minuteMs);
        }
      },
    );
  }

  test('A13 enumeration by limits: sixty tries during a registration are one count, and the address can be registered again', async () => {
    for (let round = 0; round < 3; round += 1) {
      const email = freshEmail();
      const tries = Array.from({ length: 60 }, (_, i) => service.logIn(email, `guess ${i} of a stranger`));
      const [registered, ...tried] = await Promise.all([
        service.post('/users', { email, password }),
        ...tries,
      ]);
      succeeded(registered);
      assert.equal(tried.filter(({ status }) => status === 401).length, 5);
      assert.equal((await service.logIn(email, password)).status, 429);
      succeeded(await service.post('/users', { email, password }));
      assert.equal((await service.logIn(email, password)).status, 429);
    }
  });
});
