// Hangs every route behind one of the three doors.
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import type { Logger } from 'pino';
import { Problem } from '../kit/problem.ts';
import { acceptBodies } from '../http/body.ts';
import { errorHandler, sendProblem } from '../http/problem-handler.ts';
import { logRequests } from '../http/request-log.ts';
import { createServer } from '../http/server.ts';
import { validatorCompiler } from '../http/validator.ts';
import { styleRoutes } from '../http/page.ts';
import { watchMethods } from '../http/wrong-method.ts';
import { mailboxRoutes } from './mailbox.ts';
import { enrolmentGuard, pendingGuard, sessionGuard } from '../auth/guard.ts';
import type { ProofKind } from '../auth/one-time-token.ts';
import { proofPageRoutes } from '../auth/pages.ts';
import {
  emailChangeRoutes,
  emailSignInRoutes,
  emailUndoRoutes,
  verificationRoutes,
} from '../auth/proof-routes.ts';
import { memberRoutes, openRoutes } from '../auth/routes.ts';
import { rememberedDeviceRoutes, secondFactorRoutes, sessionRoutes } from '../auth/session-routes.ts';
import {
  passkeyHalfWayRoutes,
  passkeyMemberRoutes,
  passkeyOpenRoutes,
  passkeyRoutes,
  relatedOriginRoutes,
} from '../features/passkey/routes.ts';
import { recoveryCodeRoutes } from '../features/recovery-code/routes.ts';
import { totpRoutes } from '../features/totp/routes.ts';
import { hang, watchDoors, type RouteEntry } from './doors.ts';
import { healthRoutes } from './health.ts';
import { describeRoutes, openapiRoutes } from './openapi.ts';
import { problemRoutes } from './problem-pages.ts';
import type { Rooms } from './rooms.ts';

export interface BienvenueOptions {
  readonly rooms: Rooms;
  /** Is handed every route with its door. */
  readonly onRoutes?: (routes: readonly RouteEntry[]) => void;
}

/** The whole service as a Fastify plugin: also what a program of somebody else's mounts. */
export const bienvenue: FastifyPluginAsync<BienvenueOptions> = async (app, { rooms, onRoutes }) => {
  app.setErrorHandler(errorHandler());
  app.setValidatorCompiler(validatorCompiler);
  app.decorateRequest('session', null);
  app.decorateRequest('pendingLogin', null);
  const refuseOtherMethods = watchMethods(app);
  const routes = watchDoors(app);
  logRequests(app, rooms.gates.clientAddress);
  rooms.gates.install(app);
  await acceptBodies(app);
  await describeRoutes(app);

  const member = [sessionGuard(rooms.auth, rooms.cookie)];
  await hang(app, 'open', [], openRoutes, rooms);
  if (rooms.rules.confirmsEmail) await hang(app, 'open', [], verificationRoutes, rooms);
  if (rooms.signsInByEmail) await hang(app, 'open', [], emailSignInRoutes, rooms);
  await hang(app, 'open', [], emailUndoRoutes, rooms);
  await hang(app, 'member', member, emailChangeRoutes, rooms);
  await hang(app, 'open', [], proofPageRoutes, { ...rooms, kinds: proofKindsOf(rooms) });
  if (rooms.keepsMails) await hang(app, 'open', [], mailboxRoutes, { mailbox: rooms.outbox });
  await hang(app, 'open', [], styleRoutes, {});
  await hang(app, 'open', [], healthRoutes, rooms);
  await hang(app, 'open', [], openapiRoutes, {});
  await hang(app, 'open', [], problemRoutes, {});
  await hang(app, 'member', member, memberRoutes, rooms);
  await hang(app, 'member', member, sessionRoutes, rooms);
  const halfWay = [pendingGuard(rooms)];
  const enrolment = [enrolmentGuard(rooms)];
  if (rooms.hasSecondFactors) {
    await hang(app, 'half-way', halfWay, secondFactorRoutes, rooms);
    await hang(app, 'enrolment', enrolment, totpRoutes, rooms);
    await hang(app, 'member', member, recoveryCodeRoutes, rooms);
    if (rooms.remembersDevices) await hang(app, 'member', member, rememberedDeviceRoutes, rooms);
  }
  if (rooms.hasPasskeys) {
    await hang(app, 'open', [], passkeyOpenRoutes, rooms);
    await hang(app, 'enrolment', enrolment, passkeyRoutes, rooms);
    await hang(app, 'member', member, passkeyMemberRoutes, rooms);
    if (rooms.hasSecondFactors) await hang(app, 'half-way', halfWay, passkeyHalfWayRoutes, rooms);
    if (rooms.passkeys.relyingParty.origins.length > 1)
      await hang(app, 'open', [], relatedOriginRoutes, rooms);
  }

  await hang(app, 'open', [], async (scope) => refuseOtherMethods(scope), {});
  const entries = routes();
  onRoutes?.(entries);
};

/** The proofs that this service mails. */
function proofKindsOf({ rules, signsInByEmail }: Rooms): ProofKind[] {
  return [
    ...(rules.confirmsEmail ? (['verification'] as const) : []),
    ...(signsInByEmail ? (['sign_in'] as const) : []),
    'reset',
    'email_change',
    'email_undo',
  ];
}

/** A server of our own with the service on it. */
export async function createApp(
  rooms: Rooms,
  log: Logger,
  options: Omit<BienvenueOptions, 'rooms'> = {},
): Promise<FastifyInstance> {
  const app = createServer(log, rooms.gates);
  app.setNotFoundHandler((request, reply) => sendProblem(new Problem('not_found'), request, reply));
  // Not registered but run on the server itself: gates and error handler then stand before its 404 as well.
  await bienvenue(app, { ...options, rooms });
  return app;
}
