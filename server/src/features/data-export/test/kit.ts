// The query plan of an export, for the test of all query plans.
import assert from 'node:assert/strict';
import type { FeatureKit } from '../../../../test/support/kit.ts';
import { DataExports } from '../data-export.ts';

export const kit: FeatureKit = {
  feature: 'data-export',
  plans: [
    {
      title: 'an export of all data of a user',
      work: async ({ auth, user }) => {
        const session = await user(12);
        const { identity } = auth();
        const { mails, events } = await new DataExports(identity.context, identity).create(session, {
          actor: 'user',
        });
        for (const pages of [mails, events]) for await (const page of pages) assert.equal(page.length, 1);
      },
      indices: [/audit_events_by_user/, /mails_by_user/],
    },
  ],
};
