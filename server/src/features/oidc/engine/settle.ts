// Ends a request of the provider: writes its unit in one transaction, and decides what a request that was not the first to
// use a code or token is answered.
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { AuditSource } from '../../../audit/event.ts';
import { ReferenceViolation, type Database } from '../../../db/database.ts';
import type { Events } from '../../../identity/event.ts';
import { holdConsent, noteConsentUse } from '../grant/consent-store.ts';
import { removeGrant } from '../grant/grant-store.ts';
import { holdSession } from '../grant/session-store.ts';
import { dayMs, secondMs, type Clock } from '../../../kit/clock.ts';
import { findUserById } from '../../../user/store.ts';
import type { EngineClient, UserAccount } from '../session/account.ts';
import { refuseTooOften, type AnswerLimit } from '../token/answer-limit.ts';
import { pollSeconds, type DevicePolls } from '../token/device-polls.ts';
import { engineEvents, tokenReusedMail } from './event.ts';
import type { RefreshReplay } from '../token/refresh-replay.ts';
import { storedId } from '../token/token-form.ts';
import { AlreadyConsumed, type Replay, type Unit } from '../token/unit.ts';

export interface SettleParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly events: Pick<Events, 'emit' | 'send'>;
  readonly replays: RefreshReplay;
  readonly polls: DevicePolls;
  readonly limit: AnswerLimit;
  readonly sourceOf: (ctx: KoaContextWithOIDC) => AuditSource;
  /** Answers with an error page or JSON. */
  readonly refuse: (ctx: KoaContextWithOIDC, error: string, description?: string) => Promise<void>;
}

/** An answer of the token endpoint. */
interface TokenAnswer {
  refresh_token?: string;
  refresh_token_expires_in?: number;
}

/** Writes what the request has changed. The answer is not sent yet. */
export async function settle(parts: SettleParts, ctx: KoaContextWithOIDC, unit: Unit): Promise<void> {
  if (ctx.oidc.route === 'token') await settleToken(parts, ctx, unit);
  else await settleOther(parts, ctx, unit);
}

async function settleToken(parts: SettleParts, ctx: KoaContextWithOIDC, unit: Unit): Promise<void> {
  const { db } = parts;
  if (ctx.status !== 200) {
    slowDown(parts, ctx);
    await endReused(parts, ctx, unit);
    return;
  }
  const { user } = (ctx.oidc.account ?? {}) as Partial<UserAccount>;
  if (refuseTooOften(parts.limit, ctx, user?.id)) return;
  try {
    if (unit.replay !== undefined) await answerAgain(parts, ctx, unit, unit.replay);
    else {
      await db.transaction(async (tx) => {
        for (const uid of unit.seen.sessions.keys()) await holdSession(tx, uid);
        await unit.write(tx, (within, consumption, successor) =>
          parts.replays.consume(within, consumption, successor),
        );
        await noteUse(parts, tx, ctx);
      });
      addExpiry(parts, ctx, unit);
    }
  } catch (error) {
    if (error instanceof ReferenceViolation)
      return refuseGrant(ctx, 'the session, grant or client has ended');
    if (!(error instanceof AlreadyConsumed)) throw error;
    const { kind, id } = error.consumption;
    const replay = kind === 'RefreshToken' ? await parts.replays.findById(id) : undefined;
    if (replay !== undefined) return answerAgain(parts, ctx, unit, replay);
    await endFamily(parts, ctx);
    refuseGrant(ctx, 'already used');
  }
}

/** Answers a refresh token that was used a moment ago with its successor and a new access token. */
async function answerAgain(
  { db, clock, replays }: SettleParts,
  ctx: KoaContextWithOIDC,
  unit: Unit,
  replay: Replay,
): Promise<void> {
  try {
    const isCounted = await db.transaction(async (tx) => {
      if (!(await replays.count(tx, replay))) return false;
      await unit.writeSaves(tx, ['token']);
      return true;
    });
    if (!isCounted) return refuseGrant(ctx, 'used too often');
  } catch (error) {
    if (error instanceof ReferenceViolation)
      return refuseGrant(ctx, 'the session, grant or client has ended');
    throw error;
  }
  Object.assign(ctx.body as TokenAnswer, {
    refresh_token: replay.successor,
    refresh_token_expires_in: announced(clock, unit, replay.exp - Math.floor(Date.now() / secondMs)),
  });
}

/** Makes a device that asks too early wait longer (RFC 8628 §3.5). */
function slowDown({ polls }: SettleParts, ctx: KoaContextWithOIDC): void {
  const { error } = (ctx.body ?? {}) as { error?: string };
  const { device_code: code } = ctx.oidc.params ?? {};
  if (error !== 'authorization_pending' || typeof code !== 'string') return;
  if (polls.isEarly(storedId('DeviceCode', code)))
    ctx.body = {
      error: 'slow_down',
      error_description: `wait ${pollSeconds} seconds longer between two requests`,
    };
}

/** Tells the client when its refresh token expires, which OAuth leaves out. */
function addExpiry({ clock }: SettleParts, { body, oidc }: KoaContextWithOIDC, unit: Unit): void {
  const { RefreshToken: token } = oidc.entities;
  if ((body as TokenAnswer).refresh_token !== undefined && token !== undefined)
    (body as TokenAnswer).refresh_token_expires_in = announced(clock, unit, token.remainingTTL);
}

