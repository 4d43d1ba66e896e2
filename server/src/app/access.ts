// Mounts routes at access levels. Fails closed: the service does not start if a route has no access level.
import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifySchema,
  onRequestAsyncHookHandler,
  onRequestHookHandler,
  RouteOptions,
} from 'fastify';
import { isProblem, Problem } from '../kit/problem.ts';
import { sitesOf } from '../http/origin/cross-site.ts';
import { AccountReads, costOf, hashes, isCountedRead, storesForStrangers } from '../http/limit/limits.ts';
import { optionalSessionGuard, sessionGuard } from '../identity/session/guard.ts';
import { enrollmentGuard, pendingGuard } from '../identity/sign-in/guard.ts';
import type { AccessLevel } from '../module.ts';
import type { PageQueries } from '../page/query.ts';
import type { Service } from './service.ts';

/** A mounted route, as the list of routes shows it. */
export interface RouteEntry {
  readonly method: string;
  readonly url: string;
  readonly access: AccessLevel;
  /** The route only rejects the methods that its path does not support. */
  readonly isRefusal: boolean;
  /** The route serves pages to people. */
  readonly isPage: boolean;
  /** Units of the rate limit that a request consumes. */
  readonly cost: number;
  /** Names of the query parameters that it declares. */
  readonly parameters: readonly string[];
  /** A request counts as a read of the account that sends it. */
  readonly isCountedRead: boolean;
  /** Pages of all sites may call it: it reads no cookie. */
  readonly isForAnySite: boolean;
  /** Its replies are those of another protocol. */
  readonly isOtherProtocol: boolean;
  readonly schema: FastifySchema | undefined;
}

/** Members that the mount adds to the `config` of a route. */
interface AccessConfig {
  access?: AccessLevel;
  isRefusal?: boolean;
  isPage?: boolean;
}

interface AccessOptions {
  /** Run before the body is read. */
  readonly guards: Readonly<Record<AccessLevel, readonly onRequestAsyncHookHandler[]>>;
  /** Runs after the guards of a route that hashes a password. */
  readonly requireCapacity: onRequestHookHandler;
  /** Parses the query of a page. */
  readonly queries: PageQueries;
  /** Runs after the guards of a route that reads more than a session: limits the reads of an account. */
  readonly countRead: onRequestHookHandler;
}

/** Mounts routes at their access levels. */
export class Access {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** Mounts routes for programs. */
  mount(app: FastifyInstance, access: AccessLevel, routes: FastifyPluginAsync): Promise<void> {
    return this.#mount(app, { access }, routes);
  }

  /**
   * Mounts pages for people. They are marked as pages, and the API's description omits them. Their handlers see only what
   * is well-formed in a query.
   */
  mountPages(app: FastifyInstance, access: AccessLevel, pages: FastifyPluginAsync): Promise<void> {
    const { queries } = this.#options;
    return this.#mount(app, { access, isPage: true }, async (scope) => {
      scope.addHook('onRoute', (route) => {
        for (const name of parametersOf(route))
          if (!queries.knows(name)) throw new Error(`${route.url} declares ${name}, which no rule checks`);
      });
      scope.addHook('preHandler', (request, _reply, done) => {
        request.query = queries.parse(request.query);
        done();
      });
      await pages(scope, {});
    });
  }

  async #mount(
    app: FastifyInstance,
    mounted: AccessConfig & { readonly access: AccessLevel },
    routes: FastifyPluginAsync,
  ): Promise<void> {
    const { guards, requireCapacity, countRead } = this.#options;
    const plugin: FastifyPluginAsync = async (scope) => {
      scope.addHook('onRoute', (route) => {
        route.config = { ...route.config, ...mounted };
        if (mounted.isPage === true) route.schema = { ...route.schema, hide: true };
        if (hashes(route.config)) addHook(route, requireCapacity);
        if (isCounted(mounted.access, [route.method].flat(), route.config)) addHook(route, countRead);
      });
      for (const guard of guards[mounted.access]) scope.addHook('onRequest', guard);
      await routes(scope, {});
    };
    // For a plugin without a name, Fastify searches all loaded modules.
    await app.register(Object.assign(plugin, { [Symbol.for('fastify.display-name')]: 'mounted routes' }));
  }
}

/**
 * Returns the guards of each access level, and the hook that rejects requests which hash a password while the service
 * is busy.
 */
export function accessOf({ core, hooks }: Service): AccessOptions {
  const { hasher } = core.context;
  const reads = new AccountReads(hooks.reads);
  return {
    guards: {
      open: [],
      optional: [optionalSessionGuard(core)],
      session: [sessionGuard(core)],
      pending: [pendingGuard(core)],
      enrollment: [enrollmentGuard(core)],
      admin: [rejectAll],
      client: [rejectAll],
    },
    requireCapacity: (_request, _reply, done) => {
      try {
        hasher.requireCapacity();
      } catch (error) {
        // Rejections must stay cheap under flood (denial of service).
        return isProblem(error, 'too_busy') ? hooks.throttle.refuse(done, error) : done(error as Error); // what it throws
      }
      return done();
    },
    countRead: (request, reply, done) => {
      const verdict = reads.take(request);
      if (verdict === undefined && storesForStrangers(request))
        return hooks.limits.count(request, reply, done);
      if (verdict?.isAllowed !== false) return done();
      const retryAfterSeconds = verdict.seconds;
      return hooks.throttle.refuse(done, new Problem('too_many_requests', { retryAfterSeconds }));
    },
    queries: core.pages.queries,
  };
}

/** Fails closed: no credential gives one of the reserved levels yet. */
async function rejectAll(): Promise<void> {
  throw new Problem('not_found');
}

function addHook(route: RouteOptions, hook: onRequestHookHandler): void {
  route.onRequest = [hook, ...[route.onRequest ?? []].flat()];
}

/** Collects the routes of an application. The returned function lists them; it throws if one has no access level. */
export function collectRoutes(app: FastifyInstance): () => RouteEntry[] {
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => void routes.push(route));
  return () =>
    routes.flatMap((route) => {
      const { method, url, config, schema } = route;
      const parameters = parametersOf(route);
      const { access, isRefusal = false, isPage = false } = (config ?? {}) as AccessConfig; // written by Access and watchMethods()
      if (access === undefined) throw new Error(`${String(method)} ${url} has no access level`);
      return [method].flat().map((one) => ({
        method: one,
        url,
        access,
        isRefusal,
        isPage,
        cost: costOf(one, config),
        parameters,
        isCountedRead: isCounted(access, [one], config),
        ...sitesOf(config),
        schema,
      }));
    });
}

/** Returns the names of the query parameters that a route declares. */
function parametersOf({ schema }: RouteOptions): readonly string[] {
  const { properties = {} } = (schema?.querystring ?? {}) as { properties?: object }; // of an object schema
  return Object.keys(properties);
}

/** Returns whether requests of a route count as reads of an account: every read for which one is known, by default. */
function isCounted(access: AccessLevel, methods: readonly string[], config: unknown): boolean {
  return access !== 'open' && methods.every((method) => isCountedRead(method, config));
}
