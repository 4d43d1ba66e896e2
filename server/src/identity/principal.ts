// The principal of a request, independent of its credential, and the actor of its events in the audit log.
import type { ActorKind, AuditSource } from '../audit/event.ts';

interface Principal {
  readonly kind: Exclude<ActorKind, 'anonymous'>;
  /** The account that makes the request. */
  readonly userId?: number;
  /** The registered client application that makes the request, for itself or for the user. */
  readonly clientId?: string;
}

/** Returns the actor of a principal's events; anonymous without a principal. */
export function actorOf(principal: Principal | undefined): Pick<AuditSource, 'actor' | 'actorId'> {
  if (principal === undefined) return { actor: 'anonymous' };
  const { kind, userId, clientId } = principal;
  const id = kind === 'client' ? clientId : userId;
  return { actor: kind, ...(id !== undefined && { actorId: String(id) }) };
}
