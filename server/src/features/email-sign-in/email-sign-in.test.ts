// How the mail with the link and the code describes the client that requested it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { onEachEngine } from '../../../test/support/engines.ts';
import { codeIn } from '../../../test/support/mail-box.ts';
import { PublicService } from '../../../test/support/public-service.ts';
import { requestKind } from '../../identity/cookie-kinds.ts';
import type { ClientSource } from '../../identity/context.ts';
import { minuteMs } from '../../kit/clock.ts';
import { createToken } from '../../kit/secret.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { EmailSignIn } from './email-sign-in.ts';

/** A client of which only the kind is known. */
const bareSource: ClientSource = { actor: 'user' };

onEachEngine('the mail of a sign-in by email', (engine) => {
  let service: PublicService;
  before(async () => {
    service = await PublicService.start(engine, { EMAIL_SIGN_IN: 'true' });
  });
  after(() => service.close());

  const later = (): void => service.service.clock.advance(2 * minuteMs); // longer than the pause between two mails

  test('describes the client that requested it as far as it is known, and its link returns to the page', async () => {
    const { email } = await service.member();
    const { auth, database } = service.service.core;
    const rule = new EmailSignIn(auth.identity.context, auth.identity);
    const mailed = async (source: ClientSource): Promise<string> => {
      later();
      await rule.request(requireEmailAddress(email), source);
      await service.deliver();
      return service.mails.findLast(({ to }) => to === email)?.text ?? '';
    };
    const returnTo = 'https://accounts.test/account?tab=1';
    const device = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
    const { token: requestToken } = createToken(requestKind);
    const known = await mailed({ ...bareSource, address: '203.0.113.7', device, requestToken, returnTo });
    assert.match(known, /From: Firefox, Linux \(203\.0\.113\.7\)/);
    assert.match(known, /&return_to=https%3A%2F%2Faccounts\.test%2Faccount%3Ftab%3D1\n/);
    assert.notEqual(codeIn(known), undefined);
    const nameless = await mailed({ ...bareSource, address: '203.0.113.7' });
    assert.match(nameless, /From: an unknown device \(203\.0\.113\.7\)/);
    assert.doesNotMatch(nameless, /return_to/);
    assert.equal(codeIn(nameless), undefined, 'no browser waits for it');
    const rows = await database.query((sql) =>
      sql.selectFrom('one_time_tokens').select('code_mac').orderBy('created_at', 'desc'),
    );
    assert.deepEqual({ ...rows[0] }, { code_mac: null });
    const unknown = await mailed(bareSource);
    assert.doesNotMatch(unknown, /From:|undefined/);
  });
});
