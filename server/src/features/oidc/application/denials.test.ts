// `user why` names the applications that a user may not use, as the page that refuses the user does.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { onEachEngine } from '../../../../test/support/engines.ts';
import type { Finding } from '../../../identity/sign-in-facts.ts';
import { checkSignIn } from '../../../identity/sign-in-check.ts';
import { requireEmailAddress } from '../../../user/email-address.ts';
import { findUserByEmail } from '../../../user/store.ts';
import { authorizationRequest, ProviderSite, textOf, type Application, type Person } from '../test/site.ts';

onEachEngine('the check of a sign-in', (engine) => {
  let site: ProviderSite;
  before(async () => {
    site = await ProviderSite.open(engine);
  });
  after(() => site.close());

  const findings = async ({ email }: Person): Promise<readonly Finding[]> =>
    (await checkSignIn(site.service.core, requireEmailAddress(email))).findings;
  const isRefused = async (person: Person, app: Application): Promise<boolean> =>
    /You have no access/.test(textOf((await person.visit((await authorizationRequest(app)).url)).text));

  test('names the applications that refuse the user, and only these', async () => {
    const person = await site.person();
    await site.application({ id: 'for-all' });
    const user = await findUserByEmail(site.db, requireEmailAddress(person.email));
    const byDomain = await site.application({
      id: 'by-domain',
      access: { emailDomains: ['example.org'], users: [] },
    });
    const bySubject = await site.application({
      id: 'by-subject',
      access: { emailDomains: [], users: [user?.subject ?? ''] },
    });
    const byGroup = await site.application({
      id: 'by-group',
      access: { emailDomains: [], users: [], groups: ['staff'] },
    });
    const refusing: string[] = [];
    for (const app of [byDomain, bySubject, byGroup]) if (await isRefused(person, app)) refusing.push(app.id);
    assert.deepEqual(refusing, ['by-domain', 'by-group']);
    const found = (await findings(person)).filter(({ code }) => code === 'no_access');
    assert.deepEqual(
      found.map(({ hinders, means }) => [hinders, means]),
      [
        [
          'part',
          'The user may not use by-domain: the fields allowed_email_domains, allowed_users and allowed_groups of the client do not include the user. The address is not confirmed and does not count.',
        ],
        [
          'part',
          'The user may not use by-group: the fields allowed_email_domains, allowed_users and allowed_groups of the client do not include the user. The address is not confirmed and does not count.',
        ],
      ],
    );
    assert.match(found[0]?.remedy ?? '', /bienvenue client show by-domain/);
    assert.ok(
      (await findings(person)).some(({ code }) => code === 'nothing_stored'),
      'the user can sign in',
    );
  });
});
