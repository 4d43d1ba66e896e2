// Every event and mail that the service knows, module by module: docs/reference/events.md is generated from it.
import type { EventKind } from '../identity/event.ts';
import type { MailKind } from '../mail/mail-kind.ts';
import { accountEvents, alreadyRegisteredMail, emailVerificationMail } from '../identity/account/event.ts';
import { enrollmentEvents } from '../identity/enrollment/event.ts';
import { factorEvents } from '../identity/factor/event.ts';
import { passwordEvents, resetPasswordMail } from '../identity/password/event.ts';
import { sessionEvents } from '../identity/session/event.ts';
import { newDeviceMail, signInEvents } from '../identity/sign-in/event.ts';
import { tokenEvents } from '../identity/token/event.ts';
import { deletionEvents } from '../features/account-deletion/event.ts';
import { dataExportEvents } from '../features/data-export/event.ts';
import { emailChangeEvents, emailChangeMail } from '../features/email-change/event.ts';
import { emailSignInEvents, signInMail } from '../features/email-sign-in/event.ts';
import { recoveryCodeUsedMail } from '../features/recovery-code/event.ts';
import { serviceEvents } from './event.ts';

const eventSets: readonly Readonly<Record<string, EventKind>>[] = [
  serviceEvents,
  accountEvents,
  passwordEvents,
  tokenEvents,
  factorEvents,
  signInEvents,
  sessionEvents,
  enrollmentEvents,
  emailChangeEvents,
  emailSignInEvents,
  dataExportEvents,
  deletionEvents,
];

export const allEvents: readonly EventKind[] = eventSets.flatMap((set) => Object.values(set));

/** Mails that no event sends by itself. */
const otherMails: readonly MailKind[] = [
  emailVerificationMail,
  resetPasswordMail,
  signInMail,
  emailChangeMail,
  alreadyRegisteredMail,
  newDeviceMail,
  recoveryCodeUsedMail,
];

/** Each kind of mail once. */
export const allMails: readonly MailKind[] = [
  ...new Set([...otherMails, ...allEvents.flatMap(({ mail }) => mail ?? [])]),
];
