// The service as a Fastify plugin in the server of an application.
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest, RegisterOptions } from 'fastify';
import { requireMembers, requireService, type Members } from './members.ts';
import { mountService, type BienvenueOptions } from '../app/server.ts';

/**
 * The whole service as a Fastify plugin: `await app.register(bienvenue, { service })`.
 * @throws {TypeError} if `service` is not from `openService`.
 * @throws {Error} if it is mounted below a prefix, or a path or a member of the request is taken; the message says what
 *   to do.
 */
export const bienvenue: FastifyPluginAsync<BienvenueOptions> = async (app, options) => {
  requireOptions(options);
  requireRoot(app, options);
  const taken = ownMembers.find((name) => app.hasRequestDecorator(name));
  if (taken !== undefined)
    throw new Error(
      `Another plugin has added \`request.${taken}\` already, which Bienvenue sets too. Register each of the two in a scope of its own: app.register(async (scope) => { await scope.register(bienvenue, { service }); }). Register Bienvenue itself once.`,
    );
  app.decorateRequest('session', null);
  const paths = watchPaths(app);
  await app.register(async (scope) => {
    try {
      await mountService(scope, options);
    } catch (error) {
      throw duplicateOf(error) ?? error;
    }
  });
  paths.close();
};

// Without a scope of its own, so that the routes of the application have `request.session` (Fastify, skip-override).
Object.assign(bienvenue, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'bienvenue',
  [Symbol.for('plugin-meta')]: { name: 'bienvenue', fastify: '5.x' }, // Fastify refuses another version
});

/** Members of a request that the service adds. */
const ownMembers = ['session', 'source', 'pendingAuthentication'] as const satisfies (keyof FastifyRequest)[];

/** Options of a registration: ours, and those that Fastify hands to every plugin. */
const pluginOptions: Members<BienvenueOptions & RegisterOptions> = {
  service: 'object',
  home: 'boolean',
  onRoutes: 'function',
  prefix: 'string',
  logLevel: 'string',
  logSerializers: 'object',
};

function requireOptions(options: BienvenueOptions & RegisterOptions): void {
  requireMembers('bienvenue', options, pluginOptions);
  requireService('app.register(bienvenue, { service })', options.service);
}

/** Fastify hands the prefix of the registration itself to a plugin without a scope, and applies those around it. */
function requireRoot({ prefix: outer }: FastifyInstance, options: BienvenueOptions & RegisterOptions): void {
  const prefix = outer + (options.prefix ?? '');
  if (prefix !== '')
    throw new Error(
      `Bienvenue cannot be mounted below ${prefix}: the links, forms, scripts, cookies and emails of its pages have fixed paths at the root of the host. Register it without a prefix, with \`home: false\` if your application has a page at /, or run it on a host name of its own.`,
    );
}

/** Watches for routes of the application that the service has too: those that are added after it. */
function watchPaths(app: FastifyInstance): { close: () => void } {
  const ours = new Set<string>();
  let isMounting = true;
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) {
      const route = `${each} ${url}`;
      if (isMounting) ours.add(route);
      else if (ours.has(route)) throw takenPath(url);
    }
  });
  return { close: () => void (isMounting = false) };
}

/** Returns the error to throw instead of Fastify's about a route that exists already. */
function duplicateOf(error: unknown): Error | undefined {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  const path = /for route '(?<path>.+)'$/.exec(String(message))?.groups?.['path'];
  return code === 'FST_ERR_DUPLICATED_ROUTE' && path !== undefined
    ? takenPath(path, { cause: error })
    : undefined;
}

function takenPath(path: string, options?: ErrorOptions): Error {
  const remedy =
    path === '/'
      ? 'Register Bienvenue with `home: false` to keep the one of your application.'
      : 'Give your route another path: those of Bienvenue are fixed (docs/reference/http.md lists them).';
  return new Error(`Your application and Bienvenue both have a route at ${path}. ${remedy}`, options);
}
