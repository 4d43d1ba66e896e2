// The doors. Every route of the service stands behind one of them; one that does not stops the start.
import type { FastifyInstance, FastifyPluginAsync, onRequestAsyncHookHandler, RouteOptions } from 'fastify';
import { costOf } from '../http/limits.ts';

/**
 * `open`: anybody; `member`: who has a session; `half-way`: who gave a first factor and owes the second; `enrollment`: who
 * has a session, or must set a second factor up to get one; `admin`: who has the role.
 */
export type Door = 'open' | 'member' | 'half-way' | 'enrollment' | 'admin';

/** A route as a review sees it. */
export interface RouteEntry {
  readonly method: string;
  readonly url: string;
  readonly door: Door;
  /** It exists to refuse the methods that the path does not answer. */
  readonly isRefusal: boolean;
  /** It answers people, with pages. */
  readonly isPage: boolean;
  /** Units that a request takes of its address's limit. */
  readonly cost: number;
}

/** The config of a route, where its door is written. */
interface AccessConfig {
  door?: Door;
  isRefusal?: boolean;
  isPage?: boolean;
}

/** Hangs routes behind a door: its guards run before the body is read. */
export function mount<Room extends object>(
  app: FastifyInstance,
  door: Door,
  guards: readonly onRequestAsyncHookHandler[],
  routes: FastifyPluginAsync<Room>,
  room: Room,
): Promise<void> {
  return mountAs({ door }, app, guards, routes, room);
}

/** As `mount`, for what answers people: told apart, and no part of the interface for programs. */
export function mountPages<Room extends object>(
  app: FastifyInstance,
  door: Door,
  guards: readonly onRequestAsyncHookHandler[],
  routes: FastifyPluginAsync<Room>,
  room: Room,
): Promise<void> {
  return mountAs({ door, isPage: true }, app, guards, routes, room);
}

async function mountAs<Room extends object>(
  hung: AccessConfig,
  app: FastifyInstance,
  guards: readonly onRequestAsyncHookHandler[],
  routes: FastifyPluginAsync<Room>,
  room: Room,
): Promise<void> {
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, ...hung };
      if (hung.isPage === true) route.schema = { ...route.schema, hide: true };
    });
    for (const guard of guards) scope.addHook('onRequest', guard);
    await routes(scope, room);
  });
}

/** Collects the routes. The function that it returns gives them with their doors, and refuses one that has none. */
export function collectRoutes(app: FastifyInstance): () => RouteEntry[] {
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => void routes.push(route));
  return () =>
    routes.flatMap(({ method, url, config }) => {
      const { door, isRefusal = false, isPage = false } = (config ?? {}) as AccessConfig; // written by mount() and watchMethods()
      if (door === undefined) throw new Error(`${String(method)} ${url} is behind no door`);
      return [method]
        .flat()
        .map((one) => ({ method: one, url, door, isRefusal, isPage, cost: costOf(one, config) }));
    });
}
