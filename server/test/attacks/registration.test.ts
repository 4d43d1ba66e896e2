// A stranger and the owner of a mailbox register the same address. What is confirmed and what it opens belong together:
// the confirmation keeps the registration of its own browser, or of the given password, and ends all others.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dayMs, minuteMs } from '../../src/kit/clock.ts';
import { requireEmailAddress } from '../../src/user/email-address.ts';
import { Browser } from '../support/browser.ts';
import { onEachEngine } from '../support/engines.ts';
import { codeIn } from '../support/mail-box.ts';
import { asPage, formIn } from '../support/page-form.ts';
import { freshEmail } from '../support/person.ts';
import { PublicService } from '../support/public-service.ts';
import { assertProblem, memberOf, type Fields, type Reply } from '../support/request.ts';

const strangers = 'eight herons on a yellow bicycle';
const owners = 'nine newts under a green umbrella';
const third = 'ten toads above a violet tricycle';

onEachEngine('an address that a stranger registers as well', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine);
  });
  after(() => service.close());

  const wait = (ms: number): void => service.service.clock.advance(ms);
  const register = async (at: Browser, email: string, password: string): Promise<void> => {
    assert.equal((await at.post('/users', { email, password })).status, 200);
  };
  const confirm = async (at: Browser, email: string, fields: Fields = {}): Promise<Reply> =>
    at.put('/email_verification', { email, token: await service.tokenFor(email), ...fields });
  const login = async (email: string, password: string): Promise<number> =>
    (await service.logIn(email, password)).status;
  const logins = async (email: string): Promise<number[]> => [
    await login(email, strangers),
    await login(email, owners),
  ];
  const pending = async (email: string): Promise<number> => {
    const { database } = service.service.core;
    const id = await service.idOf(email);
    const rows = await database.query((sql) =>
      sql.selectFrom('pending_registrations').select('id').where('user_id', '=', id),
    );
    return rows.length;
  };

  const orders: Readonly<Record<string, (email: string, own: Browser) => Promise<void>>> = {
    'after the owner': async (email, own) => {
      await register(own, email, owners);
      await register(new Browser(service), email, strangers);
    },
    'before the owner': async (email, own) => {
      await register(new Browser(service), email, strangers);
      await register(own, email, owners);
    },
    'in the same moment': async (email, own) => {
      await Promise.all([
        register(own, email, owners),
        register(new Browser(service), email, strangers),
        register(new Browser(service), email, third),
      ]);
    },
    'again and again': async (email, own) => {
      await register(new Browser(service), email, strangers);
      await register(own, email, owners);
      for (let i = 0; i < 30; i += 1) await register(new Browser(service), email, `${strangers} ${i}`);
    },
  };

  for (const [order, prepare] of Object.entries(orders)) {
    test(`${order}: the newest link opens the owner's registration in the owner's browser`, async () => {
      const email = freshEmail();
      const own = new Browser(service);
      await prepare(email, own);
      const reply = await confirm(own, email);
      assert.deepEqual([reply.status, reply.body], [200, { email, message: 'email confirmed' }]);
      assert.deepEqual(await logins(email), [401, 200]);
      assert.equal(await pending(email), 0);
    });

    test(`${order}: the link asks another browser for the password, and opens the registration that it matches`, async () => {
      const email = freshEmail();
      await prepare(email, new Browser(service));
      const phone = new Browser(service);
      assertProblem(await confirm(phone, email), 403, 'password_required');
      assertProblem(
        await confirm(phone, email, { password: 'a password of neither' }),
        403,
        'password_wrong',
      );
      assert.deepEqual(await logins(email), [401, 401], 'nothing is confirmed');
      assert.equal((await confirm(phone, email, { password: owners })).status, 200);
      assert.deepEqual(await logins(email), [401, 200]);
      assert.equal(await pending(email), 0);
    });

    test(`${order}: the owner of the mailbox who knows no password sets a new one`, async () => {
      const email = freshEmail();
      await prepare(email, new Browser(service));
      const phone = new Browser(service);
      assertProblem(await confirm(phone, email, { new_password: 'short' }), 400, 'invalid_request', [
        'new_password',
      ]);
      assert.equal((await confirm(phone, email, { new_password: third })).status, 200);
      assert.deepEqual([...(await logins(email)), await login(email, third)], [401, 401, 200]);
      assert.equal(await pending(email), 0);
    });
  }

  test('the newer registration of one browser replaces the older one', async () => {
    const email = freshEmail();
    const own = new Browser(service);
    await register(own, email, strangers);
    await register(own, email, owners);
    assert.equal(await pending(email), 1);
    assertProblem(await confirm(new Browser(service), email, { password: strangers }), 403, 'password_wrong');
    assert.equal((await confirm(own, email)).status, 200);
    assert.deepEqual(await logins(email), [401, 200]);
  });

  test('a code that is typed where it was requested asks for the password too', async () => {
    const email = freshEmail();
    await register(new Browser(service), email, strangers);
    const own = new Browser(service);
    await register(new Browser(service), email, owners);
    wait(2 * minuteMs);
    await own.post('/email_verification', { email });
    await service.deliver();
    const token = codeIn(service.mails.findLast(({ to }) => to === email)?.text ?? '') ?? '';
    const redeem = (fields: Fields): Promise<Reply> =>
      own.put('/email_verification', { email, token, ...fields });
    assertProblem(await redeem({}), 403, 'password_required');
    assert.equal((await redeem({ password: owners })).status, 200);
    assert.deepEqual(await logins(email), [401, 200]);
  });

  test('of concurrent confirmations one succeeds, and only what it opens stands', async () => {
    const email = freshEmail();
    const [own, other] = [new Browser(service), new Browser(service)];
    await register(own, email, owners);
    await register(other, email, strangers);
    const token = await service.tokenFor(email);
    const replies = await Promise.all([
      own.put('/email_verification', { email, token }),
      other.put('/email_verification', { email, token }),
      new Browser(service).put('/email_verification', { email, token, password: owners }),
      new Browser(service).put('/email_verification', { email, token, new_password: third }),
    ]);
    const statuses = replies.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, 1, statuses.join());
    const opened = [...(await logins(email)), await login(email, third)];
    assert.equal(opened.filter((status) => status === 200).length, 1, opened.join());
    const winner = statuses.indexOf(200);
    assert.equal(opened[[1, 0, 1, 2][winner] ?? -1], 200);
  });

  test('a hundred wrong passwords end the attempts, which logins of strangers do not use up', async () => {
    const email = freshEmail();
    await register(new Browser(service), email, owners);
    for (let i = 0; i < 8; i += 1) await service.logIn(email, strangers);
    assert.equal(await login(email, owners), 429);
    const phone = new Browser(service);
    const guess = async (): Promise<number> => (await confirm(phone, email, { password: strangers })).status;
    for (let i = 0; i < 5; i += 1) assert.equal(await guess(), 403);
    assert.equal(await guess(), 429);
    wait(20 * minuteMs);
    assert.equal(await guess(), 403);
    const { database } = service.service.core;
    await database.query((sql) =>
      sql.updateTable('attempts').set({ failures: 99 }).where('factor', '=', 'registration'),
    );
    wait(20 * minuteMs);
    assert.equal(await guess(), 403);
    wait(dayMs / 2);
    assertProblem(await confirm(phone, email, { password: owners }), 429, 'too_many_attempts');
    assert.equal((await confirm(phone, email, { new_password: owners })).status, 200);
  });

  test('a hundred newer registrations remove the oldest, whose owner sets a new password', async () => {
    const email = freshEmail();
    const own = new Browser(service);
    await register(own, email, owners);
    const { accounts } = service.service.core.auth.identity;
    const authenticator = { factor: 'passkey', credential: '{}' };
    for (let i = 0; i < 100; i += 1)
      await accounts
        .signUp(requireEmailAddress(email), authenticator, { actor: 'anonymous' })
        .catch(() => {});
    assert.equal(await pending(email), 100);
    assertProblem(await confirm(own, email), 403, 'same_browser_required');
    assert.equal((await confirm(own, email, { new_password: owners })).status, 200);
    assert.deepEqual(await logins(email), [401, 200]);
  });

  test('a password that was hashed with other settings is found too', async () => {
    const email = freshEmail();
    await register(new Browser(service), email, strangers);
    await register(new Browser(service), email, owners);
    const { core } = service.service;
    const [id, hashed] = [await service.idOf(email), await core.hasher.hash(owners)];
    await core.database.query((sql) =>
      sql
        .updateTable('pending_registrations')
        .set({ hashed_password: hashed })
        .where('user_id', '=', id)
        .where('hashed_password', 'is not', null)
        .where('id', 'in', (from) =>
          from
            .selectFrom('pending_registrations')
            .select('id')
            .where('user_id', '=', id)
            .orderBy('id', 'desc')
            .limit(1),
        ),
    );
    assert.equal((await confirm(new Browser(service), email, { password: owners })).status, 200);
    assert.deepEqual(await logins(email), [401, 200]);
  });

  test('has the spelling of the newest registration, and after the confirmation that of the owner', async () => {
    const email = freshEmail();
    const odd = email.replace('person', 'pErSoN');
    const own = new Browser(service);
    const shown = async (): Promise<unknown> => {
      await own.post('/sessions', { email, password: owners });
      return memberOf((await own.get('/profile')).body, 'email');
    };
    await register(new Browser(service), odd, strangers);
    await register(own, email, owners);
    wait(10 * minuteMs); // longer than the pauses between mails
    const token = await service.tokenFor(email); // the mail has the spelling of the owner
    await register(new Browser(service), odd, third);
    wait(10 * minuteMs);
    const last = await service.tokenFor(odd);
    const replies = [];
    for (const one of [token, last])
      replies.push((await own.put('/email_verification', { email, token: one })).status);
    assert.ok(replies.includes(200));
    assert.equal(await shown(), email);
  });

  test('keeps the password that the operator gave the account, unless the owner of the mailbox confirms another', async () => {
    const { auth } = service.service.core;
    const [kept, replaced] = [freshEmail(), freshEmail()];
    for (const email of [kept, replaced]) {
      await auth.registerUser(email, owners, { actor: 'operator' });
      await register(new Browser(service), email, strangers);
      assert.equal(await auth.validLogin(email, owners), true, 'before the confirmation');
    }
    assertProblem(await confirm(new Browser(service), kept), 403, 'password_required');
    assert.equal((await confirm(new Browser(service), kept, { password: owners })).status, 200);
    assert.deepEqual(await logins(kept), [401, 200]);
    assert.equal((await confirm(new Browser(service), replaced, { password: strangers })).status, 200);
    assert.deepEqual(await logins(replaced), [200, 401]);
  });

  for (const [language, words] of [
    ['en', ['I don’t know the password', 'Your email is confirmed']],
    ['fr', ['Je ne connais pas le mot de passe', 'Votre adresse est confirmée']],
  ] as const) {
    const [unknown, done] = words;
    const headers = { ...asPage, 'accept-language': language };
    /** Registers on the page, and opens the link of the mail in another browser. */
    const linkOf = async (email: string): Promise<string> => {
      const fields = { email, password: owners, return_to: '/account/sessions' };
      await new Browser(service).send({ method: 'POST', path: '/sign-up', fields, headers });
      await service.deliver();
      const text = service.mails.findLast(({ to }) => to === email)?.text ?? '';
      const link = new URL(/https:\/\/\S+\/confirm\?\S+/.exec(text)?.[0] ?? '');
      return link.pathname + link.search;
    };
    const submit = (at: Browser, page: Reply, form: number, more: Fields): Promise<Reply> => {
      const { action, fields } = formIn({
        ...page,
        text: page.text
          .split('<form')
          .slice(form)
          .map((part) => `<form${part}`)
          .join(''),
      });
      return at.submit(action, { ...fields, ...more }, headers);
    };

    test(`the page asks another browser for the password, or for a new one (${language})`, async () => {
      for (const [form, right] of [
        [1, { password: owners }],
        [2, { new_password: third }],
      ] as const) {
        const email = freshEmail();
        const at = new Browser(service);
        const first = await submit(at, await at.get(await linkOf(email), headers), 1, {});
        assert.equal(first.status, 403, first.text);
        assert.ok(first.text.includes(unknown), first.text);
        const wrong = await submit(at, first, 1, { password: strangers });
        assert.equal(wrong.status, 403);
        const short = await submit(at, wrong, 2, { new_password: 'short' });
        assert.equal(short.status, 400);
        assert.match(short.text, /<details open/);
        const { status, headers: sent } = await submit(at, short, form, right);
        assert.equal(status, 303);
        const next = String(sent['location']);
        assert.match(next, /return_to=%2Faccount%2Fsessions/);
        assert.ok((await at.get(next, headers)).text.includes(done));
        assert.equal(await login(email, form === 1 ? owners : third), 200);
      }
    });
  }
});
