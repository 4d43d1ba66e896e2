// Between requests and the rules: the member door, the door of what hashes, what a request brings along, and the
// cookies that go back.
import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler, onRequestHookHandler } from 'fastify';
import { dayMs } from '../../kit/clock.ts';
import { languageOf } from '../../kit/language.ts';
import { isProblem, Problem } from '../../kit/problem.ts';
import { createToken } from '../../kit/secret.ts';
import type { ClientAddress } from '../../http/client-address.ts';
import type { RejectionThrottle } from '../../http/rejection-throttle.ts';
import type { TokenCookie } from '../../http/token-cookie.ts';
import type { Auth } from '../../library/auth.ts';
import type { ClientSource } from '../context.ts';
import { pendingMs, type Login, type PendingAuthentication } from './sign-in.ts';
import type { EnrollmentSubject } from '../enrollment/enrollment.ts';
import type { Session } from '../session/session.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set behind the member door. */
    session: Session | null;
    /** Set behind the half-way door, and behind that of who may set a factor up. */
    pendingAuthentication: PendingAuthentication | null;
  }
}

/** Refuses a request without a live session. @throws {Problem} session_required. */
export function sessionGuard(auth: Auth, cookie: TokenCookie): onRequestAsyncHookHandler {
  return async (request) => {
    await requireSession(request, auth, cookie);
  };
}

/** The live session of a request, which is its own from here on. @throws {Problem} session_required. */
async function requireSession(request: FastifyRequest, auth: Auth, cookie: TokenCookie): Promise<Session> {
  const session = await auth.getSession(cookie.read(request.headers.cookie));
  if (session === undefined) throw new Problem('session_required');
  request.session = session;
  return session;
}

/** Refuses a request without a pending login. @throws {Problem} pending_authentication_required. */
export function pendingGuard({ auth, pendingCookie }: AuthRoom): onRequestAsyncHookHandler {
  return async (request) => {
    const pending = await auth.signIn.findPending(pendingCookie.read(request.headers.cookie));
    if (pending === undefined) throw new Problem('pending_authentication_required');
    request.pendingAuthentication = pending;
  };
}

/** Lets in who has a session, and who must set a factor up to get one. @throws {Problem} session_required. */
export function enrollmentGuard({ auth, cookie, pendingCookie }: AuthRoom): onRequestAsyncHookHandler {
  return async (request) => {
    const { cookie: header } = request.headers;
    request.session = (await auth.getSession(cookie.read(header))) ?? null;
    if (request.session !== null) return;
    const pending = await auth.signIn.findPending(pendingCookie.read(header));
    if (pending?.kind !== 'enrollment') throw new Problem('session_required');
    request.pendingAuthentication = pending;
  };
}

/** The pending login of a request behind the half-way door. */
export function pendingAuthenticationOf(request: FastifyRequest): PendingAuthentication {
  if (request.pendingAuthentication === null)
    throw new Error('This route does not have the access level for pending authentications');
  return request.pendingAuthentication;
}

/** Who changes factors, behind the door of who may. */
export function enrollmentSubjectOf(request: FastifyRequest): EnrollmentSubject {
  const { session } = request;
  return session === null ? { pending: pendingAuthenticationOf(request) } : { session };
}

/** The session of a request behind the member door. */
export function sessionOf(request: FastifyRequest): Session {
  if (request.session === null) throw new Error('This route does not have the access level for sessions');
  return request.session;
}

/** What tells where a request comes from. */
export interface SourceReaders {
  readonly clientAddress: ClientAddress;
  /** Carries the session. */
  readonly cookie: TokenCookie;
  /** Carries the device, where devices are known. */
  readonly deviceCookie: TokenCookie;
  /** Carries the request that asked for a mail. */
  readonly requestCookie: TokenCookie;
  /** Carries a login that awaits the second factor. */
  readonly pendingCookie: TokenCookie;
}

/** Where a request comes from, and what it brings along beside its body. */
export function sourceOf(request: FastifyRequest, readers: SourceReaders): ClientSource {
  const { cookie: cookies, 'user-agent': device, 'accept-language': languages } = request.headers;
  return {
    actor: request.session === null ? 'anonymous' : 'user',
    address: readers.clientAddress.of(request).address,
    requestId: request.id,
    device,
    language: languageOf(languages),
    deviceToken: readers.deviceCookie.read(cookies),
    sessionToken: readers.cookie.read(cookies),
    requestToken: readers.requestCookie.read(cookies),
  };
}

/** The source of a request for a mail: its browser is known again by a token, made here when it has none. */
export function initiatingSourceOf(
  request: FastifyRequest,
  readers: SourceReaders,
): ClientSource & { requestToken: string } {
  const source = sourceOf(request, readers);
  return { ...source, requestToken: source.requestToken ?? createToken('request').token };
}

/** House rules that differ between local and public mode. */
interface AuthRules {
  /** Says that an address is taken, instead of answering like a new one. */
  readonly revealAccounts: boolean;
  /** Where a reset token goes. */
  readonly resetTokenBy: 'reply' | 'mail';
  /** A registration mails a token that confirms the address. */
  readonly confirmsEmail: boolean;
}

export interface AuthRoom extends SourceReaders {
  readonly auth: Auth;
  /** At which a flood is refused. */
  readonly throttle: RejectionThrottle;
  readonly rules: AuthRules;
}

/** Refuses a request that needs a hash while there is no time for one: in a flood that must cost next to nothing. */
export function admission({ auth, throttle }: AuthRoom): { onRequest: onRequestHookHandler } {
  return {
    onRequest: (_request, _reply, done) => {
      try {
        auth.requireCapacity();
      } catch (error) {
        return isProblem(error, 'too_busy') ? throttle.refuse(done, error) : done(error as Error); // what it throws
      }
      return done();
    },
  };
}

/** How long a browser is known as the one that asked: as long as the longest-lived mail. */
const requestCookieMs = dayMs;

/** Tells the browser that has asked for a mail how to be known again. */
export function rememberBrowser(
  reply: FastifyReply,
  { requestCookie }: AuthRoom,
  { requestToken }: { readonly requestToken: string },
): void {
  void reply.header('set-cookie', requestCookie.write(requestToken, requestCookieMs));
}

/** Sets the cookies of a login: of its session, or of what awaits the second factor. */
export function sendLogin(
  reply: FastifyReply,
  { auth, cookie, deviceCookie, pendingCookie }: AuthRoom,
  login: Login,
): void {
  if (login.pending !== undefined)
    void reply.header('set-cookie', pendingCookie.write(login.pending.token, pendingMs));
  if (login.token !== undefined) void reply.header('set-cookie', cookie.write(login.token, auth.sessionMs));
  if (login.deviceToken !== undefined)
    void reply.header('set-cookie', deviceCookie.write(login.deviceToken, auth.knownDeviceMs));
}

/** What a login says: signed in, or what is owed. */
export function loginBody(email: string, { pending }: Login): LoginReply {
  if (pending === undefined) return { email, message: 'logged in' };
  const { kind, factors } = pending.demand;
  const message = kind === 'enrollment' ? 'second factor must be set up' : 'second factor required';
  return { email, message, factors: [...factors] };
}

interface LoginReply {
  readonly email: string;
  readonly message: string;
  /** Names of the factors that will do. */
  readonly factors?: string[];
}
