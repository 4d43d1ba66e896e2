// Runs every request of the engine in a unit, and changes its replies.
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { dropCookie } from '../../../http/cookie/cookie.ts';
import type { ClientLimit } from '../token/client-limit.ts';
import { costOf } from '../token/request-cost.ts';
import { Unit, withUnit } from '../token/unit.ts';
import { correctError } from '../wire/error-code.ts';
import { allowFormPost } from '../wire/form-post.ts';
import { noteAnswer, noteRefusals } from '../wire/refusal-reason.ts';
import { settle, type SettleParts } from './settle.ts';

export interface SurroundParts extends SettleParts {
  readonly limit: Pick<ClientLimit, 'note'> & SettleParts['limit'];
  readonly cookies: { readonly session: string };
  /** Returns where a redirect to an application goes after a form. */
  readonly exitOf: (ctx: KoaContextWithOIDC, target: string) => string;
  /** Where a request waits for its person. */
  readonly addressOf: (uid: string, params: Readonly<Record<string, unknown>>) => string;
  /** Logs an unexpected error. */
  readonly logFailure: (error: Error) => void;
}

/** Adds what surrounds every request, the outermost first. */
export function surround(provider: Provider, parts: SurroundParts): void {
  provider.use(async (ctx, next) => {
    await next();
    if (!isKnown(ctx)) return;
    dropCookie(ctx.res, parts.cookies.session); // the session cookie is ours
    askAgain(ctx, parts);
    leaveForm(ctx, parts);
    allowFormPost(ctx);
  });
  provider.use(async (ctx, next) => {
    const unit = new Unit({ mayReplay: () => isKnown(ctx) && ctx.oidc.route === 'token' });
    await withUnit(unit, next);
    if (!isKnown(ctx)) return;
    correctError(ctx);
    try {
      await settle(parts, ctx, unit);
    } catch (error) {
      parts.logFailure(error as Error); // of the database
      ctx.status = 500;
      await parts.refuse(ctx, 'server_error');
    }
    noteAnswer(ctx);
    const kind = ctx.oidc.route === 'userinfo' ? 'token' : 'client';
    parts.limit.note(kind, parts.sourceOf(ctx).network ?? '', costOf(ctx, unit));
  });
  provider.on('server_error', (_ctx: unknown, error: Error) => parts.logFailure(error));
  noteRefusals(provider);
}

/**
 * Returns whether the engine has the path. It compares paths as they were sent: `/oauth/tok%65n` is ours and not one of
 * its own, and is answered by 404.
 */
function isKnown(ctx: object): ctx is KoaContextWithOIDC {
  return 'oidc' in ctx;
}

/**
 * Returns to the page of a request whose session changed after the answer. The engine would refuse it, or send a form by a
 * script that our policy blocks. It has found the request then, and has not taken its parameters.
 */
function askAgain(ctx: KoaContextWithOIDC, { addressOf }: SurroundParts): void {
  const { route, params, entities } = ctx.oidc;
  if (route !== 'resume' || entities.Interaction === undefined || params !== undefined) return;
  ctx.status = 303;
  ctx.body = '';
  ctx.set('location', addressOf(entities.Interaction.uid, entities.Interaction.params));
}

/** A browser that came by a form must not be redirected to another origin (page/exit.ts). */
function leaveForm(ctx: KoaContextWithOIDC, { exitOf }: SurroundParts): void {
  const target = ctx.response.get('location');
  if (target !== '' && ctx.status >= 300 && ctx.status < 400) ctx.set('location', exitOf(ctx, target));
}
