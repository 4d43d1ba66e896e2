// Problems of a request that another page solves: sign-in and step-up.
import type { FastifyRequest } from 'fastify';
import type { Problem, ProblemCode } from '../kit/problem.ts';
import { missingCookies } from '../http/cookie/result.ts';
import { addressOf } from '../http/markup.ts';
import { paths } from './paths.ts';

/** Config of a route that is no page, but that a page links to: who opens it and has to sign in first returns there. */
interface OpenedConfig {
  openedFrom?: string;
}

/** Returns the config of a route, such as a download, that the page with this path links to. */
export function openedFrom(path: string): object {
  return { openedFrom: path } satisfies OpenedConfig;
}

/** Returns the path of the page that links to the route of a request. */
export function openerOf({ routeOptions: { config } }: FastifyRequest): string | undefined {
  return (config as OpenedConfig | undefined)?.openedFrom;
}

/** Returns whether another page solves a problem: sign-in or step-up. */
export function isSolvedElsewhere({ code }: Problem): boolean {
  return recoveryPages[code] !== undefined;
}

/** Results with which the sign-in page says why a form was not sent. */
const endedResults: Partial<Record<ProblemCode, string>> = {
  session_required: 'over',
  pending_authentication_required: 'late',
};

/** Pages that solve a problem: sign-in and step-up. */
const recoveryPages: Partial<Record<ProblemCode, string>> = {
  step_up_required: paths.stepUp,
  session_required: paths.signIn,
  pending_authentication_required: paths.signIn,
};

/** Where a user continues who has solved a problem. */
interface Back {
  /** Address of the page that sent the request, if it can be opened again. */
  readonly page: string | undefined;
  /** The address to return to. */
  readonly next: string | undefined;
}

/**
 * Returns the URL of the page that solves a problem, with the address to return to; `undefined` for other problems.
 */
export function recoveryPage(
  { code }: Problem,
  request: FastifyRequest,
  { page, next }: Back,
): string | undefined {
  const path = recoveryPages[code];
  if (path === undefined) return undefined;
  // The page of a pending authentication that has ended cannot be shown again; only its target is kept.
  const isPending = code === 'pending_authentication_required';
  const missing = missingCookies(request);
  const ended = endedResults[code];
  // A request with a form, or for the second factor, comes from a session or a pending authentication that has ended.
  const done = request.method === 'GET' ? (missing ?? (isPending ? ended : undefined)) : (ended ?? missing);
  return addressOf(path, { return_to: isPending ? next : page, done });
}
