// The page of the user's data, which consists of parts of two features and is the page of each of them alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signIn } from '../../../test/support/browser.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { hasFeature } from '../../../test/support/feature.ts';
import { asPage } from '../../../test/support/page-form.ts';
import { PublicService } from '../../../test/support/public-service.ts';
import { modules } from '../../app/modules.ts';
import { dataSection } from './data-page.ts';

const { path } = dataSection;
/** What the part of each feature leads to. */
const targets: Readonly<Record<string, string>> = {
  'data-export': '/profile/export',
  'account-deletion': '/account/data/close',
};
const present = Object.keys(targets).filter(hasFeature);

onEachEngine('the page of the data', (engine) => {
  for (const own of [...present.map((feature) => [feature]), present, []])
    test(`has the parts of ${own.join(' and ') || 'no feature, and leads to the account'}`, async (t) => {
      const kept = modules.filter(({ name }) => !(name in targets) || own.includes(name));
      const service = await PublicService.start(engine, {}, { modules: kept });
      t.after(() => service.close());
      const browser = await signIn(service, await service.member());
      const account = await browser.get('/account', asPage);
      const entries = account.text.split('<strong>Your data</strong>').slice(1);
      assert.equal(entries.length, Math.min(own.length, 1), 'the account page lists it once');
      const page = await browser.get(path, asPage);
      if (own.length === 0) {
        assert.deepEqual([page.status, page.headers['location']], [303, '/account']);
        return;
      }
      assert.equal(page.status, 200);
      for (const [feature, target] of Object.entries(targets))
        assert.equal(page.text.includes(`"${target}"`), own.includes(feature), feature);
    });
});
