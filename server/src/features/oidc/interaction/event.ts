import type { Database } from '../../../db/database.ts';
import type { ClientSource } from '../../../identity/context.ts';
import { defineEvents, type Events } from '../../../identity/event.ts';
import { defineMail } from '../../../mail/mail-kind.ts';
import { findUserById } from '../../../user/store.ts';

/** Mail when a user has allowed an application of a third party something for the first time. */
export const applicationAllowedMail = defineMail<{ readonly name: string }>({
  name: 'application_allowed',
  example: { name: 'Wiki' },
  compose: ({ name }) => ({ values: { name } }),
});

/** Events of what users allow applications. The target is the client. */
export const interactionEvents = defineEvents('interaction', {
  application_allowed: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'account',
    says: 'The user allowed an application, which is the target, to see data of the account.',
    facts: { name: 'text' },
  },
});

export type AllowedEvents = Pick<Events, 'emit' | 'send'>;

/** What a user has allowed, and whether it is the first time for this application. */
export interface Allowed {
  readonly userId: number;
  readonly client: { readonly id: string; readonly name: string; readonly isFirstParty: boolean };
  readonly isFirst: boolean;
  readonly source: ClientSource;
}

/** Records that a user allowed an application, and mails it the first time. Inside the transaction of the consent. */
export async function recordAllowed(
  tx: Database,
  events: AllowedEvents,
  { userId, client, isFirst, source }: Allowed,
): Promise<void> {
  const target = { kind: 'client', id: client.id };
  const facts = { name: client.name };
  await events.emit(tx, interactionEvents.application_allowed, {
    user: { id: userId },
    target,
    facts,
    source,
  });
  if (!isFirst || client.isFirstParty) return;
  const user = await findUserById(tx, userId);
  await events.send(tx, applicationAllowedMail, {
    user,
    source,
    facts: async () => ({ facts, tokenId: null }),
  });
}
