// Pages that confirm an address, and request another mail for it.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { paths } from '../../page/paths.ts';
import type { TokenPage } from '../token/pages.ts';
import type { EmailVerification } from './verification.ts';
import { requestPage, type RequestPageParts } from '../token/request-page.ts';
import { addressOf } from '../../http/markup.ts';

/** Confirms the address, and leads to the sign-in page. */
export function verificationPage(emailVerification: EmailVerification): TokenPage {
  return {
    kind: 'verification',
    name: 'confirm',
    route: '/email_verification',
    async redeem({ email, token }, request) {
      await emailVerification.redeem(email, token, request.source);
      return (next) => addressOf(paths.signIn, { done: 'confirmed', email, return_to: next });
    },
  };
}

export function confirmAgainPages({
  emailVerification,
  ...parts
}: RequestPageParts & { readonly emailVerification: EmailVerification }): FastifyPluginAsyncTypebox {
  return requestPage(parts, {
    path: paths.confirmAgain,
    name: 'confirm_again',
    kind: 'verification',
    request: (email, source) => emailVerification.askAgain(email, source),
  });
}
