// The answer "continue as" says which account, and proves nothing about who sits there.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { authorizationRequest, ProviderSite, textOf, type Application, type Person } from '../test/site.ts';

onEachEngine('continuing with the account of the session', (engine) => {
  let site: ProviderSite;
  let app: Application;
  let person: Person;
  before(async () => {
    site = await ProviderSite.open(engine);
    app = await site.application();
    person = await site.person();
  });
  after(() => site.close());

  test('answers the question for the account', async () => {
    for (const prompt of ['create', 'select_account']) {
      const { url } = await authorizationRequest(app, { prompt });
      const { url: arrived } = await person.answer(await person.visit(url), 'continue');
      assert.match(arrived, /^https:\/\/wiki\.example\.org\/callback\?code=/, prompt);
    }
  });

  test('leads to the page that was asked for, if the user takes another account', async () => {
    for (const [prompt, path] of [
      ['create', '/sign-up'],
      ['select_account', '/sign-in'],
      ['consent', '/sign-in'],
    ] as const) {
      const other = await site.person();
      const asked = await authorizationRequest(app, { prompt, login_hint: 'zoe@example.org' });
      const { url } = await other.answer(await other.visit(asked.url), 'switch');
      const { pathname, searchParams } = new URL(url);
      assert.deepEqual([pathname, searchParams.get('email')], [path, 'zoe@example.org'], prompt);
      assert.equal(other.sessionToken, undefined);
    }
  });

  test('does not replace an authentication that was asked for', async () => {
    for (const more of [{ prompt: 'create login' }, { prompt: 'create', max_age: '0' }] as Readonly<
      Record<string, string>
    >[]) {
      const { url } = await authorizationRequest(app, more);
      const arrival = await person.answer(await person.visit(url), 'continue');
      assert.equal(
        new URL(arrival.url).pathname,
        '/step-up',
        `${JSON.stringify(more)} ${textOf(arrival.text)}`,
      );
    }
  });

  test('is no answer to a request for an authentication', async () => {
    const choice = await person.visit((await authorizationRequest(app, { prompt: 'select_account' })).url);
    const { location = '' } = await person.send(
      'GET',
      (await authorizationRequest(app, { prompt: 'login' })).url,
    );
    const arrival = await person.answer({ ...choice, url: location }, 'continue');
    assert.equal(new URL(arrival.url).pathname, '/step-up', textOf(arrival.text));
  });
});
