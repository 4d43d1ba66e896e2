// Builds the engine from the rules of the service.
import { createHash } from 'node:crypto';
import { steadyClock } from '../../../kit/clock.ts';
import type { Keyring } from '../../../kit/keyring.ts';
import type { NetworkLimitOptions } from '../../../kit/rate-limit.ts';
import { cipherOf } from '../../../keys/sealed.ts';
import type { AuthContext } from '../../../identity/context.ts';
import type { PageKit } from '../../../page/page.ts';
import { sealedInteraction, sealedToken } from '../grant/schema.ts';
import { factorToReach } from '../session/acr.ts';
import { SessionView, type SessionViewParts } from '../session/session-view.ts';
import { ClientLimit } from '../token/client-limit.ts';
import { DevicePolls } from '../token/device-polls.ts';
import { RefreshReplay } from '../token/refresh-replay.ts';
import { Engine, sourceOfRequest, type KeySource } from './engine.ts';
import { PendingRequests } from './pending-request.ts';
import { Refusals } from '../session/refusal.ts';

export interface EngineNeeds extends Pick<SessionViewParts, 'sessions' | 'details'> {
  readonly context: Pick<AuthContext, 'db' | 'clock' | 'log' | 'events'>;
  readonly keyring: Keyring;
  readonly pages: PageKit;
  readonly secondFactors: SessionViewParts['secondFactors'];
  readonly sessionCookie: { readonly name: string };
  readonly signingKeys: KeySource;
}

export interface EngineOptions extends Omit<NetworkLimitOptions, 'clock'> {
  readonly oidcClaims: readonly string[];
  readonly oidcAssumeEmailVerified: boolean;
}

export interface BuiltEngine {
  readonly engine: Engine;
  readonly limit: ClientLimit;
  readonly refusals: Refusals;
  readonly requests: PendingRequests;
  readonly view: SessionView;
}

/** Builds the engine. It loads at its first request. */
export function buildEngine(needs: EngineNeeds, options: EngineOptions): BuiltEngine {
  const { context, keyring, pages, secondFactors, sessions, details, sessionCookie, signingKeys } = needs;
  const { db, clock, log, events } = context;
  const { secure, prefix } = pages.cookieScope;
  const name = (text: string): string => `${secure ? '__Secure-' : ''}${prefix}oidc_${text}`;
  const tokenCipher = cipherOf(keyring, sealedToken);
  const view = new SessionView({ db, clock, sessions, secondFactors, details });
  const refusals = new Refusals(keyring.textCipher('oidc-refusal'), clock);
  const limit = new ClientLimit({ ...options, clock: steadyClock });
  const engine = new Engine(signingKeys, {
    db,
    clock,
    events,
    origin: pages.publicOrigin,
    languages: pages.languages,
    isSecure: secure,
    cookies: { session: sessionCookie.name, interaction: name('interaction'), resume: name('resume') },
    dpopSecret: createHash('sha256').update(keyring.mac('oidc-dpop', 'nonce')).digest(),
    metadataClaims: options.oidcClaims,
    trustsAddresses: options.oidcAssumeEmailVerified,
    tokenCipher,
    interactionCipher: cipherOf(keyring, sealedInteraction),
    sessions: view,
    replays: new RefreshReplay({ db, clock, cipher: tokenCipher }),
    limit,
    polls: new DevicePolls(clock),
    canReach: async ({ id: userId }, amr, acrs) =>
      (await factorToReach(secondFactors, { userId, amr }, acrs)) !== undefined,
    sourceOf: ({ req }) => sourceOfRequest(req),
    refuse: async (ctx, error, description) => refusals.answer(ctx, error, description),
    exitOf: ({ req }, target) => pages.exits.addressFor(req, target),
    addressOf: (uid, params) => requests.addressOf(uid, params),
    logFailure: (error) => log.error({ err: error }, 'A request of an application failed'),
  });
  const requests = new PendingRequests({
    db,
    clock,
    cipher: keyring.textCipher('oidc-request'),
    provider: () => engine.provider(),
  });
  return { engine, limit, refusals, requests, view };
}
