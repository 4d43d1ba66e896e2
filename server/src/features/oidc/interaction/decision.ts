// What an authorization request still needs: a sign-in, a proof of step-up, an answer of the person, or nothing.
import { Problem } from '../../../kit/problem.ts';
import { addressOf } from '../../../http/markup.ts';
import { Redirect } from '../../../page/form-page.ts';
import { paths } from '../../../page/paths.ts';
import type { Session } from '../../../identity/session/session-entry.ts';
import type { AskingClient, Browser, PendingRequest, PendingRequests } from '../engine/pending-request.ts';
import { factorToReach, requestedAcrs, type ProofNames } from '../session/acr.ts';
import type { Authentication, SessionView } from '../session/session-view.ts';
import '../../../identity/session/problem.ts';

export interface DecisionParts {
  readonly isSignUpOpen: boolean;
  readonly requests: PendingRequests;
  readonly secondFactors: ProofNames;
  readonly view: SessionView;
}

/** A question for the person. */
export interface Question {
  readonly request: PendingRequest;
  readonly session: Session;
  readonly kind: 'consent' | 'account' | 'no_access';
}

/** A request that was answered or has expired, of this client. */
export interface Ended {
  readonly kind: 'ended';
  readonly request: { readonly client: AskingClient };
}

/** The person who opens the page of a request. */
export interface Visitor {
  readonly browser: Browser;
  readonly session: Session | null;
}

/** Decides what the request still needs: another page, or an answer of the person. */
export async function decide(
  parts: DecisionParts,
  { browser, session }: Visitor,
  pending: PendingRequest,
): Promise<Question | Redirect> {
  const { view, requests } = parts;
  const { address: here } = pending;
  if (session === null) {
    const path = pending.prompt === 'create' && parts.isSignUpOpen ? paths.signUp : paths.signIn;
    return new Redirect(addressOf(path, { return_to: here, email: hintOf(pending) }));
  }
  const authentication = await view.authenticationOf(session);
  if (authentication === undefined) throw new Problem('session_required');
  if (await isOfOtherSession(view, pending, session))
    return new Redirect(await requests.restart(pending, isNewer(authentication, pending)));
  const proceed = async (also: readonly string[] = []): Promise<Redirect> =>
    new Redirect(await requests.signIn(browser, pending.uid, authentication, also));
  switch (pending.prompt) {
    case 'login':
      return decideLogin(parts, { pending, session, authentication, here, proceed, browser });
    case 'create':
      return isNewer(authentication, pending)
        ? proceed(['create'])
        : { request: pending, session, kind: 'account' };
    case 'select_account':
      return isNewer(authentication, pending)
        ? proceed(['select_account'])
        : { request: pending, session, kind: 'account' };
    case 'access':
      return { request: pending, session, kind: 'no_access' };
    case 'consent':
      return { request: pending, session, kind: 'consent' };
    default:
      throw new Error(`There is no page for the prompt ${pending.prompt}`);
  }
}

/** Returns whether the request came in another session, which has ended since: the engine continues in no other one. */
export async function isOfOtherSession(
  view: Pick<SessionView, 'uidOf'>,
  { sessionUid }: PendingRequest,
  session: Session,
): Promise<boolean> {
  return sessionUid !== undefined && sessionUid !== (await view.uidOf(session));
}

/** Returns whether the user has authenticated since the request came. In milliseconds: both may happen in one second. */
function isNewer({ at = 0 }: Authentication, { createdAt }: PendingRequest): boolean {
  return at > createdAt;
}

interface LoginDecision {
  readonly pending: PendingRequest;
  readonly session: Session;
  readonly authentication: Authentication;
  readonly here: string;
  readonly proceed: (also?: readonly string[]) => Promise<Redirect>;
  readonly browser: Browser;
}

/** The prompt `login`: the engine has found a reason why the session is not enough. */
async function decideLogin(
  { secondFactors, requests }: DecisionParts,
  { pending, session, authentication, here, proceed, browser }: LoginDecision,
): Promise<Question | Redirect> {
  const { reasons } = pending;
  if (reasons.some((reason) => reason === 'id_token_hint' || reason === 'claims_id_token_sub_value')) {
    // The user has just signed in, and so has chosen this account.
    return isNewer(authentication, pending)
      ? new Redirect(
          await requests.refuse(browser, pending.uid, 'login_required', 'another user is signed in'),
        )
      : { request: pending, session, kind: 'account' };
  }
  const { userId } = session;
  const asked = requestedAcrs(requestOf(pending));
  const factor = await factorToReach(secondFactors, { userId, amr: authentication.amr }, asked);
  if (factor !== undefined) return new Redirect(addressOf(paths.stepUp, { return_to: here, factor }));
  if (reasons.some((reason) => reason.startsWith('essential_acr'))) {
    const error = 'unmet_authentication_requirements';
    return new Redirect(
      await requests.refuse(browser, pending.uid, error, 'the user cannot authenticate so'),
    );
  }
  const needsProof = reasons.some((reason) => reason === 'login_prompt' || reason === 'max_age');
  if (needsProof && !isNewer(authentication, pending))
    return new Redirect(
      addressOf(paths.stepUp, {
        return_to: here,
        factor: authentication.factor,
        since: String(pending.createdAt),
      }),
    );
  // A user who had to sign in has chosen the account.
  return proceed(pending.sessionUid === undefined ? ['select_account'] : []);
}

/** Returns the parameters in the form in which the engine has them. */
function requestOf({ parameters }: PendingRequest): Parameters<typeof requestedAcrs>[0] {
  const { claims } = parameters;
  return {
    params: parameters,
    ...(typeof claims === 'string' && { claims: JSON.parse(claims) as object }), // the engine has parsed it before
  };
}

/** Returns the address that the application expects; the sign-in form shows it and nothing looks it up. */
function hintOf({ parameters: { login_hint: hint } }: PendingRequest): string | undefined {
  return typeof hint === 'string' && hint.includes('@') && hint.length <= 254 ? hint : undefined;
}
