// The contract's routes. What they answer is fixed to the byte by the contract; what they decide is Auth's.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { onRequestHookHandler } from 'fastify';
import Type from 'typebox';
import { Problem } from '../kit/problem.ts';
import type { ClientAddress } from '../http/client-address.ts';
import { costing } from '../http/limits.ts';
import type { TokenCookie } from '../http/token-cookie.ts';
import { requireEmailAddress } from '../user/email-address.ts';
import { ValueError } from '../user/user.ts';
import type { Auth } from './auth.ts';
import { sessionOf, sourceOf } from './guard.ts';
import { longestPassword } from './password-rule.ts';

/** Characters of an e-mail field: the longest address and some white space around it. */
const emailCharacters = 300;
/** Characters of a token field: far more than a token has. */
const tokenCharacters = 300;
/** UTF-16 code units of a password field; the rule counts code points. */
const passwordCharacters = longestPassword.codePoints * 2;
/** No NUL: it ends a string in some stores and hashes, and PostgreSQL refuses it in text. */
const noNul = '^[^\\u0000]*$';

const email = Type.String({
  minLength: 1,
  maxLength: emailCharacters,
  pattern: noNul,
  description: 'E-mail address',
});
const password = Type.String({
  minLength: 1,
  maxLength: passwordCharacters,
  pattern: noNul,
  description: 'Password',
});
const token = Type.String({
  minLength: 1,
  maxLength: tokenCharacters,
  pattern: noNul,
  description: 'One-time token',
});

/** Units of the limit by address: of a request that hashes a password, and of one that sends a mail. */
const hashCost = 3;
const mailCost = 5;

const Credentials = Type.Object({ email, password });
const Message = Type.Object({ message: Type.String() });
const EmailMessage = Type.Object({ email: Type.String(), message: Type.String() });
const Profile = Type.Object({ email: Type.String() });
/** With the token where it is given in the reply, with the message where it is mailed. */
const ResetReply = Type.Object({
  email: Type.String(),
  reset_token: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
});

/** House rules that differ between local and public mode. */
interface AuthRules {
  /** Says that an address is taken, instead of answering like a new one. */
  readonly revealAccounts: boolean;
  /** Where a reset token goes. */
  readonly resetTokenBy: 'reply' | 'mail';
}

export interface AuthRoom {
  readonly auth: Auth;
  /** Carries the session. */
  readonly cookie: TokenCookie;
  /** Carries the device, where devices are known. */
  readonly deviceCookie: TokenCookie;
  readonly clientAddress: ClientAddress;
  readonly rules: AuthRules;
}

/** Refuses a request that needs a hash while there is no time for one: in a flood that must cost next to nothing. */
function admission(auth: Auth): { onRequest: onRequestHookHandler } {
  return {
    onRequest: (_request, _reply, done) => {
      try {
        auth.requireRoom();
      } catch (error) {
        return done(error as Error); // what it throws
      }
      return done();
    },
  };
}

/** Register, log in, ask for a reset, redeem it. */
export const openRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (
  scope,
  { auth, cookie, deviceCookie, clientAddress, rules },
) => {
  scope.route({
    method: ['GET', 'DELETE'], // a browser's fetch repeats DELETE on the target of a 302
    url: '/',
    schema: { summary: 'Greets', response: { 200: Message } },
    handler: async () => ({ message: 'Bienvenue' }),
  });

  scope.post(
    '/users',
    {
      ...admission(auth),
      config: costing(mailCost),
      schema: {
        summary: 'Registers a user',
        body: Credentials,
        response: { 200: EmailMessage, 400: Message },
      },
    },
    async (request, reply) => {
      const { text } = requireEmailAddress(request.body.email);
      try {
        await auth.registerUser(text, request.body.password, sourceOf(request, clientAddress));
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
    {
      ...admission(auth),
      config: costing(hashCost),
      schema: { summary: 'Logs in', body: Credentials, response: { 200: EmailMessage } },
    },
    async (request, reply) => {
      const { text } = requireEmailAddress(request.body.email);
      const { cookie: cookies } = request.headers;
      const deviceToken = deviceCookie.read(cookies);
      const sessionToken = cookie.read(cookies);
      const source = {
        ...sourceOf(request, clientAddress),
        ...(deviceToken !== undefined && { deviceToken }),
        ...(sessionToken !== undefined && { sessionToken }),
      };
      const login = await auth.logIn(text, request.body.password, source);
      if (login === undefined) throw new Problem('invalid_credentials');
      void reply.header('set-cookie', cookie.write(login.token, auth.sessionMs));
      if (login.deviceToken !== undefined) {
        void reply.header('set-cookie', deviceCookie.write(login.deviceToken, auth.knownDeviceMs));
      }
      return { email: text, message: 'logged in' };
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
    async (request) => {
      const { text } = requireEmailAddress(request.body.email);
      if (rules.resetTokenBy === 'mail') {
        await auth.requestReset(text, sourceOf(request, clientAddress));
        return { email: text, message: 'reset token sent' };
      }
      return {
        email: text,
        reset_token: await auth.getResetPasswordToken(text, sourceOf(request, clientAddress)),
      };
    },
  );

  scope.put(
    '/reset_password',
    {
      ...admission(auth),
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
        sourceOf(request, clientAddress),
      );
      return { email: text, message: 'Password updated' };
    },
  );
};

/** Confirmation of an address. */
export const verificationRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (
  scope,
  { auth, clientAddress },
) => {
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
    async (request) => {
      const { text } = requireEmailAddress(request.body.email);
      await auth.requestVerification(text, sourceOf(request, clientAddress));
      return { email: text, message: 'confirmation token sent' };
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
      const { text } = requireEmailAddress(request.body.email);
      await auth.verifyEmail(text, request.body.token, sourceOf(request, clientAddress));
      return { email: text, message: 'email confirmed' };
    },
  );
};

/** The profile, and logging out. */
export const memberRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (
  scope,
  { auth, cookie, clientAddress },
) => {
  scope.get(
    '/profile',
    { schema: { summary: 'Whose session this is', response: { 200: Profile } } },
    async (request) => ({
      email: sessionOf(request).email,
    }),
  );

  scope.delete(
    '/sessions',
    { schema: { summary: 'Logs out', response: { 200: Message, 302: Message } } },
    async (request, reply) => {
      await auth.endSession(sessionOf(request).id, sourceOf(request, clientAddress));
      void reply.header('set-cookie', cookie.clear());
      const body = { message: 'logged out' };
      // A redirect suits a browser; a program that names JSON itself is told in words.
      if (request.headers.accept?.includes('application/json')) return body;
      return reply.status(302).header('location', '/').send(body);
    },
  );
};
