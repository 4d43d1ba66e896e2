// Logs for the operator why an application was refused. The reply says less, so that attackers learn nothing.
import type { EventEmitter } from 'node:events';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { hasReason, noteReason } from '../../../http/server/request-log.ts';
import { printable } from '../../../kit/text/printable.ts';
import { shown } from '../client/field.ts';
import { isSecret } from '../client/secret.ts';

/** Endpoints of programs, by the names of their events. */
const endpoints = [
  'grant',
  'userinfo',
  'introspection',
  'revocation',
  'pushed_authorization_request',
  'device_authorization',
] as const;

/** Errors that answer a request that was right: its user or the session decided. */
const decisions: ReadonlySet<string> = new Set([
  'access_denied',
  'account_selection_required',
  'consent_required',
  'interaction_required',
  'login_required',
  'unmet_authentication_requirements',
]);

interface EngineError {
  readonly error?: string;
  readonly error_description?: string;
  /** For the operator, in a sentence of the engine. */
  readonly error_detail?: string;
  /** The scope that was refused. */
  readonly scope?: string;
}

/** Reasons of the engine that a reader without its source would misunderstand, by what they contain. */
export const clearerReasons = [
  [
    'invalid character found',
    'the client id or the secret in the Authorization header contains white space or another character that it cannot have',
  ],
  [
    'URI malformed',
    'the client id or the secret in the Authorization header has a % that begins no percent-encoding (RFC 6749 §2.3.1)',
  ],
  ['account not found', 'the user was removed or disabled, or may not use the application any more'],
  [
    'policy requires PKCE',
    'the request has no code_challenge (PKCE), and no nonce that would replace it for a client with skip_pkce',
  ],
] as const;

/** Parameters whose value tells what is wrong, often one character, by how the reason begins. */
export const uriOfReason = [
  ['redirect_uri did not match', 'redirect_uri'],
  ['authorization code redirect_uri mismatch', 'redirect_uri'],
  ['the resource is not registered', 'resource'],
  ['resource indicator is missing, or unknown', 'resource'],
] as const;

/** Adds the reasons to the lines of the log. */
export function noteRefusals(engine: EventEmitter): void {
  for (const endpoint of endpoints) engine.on(`${endpoint}.error`, note);
  engine.on('authorization.error', (ctx: KoaContextWithOIDC, error: EngineError) => {
    if (!decisions.has(error.error ?? '')) note(ctx, error);
  });
}

/** As `noteRefusals`, for an answer of the engine that was turned into an error after it. */
export function noteAnswer(ctx: KoaContextWithOIDC): void {
  if (ctx.status >= 400 && !hasReason(ctx.req)) note(ctx, ctx.body ?? {});
}

function note(
  { req, oidc }: KoaContextWithOIDC,
  { error, error_description, error_detail, scope }: EngineError,
): void {
  const text = error_detail ?? error_description ?? error;
  if (text === undefined) return;
  const says = clearerReasons.find(([part]) => text.includes(part))?.[1] ?? text;
  const name = uriOfReason.find(([begin]) => says.startsWith(begin))?.[1];
  const value = name === undefined ? scope : oidc.params?.[name];
  const reason = value === undefined ? says : withValue(says, value);
  noteReason(req, { reason, client: oidc.entities.Client?.clientId });
}

/** Returns a reason with the value that is not registered. The query of a URI may contain a secret. */
export function withValue(reason: string, value: unknown): string {
  const [place = '', query] = String(value).split('?', 2);
  return `${reason}: ${shown(printable(query === undefined ? place : `${place}?…`))}`;
}

/** Returns why a text is not a secret with one of these digests, for the log of the operator. */
export function faultOfSecret(hashes: readonly Uint8Array[], text: string): string {
  if (isSecret(hashes, text.trim())) return 'the secret is right, but has white space around it';
  if (isSecret(hashes, text.replaceAll(' ', '+')))
    return 'the secret is right, but its + was sent without percent-encoding (RFC 6749 §2.3.1)';
  return 'invalid secret provided';
}
