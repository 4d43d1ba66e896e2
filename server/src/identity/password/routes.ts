// Routes of the login by password, its reset and its change. The contract fixes most responses to the byte.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import {
  Credentials,
  currentPassword,
  email,
  EmailMessage,
  LoginReply,
  newPassword,
  token,
} from '../../http/fields.ts';
import { initiatingSourceOf, type BrowserCookies } from '../browser-cookies.ts';
import { sessionOf } from '../session/guard.ts';
import { sendLogin, loginBody } from '../sign-in/guard.ts';
import { costing, hashCost, hashing, mailCost } from '../../http/limit/limits.ts';
import type { PasswordLogin } from './login.ts';
import type { PasswordReset } from './reset.ts';
import type { PasswordChange } from './change.ts';

/** `reset_token` if the service returns it in the reply (local mode), otherwise `message`. */
const ResetReply = Type.Object({
  email: Type.String(),
  reset_token: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
});

const keeps = Type.Union([Type.Boolean(), Type.Literal('true')], {
  description: '`true`: keeps the other sessions and the access of programs',
});

/** Login by password, at the access level `open`. */
export function passwordLoginRoutes({
  cookies,
  passwordLogin,
}: {
  readonly cookies: BrowserCookies;
  readonly passwordLogin: PasswordLogin;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/sessions',
      {
        config: hashing(hashCost),
        schema: { summary: 'Logs in', body: Credentials, response: { 200: LoginReply } },
      },
      async (request, reply) => {
        const address = requireEmailAddress(request.body.email);
        const login = await passwordLogin.logIn(address, request.body.password, request.source);
        if (login === undefined) throw new Problem('invalid_credentials');
        sendLogin(reply, cookies, login);
        return loginBody(address.text, login);
      },
    );
  };
}

/** Requests and redeems a password reset, at the access level `open`. */
export function passwordResetRoutes({
  cookies,
  passwordReset,
  resetTokenBy,
}: {
  readonly cookies: BrowserCookies;
  readonly passwordReset: PasswordReset;
  /** Whether a reset token is returned in the reply or mailed. */
  readonly resetTokenBy: 'reply' | 'mail';
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/reset_password',
      {
        config: costing(mailCost),
        schema: {
          summary: 'Requests a reset token',
          body: Type.Object({ email }),
          response: { 200: ResetReply },
        },
      },
      async (request, reply) => {
        const address = requireEmailAddress(request.body.email);
        if (resetTokenBy === 'mail') {
          const source = initiatingSourceOf(request);
          await passwordReset.request(address, source);
          cookies.setRequest(reply, source);
          return { email: address.text, message: 'reset token sent' };
        }
        return {
          email: address.text,
          reset_token: await passwordReset.createToken(address, request.source, { isMailed: true }),
        };
      },
    );

    scope.put(
      '/reset_password',
      {
        config: hashing(hashCost),
        schema: {
          summary: 'Sets a new password with a reset token',
          body: Type.Object({ email, reset_token: token, new_password: newPassword }),
          response: { 200: EmailMessage },
        },
      },
      async (request) => {
        const address = requireEmailAddress(request.body.email);
        await passwordReset.redeem(
          request.body.reset_token,
          request.body.new_password,
          address,
          request.source,
        );
        return { email: address.text, message: 'Password updated' };
      },
    );
  };
}

/** Changes the password, at the access level `session`. */
export function passwordRoutes({
  cookies,
  passwordChange,
}: {
  readonly cookies: BrowserCookies;
  readonly passwordChange: PasswordChange;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.put(
      '/profile/password',
      {
        config: hashing(2 * hashCost),
        schema: {
          summary: 'Changes the password, and ends the other sessions of the user',
          body: Type.Object({
            password: Type.Optional(currentPassword),
            new_password: newPassword,
            keep_others: Type.Optional(keeps),
          }),
          response: { 200: EmailMessage },
        },
      },
      async (request, reply) => {
        const { password: current, new_password: next, keep_others: keepsOthers = false } = request.body;
        const passwords = { current, next, keepsOthers: keepsOthers !== false };
        const { user, renewed } = await passwordChange.change(sessionOf(request), passwords, request.source);
        cookies.renewSession(request, reply, renewed);
        return { email: user.email, message: 'Password updated' };
      },
    );
  };
}
