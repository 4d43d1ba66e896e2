/** The picture at the top of each mail. */
export interface Logo {
  readonly type: 'image/png' | 'image/jpeg';
  readonly content: Buffer;
}

/**
 * Content-ID of the logo (RFC 2392). The same in all mails: a mail that waits names it, and is given the logo of the
 * day on which it is sent.
 */
export const logoId = 'logo@bienvenue';

/** How the html of a mail names its logo. Nothing that people chose can say it: there the quotes are escaped. */
export const logoSource = `src="cid:${logoId}"`;
