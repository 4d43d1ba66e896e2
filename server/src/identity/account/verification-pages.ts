// Pages that confirm an address and request another confirmation mail.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { paths } from '../../page/paths.ts';
import type { PageKit } from '../../page/page.ts';
import { addressOfAccount, type TokenPage } from '../token/pages.ts';
import { verificationKind, type EmailVerification } from './verification.ts';
import { requestPage, type RequestPageParts } from '../token/request-page.ts';
import { addressOf } from '../../http/markup.ts';

/** The page that confirms the address and continues with the sign-in page. */
export function verificationPage(pages: PageKit, emailVerification: EmailVerification): TokenPage {
  return {
    kind: verificationKind,
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
}: RequestPageParts & { readonly emailVerification: EmailVerification }): FastifyPluginAsyncTypebox {
  return requestPage(parts, {
    path: paths.confirmAgain,
    name: 'confirm_again',
    kind: verificationKind,
    request: (email, source) => emailVerification.request(email, source),
  });
}
