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
import { enrollmentGuard, pendingGuard, sessionGuard } from '../identity/sign-in/guard.ts';
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
import { mount, mountPages, collectRoutes, type RouteEntry } from './access.ts';
import { healthRoutes } from './health.ts';
import { describeRoutes, openapiRoutes } from './openapi.ts';
import { languagePages, pageSender, sendProblemPage, setUpPages, welcome } from './home.ts';
import { problemRoutes } from './problem-pages.ts';
import type { Core } from './core.ts';

export interface BienvenueOptions {
  readonly core: Core;
  /** Is handed every route with its door. */
  readonly onRoutes?: (routes: readonly RouteEntry[]) => void;
}

/** The whole service as a Fastify plugin: also what a program of somebody else's mounts. */
export const bienvenue: FastifyPluginAsync<BienvenueOptions> = async (app, { core, onRoutes }) => {
  const pagePaths = new Set<string>();
  app.setErrorHandler(errorHandler(pageSender(core, pagePaths)));
  app.setValidatorCompiler(validatorCompiler);
  app.decorateRequest('session', null);
  app.decorateRequest('pendingLogin', null);
  const refuseOtherMethods = watchMethods(app);
  const routes = collectRoutes(app);
  logRequests(app, core.hooks.clientAddress);
  core.hooks.install(app);
  await acceptBodies(app);
  await describeRoutes(app);

  const doors = doorsOf(core);
  const { member, enrollment, halfWay } = doors;
  await mount(app, 'open', [], openRoutes, { ...core, welcome: welcome(core) });
  if (core.rules.emailConfirmation) await mount(app, 'open', [], verificationRoutes, core);
  if (core.signsInByEmail) await mount(app, 'open', [], emailSignInRoutes, core);
  await mount(app, 'open', [], emailUndoRoutes, core);
  await mount(app, 'member', member, emailChangeRoutes, core);
  await mount(app, 'open', [], deletionUndoRoutes, core);
  await mount(app, 'open', [], factorUndoRoutes, core);
  await mount(app, 'member', member, dataRoutes, core);
  await mountPages(app, 'open', [], proofPageRoutes, { ...core, kinds: proofKindsOf(core) });
  if (core.keepsMails)
    await mount(app, 'open', [], mailboxRoutes, { mailbox: core.outbox, pages: core.pages });
  await mountPages(app, 'open', [], assetRoutes, core);
  await mount(app, 'open', [], healthRoutes, core);
  await mount(app, 'open', [], openapiRoutes, {});
  await mount(app, 'open', [], problemRoutes, {});
  await mount(app, 'member', member, memberRoutes, core);
  await mount(app, 'member', member, sessionRoutes, core);
  if (core.hasSecondFactors) {
    await mount(app, 'half-way', halfWay, secondFactorRoutes, core);
    await mount(app, 'enrollment', enrollment, totpRoutes, core);
    await mount(app, 'member', member, recoveryCodeRoutes, core);
    if (core.remembersDevices) await mount(app, 'member', member, rememberedDeviceRoutes, core);
  }
  if (core.hasPasskeys) {
    await mount(app, 'open', [], passkeyOpenRoutes, core);
    await mount(app, 'enrollment', enrollment, passkeyRoutes, core);
    await mount(app, 'member', member, passkeyMemberRoutes, core);
    if (core.hasSecondFactors) await mount(app, 'half-way', halfWay, passkeyHalfWayRoutes, core);
    if (core.passkeys.relyingParty.origins.length > 1)
      await mount(app, 'open', [], relatedOriginRoutes, core);
  }

  await mount(app, 'open', [], forwardAuthRoutes, core);
  await mountAllPages(app, core, doors);

  await mount(app, 'open', [], async (scope) => refuseOtherMethods(scope), {});
  const entries = routes();
  for (const { url, isPage } of entries) if (isPage) pagePaths.add(url);
  onRoutes?.(entries);
};

/** The guards of each door but the open one. */
type Doors = Record<'member' | 'enrollment' | 'halfWay', onRequestAsyncHookHandler[]>;

function doorsOf(core: Core): Doors {
  return {
    member: [sessionGuard(core.auth, core.cookie)],
    enrollment: [enrollmentGuard(core)],
    halfWay: [pendingGuard(core)],
  };
}

/** What people see: behind the same doors, with pages in the place of refusals. */
async function mountAllPages(
  app: FastifyInstance,
  core: Core,
  { member, enrollment, halfWay }: Doors,
): Promise<void> {
  const { hasPasskeys, hasSecondFactors } = core;
  await mountPages(app, 'open', [], signInPages, { ...core, ways: hasPasskeys ? [passkeySignIn] : [] });
  await mountPages(app, 'open', [], signUpPages, { ...core, ways: hasPasskeys ? [passkeySignUp] : [] });
  await mountPages(app, 'open', [], forgotPages, core);
  if (core.rules.emailConfirmation) await mountPages(app, 'open', [], confirmAgainPages, core);
  await mountPages(app, 'open', [], languagePages, core);
  for (const part of [signOutPages, stepUpPages, accountPages, sessionPages, activityPages, dataPages])
    await mountPages(app, 'member', member, part, core);
  await mountPages(app, 'open', [], changePasswordPages, core);
  if (hasPasskeys) {
    await mount(app, 'open', [], passkeyEndpointRoutes, core);
    await mountPages(app, 'open', [], passkeyOpenPages, core);
    await mountPages(app, 'enrollment', enrollment, passkeyPages, core);
  }
  if (!hasSecondFactors) return;
  await mountPages(app, 'half-way', halfWay, factorPages, core);
  await mountPages(app, 'half-way', halfWay, setUpPages, core);
  await mountPages(app, 'enrollment', enrollment, totpPages, core);
  await mountPages(app, 'member', member, recoveryCodePages, core);
}

/** The proofs that this service mails. */
function proofKindsOf({ rules, signsInByEmail }: Core): ProofKind[] {
  return [
    ...(rules.emailConfirmation ? (['verification'] as const) : []),
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
  core: Core,
  log: Logger,
  options: Omit<BienvenueOptions, 'core'> = {},
): Promise<FastifyInstance> {
  const app = createServer(log, core.hooks);
  app.setNotFoundHandler(async (request, reply) => {
    const problem = new Problem('not_found');
    if (wantsPage(request)) return sendProblemPage(core, request, reply, problem);
    return sendProblem(problem, request, reply);
  });
  // Not registered but run on the server itself: gates and error handler then stand before its 404 as well.
  await bienvenue(app, { ...options, core });
  return app;
}
