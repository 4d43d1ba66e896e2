// The principal of a request, independent of its credential: a session, an API key or an access token.
import type { ActorKind, AuditSource } from '../audit/event.ts';

export interface Principal {
  readonly kind: Exclude<ActorKind, 'anonymous'>;
  /** The account that makes the request. */
  readonly userId?: number;
  /** The registered client application that makes the request, for itself or for the user. */
  readonly clientId?: string;
  /** Scopes of the credential; empty for a session, which has all rights of its user. */
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  /** Authentication methods references (RFC 8176). */
  readonly amr: readonly string[];
  /** Unix milliseconds of the last authentication; absent if no user was authenticated. */
  readonly authTime?: number;
}

/** Returns the actor of a principal's events; anonymous without a principal. */
export function actorOf(
  principal: Pick<Principal, 'kind' | 'userId' | 'clientId'> | undefined,
): Pick<AuditSource, 'actor' | 'actorId'> {
  if (principal === undefined) return { actor: 'anonymous' };
  const { kind, userId, clientId } = principal;
  const id = kind === 'client' ? clientId : userId;
  return { actor: kind, ...(id !== undefined && { actorId: String(id) }) };
}
