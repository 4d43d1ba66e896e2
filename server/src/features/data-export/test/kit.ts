// The query plan of an export, for the test of all query plans.
import assert from 'node:assert/strict';
import { listEventsOf, type EventPage } from '../../../audit/store.ts';
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
        const audit = { listOf: (page: EventPage) => listEventsOf(identity.context.db, page) };
        const { mails, events } = await new DataExports(identity.context, { ...identity, audit }).create(
          session,
          { actor: 'user' },
        );
        for (const pages of [mails, events]) for await (const page of pages) assert.equal(page.length, 1);
      },
      indices: [/audit_events_by_user/, /mails_by_user/],
    },
  ],
};
