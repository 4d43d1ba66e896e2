// Who adds or removes authenticators.
import type { Session } from '../session/session.ts';
import type { PendingAuthentication } from './sign-in.ts';

/** A session, or a pending authentication that must add a second factor first. */
export type EnrollmentSubject =
  | { readonly session: Session; readonly pending?: undefined }
  | { readonly session?: undefined; readonly pending: PendingAuthentication };

/** Handle of the session or the pending authentication. */
export function subjectIdOf({ session, pending }: EnrollmentSubject): string {
  return (session ?? pending).id;
}

/** The user whose authenticators change. */
export function subjectUserIdOf({ session, pending }: EnrollmentSubject): number {
  return (session ?? pending).userId;
}
