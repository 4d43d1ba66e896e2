// Routes of registration and of the profile. The contract fixes their responses to the byte.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { requireEmailAddress } from '../../user/email-address.ts';
import { ValueError } from '../../user/user.ts';
import { Credentials, EmailMessage, Message } from '../../http/fields.ts';
import { initiatingSourceOf, type BrowserCookies } from '../browser-cookies.ts';
import { sessionOf } from '../session/guard.ts';
import { freeRead, hashing, mailCost } from '../../http/limit/limits.ts';
import type { Accounts } from './account.ts';
import type { RegistrationPolicy } from './registration.ts';

const Profile = Type.Object({ email: Type.String() });

/** Registration, at the access level `open`. */
export function registrationRoutes({
  cookies,
  accounts,
  policy,
}: {
  readonly cookies: BrowserCookies;
  readonly accounts: Accounts;
  readonly policy: RegistrationPolicy;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/users',
      {
        config: hashing(mailCost),
        schema: {
          summary: 'Registers a user',
          body: Credentials,
          response: { 200: EmailMessage, 400: Message },
        },
      },
      async (request, reply) => {
        const address = requireEmailAddress(request.body.email);
        const initiator = policy.emailConfirmation ? initiatingSourceOf(request) : undefined;
        try {
          await accounts.signUp(address, { password: request.body.password }, initiator ?? request.source);
        } catch (error) {
          if (!(error instanceof ValueError)) throw error;
          // The contract's body, not a problem document.
          if (policy.revealAccounts) return reply.status(400).send({ message: 'email already registered' });
        }
        if (initiator !== undefined) cookies.setRequest(reply, initiator);
        return { email: address.text, message: 'user created' };
      },
    );
  };
}

/** The profile, at the access level `session`. */
export function profileRoutes(): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/profile',
      {
        config: freeRead,
        schema: { summary: 'Returns the user of the session', response: { 200: Profile } },
      },
      async (request) => ({
        email: sessionOf(request).email,
      }),
    );
  };
}
