// Guards of the access levels `pending` and `enrollment`, and the cookies and response of a login.
import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { addressOf } from '../../http/markup.ts';
import type { Visit } from '../../page/form-page.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import type { ClientSource } from '../context.ts';
import type { BrowserCookies } from '../browser-cookies.ts';
import type { SessionGuardParts } from '../session/guard.ts';
import type { EnrollmentSubject, PendingAuthentication } from './subject.ts';
import { pendingMs, type Login, type SignIn } from './sign-in.ts';
import '../session/problem.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * Set by the access level `pending`, and by `enrollment` for a login that must bind an authenticator. Only in the
     * routes of the service. @internal
     */
    pendingAuthentication: PendingAuthentication | null;
  }
}

export interface PendingGuardParts {
  readonly signIn: SignIn;
  readonly cookies: BrowserCookies;
}

/** Rejects a request without a pending authentication. @throws {Problem} pending_authentication_required. */
export function pendingGuard({ signIn, cookies }: PendingGuardParts): onRequestAsyncHookHandler {
  return async (request) => {
    const pending = await signIn.findPending(cookies.pending.read(request.headers.cookie));
    if (pending === undefined) throw new Problem('pending_authentication_required');
    request.pendingAuthentication = pending;
  };
}

/**
 * Accepts a session, and a pending authentication that requires enrollment.
 * @throws {Problem} session_required.
 */
export function enrollmentGuard({
  sessions,
  signIn,
  cookies,
}: SessionGuardParts & PendingGuardParts): onRequestAsyncHookHandler {
  return async (request) => {
    const { cookie: header } = request.headers;
    request.session = (await sessions.find(cookies.session.read(header))) ?? null;
    if (request.session !== null) return;
    const pending = await signIn.findPending(cookies.pending.read(header));
    if (pending?.kind !== 'enrollment') throw new Problem('session_required');
    request.pendingAuthentication = pending;
  };
}

/** Returns the pending authentication of a request at the access level `pending`. */
export function pendingAuthenticationOf(request: FastifyRequest): PendingAuthentication {
  if (request.pendingAuthentication === null)
    throw new Error('This route is not at the access level pending');
  return request.pendingAuthentication;
}

/** Returns the subject whose authenticators a request changes, at the access level `enrollment`. */
export function enrollmentSubjectOf(request: FastifyRequest): EnrollmentSubject {
  const { session } = request;
  return session === null ? { pending: pendingAuthenticationOf(request) } : { session };
}

/** Sets the cookies of a login: of its session and device, or of its pending authentication. */
export function sendLogin(reply: FastifyReply, cookies: BrowserCookies, login: Login): void {
  if (login.pending !== undefined) cookies.setPending(reply, login.pending.token, pendingMs);
  if (login.token !== undefined) cookies.setSession(reply, { ...login, token: login.token });
  if (login.deviceToken !== undefined) cookies.setDevice(reply, login.deviceToken);
}

/** The checkbox of the sign-in page, as its forms send it: absent if the user does not stay signed in. */
export const stayField = Type.Optional(formField);

/** Returns the source of a sign-in from a page with the checkbox. */
export function signInSourceOf(request: FastifyRequest, stay: string | undefined): ClientSource {
  const { source } = request; // not in the signature: programs do not see this member
  return { ...source, endsWithBrowser: stay !== 'true', opensClosed: true };
}

/** As `sendLogin`, from a page: the device remembers the way, unless the user does not stay signed in. */
export function sendPageLogin(reply: FastifyReply, cookies: BrowserCookies, login: Login, way: string): void {
  sendLogin(reply, cookies, login);
  if (!login.endsWithBrowser) cookies.setLastWay(reply, way);
}

/** Response of a login: signed in, or the required authenticators. */
export interface LoginReply {
  readonly email: string;
  readonly message: string;
  /** Names of the authenticators, of which one is required. */
  readonly factors?: string[];
}

/** Returns the JSON body of a login. */
export function loginBody(email: string, { pending }: Login): LoginReply {
  if (pending === undefined) return { email, message: 'logged in' };
  const { kind, factors } = pending.requirement;
  const message = kind === 'enrollment' ? 'second factor must be set up' : 'second factor required';
  return { email, message, factors: [...factors] };
}

/** Returns the path after a login: `next`, or the page of the second factor, or that of a closed account. */
export function afterLogin(login: Login, next: string | undefined): string {
  const { reopening } = login;
  if (reopening !== undefined) return addressOf(reopening.path, { token: reopening.token, return_to: next });
  if (login.pending === undefined) return next ?? paths.account;
  const path = login.pending.requirement.kind === 'enrollment' ? paths.setUp : paths.factor;
  return addressOf(path, { return_to: next });
}

/** As `afterLogin`, after a sign-in with a password: to the page of the offer that the script named, if it is due. */
export function afterPasswordLogin(
  pages: PageKit,
  login: Login,
  { request, next }: Visit,
  offer?: string,
): string {
  const path = login.token !== undefined ? pages.offers.pathOf(offer, request) : undefined;
  return path === undefined ? afterLogin(login, next) : addressOf(path, { return_to: next });
}

/**
 * Returns where a user continues who added an authenticator: after the first one at the section that follows it, such as
 * the recovery codes; otherwise at `next`, at `path`, or at the account if that completed the login.
 */
export function afterEnrollment(
  reply: FastifyReply,
  { cookies, pages }: { readonly cookies: BrowserCookies; readonly pages: PageKit },
  {
    subject,
    login,
    isFirst,
    path,
    next,
  }: {
    readonly subject: EnrollmentSubject;
    readonly login: Login;
    readonly isFirst: boolean;
    readonly path: string;
    readonly next: string | undefined;
  },
): string {
  sendLogin(reply, cookies, login);
  if (subject.pending !== undefined) cookies.clearPending(reply);
  const following = isFirst
    ? pages.sections.find(({ followsFirstFactor = false }) => followsFirstFactor)
    : undefined;
  if (following !== undefined) return addressOf(following.path, { done: 'first', return_to: next });
  return next ?? (subject.pending === undefined ? path : paths.account);
}
