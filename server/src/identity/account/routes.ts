// The contract's routes. What they answer is fixed to the byte by the contract; what they decide is Auth's.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { wantsPage } from '../../http/pages.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { ValueError } from '../../user/user.ts';
import {
  Credentials,
  email,
  EmailMessage,
  hashCost,
  LoginReply,
  mailCost,
  Message,
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
import '../session/problem.ts';

const Profile = Type.Object({ email: Type.String() });
/** With the token where it is given in the reply, with the message where it is mailed. */
const ResetReply = Type.Object({
  email: Type.String(),
  reset_token: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
});

/** What a person sees in the place of the greeting. */
interface Greeter {
  readonly welcome: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;
}

/** Register, log in, ask for a reset, redeem it. */
export const openRoutes: FastifyPluginAsyncTypebox<AuthRoom & Greeter> = async (scope, room) => {
  const { auth, rules } = room;
  scope.route({
    method: ['GET', 'DELETE'], // a browser's fetch repeats DELETE on the target of a 302
    url: '/',
    schema: { summary: 'Greets', response: { 200: Message } },
    handler: async (request, reply) =>
      request.method === 'GET' && wantsPage(request)
        ? room.welcome(request, reply)
        : { message: 'Bienvenue' },
  });

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
      const { text } = requireEmailAddress(request.body.email);
      const initiator = rules.emailConfirmation ? initiatingSourceOf(request, room) : undefined;
      try {
        await auth.registerUser(text, request.body.password, initiator ?? sourceOf(request, room));
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        // The contract's own body, without the members of a problem.
        if (rules.revealAccounts) return reply.status(400).send({ message: 'email already registered' });
      }
      if (initiator !== undefined) rememberBrowser(reply, room, initiator);
      return { email: text, message: 'user created' };
    },
  );

  scope.post(
    '/sessions',
    {
      ...admission(room),
      config: costing(hashCost),
      schema: { summary: 'Logs in', body: Credentials, response: { 200: LoginReply } },
    },
    async (request, reply) => {
      const { text } = requireEmailAddress(request.body.email);
      const login = await auth.logIn(text, request.body.password, sourceOf(request, room));
      if (login === undefined) throw new Problem('invalid_credentials');
      sendLogin(reply, room, login);
      return loginBody(text, login);
    },
  );

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
      const { text } = requireEmailAddress(request.body.email);
      if (rules.resetTokenBy === 'mail') {
        const source = initiatingSourceOf(request, room);
        await auth.requestReset(text, source);
        rememberBrowser(reply, room, source);
        return { email: text, message: 'reset token sent' };
      }
      return {
        email: text,
        reset_token: await auth.getResetPasswordToken(text, sourceOf(request, room)),
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
      const { text } = requireEmailAddress(request.body.email);
      await auth.updatePassword(
        request.body.reset_token,
        request.body.new_password,
        text,
        sourceOf(request, room),
      );
      return { email: text, message: 'Password updated' };
    },
  );
};

/** The profile, and logging out. */
export const memberRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  const { auth, cookie } = room;
  scope.get(
    '/profile',
    { schema: { summary: 'Whose session this is', response: { 200: Profile } } },
    async (request) => ({
      email: sessionOf(request).email,
    }),
  );

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

  scope.delete(
    '/sessions',
    {
      schema: {
        summary: 'Logs out; with others=true ends your other sessions instead',
        querystring: Type.Object({ others: Type.Optional(Type.Literal('true')) }),
        response: { 200: Message, 302: Message },
      },
    },
    async (request, reply) => {
      if (request.query.others === 'true') {
        await auth.endOtherSessions(sessionOf(request), sourceOf(request, room));
        return { message: 'other sessions ended' };
      }
      await auth.endSession(sessionOf(request).id, sourceOf(request, room));
      void reply.header('set-cookie', cookie.clear());
      const body = { message: 'logged out' };
      // A redirect suits a browser; a program that names JSON itself is told in words.
      if (request.headers.accept?.includes('application/json')) return body;
      return reply.status(302).header('location', '/').send(body);
    },
  );
};
