// Builds the HTTP server: mounts the routes of every module at their access levels, without naming a module.
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { Problem } from '../kit/problem.ts';
import { acceptBodies } from '../http/body.ts';
import { assetRoutes } from '../http/asset-routes.ts';
import { wantsPage } from '../http/pages.ts';
import { errorHandler, sendProblem } from '../http/reply/problem-handler.ts';
import { logRequests } from '../http/server/request-log.ts';
import { createServer, type ConnectionTimes } from '../http/server/server.ts';
import { useOwnSettings } from '../http/server/own-settings.ts';
import { watchMethods } from '../http/server/wrong-method.ts';
import { installSource } from '../identity/browser-cookies.ts';
import { Access, accessOf, collectRoutes, type RouteEntry } from './access.ts';
import type { Service } from './service.ts';
import { healthRoutes } from './route/health.ts';
import { exitPages, homeRoutes, languagePages } from './route/home.ts';
import { describeRoutes, openapiRoutes } from './route/openapi.ts';
import { pageSender, problemRoutes, sendProblemPage } from './route/problem-pages.ts';

export interface BienvenueOptions {
  /** From `openService`. */
  readonly service: Service;
  /** False leaves `/` to the application. */
  readonly home?: boolean;
  /** Receives every route with its access level. @internal */
  readonly onRoutes?: (routes: readonly RouteEntry[]) => void;
}

/** Adds the hooks and routes of the service. @internal */
export async function mountService(
  app: FastifyInstance,
  { service, home = true, onRoutes }: BienvenueOptions,
): Promise<void> {
  const { core, hooks, modules, assets } = service;
  // A host server without a logger would leave no trace of a failure.
  const log = 'level' in app.log ? undefined : core.context.log;
  app.setErrorHandler(errorHandler(pageSender(core.pages), log));
  useOwnSettings(app);
  if (!app.hasRequestDecorator('session')) app.decorateRequest('session', null);
  app.decorateRequest('pendingAuthentication', null);
  installSource(app, hooks.clientAddress, core.cookies, core.pages);
  const rejectOtherMethods = watchMethods(app);
  const routes = collectRoutes(app);
  logRequests(app, hooks.clientAddress);
  hooks.install(app);
  await acceptBodies(app);
  await describeRoutes(app);

  const access = new Access(accessOf(service));
  await access.mount(app, 'open', healthRoutes(core.context.db));
  await access.mount(app, 'open', openapiRoutes);
  await access.mount(app, 'open', problemRoutes);
  await access.mountPages(app, 'open', async (scope) => assetRoutes(scope, { assets }));
  if (home) await access.mount(app, 'open', homeRoutes(core));
  await access.mountPages(app, 'optional', languagePages(core));
  await access.mountPages(app, 'open', exitPages(core.pages));
  for (const { isOn, routes: sets = [] } of modules) {
    if (!isOn) continue;
    for (const { access: level, json, pages } of sets)
      await (json === undefined ? access.mountPages(app, level, pages) : access.mount(app, level, json));
  }
  await access.mount(app, 'open', async (scope) => rejectOtherMethods(scope));
  const entries = routes();
  for (const { url, isPage } of entries) if (isPage) core.pages.paths.add(url);
  onRoutes?.(entries);
}

/** Creates an HTTP server that runs only the service. @internal */
export async function createApp(
  service: Service,
  log: Logger,
  {
    times,
    ...options
  }: Omit<BienvenueOptions, 'service'> & { readonly times?: ConnectionTimes | undefined } = {},
): Promise<FastifyInstance> {
  const { hooks, core } = service;
  const app = createServer(log, hooks, times);
  app.setNotFoundHandler(async (request, reply) => {
    const problem = new Problem('not_found');
    if (wantsPage(request)) return sendProblemPage(core.pages, request, reply, problem);
    return sendProblem(problem, request, reply);
  });
  // Called instead of registered: only hooks and error handlers of the server itself also apply to its 404.
  await mountService(app, { ...options, service });
  return app;
}
