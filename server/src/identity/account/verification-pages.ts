// Pages that confirm an address and request another confirmation mail.
import { addressOf } from '../../http/markup.ts';
import type { PageRoutes } from '../../page/form-page.ts';
import type { PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { addressOfAccount, type TokenPage, type TokenPageParts } from '../token/pages.ts';
import { requestPage } from '../token/request-page.ts';
import { verificationKind, type EmailVerification } from './verification.ts';

/** The pages that confirm the address and continue with the sign-in page. */
export function verificationPage(pages: PageKit, emailVerification: EmailVerification): TokenPage {
  return {
    kind: verificationKind,
    request: (email, source) => emailVerification.request(email, source),
    async redeem(fields, request) {
      const address = addressOfAccount(fields);
      await emailVerification.redeem(address, fields.token, request.source);
      return addressOf(paths.signIn, {
        done: 'confirmed',
        email: address.text,
        return_to: pages.returnTo(request),
      });
    },
  };
}

/** The page that requests another confirmation mail. */
export function confirmAgainPages({
  emailVerification,
  ...parts
}: TokenPageParts & { readonly emailVerification: EmailVerification }): PageRoutes['routes'] {
  return requestPage(parts, {
    path: paths.confirmAgain,
    name: 'confirm_again',
    kind: verificationKind,
    request: (email, source) => emailVerification.request(email, source),
  });
}
