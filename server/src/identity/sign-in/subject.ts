// The subject that adds or removes authenticators: a session or a pending authentication.
import type { Session } from '../session/session.ts';
import type { PendingAuthentication } from './sign-in.ts';

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
