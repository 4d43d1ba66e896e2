// Who makes a request, whichever credential shows it: a session, an API key, an access token.
import type { ActorKind, AuditSource } from '../audit/event.ts';

export interface Principal {
  readonly kind: Exclude<ActorKind, 'anonymous'>;
  /** The account that acts. */
  readonly userId?: number;
  /** The registered client application that acts, by itself or for the user. */
  readonly clientId?: string;
  /** What the credential may be used for; empty for a session, which may do what its user may. */
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  /** Authentication methods references (RFC 8176). */
  readonly amr: readonly string[];
  /** Unix milliseconds of the last authentication; absent if no user was authenticated. */
  readonly authTime?: number;
}

/** The actor of what a principal does; anonymous without one. */
export function actorOf(
  principal: Pick<Principal, 'kind' | 'userId' | 'clientId'> | undefined,
): Pick<AuditSource, 'actor' | 'actorId'> {
  if (principal === undefined) return { actor: 'anonymous' };
  const { kind, userId, clientId } = principal;
  const id = kind === 'client' ? clientId : userId;
  return { actor: kind, ...(id !== undefined && { actorId: String(id) }) };
}
