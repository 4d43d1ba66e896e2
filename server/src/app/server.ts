// Hangs every route behind one of the three doors.
import type { FastifyInstance, FastifyPluginAsync, onRequestAsyncHookHandler } from 'fastify';
import type { Logger } from 'pino';
import { Problem } from '../kit/problem.ts';
import { acceptBodies } from '../http/body.ts';
import { errorHandler, sendProblem } from '../http/problem-handler.ts';
import { logRequests } from '../http/request-log.ts';
import { createServer } from '../http/server.ts';
import { validatorCompiler } from '../http/validator.ts';
import { assetRoutes } from '../http/page-assets.ts';
import { wantsPage } from '../http/pages.ts';
import { watchMethods } from '../http/wrong-method.ts';
import { mailboxRoutes } from '../features/mailbox/routes.ts';
import { enrolmentGuard, pendingGuard, sessionGuard } from '../identity/sign-in/guard.ts';
import type { ProofKind } from '../identity/token/one-time-token.ts';
import { accountPages, changePasswordPages } from '../identity/account/pages.ts';
import { activityPages, dataPages } from '../features/data-export/pages.ts';
import { factorPages, stepUpPages } from '../identity/sign-in/factor-pages.ts';
import { forwardAuthRoutes } from '../features/forward-auth/routes.ts';
import { proofPageRoutes } from '../identity/token/pages.ts';
import {
  emailChangeRoutes,
  emailSignInRoutes,
  emailUndoRoutes,
  factorUndoRoutes,
  verificationRoutes,
} from '../identity/token/routes.ts';
import { dataRoutes, deletionUndoRoutes } from '../features/data-export/routes.ts';
import { memberRoutes, openRoutes } from '../identity/account/routes.ts';
import { signInPages, signOutPages } from '../identity/sign-in/pages.ts';
import { confirmAgainPages, forgotPages, signUpPages } from '../identity/account/sign-up-pages.ts';
import { sessionPages } from '../identity/session/pages.ts';
import { rememberedDeviceRoutes, secondFactorRoutes, sessionRoutes } from '../identity/sign-in/routes.ts';
import {
  passkeyHalfWayRoutes,
  passkeyMemberRoutes,
  passkeyOpenRoutes,
  passkeyRoutes,
  relatedOriginRoutes,
} from '../features/passkey/routes.ts';
import {
  passkeyEndpointRoutes,
  passkeyOpenPages,
  passkeyPages,
  passkeySignIn,
  passkeySignUp,
} from '../features/passkey/pages.ts';
import { recoveryCodePages } from '../features/recovery-code/pages.ts';
import { totpPages } from '../features/totp/pages.ts';
import { recoveryCodeRoutes } from '../features/recovery-code/routes.ts';
import { totpRoutes } from '../features/totp/routes.ts';
import { hang, hangPage, watchDoors, type RouteEntry } from './access.ts';
import { healthRoutes } from './health.ts';
import { describeRoutes, openapiRoutes } from './openapi.ts';
import { languagePages, pageSender, sendProblemPage, setUpPages, welcome } from './home.ts';
import { problemRoutes } from './problem-pages.ts';
import type { Rooms } from './core.ts';

export interface BienvenueOptions {
  readonly rooms: Rooms;
  /** Is handed every route with its door. */
  readonly onRoutes?: (routes: readonly RouteEntry[]) => void;
}

