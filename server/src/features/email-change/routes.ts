// Requests, redeems and undoes a change of the email address.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { requireEmailAddress } from '../../user/email-address.ts';
import { currentPassword, email, EmailMessage, token } from '../../http/fields.ts';
import { costing, hashCost, mailCost } from '../../http/limit/limits.ts';
import { initiatingSourceOf, type BrowserCookies } from '../../identity/browser-cookies.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import { hashing } from '../../http/limit/limits.ts';
import type { EmailChange } from './email-change.ts';

/** The routes that request and confirm a change of address, in a session. */
export function emailChangeRoutes({
  cookies,
  emailChange,
}: {
  readonly cookies: BrowserCookies;
  readonly emailChange: EmailChange;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/profile/email',
      {
        config: hashing(mailCost),
        schema: {
          summary: 'Requests a change of the email address; requires the current password',
          body: Type.Object({ email, password: Type.Optional(currentPassword) }),
          response: { 200: EmailMessage },
        },
      },
      async (request, reply) => {
        const { email: typed, password: current } = request.body;
        const address = requireEmailAddress(typed);
        const source = initiatingSourceOf(request);
        await emailChange.request(sessionOf(request), { address, password: current }, source);
        cookies.setRequest(reply, source);
        return { email: address.text, message: 'confirmation token sent' };
      },
    );

    scope.put(
      '/profile/email',
      {
        config: costing(hashCost),
        schema: {
          summary: 'Changes the email address with the token or the code that was sent to the new address',
          body: Type.Object({ token }),
          response: { 200: EmailMessage },
        },
      },
      async (request, reply) => {
        const { token: given } = request.body;
        const { user, renewed } = await emailChange.redeem(sessionOf(request), given, request.source);
        cookies.renewSession(request, reply, renewed);
        return { email: user.email, message: 'email changed' };
      },
    );
  };
}

/** The route that undoes a change: open, because the owner may have no session any more. */
export function emailUndoRoutes({
  emailChange,
}: {
  readonly emailChange: EmailChange;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.put(
      '/profile/email/undo',
      {
        config: costing(hashCost),
        schema: {
          summary: 'Restores the previous email address of the account',
          body: Type.Object({ token }),
          response: { 200: EmailMessage },
        },
      },
      async (request) => {
        const user = await emailChange.undo(request.body.token, request.source);
        return { email: user.email, message: 'email restored' };
      },
    );
  };
}
