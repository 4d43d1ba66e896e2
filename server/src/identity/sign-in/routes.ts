// The second factor of a login, and step-up.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { costing } from '../../http/limits.ts';
import { EmailMessage, hashCost, proof } from '../../http/fields.ts';
import {
  loginBody,
  pendingAuthenticationOf,
  sendLogin,
  sessionOf,
  sourceOf,
  type AuthRoom,
} from './guard.ts';

const factorName = Type.String({
  minLength: 1,
  maxLength: 32,
  pattern: '^[a-z_]+$',
  description: 'Name of a factor',
});
const GivenFactor = Type.Object({ factor: factorName, proof });
const CompletingFactor = Type.Object({
  factor: factorName,
  proof,
  remember_device: Type.Optional(
    Type.Union([Type.Boolean(), Type.Literal('true')], {
      description: 'Asks for no second factor on this device for a while, where the service allows it',
    }),
  ),
});

/** Behind the half-way door: the second factor of a login. */
export const secondFactorRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  scope.post(
    '/sessions/factor',
    {
      config: costing(hashCost),
      schema: {
        summary: 'Completes a login with the second factor',
        body: CompletingFactor,
        response: { 200: EmailMessage },
      },
    },
    async (request, reply) => {
      const { factor, proof: given, remember_device: wish = false } = request.body;
      const { user, login } = await room.auth.signIn.complete(
        pendingAuthenticationOf(request),
        { factor, proof: given, remembersDevice: wish !== false },
        sourceOf(request, room),
      );
      sendLogin(reply, room, login);
      void reply.header('set-cookie', room.pendingCookie.clear());
      return loginBody(user.email, login);
    },
  );
};

/** Behind the member door. */
export const stepUpRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  const { auth } = room;
  scope.post(
    '/sessions/step_up',
    {
      config: costing(hashCost),
      schema: {
        summary: 'Proves once more that it is you: opens for ten minutes what asks for a recent factor',
        body: GivenFactor,
        response: { 200: EmailMessage },
      },
    },
    async (request, reply) => {
      const session = sessionOf(request);
      const token = await auth.stepUp.give(session, request.body, sourceOf(request, room));
      sendLogin(reply, room, { token, deviceToken: undefined });
      return { email: session.email, message: 'stepped up' };
    },
  );
};