/** The whole service as a Fastify plugin: also what a program of somebody else's mounts. */
export const bienvenue: FastifyPluginAsync<BienvenueOptions> = async (app, { rooms, onRoutes }) => {
  const pagePaths = new Set<string>();
  app.setErrorHandler(errorHandler(pageSender(rooms, pagePaths)));
  app.setValidatorCompiler(validatorCompiler);
  app.decorateRequest('session', null);
  app.decorateRequest('pendingLogin', null);
  const refuseOtherMethods = watchMethods(app);
  const routes = watchDoors(app);
  logRequests(app, rooms.gates.clientAddress);
  rooms.gates.install(app);
  await acceptBodies(app);
  await describeRoutes(app);

  const doors = doorsOf(rooms);
  const { member, enrolment, halfWay } = doors;
  await hang(app, 'open', [], openRoutes, { ...rooms, welcome: welcome(rooms) });
  if (rooms.rules.confirmsEmail) await hang(app, 'open', [], verificationRoutes, rooms);
  if (rooms.signsInByEmail) await hang(app, 'open', [], emailSignInRoutes, rooms);
  await hang(app, 'open', [], emailUndoRoutes, rooms);
  await hang(app, 'member', member, emailChangeRoutes, rooms);
  await hang(app, 'open', [], deletionUndoRoutes, rooms);
  await hang(app, 'open', [], factorUndoRoutes, rooms);
  await hang(app, 'member', member, dataRoutes, rooms);
  await hangPage(app, 'open', [], proofPageRoutes, { ...rooms, kinds: proofKindsOf(rooms) });
  if (rooms.keepsMails)
    await hang(app, 'open', [], mailboxRoutes, { mailbox: rooms.outbox, pages: rooms.pages });
  await hangPage(app, 'open', [], assetRoutes, rooms);
  await hang(app, 'open', [], healthRoutes, rooms);
  await hang(app, 'open', [], openapiRoutes, {});
  await hang(app, 'open', [], problemRoutes, {});
  await hang(app, 'member', member, memberRoutes, rooms);
  await hang(app, 'member', member, sessionRoutes, rooms);
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

  await hang(app, 'open', [], forwardAuthRoutes, rooms);
  await hangPages(app, rooms, doors);

  await hang(app, 'open', [], async (scope) => refuseOtherMethods(scope), {});
  const entries = routes();
  for (const { url, isPage } of entries) if (isPage) pagePaths.add(url);
  onRoutes?.(entries);
};

/** The guards of each door but the open one. */
type Doors = Record<'member' | 'enrolment' | 'halfWay', onRequestAsyncHookHandler[]>;

function doorsOf(rooms: Rooms): Doors {
  return {
    member: [sessionGuard(rooms.auth, rooms.cookie)],
    enrolment: [enrolmentGuard(rooms)],
    halfWay: [pendingGuard(rooms)],
  };
}

/** What people see: behind the same doors, with pages in the place of refusals. */
async function hangPages(
  app: FastifyInstance,
  rooms: Rooms,
  { member, enrolment, halfWay }: Doors,
): Promise<void> {
  const { hasPasskeys, hasSecondFactors } = rooms;
  await hangPage(app, 'open', [], signInPages, { ...rooms, ways: hasPasskeys ? [passkeySignIn] : [] });
  await hangPage(app, 'open', [], signUpPages, { ...rooms, ways: hasPasskeys ? [passkeySignUp] : [] });
  await hangPage(app, 'open', [], forgotPages, rooms);
  if (rooms.rules.confirmsEmail) await hangPage(app, 'open', [], confirmAgainPages, rooms);
  await hangPage(app, 'open', [], languagePages, rooms);
  for (const part of [signOutPages, stepUpPages, accountPages, sessionPages, activityPages, dataPages])
    await hangPage(app, 'member', member, part, rooms);
  await hangPage(app, 'open', [], changePasswordPages, rooms);
  if (hasPasskeys) {
    await hang(app, 'open', [], passkeyEndpointRoutes, rooms);
    await hangPage(app, 'open', [], passkeyOpenPages, rooms);
    await hangPage(app, 'enrolment', enrolment, passkeyPages, rooms);
  }
  if (!hasSecondFactors) return;
  await hangPage(app, 'half-way', halfWay, factorPages, rooms);
  await hangPage(app, 'half-way', halfWay, setUpPages, rooms);
  await hangPage(app, 'enrolment', enrolment, totpPages, rooms);
  await hangPage(app, 'member', member, recoveryCodePages, rooms);
}

/** The proofs that this service mails. */
function proofKindsOf({ rules, signsInByEmail }: Rooms): ProofKind[] {
  return [
    ...(rules.confirmsEmail ? (['verification'] as const) : []),
    ...(signsInByEmail ? (['sign_in'] as const) : []),
    'reset',
    'email_change',
    'email_undo',
    'deletion_undo',
    'factor_undo',
  ];
}

/** A server of our own with the service on it. */
export async function createApp(
  rooms: Rooms,
  log: Logger,
  options: Omit<BienvenueOptions, 'rooms'> = {},
): Promise<FastifyInstance> {
  const app = createServer(log, rooms.gates);
  app.setNotFoundHandler(async (request, reply) => {
    const problem = new Problem('not_found');
    if (wantsPage(request)) return sendProblemPage(rooms, request, reply, problem);
    return sendProblem(problem, request, reply);
  });
  // Not registered but run on the server itself: gates and error handler then stand before its 404 as well.
  await bienvenue(app, { ...options, rooms });
  return app;
}
