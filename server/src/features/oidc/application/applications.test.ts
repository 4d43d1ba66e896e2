// The applications that can use an account, on the page and by the API.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as openid from 'openid-client';
import { dayMs } from '../../../kit/clock.ts';
import { rowsIn } from '../../../../test/support/contents.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { codesOf } from '../../../../test/support/factor.ts';
import { hasFeature, lacks, without } from '../../../../test/support/feature.ts';
import { mailBox, tokenIn } from '../../../../test/support/mail-box.ts';
import {
  authorizationRequest,
  exchange,
  password,
  ProviderSite,
  textOf,
  type Application,
  type Person,
  type Tokens,
} from '../test/site.ts';

interface Entry {
  readonly client_id: string;
  readonly name: string;
  readonly first_party: boolean;
  readonly access: readonly string[];
  readonly since: string;
  readonly last_used_at: string;
}

onEachEngine('the applications of an account', (engine) => {
  let site: ProviderSite;
  before(async () => {
    site = await ProviderSite.open(engine);
  });
  after(() => site.close());

  async function allowed(person: Person, app: Application): Promise<Tokens> {
    const request = await authorizationRequest(app);
    const callback = await person.answer(await person.visit(request.url), 'allow');
    return exchange(app, callback.url, request);
  }

  async function listed(person: Person): Promise<readonly Entry[]> {
    const { text } = await person.send('GET', '/profile/applications');
    return (JSON.parse(text) as { applications: Entry[] }).applications;
  }

  test('are none at first', async () => {
    const person = await site.person();
    assert.deepEqual(await listed(person), []);
    const page = await person.visit('/account/applications');
    assert.match(textOf(page.text), /No application has access to your account/);
    assert.match((await person.visit('/account')).text, /href="\/account\/applications"/);
  });

  test('are listed with what they have, since when, and when they were used last', async () => {
    const person = await site.person();
    const third = await site.application({ name: 'Plans <b>', isFirstParty: false });
    const own = await site.application({ name: 'Wiki' });
    await allowed(person, third);
    await site.tokens(person, own);
    const entries = await listed(person);
    assert.deepEqual(
      entries.map(({ name, first_party: isOwn }) => [name, isOwn]),
      [
        ['Plans <b>', false],
        ['Wiki', true],
      ],
    );
    for (const { access, since, last_used_at: used } of entries) {
      assert.deepEqual([...access].toSorted(), ['email', 'openid', 'profile']);
      assert.ok(Date.parse(since) <= Date.parse(used));
    }
    const { text } = await person.visit('/account/applications');
    assert.match(textOf(text), /Plans &lt;b&gt;|Plans &#60;b&#62;/);
    assert.match(textOf(text), /See your email address/);
    const other = await site.person();
    assert.deepEqual(await listed(other), []);
  });

  test('lose their access: tokens end, the application is notified and must ask again', async () => {
    const person = await site.person();
    const app = await site.application({
      name: 'Plans',
      isFirstParty: false,
      backchannelLogoutUri: 'https://wiki.example.org/logout',
    });
    const tokens = await allowed(person, app);
    const bystander = await site.person();
    const theirs = await allowed(bystander, app);
    const page = await person.visit('/account/applications');
    const done = await person.submit(page);
    assert.match(textOf(done.text), /no longer has access/);
    assert.deepEqual(await listed(person), []);
    assert.equal((await openid.tokenIntrospection(app.config, tokens.access_token)).active, false);
    await assert.rejects(openid.refreshTokenGrant(app.config, tokens.refresh_token ?? ''), {
      error: 'invalid_grant',
    });
    assert.equal((await openid.tokenIntrospection(app.config, theirs.access_token)).active, true);
    const logouts = (await rowsIn(site.db, 'oidc_logouts')).filter((row) => row['client_id'] === app.id);
    assert.deepEqual(
      logouts.map((row) => [row['subject'], row['sid']]),
      [[tokens.claims()?.sub, tokens.claims()?.['sid']]],
    );
    const events = (await rowsIn(site.db, 'audit_events')).filter((row) => row['target_id'] === app.id);
    assert.equal(events.filter((row) => row['reason'] === 'application_removed').length, 1);
    const repeated = await person.submit(page);
    assert.match(textOf(repeated.text), /no longer has access/, 'a second press is no error');
    assert.equal(
      (await rowsIn(site.db, 'audit_events')).filter((row) => row['target_id'] === app.id).length,
      events.length,
    );
    const again = await person.visit((await authorizationRequest(app)).url);
    assert.match(textOf(again.text), /Sign in to Plans/, 'it has to ask');
    const back = await allowed(person, app);
    assert.equal((await openid.tokenIntrospection(app.config, back.access_token)).active, true);
  });

  test('are named in the activity, in the record with their user, and in the mail', async () => {
    const person = await site.person();
    const app = await site.application({ name: 'Plans <b>', isFirstParty: false });
    await allowed(person, app);
    await person.send('DELETE', `/profile/applications/${app.id}`);
    if (hasFeature('activity')) {
      const { text } = await person.visit('/account/activity');
      const shown = text.replaceAll('&#60;', '&lt;').replaceAll('&#62;', '&gt;');
      for (const sentence of ['Signed in to', 'Access allowed to', 'Access removed for'])
        assert.match(shown, new RegExp(`${sentence} Plans &lt;b&gt;`));
    }
    const events = (await rowsIn(site.db, 'audit_events')).filter((row) => row['target_id'] === app.id);
    assert.equal(events.length, 3);
    for (const { actor, actor_id: id, user_id: userId } of events)
      assert.deepEqual([actor, Number(id)], ['user', userId]);
    if (!hasFeature('mailbox')) return;
    await site.service.core.outbox.deliver();
    const kept = textOf((await person.visit('/dev/mailbox')).text);
    assert.match(kept, /Plans (?:<b>|&lt;b&gt;|&#60;b&#62;) has access to your account/);
  });

  test('lose their access by the API too, once', async () => {
    const person = await site.person();
    const app = await site.application({ isFirstParty: false });
    const tokens = await allowed(person, app);
    assert.equal((await person.send('DELETE', `/profile/applications/${app.id}`)).status, 200);
    assert.equal((await person.send('DELETE', `/profile/applications/${app.id}`)).status, 404);
    assert.equal((await person.send('DELETE', '/profile/applications/nothing')).status, 404);
    assert.equal((await openid.tokenIntrospection(app.config, tokens.access_token)).active, false);
    const stranger = await site.person({ isSignedIn: false });
    assert.equal(
      (await stranger.send('GET', '/profile/applications', undefined, { accept: 'application/json' })).status,
      403,
    );
  });

  test('stay after a sign-out only if the user allowed them', async () => {
    const person = await site.person();
    const [third, own] = [await site.application({ isFirstParty: false }), await site.application()];
    await allowed(person, third);
    await site.tokens(person, own);
    await person.send('DELETE', '/sessions');
    await person.signIn();
    assert.deepEqual(
      (await listed(person)).map(({ client_id: id }) => id),
      [third.id],
    );
    const [earlier] = await listed(person);
    site.service.clock.advance(2 * dayMs);
    await person.signIn();
    await site.tokens(person, third);
    const [later] = await listed(person);
    assert.equal(later?.since, earlier?.since);
    assert.ok(Date.parse(later?.last_used_at ?? '') >= Date.parse(earlier?.last_used_at ?? '') + 2 * dayMs);
    site.service.clock.advance(-2 * dayMs);
  });

  test('are in the copy of personal data, without a token', async (t) => {
    if (lacks(t, 'data-export')) return;
    const person = await site.person();
    const app = await site.application({ name: 'Plans', isFirstParty: false });
    const { access_token: access, refresh_token: refresh = '' } = await allowed(person, app);
    const { text } = await person.send('GET', '/profile/export');
    const { applications } = JSON.parse(text) as { applications: readonly Entry[] };
    assert.deepEqual(applications, await listed(person));
    for (const token of [access, refresh]) assert.ok(!text.includes(token));
  });

  test(
    'that a thief allowed have to ask the owner who undoes the takeover',
    { skip: without('totp') },
    async () => {
      const { transport, mails } = mailBox();
      const theirs = await ProviderSite.open(engine, {}, { mailTransport: transport });
      try {
        const [earlier, later] = [
          await theirs.application({ isFirstParty: false }),
          await theirs.application({ isFirstParty: false }),
        ];
        const person = await theirs.person();
        await allowed(person, earlier);
        theirs.service.clock.advance(dayMs);
        await person.signIn();
        const begun = JSON.parse((await person.send('POST', '/profile/totp', {})).text) as Record<
          string,
          string
        >;
        const code = codesOf(begun['secret'] ?? '', theirs.service.clock)();
        assert.equal(
          (await person.send('PUT', '/profile/totp', { id: begun['id'] ?? '', code })).status,
          200,
        );
        await allowed(person, later);
        await theirs.service.core.outbox.deliver();
        const token = mails
          .map(({ text }) => tokenIn(text))
          .findLast((one) => one?.includes('fac_') === true);
        assert.equal((await person.send('PUT', '/profile/factors/undo', { token: token ?? '' })).status, 200);
        const { auth } = theirs.service.core;
        await auth.updatePassword(await auth.getResetPasswordToken(person.email), password);
        await person.signIn();
        for (const [app, isAsked] of [
          [earlier, false],
          [later, true],
        ] as const) {
          const page = await person.visit((await authorizationRequest(app)).url);
          assert.equal(page.url.startsWith(theirs.origin), isAsked, page.url);
        }
      } finally {
        await theirs.close();
      }
    },
  );
});
