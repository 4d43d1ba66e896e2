// Routes that read and change the details of the signed-in user. `GET /profile` keeps the reply of the contract.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { sessionOf } from '../session/guard.ts';
import type { Details, UserDetails } from './details.ts';
import '../session/problem.ts';

const DetailsReply = Type.Object({
  id: Type.Integer(),
  subject: Type.String({ description: 'Opaque stable identifier of the user for applications' }),
  external_id: Type.Optional(Type.String({ description: 'Identifier that another system gave to the user' })),
  email: Type.String(),
  email_verified: Type.Boolean({ description: 'Whether the user has confirmed the address' }),
  name: Type.Optional(Type.String()),
  picture: Type.Optional(Type.String({ format: 'uri' })),
  locale: Type.Optional(Type.String({ description: 'Language of the account (BCP 47)' })),
  metadata: Type.Object(
    {},
    { additionalProperties: true, description: 'Public metadata, which the operator and back ends write' },
  ),
});

/** Rejects NUL: it ends a string in some libraries. The rule rejects the rest, with its reason. */
const text = { maxLength: 2200, pattern: '^[^\\u0000]*$' };
const Changes = Type.Object({
  name: Type.Optional(Type.String({ ...text, description: 'Name, at most 200 characters' })),
  picture: Type.Optional(Type.String({ ...text, description: 'https address of a picture' })),
});

/** The routes, at the access level `session`. */
export function detailsRoutes({ details }: { readonly details: Details }): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/profile/details',
      {
        schema: {
          summary: 'Returns the details of the user: subject, name, picture, language and metadata',
          response: { 200: DetailsReply },
        },
      },
      async (request) => describe(await details.find(sessionOf(request).userId)),
    );

    scope.put(
      '/profile/details',
      {
        schema: {
          summary:
            'Changes the name and the picture of the user. A missing field stays as it is; empty text removes it',
          body: Changes,
          response: { 200: DetailsReply },
        },
      },
      async (request) => {
        const { name, picture } = request.body; // and nothing else: identifiers and metadata are the operator's
        return describe(await details.change(sessionOf(request).userId, { name, picture }, request.source));
      },
    );
  };
}

/** @throws {Problem} session_required if the user was removed. */
function describe(found: UserDetails | undefined) {
  if (found === undefined) throw new Problem('session_required');
  const { externalId, name, picture, locale } = found;
  return {
    id: found.id,
    subject: found.subject,
    ...(externalId !== null && { external_id: externalId }),
    email: found.email,
    email_verified: found.isEmailVerified,
    ...(name !== null && { name }),
    ...(picture !== null && { picture }),
    ...(locale !== null && { locale }),
    metadata: { ...found.publicMetadata },
  };
}
