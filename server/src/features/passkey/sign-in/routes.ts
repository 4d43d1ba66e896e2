// Signs in and registers with a passkey.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { requireEmailAddress } from '../../../user/email-address.ts';
import { ValueError } from '../../../user/user.ts';
import { email, EmailMessage, factorLabel, LoginReply, Message } from '../../../http/fields.ts';
import { costing, hashCost, mailCost } from '../../../http/limit/limits.ts';
import { initiatingSourceOf, type BrowserCookies } from '../../../identity/browser-cookies.ts';
import { sendLogin, loginBody } from '../../../identity/sign-in/guard.ts';
import type { RegistrationPolicy } from '../../../identity/account/registration.ts';
import { credential, PublicKey } from '../fields.ts';
import type { Passkeys } from '../passkey.ts';
import type { PasskeySignIn } from './passkey-sign-in.ts';

/** Routes that sign in, and register an account without a password. */
export function passkeyOpenRoutes({
  cookies,
  passkeySignIn,
  passkeys,
  policy,
}: {
  readonly cookies: BrowserCookies;
  readonly passkeySignIn: PasskeySignIn;
  readonly passkeys: Passkeys;
  readonly policy: RegistrationPolicy;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/sessions/passkey',
      {
        schema: {
          summary: 'Returns the options to sign in with a passkey',
          response: { 200: PublicKey },
        },
      },
      async () => ({ public_key: await passkeys.signInOptions() }),
    );

    scope.put(
      '/sessions/passkey',
      {
        config: costing(hashCost),
        schema: {
          summary: 'Logs in with a passkey',
          body: Type.Object({ credential }),
          response: { 200: LoginReply },
        },
      },
      async (request, reply) => {
        const { credential: answer } = request.body;
        const { user, login } = await passkeySignIn.signIn(answer, request.source);
        sendLogin(reply, cookies, login);
        return loginBody(user.email, login);
      },
    );

    scope.post(
      '/users/passkey',
      {
        schema: {
          summary: 'Returns the options to register with a passkey instead of a password',
          body: Type.Object({ email }),
          response: { 200: PublicKey },
        },
      },
      async (request) => {
        const address = requireEmailAddress(request.body.email);
        return { public_key: await passkeySignIn.registrationOptions(address) };
      },
    );

    scope.put(
      '/users/passkey',
      {
        config: costing(mailCost),
        schema: {
          summary: 'Registers a user with a passkey',
          body: Type.Object({ email, credential, name: Type.Optional(factorLabel) }),
          response: { 200: EmailMessage, 400: Message },
        },
      },
      async (request, reply) => {
        const { email: typed, credential: made, name } = request.body;
        const address = requireEmailAddress(typed);
        const initiator = policy.emailConfirmation ? initiatingSourceOf(request) : undefined;
        const source = initiator ?? request.source;
        try {
          await passkeySignIn.register({ address, credential: made, name }, source);
        } catch (error) {
          if (!(error instanceof ValueError)) throw error;
          if (policy.revealAccounts) return reply.status(400).send({ message: 'email already registered' });
        }
        if (initiator !== undefined) cookies.setRequest(reply, initiator);
        return { email: address.text, message: 'user created' };
      },
    );
  };
}
