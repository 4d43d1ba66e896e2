// Answers a proxy that asks before it forwards a request: nginx `auth_request`, Caddy `forward_auth`, Traefik
// `ForwardAuth`. Browsers send the session cookie to our host name alone, so the applications must be served on that
// name, behind the same proxy.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { seeOther, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { freeRead } from '../../http/limits.ts';
import { addressOf } from '../../http/markup.ts';
import './problem.ts';

const Who = Type.Object({ id: Type.Integer(), email: Type.String() });

export function forwardAuthRoutes({ pages }: { readonly pages: PageKit }): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/forward_auth',
      {
        config: freeRead,
        schema: {
          summary:
            'For proxies: returns the signed-in user in headers; otherwise 401, or a redirect to sign in',
          querystring: Type.Object({
            sign_in: Type.Optional(
              Type.Literal('redirect', {
                description: 'Redirects to the sign-in page and returns to `X-Forwarded-Uri`',
              }),
            ),
          }),
          response: { 200: Who },
        },
        // node:http writes headers and a text body as one UTF-8 string, which would encode the bytes of asHeader a
        // second time. With a body of bytes, the headers stay as they are.
        onSend: (_request, _reply, payload, done) =>
          done(null, typeof payload === 'string' ? Buffer.from(payload) : payload),
      },
      async (request, reply) => {
        const { session } = request;
        if (session !== null) {
          void reply
            .header('remote-user', String(session.userId))
            .header('remote-email', asHeader(session.email));
          return { id: session.userId, email: session.email };
        }
        // nginx understands 401 and 403 alone; the other proxies pass a redirect on.
        if (request.query.sign_in !== 'redirect') throw new Problem('sign_in_required');
        const target = pages.parseTarget(forwardedAddress(request));
        return seeOther(reply, addressOf(`${pages.publicOrigin}${paths.signIn}`, { return_to: target }));
      },
    );
  };
}

/** Returns the address that the user asked for, according to the proxy. It is only used as return address. */
function forwardedAddress({ headers }: FastifyRequest): string | undefined {
  const { 'x-forwarded-proto': scheme, 'x-forwarded-host': host, 'x-forwarded-uri': path } = headers;
  if (typeof scheme !== 'string' || typeof host !== 'string' || typeof path !== 'string') return undefined;
  return `${scheme}://${host}${path}`;
}

/** Returns the UTF-8 bytes as one character each, which Node writes unchanged. */
function asHeader(text: string): string {
  return Buffer.from(text).toString('latin1');
}
