// Enrolls, lists and removes authenticator apps.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type QrLibrary from 'qr';
import Type from 'typebox';
import { handle, factorLabel, Message } from '../../http/fields.ts';
import type { Totp } from './totp.ts';
import type { BrowserCookies } from '../../identity/browser-cookies.ts';
import { enrollmentSubjectOf, sendLogin } from '../../identity/sign-in/guard.ts';
import { costing, hashCost } from '../../http/limit/limits.ts';
import { subjectUserIdOf } from '../../identity/sign-in/subject.ts';
import type { Enrollment } from '../../identity/enrollment/enrollment.ts';

const Instant = Type.String({ format: 'date-time' });
const AuthenticatorList = Type.Object({
  authenticators: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      created_at: Instant,
      last_used_at: Type.Optional(Instant),
    }),
  ),
});
const NewAuthenticator = Type.Object({
  id: Type.String(),
  secret: Type.String({ description: 'Base32, to enter by hand; returned once' }),
  uri: Type.String({ description: '`otpauth:` URI' }),
  qr_svg: Type.String({ description: 'QR code of the URI, as SVG' }),
});

/** The routes of authenticator apps. */
export function totpRoutes({
  cookies,
  enrollment,
  totp,
}: {
  readonly cookies: BrowserCookies;
  readonly enrollment: Enrollment;
  readonly totp: Totp;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/profile/totp',
      { schema: { summary: "Lists the user's authenticator apps", response: { 200: AuthenticatorList } } },
      async (request) => {
        const rows = await totp.list(subjectUserIdOf(enrollmentSubjectOf(request)));
        return {
          authenticators: rows.map(({ id, name, created_at, last_used_at }) => ({
            id,
            name,
            created_at: new Date(created_at).toISOString(),
            ...(last_used_at !== null && { last_used_at: new Date(last_used_at).toISOString() }),
          })),
        };
      },
    );

    scope.post(
      '/profile/totp',
      {
        schema: {
          summary:
            'Creates the seed of an authenticator app; it takes effect after its first code was verified',
          body: Type.Object({ name: Type.Optional(factorLabel) }),
          response: { 200: NewAuthenticator },
        },
      },
      async (request) => {
        const user = await enrollment.requireSubject(enrollmentSubjectOf(request));
        const made = await totp.begin(user, request.body.name ?? 'Authenticator');
        const { default: encodeQR } = (await import('qr')) as { default: typeof QrLibrary }; // 40 kB that few users need
        return { ...made, qr_svg: encodeQR(made.uri, 'svg') };
      },
    );

    scope.put(
      '/profile/totp',
      {
        config: costing(hashCost),
        schema: {
          summary: 'Confirms an authenticator app with its first code',
          body: Type.Object({
            id: Type.String({
              ...handle,
              minLength: 1,
              maxLength: 64,
              description: 'Id of the reply to `POST`',
            }),
            code: Type.String({ minLength: 1, maxLength: 32, description: 'Code that the app shows' }),
          }),
          response: { 200: Message },
        },
      },
      async (request, reply) => {
        const subject = enrollmentSubjectOf(request);
        const { login } = await enrollment.add(subject, totp.addition(request.body), request.source);
        sendLogin(reply, cookies, login);
        if (subject.pending !== undefined) cookies.clearPending(reply);
        return { message: 'authenticator added' };
      },
    );

    scope.delete(
      '/profile/totp/:id',
      {
        schema: {
          summary: 'Removes an authenticator app',
          params: Type.Object({ id: handle }),
          response: { 200: Message },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        const subject = enrollmentSubjectOf(request);
        const { renewed } = await enrollment.change(subject, totp.removal(id), request.source);
        cookies.renewSession(request, reply, renewed);
        return { message: 'authenticator removed' };
      },
    );
  };
}
