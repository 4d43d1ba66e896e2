// The subject that adds or removes authenticators: a session or a pending authentication.
import type { Session } from '../session/session-entry.ts';
import type { FactorUse } from '../factor/factor-use.ts';
import type { Requirement } from '../factor/factor.ts';

/** A sign-in whose first factor was verified and whose second is required. */
export interface PendingAuthentication {
  readonly id: string;
  readonly userId: number;
  /** Address of the user. */
  readonly email: string;
  readonly kind: Requirement['kind'];
  readonly factors: readonly FactorUse[];
  /** `passwordChangedAt` of the user when the first factor was verified. */
  readonly passwordChangedAt: number;
  /** The session is to end with the browser. */
  readonly endsWithBrowser: boolean;
}

/** A session, or a pending authentication that must add a second factor first. */
export type EnrollmentSubject =
  | { readonly session: Session; readonly pending?: undefined }
  | { readonly session?: undefined; readonly pending: PendingAuthentication };

/** Returns the handle of the session or the pending authentication. */
export function subjectIdOf({ session, pending }: EnrollmentSubject): string {
  return (session ?? pending).id;
}

/** Returns the id of the user whose authenticators change. */
export function subjectUserIdOf({ session, pending }: EnrollmentSubject): number {
  return (session ?? pending).userId;
}
