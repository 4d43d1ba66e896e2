/** The logo at the top of each mail. */
export interface Logo {
  readonly type: 'image/png' | 'image/jpeg';
  readonly content: Buffer;
}

/**
 * Content-ID of the logo (RFC 2392). It is the same in all mails, so that a stored mail gets the current logo when it is
 * sent.
 */
export const logoId = 'logo@bienvenue';

/**
 * Attribute with which the HTML of a mail refers to its logo. Values from users cannot contain it, because quotes are
 * escaped.
 */
export const logoSource = `src="cid:${logoId}"`;
