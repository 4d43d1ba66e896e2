// Lists what the rules store about a user, for the copy of their data (GDPR articles 15 and 20). No statement that is
// used here selects a secret.
import { formatInstant as instant, type Clock } from '../kit/clock.ts';
import { nameDevice } from '../kit/device.ts';
import { keyOfAddress } from '../user/email-address.ts';
import { findMetadata } from '../user/details-store.ts';
import { findUserById } from '../user/store.ts';
import type { Attempts } from './attempt/attempts.ts';
import type { PersonalData } from './contribution.ts';
import type { PendingRegistrations } from './registration/pending-registrations.ts';
import type { SecondFactors } from './factor/second-factor.ts';
import { describeSession } from './session/session-entry.ts';
import type { Sessions } from './session/session.ts';
import { listDevices } from './sign-in/device-store.ts';
import { listPendingTokens } from './token/store.ts';

/** Maximum number of listed sessions. Higher than the limit of sessions per user. */
const maxSessions = 1000;

export interface PersonalDataNeeds {
  readonly clock: Clock;
  readonly attempts: Attempts;
  readonly registrations: PendingRegistrations;
  readonly secondFactors: SecondFactors;
  readonly sessions: Sessions;
}

/** Returns the members of the document, in their order. */
export function personalDataOf({
  clock,
  attempts,
  registrations,
  secondFactors,
  sessions,
}: PersonalDataNeeds): PersonalData[] {
  return [
    {
      name: 'metadata',
      exportOf: async (db, userId) => {
        const { publicMetadata, privateMetadata } = await findMetadata(db, userId);
        return { public: publicMetadata, private: privateMetadata };
      },
    },
    {
      name: 'sessions',
      exportOf: async (_db, userId, sessionId) =>
        (await sessions.list(userId, maxSessions)).map((session) => describeSession(session, sessionId)),
    },
    {
      name: 'devices',
      exportOf: async (db, userId) =>
        (await listDevices(db, userId, clock())).map((row) => ({
          id: row.id,
          device: nameDevice(row.user_agent ?? undefined),
          created_at: instant(row.created_at),
          expires_at: instant(row.expires_at),
          remembered_until: row.remembered_until === null ? undefined : instant(row.remembered_until),
        })),
    },
    { name: 'second_factors', exportOf: (db, userId) => secondFactors.exportOf(db, userId) },
    {
      name: 'tokens',
      exportOf: async (db, userId) =>
        (await listPendingTokens(db, userId, clock())).map(({ kind, target, ...row }) => ({
          kind,
          email: target ?? undefined,
          created_at: instant(row.created_at),
          expires_at: instant(row.expires_at),
        })),
    },
    {
      name: 'registrations',
      exportOf: async (_db, userId) =>
        (await registrations.list(userId)).map(({ email, factor, ...row }) => ({
          email,
          factor: factor ?? 'password',
          created_at: instant(row.created_at),
          expires_at: instant(row.expires_at),
        })),
    },
    {
      name: 'attempts',
      exportOf: async (db, userId) => {
        const user = await findUserById(db, userId);
        const devices = await listDevices(db, userId, clock());
        const counted = await attempts.list(
          userId,
          keyOfAddress(user?.email ?? ''),
          devices.map(({ id }) => id),
        );
        return counted.map(({ subject, factor, failures, last_at }) => ({
          factor,
          device_id: /^device:(.+)/.exec(subject)?.[1],
          failures,
          last_at: instant(last_at),
        }));
      },
    },
  ];
}
