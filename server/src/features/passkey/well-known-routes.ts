// Documents that browsers and password managers read: where passkeys are managed, and on which origins they may be used.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { PageKit } from '../../page/page.ts';
import type { Passkeys } from './passkey.ts';
import { passkeySection } from './prompt.ts';

const Endpoints = Type.Object({ enroll: Type.String(), manage: Type.String() });

/** Tells password managers where a user creates and manages passkeys (W3C, Passkey Endpoints). */
export function passkeyEndpointRoutes({ pages }: { readonly pages: PageKit }): FastifyPluginAsyncTypebox {
  const manage = `${pages.publicOrigin}${passkeySection.path}`;

  return async (scope) => {
    scope.get(
      '/.well-known/passkey-endpoints',
      {
        schema: {
          summary: 'Lists the pages on which passkeys are created and managed',
          response: { 200: Endpoints },
        },
      },
      async () => ({ enroll: manage, manage }),
    );
  };
}

/** Lists the origins on which passkeys may be used (WebAuthn Level 3 §5.11). */
export function relatedOriginRoutes({
  passkeys,
}: {
  readonly passkeys: Passkeys;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/.well-known/webauthn',
      {
        schema: {
          summary: 'Lists the origins that may use passkeys of this service (related origins)',
          response: { 200: Type.Object({ origins: Type.Array(Type.String()) }) },
        },
      },
      async () => ({ origins: [...passkeys.relyingParty.origins] }),
    );
  };
}
