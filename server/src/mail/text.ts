// What the mails say. Each tells what happened, and what to do if it was not you.

/** A mail before it is sent. */
export interface MailText {
  readonly subject: string;
  readonly text: string;
}

/** What the service is called, and where it is. */
export interface Sender {
  readonly productName: string;
  /** Configured address of the service; never the host of a request (CWE-640). */
  readonly publicUrl: string;
}

/** What a mail is about. */
export type MailKind = 'reset_password' | 'already_registered' | 'email_verification' | 'password_changed';

/** The reset token for its owner. */
export function resetMail({ productName, publicUrl }: Sender, token: string, minutes: number): MailText {
  return {
    subject: `Set a new password for ${productName}`,
    text: lines(
      `Somebody, probably you, asked to set a new password for your account at ${publicUrl}.`,
      `Your reset token, valid for ${minutes} minutes and usable once:`,
      `    ${token}`,
      'If it was not you, do nothing: without this token nothing changes.',
    ),
  };
}

/** For the owner of an address that somebody tried to register again. */
export function alreadyRegisteredMail({ productName, publicUrl }: Sender): MailText {
  return {
    subject: `You already have an account at ${productName}`,
    text: lines(
      `Somebody, probably you, tried to register this address at ${publicUrl}, where it already has an account. Nothing was changed.`,
      'If it was you, log in, or ask for a new password. If it was not you, you need not do anything.',
    ),
  };
}

/** The token that confirms an address. */
export function verificationMail({ productName, publicUrl }: Sender, token: string, hours: number): MailText {
  return {
    subject: `Confirm your address for ${productName}`,
    text: lines(
      `Somebody, probably you, registered this address at ${publicUrl}.`,
      `Your confirmation token, valid for ${hours} hours and usable once:`,
      `    ${token}`,
      'If it was not you, do not use the token: the account stays closed without it.',
    ),
  };
}

/** Tells the owner that the password was changed. */
export function passwordChangedMail({ productName, publicUrl }: Sender): MailText {
  return {
    subject: `Your password for ${productName} was changed`,
    text: lines(
      `The password of your account at ${publicUrl} was changed, and all sessions were ended.`,
      'If it was not you, ask for a new password at once, and tell whoever runs the service.',
    ),
  };
}

function lines(...paragraphs: readonly string[]): string {
  return `${paragraphs.join('\n\n')}\n`;
}
