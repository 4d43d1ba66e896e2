// The page that confirms an email address, and the one that requests another confirmation mail.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { addressOf } from '../../http/markup.ts';
import { paths, returnTo, type PageRoom } from '../../page/page-guard.ts';
import { sourceOf } from '../sign-in/guard.ts';
import { addressOfAccount, type TokenPage } from '../token/pages.ts';
import { mountRequestPage } from '../token/request-page.ts';
import { verificationKind } from './verification.ts';

/** Requests another confirmation mail. */
export const confirmAgainPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  mountRequestPage(scope, room, {
    path: '/confirm/again',
    name: 'confirm_again',
    kind: verificationKind,
    request: (email, source) => room.auth.identity.emailVerification.request(email, source),
  });
};

/** Confirms the address, then leads to the sign-in page. */
export function verificationPage(room: PageRoom): TokenPage {
  return {
    kind: verificationKind,
    async redeem(fields, request) {
      const address = addressOfAccount(fields);
      await room.auth.identity.emailVerification.redeem(address, fields.token, sourceOf(request, room));
      return addressOf(paths.signIn, {
        done: 'confirmed',
        email: address.text,
        return_to: returnTo(room, request),
      });
    },
  };
}
