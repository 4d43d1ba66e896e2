// Login by password, resetting and changing it. The contract fixes what most of them answer to the byte.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import {
  Credentials,
  email,
  EmailMessage,
  hashCost,
  LoginReply,
  mailCost,
  password,
  token,
} from '../../http/fields.ts';
import {
  admission,
  initiatingSourceOf,
  loginBody,
  rememberBrowser,
  sendLogin,
  sessionOf,
  sourceOf,
  type AuthRoom,
} from '../sign-in/guard.ts';

/** Has `reset_token` if the service returns it in the reply (local mode), else `message`. */
const ResetReply = Type.Object({
  email: Type.String(),
  reset_token: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
});

/** Login by password. */
export const passwordLoginRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  const { auth } = room;
  scope.post(
    '/sessions',
    {
      ...admission(room),
      config: costing(hashCost),
      schema: { summary: 'Logs in', body: Credentials, response: { 200: LoginReply } },
    },
    async (request, reply) => {
      const address = requireEmailAddress(request.body.email);
      const login = await auth.identity.passwordLogin.logIn(
        address,
        request.body.password,
        sourceOf(request, room),
      );
      if (login === undefined) throw new Problem('invalid_credentials');
      sendLogin(reply, room, login);
      return loginBody(address.text, login);
    },
  );
};

/** Requests and redeems a password reset. */
export const passwordResetRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  const { auth, rules } = room;
  scope.post(
    '/reset_password',
    {
      config: costing(mailCost),
      schema: {
        summary: 'Asks for a reset token',
        body: Type.Object({ email }),
        response: { 200: ResetReply },
      },
    },
    async (request, reply) => {
      const address = requireEmailAddress(request.body.email);
      if (rules.resetTokenBy === 'mail') {
        const source = initiatingSourceOf(request, room);
        await auth.identity.passwordReset.request(address, source);
        rememberBrowser(reply, room, source);
        return { email: address.text, message: 'reset token sent' };
      }
      return {
        email: address.text,
        reset_token: await auth.identity.passwordReset.createToken(address, sourceOf(request, room)),
      };
    },
  );

  scope.put(
    '/reset_password',
    {
      ...admission(room),
      config: costing(hashCost),
      schema: {
        summary: 'Sets a new password with a reset token',
        body: Type.Object({ email, reset_token: token, new_password: password }),
        response: { 200: EmailMessage },
      },
    },
    async (request) => {
      const address = requireEmailAddress(request.body.email);
      await auth.identity.passwordReset.redeem(
        request.body.reset_token,
        request.body.new_password,
        address,
        sourceOf(request, room),
      );
      return { email: address.text, message: 'Password updated' };
    },
  );
};

/** Behind the member door: changes the password. */
export const passwordRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  const { auth } = room;
  scope.put(
    '/profile/password',
    {
      ...admission(room),
      config: costing(2 * hashCost),
      schema: {
        summary: 'Sets a new password with the current one',
        body: Type.Object({ password: Type.Optional(password), new_password: password }),
        response: { 200: EmailMessage },
      },
    },
    async (request) => {
      const { password: current, new_password: next } = request.body;
      const user = await auth.changePassword(sessionOf(request), { current, next }, sourceOf(request, room));
      return { email: user.email, message: 'Password updated' };
    },
  );
};
