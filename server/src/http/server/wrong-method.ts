// Answers a known path with an unsupported method with 405 and Allow, not with 404 (RFC 9110 §15.5.6).
import type { FastifyInstance } from 'fastify';
import { Problem } from '../../kit/problem.ts';
import { answerPreflight } from '../origin/cors.ts';
import '../problem.ts';

/**
 * Records the methods of each route added afterwards. Returns a function that adds a route for the missing methods of
 * each path.
 */
export function watchMethods(app: FastifyInstance): (scope: FastifyInstance) => void {
  const methodsByPath = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsByPath.get(url) ?? new Set<string>();
    for (const one of [method].flat()) methods.add(one);
    methodsByPath.set(url, methods);
  });

  return (scope) => {
    for (const [url, methods] of Array.from(methodsByPath)) {
      const allow = [...new Set([...methods, 'OPTIONS'])].join(', ');
      const others = scope.supportedMethods.filter((method) => !methods.has(method));
      scope.route({
        url,
        method: others,
        config: { isRefusal: true } as object, // read by code that lists the routes
        schema: { hide: true }, // read by the OpenAPI generator
        // Answered before the body is read, so that its content type does not matter.
        onRequest: async (request, reply) => {
          void reply.header('allow', allow);
          if (request.method === 'OPTIONS') {
            answerPreflight(request, reply, allow);
            await reply.status(204).send();
          } else throw new Problem('method_not_allowed');
        },
        handler: () => undefined,
      });
    }
  };
}
