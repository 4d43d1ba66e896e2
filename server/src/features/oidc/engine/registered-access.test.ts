// An application receives at most what it is registered for at the time, however it asks.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { memberOf } from '../../../../test/support/request.ts';
import { rowsIn } from '../../../../test/support/contents.ts';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { updateMetadata } from '../../../user/details-store.ts';
import { requireEmailAddress } from '../../../user/email-address.ts';
import { findUserByEmail } from '../../../user/store.ts';
import type { NewClient } from '../client/client.ts';
import { findClient, updateClient } from '../client/store.ts';
import { assertRefused, Program, tokensIn } from '../test/program.ts';
import { authorizationRequest, deviceGrant, ProviderSite, textOf, type Person } from '../test/site.ts';
import { oidcPaths } from './paths.ts';

const api = 'https://api.example.org';

onEachEngine('the registration of an application', (engine) => {
  let site: ProviderSite;
  let person: Person;
  before(async () => {
    site = await ProviderSite.open(engine);
    await site.resource({ identifier: api });
    person = await site.person();
  });
  after(() => site.close());

  async function change({ application: { id } }: Program, given: Partial<NewClient>): Promise<void> {
    const client = await findClient(site.db, id);
    assert.ok(client !== undefined);
    await site.db.transaction(async (tx) => {
      await updateClient(tx, { ...client, ...given }, { managedBy: null, now: site.service.clock.now() });
    });
  }

  test('without standard scopes allows none of them', async () => {
    for (const scopes of [[], ['read']]) {
      const app = await site.application({ scopes, grantTypes: ['authorization_code', deviceGrant] });
      const { url } = await authorizationRequest(app, { scope: 'openid email' });
      const { location = '' } = await person.send('GET', url);
      assert.equal(new URL(location).searchParams.get('error'), 'invalid_scope', location);
      const program = new Program(site, app);
      const fields = { ...Object.fromEntries(new URL(url).searchParams), scope: 'openid' };
      for (const path of [oidcPaths.pushed, oidcPaths.deviceAuthorization])
        assertRefused(await program.post(path, fields), 'invalid_scope');
    }
  });

  test('limits the parameter claims', async () => {
    const program = new Program(site, await site.application({ scopes: ['openid'] }));
    const claims = JSON.stringify({ userinfo: { email: null, name: null }, id_token: { email: null } });
    const { access, id } = await program.tokensOf(person, { scope: 'openid', claims });
    const { body } = await program.userinfo(access);
    assert.deepEqual(Object.keys(body as object), ['sub']);
    assert.ok(
      !Buffer.from(id.split('.')[1] ?? '', 'base64url')
        .toString()
        .includes(person.email),
    );
  });

  test('limits tokens that were issued before it was changed', async () => {
    const program = new Program(site, await site.application());
    const { access, refresh } = await program.tokensOf(person);
    assert.equal(memberOf((await program.userinfo(access)).body, 'email'), person.email);
    await change(program, { scopes: ['openid'] });
    const { access: newer, id } = tokensIn(await program.refresh(refresh));
    for (const token of [access, newer])
      assert.equal(memberOf((await program.userinfo(token)).body, 'email'), undefined);
    assert.ok(
      !Buffer.from(id.split('.')[1] ?? '', 'base64url')
        .toString()
        .includes(person.email),
    );
  });

  test('ends tokens of users who may not use it any more', async () => {
    const program = new Program(site, await site.application({ scopes: ['openid', 'read'] }));
    const resource = new Program(site, await site.application({ resourceOf: [api] }));
    const { access, refresh } = await program.tokensOf(person, { scope: 'openid read', resource: api });
    const states = async (): Promise<boolean[]> =>
      Promise.all([program.isActive(access), program.isActive(refresh), resource.isActive(access)]);
    assert.deepEqual(await states(), [true, true, true]);
    await change(program, { access: { emailDomains: ['other.example'], users: [] } });
    assert.deepEqual(await states(), [false, false, false]);
    assertRefused(await program.refresh(refresh), 'invalid_grant');
  });

  test('limited to a group ends tokens of a user who leaves it', async () => {
    const program = new Program(site, await site.application({ name: 'Plans' }));
    const member = await site.person();
    const user = await findUserByEmail(site.db, requireEmailAddress(member.email));
    assert.ok(user !== undefined);
    const give = (groups: unknown): Promise<void> =>
      updateMetadata(site.db, user.id, { publicMetadata: { groups } });
    await give(['staff', 'on call']);
    await change(program, { access: { emailDomains: [], users: [], groups: ['on call'] } });
    const { access, refresh } = await program.tokensOf(member);
    assert.equal(await program.isActive(access), true);
    for (const other of [['staff'], 'on call', null, [['on call']]]) {
      await give(other);
      assert.equal(await program.isActive(access), false, JSON.stringify(other));
      assertRefused(await program.refresh(refresh), 'invalid_grant');
      const page = await member.visit((await authorizationRequest(program.application)).url);
      assert.match(textOf(page.text), /You have no access to Plans/);
    }
    await give(['on call']);
    assert.equal(await program.isActive(access), true);
  });

  test('of a pushed request stores no parameter that can be read', async () => {
    const application = await site.application({ requiresPar: true });
    const program = new Program(site, application);
    const { url } = await authorizationRequest(application, { login_hint: 'ann@hint.example' });
    const fields = Object.fromEntries(new URL(url).searchParams);
    const reply = await program.post(oidcPaths.pushed, fields);
    assert.equal(reply.status, 201, reply.text);
    const dump = JSON.stringify(await rowsIn(site.db, 'oidc_tokens'));
    assert.ok(dump.includes('PushedAuthorizationRequest'));
    const decoded = dump.split(/[^\w-]+/).map((part) => Buffer.from(part, 'base64url').toString()); // of a JWT
    for (const text of [dump, ...decoded])
      for (const secret of ['ann@hint.example', String(fields['state']), 'login_hint'])
        assert.ok(!text.includes(secret), text);
    const request = String(memberOf(reply.body, 'request_uri'));
    const query = new URLSearchParams({ client_id: application.id, request_uri: request }).toString();
    await person.visitUntil(`${oidcPaths.authorization}?${query}`, application.redirectUri);
  });

  test('of a device stores the digest of the code that a person types', async () => {
    const program = new Program(
      site,
      await site.application({ grantTypes: [deviceGrant], redirectUris: [] }),
    );
    const { userCode } = await program.device('openid');
    const rows = await site.db.query((sql) => sql.selectFrom('oidc_tokens' as never).selectAll());
    const dump = JSON.stringify(rows);
    assert.ok(dump.includes('DeviceCode'));
    for (const text of [userCode, userCode.replaceAll('-', '')]) assert.ok(!dump.includes(text));
  });
});