/** Returns the seconds for which a refresh token is valid that may end with its session. */
function announced(clock: Clock, { seen: { sessionEndsAt = Infinity } }: Unit, seconds: number): number {
  return Math.max(0, Math.min(seconds, Math.floor((sessionEndsAt - clock()) / secondMs)));
}

/** Ends the grant of a code or token that was presented after its use (RFC 6749 §4.1.2, RFC 9700 §4.14.2). */
async function endReused(parts: SettleParts, ctx: KoaContextWithOIDC, unit: Unit): Promise<void> {
  const { reusedGrantId } = unit;
  if (unit.endsNothing) return;
  await parts.db.transaction(async (tx) => {
    if (reusedGrantId !== undefined) await endGrant(parts, tx, ctx, reusedGrantId);
    await unit.writeEnds(tx);
  });
}

/** As `endReused`, for a request that lost the race for a code or token. */
async function endFamily(parts: SettleParts, ctx: KoaContextWithOIDC): Promise<void> {
  const { AuthorizationCode, RotatedRefreshToken } = ctx.oidc.entities; // a device may poll twice
  const grantId = (AuthorizationCode ?? RotatedRefreshToken)?.grantId;
  if (grantId !== undefined) await parts.db.transaction((tx) => endGrant(parts, tx, ctx, grantId));
}

/** Of concurrent requests one records it. */
async function endGrant(
  { events, sourceOf }: SettleParts,
  tx: Database,
  ctx: KoaContextWithOIDC,
  grantId: string,
): Promise<void> {
  const ended = await removeGrant(tx, grantId);
  if (ended === undefined) return;
  const { userId, clientId } = ended;
  const source = sourceOf(ctx);
  const isRefresh = ctx.oidc.params?.['grant_type'] === 'refresh_token';
  const name = ctx.oidc.client?.clientName ?? clientId;
  await events.emit(tx, engineEvents.application_token_reused, {
    user: { id: userId },
    target: { kind: 'client', id: clientId },
    facts: { kind: isRefresh ? 'refresh_token' : 'code', name },
    source,
  });
  // A code lives for a minute, and a page that is loaded again sends it again: that is recorded only.
  if (!isRefresh) return;
  const user = await findUserById(tx, userId);
  await events.send(tx, tokenReusedMail, {
    user,
    source,
    facts: async () => ({ facts: { name }, tokenId: null }),
  });
}

function refuseGrant(ctx: KoaContextWithOIDC, description: string): void {
  ctx.status = 400;
  ctx.body = { error: 'invalid_grant', error_description: `grant request is invalid (${description})` };
}

async function settleOther(parts: SettleParts, ctx: KoaContextWithOIDC, unit: Unit): Promise<void> {
  if (unit.isEmpty) return;
  if (ctx.oidc.route === 'device_authorization' && ctx.status === 200)
    ctx.body = { ...(ctx.body as object), interval: pollSeconds };
  const { db, events, replays, sourceOf, refuse } = parts;
  try {
    await db.transaction(async (tx) => {
      const { AuthorizationCode: code } = ctx.oidc.entities;
      if (code !== undefined) await holdSources(tx, ctx, unit);
      await unit.write(tx, (within, consumption) => replays.consume(within, consumption, undefined));
      if (code === undefined) return;
      const { user } = ctx.oidc.account as UserAccount; // a code is issued for an account
      const { clientId = '' } = code;
      await events.emit(tx, engineEvents.application_signed_in, {
        user: { id: user.id },
        target: { kind: 'client', id: clientId },
        facts: { name: ctx.oidc.client?.clientName ?? clientId },
        source: { ...sourceOf(ctx), actor: 'user', actorId: String(user.id) },
      });
      await noteUse(parts, tx, ctx);
    });
  } catch (error) {
    if (error instanceof AlreadyConsumed)
      await refuse(ctx, 'invalid_request_uri', 'The request was already used');
    else if (error instanceof ReferenceViolation)
      await refuse(ctx, 'access_denied', 'The session or the application has ended');
    else throw error;
  }
}

/**
 * Keeps what a grant is made from until it is written: the session, and the consent of an application that needs one. Both
 * may have ended since the request read them, and a grant that outlives the session would outlive its end too.
 * @throws {ReferenceViolation} if one of them has ended.
 */
async function holdSources(tx: Database, { oidc }: KoaContextWithOIDC, unit: Unit): Promise<void> {
  const { client, session } = oidc;
  await holdSession(tx, session?.uid ?? '');
  const { user } = oidc.account as UserAccount; // a code is issued for an account
  const isOwn = (client as unknown as EngineClient).bienvenue_first_party === true;
  if (unit.savesGrant && !isOwn) await holdConsent(tx, user.id, client?.clientId ?? '');
}

/** Stores at most once a day that a client used what the user allowed it. */
async function noteUse({ clock }: SettleParts, tx: Database, { oidc }: KoaContextWithOIDC): Promise<void> {
  const { user } = (oidc.account ?? {}) as Partial<UserAccount>;
  const { client } = oidc;
  if (user === undefined || client === undefined) return;
  if ((client as unknown as EngineClient).bienvenue_first_party === true) return; // it needs no consent
  const now = clock();
  await noteConsentUse(tx, { userId: user.id, clientId: client.clientId, now, before: now - dayMs });
}
