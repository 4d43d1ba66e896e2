// Limits how often a public client gets tokens for a user: anybody can use its id in a program of their own, and each
// answer adds rows, which are kept for weeks. Those of a client with a secret belong to the operator.
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Verdict } from '../../../kit/rate-limit.ts';

/** Counts answers per user. The class ClientLimit does it. */
export interface AnswerLimit {
  countAnswer(userId: number): Verdict;
}

/**
 * Refuses an answer with tokens above the limit; returns whether it did. Call it before anything is written: nothing is
 * used up then, so that the client may try again.
 */
export function refuseTooOften(
  limit: AnswerLimit,
  ctx: KoaContextWithOIDC,
  userId: number | undefined,
): boolean {
  if (userId === undefined || ctx.oidc.client?.clientAuthMethod !== 'none') return false;
  const { isAllowed, seconds } = limit.countAnswer(userId);
  if (isAllowed) return false;
  ctx.status = 429;
  ctx.set('retry-after', String(seconds));
  ctx.body = {
    error: 'temporarily_unavailable',
    error_description: 'too many tokens for this user in a minute',
  };
  return true;
}
