import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { RecoveryCodes } from './recovery-code.ts';
import type { BrowserCookies } from '../../identity/browser-cookies.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import type { Enrollment } from '../../identity/enrollment/enrollment.ts';
import type { SecondFactors } from '../../identity/factor/second-factor.ts';

/** The routes that count the codes left and create new ones. */
export function recoveryCodeRoutes({
  cookies,
  secondFactors,
  enrollment,
  recoveryCodes,
}: {
  readonly cookies: BrowserCookies;
  readonly secondFactors: SecondFactors;
  readonly enrollment: Enrollment;
  readonly recoveryCodes: RecoveryCodes;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/profile/recovery_codes',
      {
        schema: {
          summary: 'Returns how many recovery codes are left',
          response: { 200: Type.Object({ left: Type.Integer() }) },
        },
      },
      async (request) => ({ left: await recoveryCodes.count(sessionOf(request).userId) }),
    );

    scope.post(
      '/profile/recovery_codes',
      {
        schema: {
          summary: 'Creates ten recovery codes, which replace the previous ones, and returns them once',
          response: { 200: Type.Object({ recovery_codes: Type.Array(Type.String()) }) },
        },
      },
      async (request, reply) => {
        const session = sessionOf(request);
        const { result: codes, renewed } = await enrollment.change(
          { session },
          recoveryCodes.replacement(secondFactors),
          request.source,
        );
        cookies.renewSession(request, reply, renewed);
        return { recovery_codes: codes };
      },
    );
  };
}
