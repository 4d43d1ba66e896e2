// Requests, redeems and undoes a change of the email address.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { costing } from '../../http/limits.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { email, EmailMessage, mailCost, password, token } from '../../http/fields.ts';
import {
  admission,
  initiatingSourceOf,
  rememberBrowser,
  sessionOf,
  sourceOf,
  type AuthRoom,
} from '../../identity/sign-in/guard.ts';

/** Change of address, asked for and proved in a session. */
export const emailChangeRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  scope.post(
    '/profile/email',
    {
      ...admission(room),
      config: costing(mailCost),
      schema: {
        summary: 'Asks for another address, with the current password',
        body: Type.Object({ email, password: Type.Optional(password) }),
        response: { 200: EmailMessage },
      },
    },
    async (request, reply) => {
      const { email: typed, password: given } = request.body;
      const address = requireEmailAddress(typed);
      const source = initiatingSourceOf(request, room);
      await room.auth.emailChange.request(sessionOf(request), { address, password: given }, source);
      rememberBrowser(reply, room, source);
      return { email: address.text, message: 'confirmation token sent' };
    },
  );

  scope.put(
    '/profile/email',
    {
      schema: {
        summary: 'Changes the address to the one that is proved',
        body: Type.Object({ token }),
        response: { 200: EmailMessage },
      },
    },
    async (request) => {
      const user = await room.auth.emailChange.redeem(
        sessionOf(request),
        request.body.token,
        sourceOf(request, room),
      );
      return { email: user.email, message: 'email changed' };
    },
  );
};

/** Undoing a change of address: open, since whoever has to do it may have no session any more. */
export const emailUndoRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  scope.put(
    '/profile/email/undo',
    {
      schema: {
        summary: 'Gives the account back to its old address',
        body: Type.Object({ token }),
        response: { 200: EmailMessage },
      },
    },
    async (request) => {
      const user = await room.auth.emailChange.undo(request.body.token, sourceOf(request, room));
      return { email: user.email, message: 'email restored' };
    },
  );
};
