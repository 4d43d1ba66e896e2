import { defineMail } from '../../mail/mail-kind.ts';

/** Sent at each use of a recovery code. */
export const recoveryCodeUsedMail = defineMail<{ readonly left: number }>({
  name: 'recovery_code_used',
  example: { left: 2 },
  compose: ({ left }) => ({ values: { left } }),
});
