// The contract's routes. What they answer is fixed to the byte by the contract; what they decide is Auth's.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { Problem } from '../kit/problem.ts';
import type { SessionCookie } from '../http/session-cookie.ts';
import { requireEmailAddress } from '../user/email-address.ts';
import { ValueError } from '../user/user.ts';
import type { Auth } from './auth.ts';
import { sessionOf } from './guard.ts';
import { longestPassword } from './password-rule.ts';

/** Characters of an e-mail field: the longest address and some white space around it. */
const emailCharacters = 300;
/** Characters of a token field: far more than a token has. */
const tokenCharacters = 300;
/** UTF-16 code units of a password field; the rule counts code points. */
const passwordCharacters = longestPassword.codePoints * 2;
/** No NUL: it ends a string in some stores and hashes, and PostgreSQL refuses it in text. */
const noNul = '^[^\\u0000]*$';

const email = Type.String({ minLength: 1, maxLength: emailCharacters, pattern: noNul, description: 'E-mail address' });
const password = Type.String({ minLength: 1, maxLength: passwordCharacters, pattern: noNul, description: 'Password' });
const resetToken = Type.String({ minLength: 1, maxLength: tokenCharacters, pattern: noNul, description: 'Reset token' });

const Credentials = Type.Object({ email, password });
const Message = Type.Object({ message: Type.String() });
const EmailMessage = Type.Object({ email: Type.String(), message: Type.String() });
const Profile = Type.Object({ email: Type.String() });
const ResetToken = Type.Object({ email: Type.String(), reset_token: Type.String() });

/** House rules that differ between local and public mode. */
export interface AuthRules {
  /** Says that an address is taken, instead of answering like a new one. */
  readonly revealAccounts: boolean;
}

export interface AuthRoom {
  readonly auth: Auth;
  readonly cookie: SessionCookie;
  readonly rules: AuthRules;
}

/** Register, log in, ask for a reset, redeem it. */
export const openRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, { auth, cookie, rules }) => {
  scope.route({
    method: ['GET', 'DELETE'], // a browser's fetch repeats DELETE on the target of a 302
    url: '/',
    schema: { summary: 'Greets', response: { 200: Message } },
    handler: async () => ({ message: 'Bienvenue' }),
  });

  scope.post(
    '/users',
    { schema: { summary: 'Registers a user', body: Credentials, response: { 200: EmailMessage, 400: Message } } },
    async (request, reply) => {
      const { text } = requireEmailAddress(request.body.email);
      try {
        await auth.registerUser(text, request.body.password);
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        // The contract's own body, without the members of a problem.
        if (rules.revealAccounts) return reply.status(400).send({ message: 'email already registered' });
      }
      return { email: text, message: 'user created' };
    },
  );

  scope.post(
    '/sessions',
    { schema: { summary: 'Logs in', body: Credentials, response: { 200: EmailMessage } } },
    async (request, reply) => {
      const { text } = requireEmailAddress(request.body.email);
      const token = await auth.logIn(text, request.body.password);
      if (token === undefined) throw new Problem('invalid_credentials');
      void reply.header('set-cookie', cookie.write(token, auth.sessionMs));
      return { email: text, message: 'logged in' };
    },
  );

  scope.post(
    '/reset_password',
    { schema: { summary: 'Asks for a reset token', body: Type.Object({ email }), response: { 200: ResetToken } } },
    async (request) => {
      const { text } = requireEmailAddress(request.body.email);
      return { email: text, reset_token: await auth.getResetPasswordToken(text) };
    },
  );

  scope.put(
    '/reset_password',
    {
      schema: {
        summary: 'Sets a new password with a reset token',
        body: Type.Object({ email, reset_token: resetToken, new_password: password }),
        response: { 200: EmailMessage },
      },
    },
    async (request) => {
      const { text } = requireEmailAddress(request.body.email);
      await auth.updatePassword(request.body.reset_token, request.body.new_password, text);
      return { email: text, message: 'Password updated' };
    },
  );
};

/** The profile, and logging out. */
export const memberRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, { auth, cookie }) => {
  scope.get('/profile', { schema: { summary: 'Whose session this is', response: { 200: Profile } } }, async (request) => ({
    email: sessionOf(request).email,
  }));

  scope.delete(
    '/sessions',
    { schema: { summary: 'Logs out', response: { 200: Message, 302: Message } } },
    async (request, reply) => {
      await auth.endSession(sessionOf(request).id);
      void reply.header('set-cookie', cookie.clear());
      const body = { message: 'logged out' };
      // A redirect suits a browser; a program that names JSON itself is told in words.
      if (request.headers.accept?.includes('application/json')) return body;
      return reply.status(302).header('location', '/').send(body);
    },
  );
};
