import type { Session } from '../session/session.ts';
import type { PendingAuthentication } from './sign-in.ts';

/** Whose authenticators change: those of a session, or of a login that must set up its first one. */
export type EnrollmentSubject =
  | { readonly session: Session; readonly pending?: undefined }
  | { readonly session?: undefined; readonly pending: PendingAuthentication };

/** Handle of the session or of the pending authentication. */
export function subjectIdOf({ session, pending }: EnrollmentSubject): string {
  return (session ?? pending).id;
}

/** Id of the user. */
export function subjectUserIdOf({ session, pending }: EnrollmentSubject): number {
  return (session ?? pending).userId;
}
