// Gives replies of the engine the error codes that their specifications name. It answers some of them with a more general
// one, or not at all.
import type { KoaContextWithOIDC } from 'oidc-provider';
import { deviceGrant } from '../client/client.ts';

/**
 * Endpoints at which a client must say who it is (RFC 6749 §2.3, RFC 7009 §2.1, RFC 7662 §2.1, RFC 8628 §3.1, RFC 9126
 * §2).
 */
const clientRoutes: ReadonlySet<string> = new Set([
  'token',
  'introspection',
  'revocation',
  'pushed_authorization_request',
  'device_authorization',
]);

interface Answer {
  readonly error?: string;
  readonly scope?: string;
}

/** Corrects the code of an error, and turns an answer that lacks requested scopes into an error. Nothing is stored yet. */
export function correctError(ctx: KoaContextWithOIDC): void {
  const { error } = (ctx.body ?? {}) as Answer;
  if (ctx.status === 400 && error === 'invalid_request') correctRequest(ctx);
  else if (ctx.status === 200 && ctx.oidc.route === 'token') refuseLostScopes(ctx);
}

function correctRequest(ctx: KoaContextWithOIDC): void {
  if (isAnonymous(ctx)) {
    ctx.set('www-authenticate', `Basic realm="${ctx.oidc.provider.issuer}"`);
    answer(ctx, 401, 'invalid_client', 'no client authentication was provided');
  } else if (lacksGrant(ctx))
    answer(ctx, 400, 'unauthorized_client', 'the grant type is not allowed for this client');
}

/** Returns whether a request names no client. Its parameters are unknown if the body could not be read. */
function isAnonymous({ headers, oidc: { route, params, body } }: KoaContextWithOIDC): boolean {
  if (!clientRoutes.has(route) || params === undefined || headers.authorization !== undefined) return false;
  const { client_id: id, client_assertion: assertion, client_secret: secret } = body ?? {}; // repeated ones are no parameters
  return id === undefined && assertion === undefined && !Array.isArray(secret);
}

/** Returns whether the client is not registered for the grant that it uses. */
function lacksGrant({ oidc: { route, client, params } }: KoaContextWithOIDC): boolean {
  const grant = route === 'device_authorization' ? deviceGrant : params?.['grant_type'];
  if (route !== 'token' && route !== 'device_authorization') return false;
  return client !== undefined && typeof grant === 'string' && !client.grantTypeAllowed(grant);
}

/**
 * A client that asks for itself must get what it asks for: the engine leaves out scopes that are unknown, not the
 * client's, or of a resource that is not named, and the token would open nothing (RFC 6749 §5.2).
 */
function refuseLostScopes(ctx: KoaContextWithOIDC): void {
  const { ClientCredentials: token } = ctx.oidc.entities;
  const { scope: requested } = (ctx.oidc.body ?? {}) as Answer; // the engine removes scopes from its parameters
  if (token === undefined || requested === undefined) return;
  const given = new Set((ctx.body as Answer).scope?.split(' '));
  if (requested.split(' ').some((scope) => scope !== '' && !given.has(scope)))
    answer(ctx, 400, 'invalid_scope', 'a requested scope is not one of this client at the named resource');
}

function answer(ctx: KoaContextWithOIDC, status: number, error: string, description: string): void {
  ctx.status = status;
  ctx.body = { error, error_description: description };
}
