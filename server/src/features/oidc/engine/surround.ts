// What surrounds every request of the engine: its unit, and what is changed in its replies.
import { createHash } from 'node:crypto';
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { dropCookie } from '../../../http/cookie/cookie.ts';
import type { ClientLimit } from '../token/client-limit.ts';
import { Unit, withUnit } from '../token/unit.ts';
import { oidcPaths } from './paths.ts';
import { settle, type SettleParts } from './settle.ts';

export interface SurroundParts extends SettleParts {
  readonly limit: Pick<ClientLimit, 'note'>;
  readonly cookies: { readonly session: string };
  /** Returns where a redirect to an application goes after a form. */
  readonly exitOf: (ctx: KoaContextWithOIDC, target: string) => string;
  /** Logs an unexpected error. */
  readonly logFailure: (error: Error) => void;
}

/** Adds what surrounds every request, the outermost first. */
export function surround(provider: Provider, parts: SurroundParts): void {
  provider.use(async (ctx, next) => {
    await next();
    dropCookie(ctx.res, parts.cookies.session); // the session cookie is ours
    leaveForm(ctx as KoaContextWithOIDC, parts);
    allowFormPost(ctx as KoaContextWithOIDC);
  });
  provider.use(async (ctx, next) => {
    const unit = new Unit({ mayReplay: ctx.path === oidcPaths.token });
    await withUnit(unit, next);
    try {
      await settle(parts, ctx as KoaContextWithOIDC, unit);
    } catch (error) {
      parts.logFailure(error as Error); // of the database
      ctx.status = 500;
      await parts.refuse(ctx as KoaContextWithOIDC, 'server_error');
    }
    if (isCounted(ctx as KoaContextWithOIDC))
      parts.limit.note(parts.sourceOf(ctx as KoaContextWithOIDC).network ?? '');
  });
  provider.on('server_error', (_ctx: unknown, error: Error) => parts.logFailure(error));
}

const waitingErrors = new Set(['authorization_pending', 'slow_down']);
/** Errors of a request that may not have been authenticated. */
const strangerErrors = new Set(['invalid_client', 'invalid_request']);

/**
 * Returns whether a request used up a part of what its network may fail: not that of a device that waits, nor that of a
 * client that has authenticated, such as a back end whose users are signed out.
 */
function isCounted({ status, body, oidc }: KoaContextWithOIDC): boolean {
  if (status < 400 || status >= 500) return false;
  const { error = '' } = (body ?? {}) as { readonly error?: string };
  if (waitingErrors.has(error)) return false;
  const { client } = oidc;
  return client === undefined || client.clientAuthMethod === 'none' || strangerErrors.has(error);
}

/** A browser that came by a form must not be redirected to another origin (page/exit.ts). */
function leaveForm(ctx: KoaContextWithOIDC, { exitOf }: SurroundParts): void {
  const target = ctx.response.get('location');
  if (target !== '' && ctx.status >= 300 && ctx.status < 400) ctx.set('location', exitOf(ctx, target));
}

/** Lets the page of `form_post` send its form: by its own script, to the redirect URI and nowhere else. */
function allowFormPost(ctx: KoaContextWithOIDC): void {
  const { body } = ctx;
  if (ctx.oidc.params?.['response_mode'] !== 'form_post' || typeof body !== 'string') return;
  const script = /<script>(?<text>[^]*?)<\/script>/.exec(body)?.groups?.['text'];
  const target = URL.parse(String(ctx.oidc.params['redirect_uri']));
  if (script === undefined || target === null) return;
  const hash = createHash('sha256').update(script).digest('base64');
  ctx.set(
    'content-security-policy',
    `default-src 'none'; script-src 'sha256-${hash}'; form-action ${target.origin}; frame-ancestors 'none'; base-uri 'none'`,
  );
}
