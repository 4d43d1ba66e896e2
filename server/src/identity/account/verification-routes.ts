// Requests and redeems the confirmation of an email address.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { costing } from '../../http/limits.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { email, EmailMessage, mailCost, token } from '../../http/fields.ts';
import { initiatingSourceOf, rememberBrowser, sourceOf, type AuthRoom } from '../sign-in/guard.ts';

/** Confirmation of an address. */
export const verificationRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  scope.post(
    '/email_verification',
    {
      config: costing(mailCost),
      schema: {
        summary: 'Asks for another confirmation token',
        body: Type.Object({ email }),
        response: { 200: EmailMessage },
      },
    },
    async (request, reply) => {
      const address = requireEmailAddress(request.body.email);
      const source = initiatingSourceOf(request, room);
      await room.auth.identity.emailVerification.request(address, source);
      rememberBrowser(reply, room, source);
      return { email: address.text, message: 'confirmation token sent' };
    },
  );

  scope.put(
    '/email_verification',
    {
      schema: {
        summary: 'Confirms an address',
        body: Type.Object({ email, token }),
        response: { 200: EmailMessage },
      },
    },
    async (request) => {
      const address = requireEmailAddress(request.body.email);
      await room.auth.identity.emailVerification.redeem(address, request.body.token, sourceOf(request, room));
      return { email: address.text, message: 'email confirmed' };
    },
  );
};
