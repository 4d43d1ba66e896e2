// What pages share: which form may act, where the person goes next, and which refusals a form tells.
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { Problem, type ProblemCode } from '../kit/problem.ts';
import { addressOf, hidden } from '../http/markup.ts';
import type { Pages } from '../http/pages.ts';
import { problemStatus } from '../http/problem-handler.ts';
import type { ReturnTargets } from '../http/return-to.ts';
import type { Login } from '../identity/sign-in/sign-in.ts';
import type { AccountSection } from './account-section.ts';
import type { EnrollmentSubject } from '../identity/enrollment/enrollment.ts';
import { initiatingSourceOf, sendLogin, type AuthRoom } from '../identity/sign-in/guard.ts';
import type { ClientSource, CodeSigner } from '../identity/context.ts';
import type { FactorPrompt } from '../identity/factor/prompt.ts';

export interface PageRoom extends AuthRoom {
  readonly pages: Pages;
  readonly returnTargets: ReturnTargets;
  /** Our own, as people reach it. */
  readonly publicOrigin: string;
  /** Digests of forms, keyed. */
  readonly forms: CodeSigner;
  readonly signsInByEmail: boolean;
  /** Mails are kept and read here: local mode. */
  readonly keepsMails: boolean;
  readonly passwordMinLength: number;
  /** How factors are asked for, the best first. */
  readonly prompts: readonly FactorPrompt[];
  readonly sections: readonly AccountSection[];
  /** Days for which a device may be remembered. */
  readonly rememberedDeviceDays: number;
}

/** What stands on the page of signing in beside the password: other ways in. */
export interface SignInWay {
  /** Markup; forms of their own. */
  readonly form: (room: PageRoom, request: FastifyRequest, next: string | undefined) => string;
}

export const paths = {
  signIn: '/sign-in',
  factor: '/sign-in/factor',
  setUp: '/sign-in/set-up',
  signUp: '/sign-up',
  forgot: '/forgot',
  stepUp: '/step-up',
  account: '/account',
} as const;

/** Characters of a form's longest field: a passkey's answer. */
const formCharacters = 12_000;
/** A field of a form, empty where a person left it so: the rules judge it, and the page tells. */
export const formField = Type.String({ maxLength: formCharacters, pattern: '^[^\\u0000]*$' });
const optionalField = Type.Optional(formField);
/** What any page may be asked with. */
export const PageQuery = Type.Object({
  return_to: optionalField,
  email: optionalField,
  done: optionalField,
});

/**
 * Sends the person on after a factor was set up: back to the list, or into the account whose door that has opened.
 */
export function afterFactor(
  room: PageRoom,
  {
    request,
    reply,
    subject,
    login,
  }: { request: FastifyRequest; reply: FastifyReply; subject: EnrollmentSubject; login: Login },
  path: string,
): FastifyReply {
  sendLogin(reply, room, login);
  if (subject.pending === undefined) return seeOther(reply, path);
  void reply.header('set-cookie', room.pendingCookie.clear());
  return seeOther(reply, returnTo(room, request) ?? paths.account);
}

/** The input by which a form shows that it was made for this session. */
export function formToken({ forms }: PageRoom, subjectId: string): string {
  return hidden('form_token', forms.sign(subjectId));
}

/**
 * Refuses a form that was not made for this session or login: the origin of a request is checked before, and this stands
 * behind it (OWASP ASVS 5.0 §3.5.1).
 * @throws {Problem} cross_site.
 */
export function requireForm({ forms }: PageRoom, subjectId: string, token: string | undefined): void {
  // One that is missing is read as a text that is none.
  if (!forms.check(subjectId, String(token))) throw new Problem('cross_site');
}

/** Where the person wished to go, if they may: as the form says, else the address of the page. */
export function returnTo({ returnTargets }: PageRoom, request: FastifyRequest): string | undefined {
  const { query, body } = request as { query?: unknown; body?: unknown };
  for (const part of [body, query]) {
    const { return_to: text } = (part ?? {}) as { return_to?: unknown }; // any object may have one
    if (typeof text === 'string') return returnTargets.parse(text);
  }
  return undefined;
}

/** Sends the person on. 303: whatever they did, they get what is there, and the back button repeats nothing. */
export function seeOther(reply: FastifyReply, path: string): FastifyReply {
  return reply.redirect(path, 303);
}

/** Where a login leads: on, or to what is owed. */
export function afterLogin(login: Login, next: string | undefined): string {
  if (login.pending === undefined) return next ?? paths.account;
  const path = login.pending.demand.kind === 'enrollment' ? paths.setUp : paths.factor;
  return addressOf(path, { return_to: next });
}

/** Runs what a form asks for; when it is refused, the form is shown again with the reason, unless that is mended elsewhere. */
export async function rerenderOnProblem(
  reply: FastifyReply,
  deed: () => Promise<FastifyReply>,
  again: (problem: Problem) => Promise<FastifyReply> | FastifyReply,
): Promise<FastifyReply> {
  try {
    return await deed();
  } catch (error) {
    if (!(error instanceof Problem) || recoveryPages[error.code] !== undefined) throw error;
    if (error.retryAfterSeconds !== undefined) void reply.header('retry-after', error.retryAfterSeconds);
    void reply.status(problemStatus[error.code]);
    return again(error);
  }
}

/** Pages on which a refusal is mended: by signing in, or by proving once more that it is you. */
const recoveryPages: Partial<Record<ProblemCode, string>> = {
  step_up_required: paths.stepUp,
  session_required: paths.signIn,
  pending_authentication_required: paths.signIn,
};

/** Where a refusal is mended on another page, from which the person comes back. */
export function recoveryPage(room: PageRoom, { code }: Problem, request: FastifyRequest): string | undefined {
  const path = recoveryPages[code];
  if (path === undefined) return undefined;
  // A login that is over cannot be come back to, only what was to follow it.
  const back = code === 'pending_authentication_required' ? returnTo(room, request) : placeOf(request);
  return addressOf(path, { return_to: back });
}

/** The page that a person is on. Its forms go to its own path, or below it: `/account/passkeys/remove`. */
function placeOf({ method, url }: FastifyRequest): string {
  if (method === 'GET') return url;
  return new URL(url, 'http://path.invalid').pathname.split('/').slice(0, 3).join('/');
}

/** Where a registration or a request for a mail comes from, and where the person wishes to go in the end. */
export function pageSourceOf(
  room: PageRoom,
  request: FastifyRequest,
): ClientSource & { readonly requestToken: string } {
  return { ...initiatingSourceOf(request, room), returnTo: returnTo(room, request) };
}
