// Registration and the profile. The contract fixes what they answer to the byte.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { costing } from '../../http/limits.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { ValueError } from '../../user/user.ts';
import { Credentials, EmailMessage, mailCost, Message } from '../../http/fields.ts';
import {
  admission,
  initiatingSourceOf,
  rememberBrowser,
  sessionOf,
  sourceOf,
  type AuthRoom,
} from '../sign-in/guard.ts';

const Profile = Type.Object({ email: Type.String() });

/** Registration. */
export const registrationRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  const { auth, rules } = room;
  scope.post(
    '/users',
    {
      ...admission(room),
      config: costing(mailCost),
      schema: {
        summary: 'Registers a user',
        body: Credentials,
        response: { 200: EmailMessage, 400: Message },
      },
    },
    async (request, reply) => {
      const address = requireEmailAddress(request.body.email);
      const initiator = rules.confirmsEmail ? initiatingSourceOf(request, room) : undefined;
      try {
        await auth.identity.accounts.register(
          address,
          request.body.password,
          initiator ?? sourceOf(request, room),
        );
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        // The contract's own body, without the members of a problem.
        if (rules.revealAccounts) return reply.status(400).send({ message: 'email already registered' });
      }
      if (initiator !== undefined) rememberBrowser(reply, room, initiator);
      return { email: address.text, message: 'user created' };
    },
  );
};

/** Behind the member door. */
export const profileRoutes: FastifyPluginAsyncTypebox = async (scope) => {
  scope.get(
    '/profile',
    { schema: { summary: 'Whose session this is', response: { 200: Profile } } },
    async (request) => ({
      email: sessionOf(request).email,
    }),
  );
};
