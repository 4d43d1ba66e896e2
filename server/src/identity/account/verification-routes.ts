// Routes that request and redeem the confirmation of an email address.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { requireEmailAddress } from '../../user/email-address.ts';
import { email, EmailMessage, password, token } from '../../http/fields.ts';
import { initiatingSourceOf, type BrowserCookies } from '../browser-cookies.ts';
import { costing, hashCost, mailCost } from '../../http/limit/limits.ts';
import type { EmailVerification } from './verification.ts';

/** Confirmation of an address, at the access level `open`. */
export function verificationRoutes({
  cookies,
  emailVerification,
}: {
  readonly cookies: BrowserCookies;
  readonly emailVerification: EmailVerification;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/email_verification',
      {
        config: costing(mailCost),
        schema: {
          summary: 'Requests another confirmation email',
          body: Type.Object({ email }),
          response: { 200: EmailMessage },
        },
      },
      async (request, reply) => {
        const address = requireEmailAddress(request.body.email);
        const source = initiatingSourceOf(request);
        await emailVerification.request(address, source);
        cookies.setRequest(reply, source);
        return { email: address.text, message: 'confirmation token sent' };
      },
    );

    scope.put(
      '/email_verification',
      {
        config: costing(hashCost),
        schema: {
          summary: 'Confirms an email address',
          body: Type.Object({
            email,
            token,
            password: Type.Optional(
              Type.String({
                ...password,
                description:
                  'Password of the registration: required in another browser than the one that registered',
              }),
            ),
            new_password: Type.Optional(
              Type.String({
                ...password,
                description: 'Sets a new password and ends every registration of the address',
              }),
            ),
          }),
          response: { 200: EmailMessage },
        },
      },
      async (request) => {
        const address = requireEmailAddress(request.body.email);
        const { token: presented, password: known, new_password: newPassword } = request.body;
        await emailVerification.redeem(address, presented, request.source, { password: known, newPassword });
        return { email: address.text, message: 'email confirmed' };
      },
    );
  };
}
