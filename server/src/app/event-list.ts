// Lists all events and mails of the service; docs/reference/events.md is generated from it.
import type { EventKind } from '../identity/event.ts';
import { mailKindsOf, type MailKind } from '../mail/mail-kind.ts';
import { serviceEvents } from './event.ts';
import { modules } from './modules.ts';

export const allEvents: readonly EventKind[] = [
  ...Object.values(serviceEvents),
  ...modules.flatMap(({ events }) => events),
];

/** Each kind of mail once. */
export const allMails: readonly MailKind[] = mailKindsOf(modules);
