import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { sessionOf, sourceOf, type AuthRoom } from '../../identity/sign-in/guard.ts';
import type { RecoveryCodes } from './recovery-code.ts';

export interface RecoveryCodeRoom extends AuthRoom {
  readonly recoveryCodes: RecoveryCodes;
}

/** Behind the member door: how many codes are left, and new ones. */
export const recoveryCodeRoutes: FastifyPluginAsyncTypebox<RecoveryCodeRoom> = async (scope, room) => {
  const { auth, recoveryCodes } = room;
  scope.get(
    '/profile/recovery_codes',
    {
      schema: {
        summary: 'How many recovery codes you have left',
        response: { 200: Type.Object({ left: Type.Integer() }) },
      },
    },
    async (request) => ({ left: await recoveryCodes.count(sessionOf(request).userId) }),
  );

  scope.post(
    '/profile/recovery_codes',
    {
      schema: {
        summary: 'Makes ten recovery codes in the place of the older ones, and shows them this once',
        response: { 200: Type.Object({ recovery_codes: Type.Array(Type.String()) }) },
      },
    },
    async (request) => {
      const session = sessionOf(request);
      const codes = await auth.enrollment.change(
        { session },
        recoveryCodes.replacement(auth.secondFactors),
        sourceOf(request, room),
      );
      return { recovery_codes: codes };
    },
  );
};
