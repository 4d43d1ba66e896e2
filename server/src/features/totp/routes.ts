// Setting authenticator apps up, listing and removing them.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type QrLibrary from 'qr';
import Type from 'typebox';
import { costing } from '../../http/limits.ts';
import { handle, factorLabel, hashCost, Message } from '../../http/fields.ts';
import { enrollmentSubjectOf, sendLogin, sourceOf, type AuthRoom } from '../../identity/sign-in/guard.ts';
import { subjectUserIdOf } from '../../identity/sign-in/subject.ts';
import type { Totp } from './totp.ts';

export interface TotpRoom extends AuthRoom {
  readonly totp: Totp;
}

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
  secret: Type.String({ description: 'Base32, for typing; shown once' }),
  uri: Type.String({ description: 'otpauth URI' }),
  qr_svg: Type.String({ description: 'The URI as a picture' }),
});

/** Behind the door of who may change factors. */
export const totpRoutes: FastifyPluginAsyncTypebox<TotpRoom> = async (scope, room) => {
  const { auth, totp } = room;
  scope.get(
    '/profile/totp',
    { schema: { summary: 'Lists your authenticator apps', response: { 200: AuthenticatorList } } },
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
        summary: 'Makes the seed of another authenticator app; it counts once a code has proved it',
        body: Type.Object({ name: Type.Optional(factorLabel) }),
        response: { 200: NewAuthenticator },
      },
    },
    async (request) => {
      const user = await auth.enrollment.requireSubject(enrollmentSubjectOf(request));
      const made = await totp.begin(user, request.body.name ?? 'Authenticator');
      const { default: encodeQR } = (await import('qr')) as { default: typeof QrLibrary }; // 40 kB that few need
      return { ...made, qr_svg: encodeQR(made.uri, 'svg') };
    },
  );

  scope.put(
    '/profile/totp',
    {
      config: costing(hashCost),
      schema: {
        summary: 'Confirms an authenticator app by a code of it',
        body: Type.Object({
          id: Type.String({ minLength: 1, maxLength: 64 }),
          code: Type.String({ minLength: 1, maxLength: 32 }),
        }),
        response: { 200: Message },
      },
    },
    async (request, reply) => {
      const subject = enrollmentSubjectOf(request);
      const { login } = await auth.enrollment.add(
        subject,
        totp.addition(request.body),
        sourceOf(request, room),
      );
      sendLogin(reply, room, login);
      if (subject.pending !== undefined) void reply.header('set-cookie', room.pendingCookie.clear());
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
    async (request) => {
      const { id } = request.params;
      await auth.enrollment.change(enrollmentSubjectOf(request), totp.removal(id), sourceOf(request, room));
      return { message: 'authenticator removed' };
    },
  );
};
