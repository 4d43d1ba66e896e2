// Changes the address of an account, adds a first factor, and undoes both by mail, also if the account is closed or the
// old address is taken in between.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Browser, signIn } from '../../../test/support/browser.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { addApp } from '../../../test/support/factor.ts';
import { freshEmail } from '../../../test/support/person.ts';
import { formIn } from '../../../test/support/page-form.ts';
import { PublicService, type Member } from '../../../test/support/public-service.ts';
import { assertProblem } from '../../../test/support/request.ts';
import { tracesIn, type Traces } from '../../../test/support/traces.ts';
import { minuteMs } from '../../kit/clock.ts';
import { lacks } from '../../../test/support/feature.ts';

const newPassword = 'nine newts under a green umbrella';

onEachEngine('events and mails of', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  const traces = (
    people: Readonly<Record<string, number>>,
    action: () => Promise<unknown>,
  ): Promise<Traces> => tracesIn(service, people, action);
  const later = (): void => service.service.clock.advance(2 * minuteMs); // longer than the pause between two mails
  const signedIn = (member: Member): Promise<Browser> => signIn(service, member);

  test('a change of address: one request for a free address and one for a taken address', async () => {
    const [ada, eve] = [await service.member(), await service.member()];
    const browser = await signedIn(ada);
    const { password } = ada;
    const people = { ada: ada.id, eve: eve.id };
    const record = ['authn_token_created success email_change_requested ada'];
    const ask = (email: string) => () => browser.post('/profile/email', { email, password });
    const own = await ask(` ${ada.email.toUpperCase()}`)();
    assert.match(own.text, /is already the email address of this account/);
    assert.deepEqual(await traces(people, ask(freshEmail())), {
      record,
      mails: ['email_change to ada for 60'],
    });
    assert.deepEqual(await traces(people, ask(freshEmail())), { record, mails: [] }, 'shortly afterwards');
    later();
    assert.deepEqual(await traces(people, ask(eve.email)), {
      record,
      mails: ['email_change to ada for 60'],
    });
    assert.deepEqual(await traces(people, ask(eve.email)), { record, mails: [] }, 'mailed shortly before');
    await service.deliver();
    const toEve = service.mails.filter(({ to }) => to === eve.email).map(({ subject }) => subject);
    assert.match(toEve.at(-1) ?? '', /You already have an account/);
  });

  test('a requested change, which the pages show until it is confirmed or expires', async () => {
    const ada = await service.member();
    const [browser, elsewhere] = [await signedIn(ada), await signedIn(ada)];
    const shown = async (at: Browser, email: string): Promise<boolean[]> => {
      const account = await at.get('/account', { accept: 'text/html' });
      const page = await at.get('/account/address', { accept: 'text/html' });
      return [
        account.text.includes(email),
        page.text.includes(email),
        page.text.includes('href="/account/address/code"'),
      ];
    };
    const [first, second] = [freshEmail(), freshEmail()];
    assert.deepEqual(await shown(browser, first), [false, false, false]);
    const ask = async (email: string): Promise<void> => {
      const { fields } = formIn(await browser.get('/account/address', { accept: 'text/html' }));
      const { text } = await browser.submit('/account/address', { ...fields, email, password: ada.password });
      assert.match(text, new RegExp(`on its way to ${email}`));
    };
    await ask(first);
    assert.deepEqual(await shown(browser, first), [true, true, true]);
    assert.deepEqual(await shown(elsewhere, first), [true, true, false], 'the code is for the other browser');
    later();
    await ask(second);
    assert.deepEqual(await shown(browser, second), [true, true, true]);
    assert.deepEqual(await shown(browser, first), [false, false, true]);
    service.service.clock.advance(61 * minuteMs);
    assert.deepEqual(await shown(browser, second), [false, false, false]);
    await ask(second);
    await browser.put('/profile/email', { token: await service.tokenFor(second) });
    assert.deepEqual(await shown(browser, second), [true, true, false], 'as the address of the account');
  });

  test('an undo whose old address another account has confirmed: the address stays there', async () => {
    const ada = await service.member();
    const browser = await signedIn(ada);
    const other = freshEmail();
    await browser.post('/profile/email', { email: other, password: ada.password });
    await browser.put('/profile/email', { token: await service.tokenFor(other) });
    const undo = await service.tokenFor(ada.email);
    later();
    await service.post('/users', { email: ada.email, password: newPassword });
    await service.confirm({ email: ada.email, password: newPassword });
    const taken = await traces({ ada: ada.id }, async () =>
      assertProblem(await service.put('/profile/email/undo', { token: undo }), 400, 'email_taken'),
    );
    assert.deepEqual(taken, { record: [], mails: [] });
    assert.equal((await service.logIn(ada.email, newPassword)).status, 200);
    assert.equal((await service.logIn(other, ada.password)).status, 200);
  });

  test('a first factor, whose mail has an undo link, and a further one, whose mail has none', async (t) => {
    if (lacks(t, 'totp')) return;
    const member = await service.member();
    const browser = await signedIn(member);
    const added = async (): Promise<string[]> =>
      (await traces({ ada: member.id }, () => addApp(browser, service.service.clock))).mails;
    assert.deepEqual(await added(), ['first_factor to ada for 4320']);
    assert.deepEqual(await added(), ['factor_changed to ada for 1440']);
  });

  test('the undo of a first factor, which is rejected while the account is disabled or has another address', async (t) => {
    if (lacks(t, 'totp')) return;
    const member = await service.member();
    const browser = await signedIn(member);
    const { auth } = service.service.core;
    await addApp(browser, service.service.clock);
    const token = await service.tokenFor(member.email);
    const undo = async (): Promise<number> => (await service.put('/profile/factors/undo', { token })).status;
    await auth.setDisabled(member.id, true);
    assert.equal(await undo(), 403);
    await auth.setDisabled(member.id, false);
    const other = freshEmail();
    await service.service.core.database.query((sql) =>
      sql.updateTable('users').set({ email: other }).where('id', '=', member.id),
    );
    assert.equal(await undo(), 403);
    await service.service.core.database.query((sql) =>
      sql.updateTable('users').set({ email: member.email }).where('id', '=', member.id),
    );
    assert.equal(await undo(), 200);
  });
});
