// Decides who may answer the request of a device, and what is needed before.
import { secondMs, type Clock } from '../../../kit/clock.ts';
import { isProblem, Problem } from '../../../kit/problem.ts';
import { addressOf } from '../../../http/markup.ts';
import { Redirect } from '../../../page/form-page.ts';
import { paths } from '../../../page/paths.ts';
import type { Session } from '../../../identity/session/session-entry.ts';
import { engineEvents } from '../engine/event.ts';
import { oidcPaths } from '../engine/paths.ts';
import { recordAllowed, type Allowed, type AllowedEvents } from '../interaction/event.ts';
import { factorToReach, hasReached, type ProofNames } from '../session/acr.ts';
import type { Authentication, SessionView } from '../session/session-view.ts';
import type { DeviceRequests } from './device-requests.ts';
import { mayUseClient, type DeviceQuestion, type DeviceRequest } from './request.ts';
import type { WrongCodes } from './user-code.ts';
import '../../../identity/session/problem.ts';

export interface DeviceAnswerParts {
  readonly accounts: Parameters<typeof mayUseClient>[0];
  readonly clock: Clock;
  readonly events: AllowedEvents;
  readonly requests: DeviceRequests;
  readonly secondFactors: ProofNames;
  readonly view: Pick<SessionView, 'authenticationOf'>;
  readonly wrongCodes: WrongCodes;
}

export class DeviceAnswers {
  readonly #parts: DeviceAnswerParts;

  constructor(parts: DeviceAnswerParts) {
    this.#parts = parts;
  }

  /**
   * Checks a code that a user typed. Wrong ones are limited.
   * @throws {Problem} too_many_requests; device_code_unknown, device_code_expired or device_code_used.
   */
  async requireCode(letters: string, userId: number, network: string | undefined): Promise<void> {
    const { requests, wrongCodes } = this.#parts;
    const [found] = await Promise.allSettled([requests.require(letters)]);
    // After the look-up, so that requests at the same time count each other's wrong codes.
    wrongCodes.requireFew(userId, network);
    if (found.status === 'fulfilled') return;
    if (isProblem(found.reason, 'device_code_unknown')) wrongCodes.note(userId, network);
    throw found.reason;
  }

  /** Returns what to ask a user, or the page that is needed before. @param here Address of the question. */
  async questionOf(letters: string, session: Session, here: string): Promise<DeviceQuestion | Redirect> {
    const { accounts, requests } = this.#parts;
    const request = await requests.require(letters);
    const authentication = await this.#authenticationOf(session);
    if (!(await mayUseClient(accounts, request, authentication.subject)))
      return { kind: 'no_access', letters, request };
    const before = await this.#pageBefore(request, session, authentication, here);
    return before === undefined ? { kind: 'consent', letters, request } : new Redirect(before);
  }

  /** Lets the device sign in. Returns where the person continues. @throws {Problem} as `requireCode`. */
  async allow(letters: string, session: Session, here: string, source: Allowed['source']): Promise<string> {
    const { accounts, events, requests } = this.#parts;
    const request = await requests.require(letters);
    const authentication = await this.#authenticationOf(session);
    if (!(await mayUseClient(accounts, request, authentication.subject))) return here; // which says so
    const before = await this.#pageBefore(request, session, authentication, here);
    if (before !== undefined) return before;
    const { client } = request;
    const { userId } = session;
    await requests.allow(request, { session, authentication }, async (tx, isFirst) => {
      if (!client.isFirstParty) await recordAllowed(tx, events, { userId, client, isFirst, source });
      const target = { kind: 'client', id: client.id };
      await events.emit(tx, engineEvents.application_signed_in, {
        user: { id: userId },
        target,
        facts: { name: client.name },
        source,
      });
    });
    return addressOf(oidcPaths.device, { done: 'allowed' });
  }

  /** Refuses the request of the device. @throws {Problem} as `requireCode`. */
  async deny(letters: string): Promise<void> {
    const { requests } = this.#parts;
    await requests.refuse(await requests.require(letters), 'access_denied', 'the user denied the request');
  }

  async #authenticationOf(session: Session): Promise<Authentication> {
    const authentication = await this.#parts.view.authenticationOf(session);
    if (authentication === undefined) throw new Problem('session_required');
    return authentication;
  }

  /** Returns the page on which the user must authenticate before: again (`max_age`), or with another factor (`acr`). */
  async #pageBefore(
    request: DeviceRequest,
    { userId }: Session,
    { amr, at = 0, factor: proving }: Authentication,
    here: string,
  ): Promise<string | undefined> {
    const { clock, requests, secondFactors } = this.#parts;
    const { parameters, createdAt, acrs, needsAcr } = request;
    const factor = await factorToReach(secondFactors, { userId, amr }, acrs);
    if (factor !== undefined) return addressOf(paths.stepUp, { return_to: here, factor });
    if (needsAcr && acrs.length > 0 && !hasReached(amr, acrs)) {
      const error = 'unmet_authentication_requirements';
      await requests.refuse(request, error, 'the user cannot authenticate so');
      return addressOf(oidcPaths.device, { done: 'unmet' });
    }
    // Of `max_age=0` the engine makes `prompt=login`.
    const { max_age: maxAge, prompt } = parameters;
    const isTooOld = maxAge !== undefined && at + Number(maxAge) * secondMs < clock();
    return at <= createdAt && (isTooOld || prompt === 'login')
      ? addressOf(paths.stepUp, { return_to: here, factor: proving, since: String(createdAt) })
      : undefined;
  }
}
