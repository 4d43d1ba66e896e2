// Asking for mails that prove something, and redeeming what they hold: confirmation, signing in by mail, change of address.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { email, EmailMessage, LoginReply, mailCost, password, token } from '../../http/fields.ts';
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
import './problem.ts';

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
      const source = initiatingSourceOf(request, room);
      await room.auth.requestVerification(text, source);
      rememberBrowser(reply, room, source);
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
      const source = initiatingSourceOf(request, room);
      await room.auth.requestSignIn(text, source);
      rememberBrowser(reply, room, source);
      return { email: text, message: 'sign-in link sent' };
    },
  );

  scope.put(
    '/sessions/email',
    {
      schema: {
        summary: 'Logs in with what was mailed',
        body: Type.Object({ email, token }),
        response: { 200: LoginReply },
      },
    },
    async (request, reply) => {
      const { text } = requireEmailAddress(request.body.email);
      const login = await room.auth.signInByEmail(text, request.body.token, sourceOf(request, room));
      if (login === undefined) throw new Problem('token_invalid');
      sendLogin(reply, room, login);
      return loginBody(text, login);
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
        body: Type.Object({ email, password: Type.Optional(password) }),
        response: { 200: EmailMessage },
      },
    },
    async (request, reply) => {
      const { text } = requireEmailAddress(request.body.email);
      const wish = { email: text, password: request.body.password };
      const source = initiatingSourceOf(request, room);
      await room.auth.requestEmailChange(sessionOf(request), wish, source);
      rememberBrowser(reply, room, source);
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

/** Undoing the first second factor of an account: open, since it keeps its owner out. */
export const factorUndoRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  scope.put(
    '/profile/factors/undo',
    {
      schema: {
        summary: 'Takes the first second factor of an account away again, with what was set up since',
        body: Type.Object({ token }),
        response: { 200: EmailMessage },
      },
    },
    async (request) => {
      const user = await room.auth.enrollment.undo(request.body.token, sourceOf(request, room));
      return { email: user.email, message: 'factors removed' };
    },
  );
};
