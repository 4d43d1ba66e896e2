// The answer of a person to the request of a device (RFC 8628 §3.3). One person answers a code, once: the answer is written
// in one transaction.
import { randomBytes } from 'node:crypto';
import type Provider from 'oidc-provider';
import { secondMs, type Clock } from '../../../kit/clock.ts';
import { Problem } from '../../../kit/problem.ts';
import { ReferenceViolation, type Database } from '../../../db/database.ts';
import '../../../identity/session/problem.ts';
import { findConsent, saveConsent } from '../grant/consent-store.ts';
import { holdSession, saveSessionClient, uidOfSession } from '../grant/session-store.ts';
import { useOnce } from '../grant/token-store.ts';
import { acrOf } from '../session/acr.ts';
import { extendGrant, newGrant } from '../session/consent.ts';
import { namesOf } from '../session/requested-access.ts';
import { grantIdOf, sidOf } from '../session/sid.ts';
import { storedId } from '../token/token-form.ts';
import { Unit, withUnit } from '../token/unit.ts';
import { claimsOf, requireDeviceRequest, type DeviceCode, type DeviceRequest } from './request.ts';

/** Who answers. */
export interface Answerer {
  readonly session: { readonly id: string; readonly userId: number };
  /** How the user signed in (`SessionView.authenticationOf`). */
  readonly authentication: {
    readonly subject: string;
    readonly amr: readonly string[];
    readonly at: number | undefined;
  };
}

export interface DeviceRequestParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly provider: () => Promise<Provider>;
}

export class DeviceRequests {
  readonly #parts: DeviceRequestParts;

  constructor(parts: DeviceRequestParts) {
    this.#parts = parts;
  }

  /** Returns the request with this code. @throws {Problem} device_code_unknown, device_code_expired or device_code_used. */
  async require(letters: string): Promise<DeviceRequest> {
    const { db, provider } = this.#parts;
    return requireDeviceRequest(db, await provider(), letters);
  }

  /**
   * Gives the device what it asks for.
   * @param record Runs in the transaction, with true if the user has allowed the client nothing before.
   * @throws {Problem} device_code_used if the code was answered before; session_required if the session has ended.
   */
  async allow(
    request: DeviceRequest,
    answerer: Answerer,
    record: (tx: Database, isFirst: boolean) => Promise<void>,
  ): Promise<void> {
    const { db, clock } = this.#parts;
    const { code, client, access } = request;
    const { userId } = answerer.session;
    const unit = new Unit();
    const { uid, use } = await this.#prepare(unit, request, answerer);
    try {
      await db.transaction(async (tx) => {
        await holdSession(tx, uid);
        await consume(tx, code);
        const before = await findConsent(tx, userId, client.id);
        if (!client.isFirstParty) {
          const scopes = [...new Set([...(before?.scopes ?? []), ...namesOf(access)])];
          await saveConsent(tx, { userId, clientId: client.id, scopes, now: clock() });
        }
        await unit.writeSaves(tx);
        if (use !== undefined) await saveSessionClient(tx, use);
        await record(tx, before === undefined);
      });
    } catch (error) {
      if (error instanceof ReferenceViolation) throw new Problem('session_required');
      throw error;
    }
  }

  /**
   * Changes the code and its grant in the unit. Returns the session, and how it uses the client if the tokens end with
   * it.
   */
  async #prepare(
    unit: Unit,
    { code, client, engineClient, access, parameters, acrs }: DeviceRequest,
    { session, authentication: { subject, amr, at } }: Answerer,
  ): Promise<{ readonly uid: string; readonly use?: Parameters<typeof saveSessionClient>[1] }> {
    const { db, clock } = this.#parts;
    const provider = await this.#parts.provider();
    const fresh = randomBytes(16).toString('base64url');
    const uid = await uidOfSession(db, { uid: fresh, sessionId: session.id, now: clock() });
    if (uid === undefined) throw new Problem('session_required');
    const endsWithSession = !access.scopes.includes('offline_access');
    const sid = sidOf(uid, client.id);
    // The grant of the session ends with it; a device that stays has one of its own.
    const own = { accountId: subject, clientId: client.id };
    const jti = grantIdOf(uid, client.id);
    return withUnit(unit, async () => {
      const found = endsWithSession ? await provider.Grant.find(jti) : undefined;
      const grant = found ?? newGrant(provider, endsWithSession ? { ...own, jti } : own);
      extendGrant(grant, access);
      const grantId = await grant.save();
      const resources = Object.keys(access.resources);
      const acr = acrOf(amr, acrs);
      Object.assign(code, {
        accountId: subject,
        grantId,
        amr: [...amr],
        ...(acr !== undefined && { acr }),
        ...(at !== undefined && { authTime: Math.floor(at / secondMs) }),
        ...(typeof parameters['claims'] === 'string' && { claims: claimsOf(parameters) }),
        scope: [...access.scopes, ...Object.values(access.resources).flat()].join(' '),
        ...(resources.length > 0 && { resource: resources.length === 1 ? resources[0] : resources }),
        sessionUid: uid,
        ...(endsWithSession && { expiresWithSession: true }),
        ...(engineClient.includeSid() && { sid }),
      });
      await code.save();
      return endsWithSession ? { uid, use: { uid, clientId: client.id, sid, grantId } } : { uid };
    });
  }

  /**
   * Refuses the request; the device receives the error at its next poll.
   * @throws {Problem} device_code_used.
   */
  async refuse(
    { code }: DeviceRequest,
    error: 'access_denied' | 'unmet_authentication_requirements',
    description: string,
  ): Promise<void> {
    const unit = new Unit();
    await withUnit(unit, async () => {
      Object.assign(code, { error, errorDescription: description });
      await code.save();
    });
    await this.#parts.db.transaction(async (tx) => {
      await consume(tx, code);
      await unit.writeSaves(tx);
    });
  }
}

/** Answers a code: of several answers the first one counts. */
async function consume(tx: Database, { jti, exp }: DeviceCode): Promise<void> {
  if (!(await useOnce(tx, storedId('device_answer', jti), (exp ?? 0) * secondMs)))
    throw new Problem('device_code_used');
}
