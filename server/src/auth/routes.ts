// The contract's routes. What they answer is fixed to the byte by the contract; what they decide is Auth's.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, onRequestHookHandler } from 'fastify';
import Type from 'typebox';
import { dayMs } from '../kit/clock.ts';
import { isProblem, Problem } from '../kit/problem.ts';
import { costing } from '../http/limits.ts';
import type { RefusalPace } from '../http/refusal-pace.ts';
import { requireEmailAddress } from '../user/email-address.ts';
import { ValueError } from '../user/user.ts';
import type { Auth } from './auth.ts';
import type { ClientSource } from './context.ts';
import { askingSourceOf, sessionOf, sourceOf, type SourceReaders } from './guard.ts';
import type { Login } from './login.ts';
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
  description: 'One-time token; or the code of the same mail, in the browser that asked for it',
});

/** Units of the limit by address: of a request that hashes a password, and of one that sends a mail. */
export const hashCost = 3;
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
  /** A registration mails a token that confirms the address. */
  readonly confirmsEmail: boolean;
}

export interface AuthRoom extends SourceReaders {
  readonly auth: Auth;
  /** At which a flood is refused. */
  readonly pace: RefusalPace;
  readonly rules: AuthRules;
}

/** Refuses a request that needs a hash while there is no time for one: in a flood that must cost next to nothing. */
export function admission({ auth, pace }: AuthRoom): { onRequest: onRequestHookHandler } {
  return {
    onRequest: (_request, _reply, done) => {
      try {
        auth.requireRoom();
      } catch (error) {
        return isProblem(error, 'too_busy') ? pace.refuse(done, error) : done(error as Error); // what it throws
      }
      return done();
    },
  };
}

/** How long a browser is known as the one that asked: as long as the longest-lived mail. */
const requestCookieMs = dayMs;

/** Tells the browser that has asked for a mail how to be known again. */
function rememberAsker(
  reply: FastifyReply,
  { requestCookie }: AuthRoom,
  { requestToken }: ClientSource,
): void {
  if (requestToken !== undefined)
    void reply.header('set-cookie', requestCookie.write(requestToken, requestCookieMs));
}

/** Sets the cookies of a login. */
export function sendLogin(reply: FastifyReply, { auth, cookie, deviceCookie }: AuthRoom, login: Login): void {
  void reply.header('set-cookie', cookie.write(login.token, auth.sessionMs));
  if (login.deviceToken !== undefined)
    void reply.header('set-cookie', deviceCookie.write(login.deviceToken, auth.knownDeviceMs));
}

/** Register, log in, ask for a reset, redeem it. */
export const openRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  const { auth, rules } = room;
  scope.route({
    method: ['GET', 'DELETE'], // a browser's fetch repeats DELETE on the target of a 302
    url: '/',
    schema: { summary: 'Greets', response: { 200: Message } },
    handler: async () => ({ message: 'Bienvenue' }),
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
      const source = rules.confirmsEmail ? askingSourceOf(request, room) : sourceOf(request, room);
      try {
        await auth.registerUser(text, request.body.password, source);
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        // The contract's own body, without the members of a problem.
        if (rules.revealAccounts) return reply.status(400).send({ message: 'email already registered' });
      }
      if (rules.confirmsEmail) rememberAsker(reply, room, source);
      return { email: text, message: 'user created' };
    },
  );

  scope.post(
    '/sessions',
    {
      ...admission(room),
      config: costing(hashCost),
      schema: { summary: 'Logs in', body: Credentials, response: { 200: EmailMessage } },
    },
    async (request, reply) => {
      const { text } = requireEmailAddress(request.body.email);
      const login = await auth.logIn(text, request.body.password, sourceOf(request, room));
      if (login === undefined) throw new Problem('invalid_credentials');
      sendLogin(reply, room, login);
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
    async (request, reply) => {
      const { text } = requireEmailAddress(request.body.email);
      if (rules.resetTokenBy === 'mail') {
        const source = askingSourceOf(request, room);
        await auth.requestReset(text, source);
        rememberAsker(reply, room, source);
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
      const { text } = requireEmailAddress(request.body.email);
      const source = askingSourceOf(request, room);
      await room.auth.requestVerification(text, source);
      rememberAsker(reply, room, source);
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
      await room.auth.verifyEmail(text, request.body.token, sourceOf(request, room));
      return { email: text, message: 'email confirmed' };
    },
  );
};

/** Signing in by mail. */
export const emailSignInRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  scope.post(
    '/sessions/email',
    {
      config: costing(mailCost),
      schema: {
        summary: 'Asks for a link and a code that sign in',
        body: Type.Object({ email }),
        response: { 200: EmailMessage },
      },
    },
    async (request, reply) => {
      const { text } = requireEmailAddress(request.body.email);
      const source = askingSourceOf(request, room);
      await room.auth.requestSignIn(text, source);
      rememberAsker(reply, room, source);
      return { email: text, message: 'sign-in link sent' };
    },
  );

  scope.put(
    '/sessions/email',
    {
      schema: {
        summary: 'Logs in with what was mailed',
        body: Type.Object({ email, token }),
        response: { 200: EmailMessage },
      },
    },
    async (request, reply) => {
      const { text } = requireEmailAddress(request.body.email);
      const login = await room.auth.signInByEmail(text, request.body.token, sourceOf(request, room));
      if (login === undefined) throw new Problem('token_invalid');
      sendLogin(reply, room, login);
      return { email: text, message: 'logged in' };
    },
  );
};

/** Change of address, asked for and proved in a session. */
export const emailChangeRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  scope.post(
    '/profile/email',
    {
      ...admission(room),
      config: costing(mailCost),
      schema: {
        summary: 'Asks for another address, with the current password',
        body: Credentials,
        response: { 200: EmailMessage },
      },
    },
    async (request, reply) => {
      const { text } = requireEmailAddress(request.body.email);
      const wish = { email: text, password: request.body.password };
      const source = askingSourceOf(request, room);
      await room.auth.requestEmailChange(sessionOf(request), wish, source);
      rememberAsker(reply, room, source);
      return { email: text, message: 'confirmation token sent' };
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
      const user = await room.auth.changeEmail(
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
      const user = await room.auth.undoEmailChange(request.body.token, sourceOf(request, room));
      return { email: user.email, message: 'email restored' };
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
        body: Type.Object({ password, new_password: password }),
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
    { schema: { summary: 'Logs out', response: { 200: Message, 302: Message } } },
    async (request, reply) => {
      await auth.endSession(sessionOf(request).id, sourceOf(request, room));
      void reply.header('set-cookie', cookie.clear());
      const body = { message: 'logged out' };
      // A redirect suits a browser; a program that names JSON itself is told in words.
      if (request.headers.accept?.includes('application/json')) return body;
      return reply.status(302).header('location', '/').send(body);
    },
  );
};
