// Logs for the operator why an application was refused. The reply says less, so that attackers learn nothing.
import type { EventEmitter } from 'node:events';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { noteReason } from '../../../http/server/request-log.ts';

/** Endpoints of programs, by the names of their events. */
const endpoints = [
  'grant',
  'userinfo',
  'introspection',
  'revocation',
  'pushed_authorization_request',
  'device_authorization',
] as const;

interface EngineError {
  readonly error_description?: string;
  /** For the operator, in a sentence of the engine. */
  readonly error_detail?: string;
}

/** Adds the reasons to the lines of the log. */
export function noteRefusals(engine: EventEmitter): void {
  for (const endpoint of endpoints)
    engine.on(`${endpoint}.error`, ({ req, oidc }: KoaContextWithOIDC, error: EngineError) => {
      const reason = error.error_detail ?? error.error_description;
      if (reason !== undefined) noteReason(req, { reason, client: oidc.entities.Client?.clientId });
    });
}
